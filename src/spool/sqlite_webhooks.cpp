#include "spool/sqlite_webhooks.h"

#include <fmt/format.h>

#include <string>
#include <utility>

#include "json/value.h"
#include "json/writer.h"

namespace posthaste::spool {
namespace {

using Strings = std::vector<std::string>;

std::string strings_json(const Strings& strings) {
  std::string out;
  json::Writer writer(out);
  writer.begin_array();
  for (const std::string& string : strings) writer.string(string);
  writer.end_array();
  return out;
}

// Names and values in turn, since the order counts.
std::string headers_json(const core::HeaderList& headers) {
  Strings strings;
  for (const auto& [name, value] : headers) {
    strings.push_back(name);
    strings.push_back(value);
  }
  return strings_json(strings);
}

std::string overrides_json(const std::map<std::string, std::string>& overrides) {
  std::string out;
  json::Writer writer(out);
  writer.begin_object();
  for (const auto& [key, value] : overrides) writer.string(key, value);
  writer.end_object();
  return out;
}

bool read_strings(std::string_view text, Strings& out) {
  const auto parsed = json::parse_value(text);
  const json::Value::Array* array = parsed ? parsed.value().as_array() : nullptr;
  if (!array) return false;
  for (const json::Value& value : *array) {
    if (!value.as_string()) return false;
    out.push_back(*value.as_string());
  }
  return true;
}

bool read_headers(std::string_view text, core::HeaderList& out) {
  Strings strings;
  if (!read_strings(text, strings) || strings.size() % 2 != 0) return false;
  for (size_t i = 0; i < strings.size(); i += 2) out.emplace_back(strings[i], strings[i + 1]);
  return true;
}

bool read_overrides(std::string_view text, std::map<std::string, std::string>& out) {
  const auto parsed = json::parse_value(text);
  const json::Value::Object* object = parsed ? parsed.value().as_object() : nullptr;
  if (!object) return false;
  for (const auto& [key, value] : *object) {
    if (!value.as_string()) return false;
    out.emplace(key, *value.as_string());
  }
  return true;
}

}  // namespace

WebhookTable::WebhookTable(Database& database)
    : put_(database,
           "INSERT OR REPLACE INTO webhooks (generation, target_revision, id, name, target, "
           "origin, credentials, events, auth_token, headers, active, overrides, source_file, "
           "is_paused, created, activates) VALUES "
           "(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)"),
      put_cursor_(database,
                  "INSERT INTO cursors (generation, sealed_to, is_removed) VALUES (?1, ?2, ?3) "
                  "ON CONFLICT (generation) DO UPDATE SET "
                  "sealed_to = max(sealed_to, excluded.sealed_to), "
                  "is_removed = max(is_removed, excluded.is_removed)"),
      advance_(database,
               "UPDATE cursors SET sealed_to = ?2 WHERE generation = ?1 AND sealed_to < ?2"),
      set_removed_(database, "UPDATE cursors SET is_removed = 1 WHERE generation = ?1"),
      forget_(database, "DELETE FROM webhooks WHERE generation = ?1"),
      forget_cursor_(database, "DELETE FROM cursors WHERE generation = ?1"),
      forget_revision_(database,
                       "DELETE FROM webhooks WHERE generation = ?1 AND target_revision = ?2") {}

bool WebhookTable::put(const WebhookRow& row) {
  const core::Webhook& webhook = row.webhook;
  put_.bind(webhook.generation, webhook.target_revision, webhook.id, webhook.name, webhook.target,
            webhook.origin, webhook.credentials, strings_json(webhook.events), webhook.auth_token,
            headers_json(webhook.headers), webhook.active, overrides_json(webhook.overrides),
            webhook.source_file, webhook.is_paused, webhook.created, row.activates);
  return put_.run() && put_cursor_.bind(webhook.generation, row.sealed_to, row.is_removed).run();
}

bool WebhookTable::advance(uint64_t generation, core::StreamPosition sealed_to) {
  return advance_.bind(generation, sealed_to).run();
}

bool WebhookTable::set_removed(uint64_t generation) {
  return set_removed_.bind(generation).run();
}

bool WebhookTable::forget(uint64_t generation) {
  return forget_.bind(generation).run() && forget_cursor_.bind(generation).run();
}

bool WebhookTable::forget_revision(uint64_t generation, uint64_t target_revision) {
  return forget_revision_.bind(generation, target_revision).run();
}

bool read_webhook(const Statement& row, int column, WebhookRow& out) {
  core::Webhook& webhook = out.webhook;
  webhook.generation = row.number(column);
  webhook.target_revision = row.number(column + 1);
  webhook.id = row.text(column + 2);
  webhook.name = row.text(column + 3);
  webhook.target = row.text(column + 4);
  webhook.origin = row.text(column + 5);
  webhook.credentials = row.text(column + 6);
  webhook.auth_token = row.text(column + 8);
  webhook.active = row.flag(column + 10);
  webhook.source_file = row.text(column + 12);
  webhook.is_paused = row.flag(column + 13);
  webhook.created = row.time(column + 14);
  out.activates = row.optional_time(column + 15);
  return read_strings(row.bytes(column + 7), webhook.events) &&
         read_headers(row.bytes(column + 9), webhook.headers) &&
         read_overrides(row.bytes(column + 11), webhook.overrides);
}

std::vector<WebhookRow> read_webhooks(Database& database) {
  std::vector<WebhookRow> rows;
  Statement select(database, fmt::format("SELECT coalesce(sealed_to, 0), coalesce(is_removed, 0), "
                                         "{} FROM webhooks LEFT JOIN cursors USING (generation) "
                                         "ORDER BY generation, target_revision",
                                         kWebhookColumns));
  while (select.step()) {
    WebhookRow row;
    row.sealed_to = select.number(0);
    row.is_removed = select.flag(1);
    if (!read_webhook(select, 2, row)) {
      database.note_damage(fmt::format("webhook {} cannot be read", row.webhook.id));
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace posthaste::spool
