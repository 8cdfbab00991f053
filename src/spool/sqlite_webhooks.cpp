#include "spool/sqlite_webhooks.h"

#include <fmt/format.h>

#include <string>
#include <utility>

#include "journal/frame.h"
#include "json/value.h"
#include "json/writer.h"

namespace posthaste::spool {
namespace {

using Strings = std::vector<std::string>;

// Of kWebhookColumns.
constexpr int kChecksumColumn = 17;

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

// Of all columns but the checksum, in the order of kWebhookColumns, as text.
uint64_t webhook_checksum(const Strings& columns) {
  std::string text;
  for (const std::string& column : columns) text += std::to_string(column.size()) + ':' + column;
  return journal::contents_checksum(text, columns.size());
}

std::string number_text(uint64_t number) {
  return std::to_string(number);
}

std::string time_text(core::WallTime time) {
  return std::to_string(time.time_since_epoch().count());
}

}  // namespace

int64_t number_checksum(std::string_view key, uint64_t value) {
  // Room for one more, in either direction.
  return static_cast<int64_t>(journal::contents_checksum(key, value) >> 2);
}

WebhookTable::WebhookTable(Database& database)
    : put_(database,
           "INSERT OR REPLACE INTO webhooks (generation, target_revision, id, name, target, "
           "origin, credentials, events, auth_token, headers, active, overrides, source_file, "
           "is_paused, is_disabled, created, activates, checksum) VALUES "
           "(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)"),
      put_cursor_(database,
                  "INSERT INTO cursors (generation, sealed_to, is_removed, checksum) "
                  "VALUES (?1, ?2, 0, ?3) ON CONFLICT (generation) DO UPDATE SET "
                  "sealed_to = excluded.sealed_to, checksum = excluded.checksum + is_removed "
                  "WHERE excluded.sealed_to > sealed_to"),
      advance_(database,
               "UPDATE cursors SET sealed_to = ?2, checksum = ?3 + is_removed "
               "WHERE generation = ?1 AND sealed_to < ?2"),
      set_removed_(database,
                   "UPDATE cursors SET is_removed = 1, checksum = checksum + 1 "
                   "WHERE generation = ?1 AND is_removed = 0"),
      forget_(database, "DELETE FROM webhooks WHERE generation = ?1"),
      forget_cursor_(database, "DELETE FROM cursors WHERE generation = ?1"),
      forget_revision_(database,
                       "DELETE FROM webhooks WHERE generation = ?1 AND target_revision = ?2") {}

bool WebhookTable::put(const WebhookRow& row) {
  const core::Webhook& webhook = row.webhook;
  const std::string events = strings_json(webhook.events);
  const std::string headers = headers_json(webhook.headers);
  const std::string overrides = overrides_json(webhook.overrides);
  const uint64_t checksum = webhook_checksum(
      {number_text(webhook.generation), number_text(webhook.target_revision), webhook.id,
       webhook.name, webhook.target, webhook.origin, webhook.credentials, events,
       webhook.auth_token, headers, number_text(webhook.active), overrides, webhook.source_file,
       number_text(webhook.is_paused), number_text(webhook.is_disabled), time_text(webhook.created),
       row.activates ? time_text(*row.activates) : std::string()});
  put_.bind(webhook.generation, webhook.target_revision, webhook.id, webhook.name, webhook.target,
            webhook.origin, webhook.credentials, events, webhook.auth_token, headers,
            webhook.active, overrides, webhook.source_file, webhook.is_paused, webhook.is_disabled,
            webhook.created, row.activates, checksum);
  return put_.run() && put_cursor(webhook.generation, row.sealed_to) &&
         (!row.is_removed || set_removed(webhook.generation));
}

bool WebhookTable::put_cursor(uint64_t generation, core::StreamPosition sealed_to) {
  return put_cursor_.bind(generation, sealed_to, number_checksum(cursor_key(generation), sealed_to))
      .run();
}

bool WebhookTable::advance(uint64_t generation, core::StreamPosition sealed_to) {
  return advance_.bind(generation, sealed_to, number_checksum(cursor_key(generation), sealed_to))
      .run();
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
  Strings columns;
  for (int i = 0; i < kChecksumColumn; ++i) columns.push_back(row.text(column + i));
  if (row.number(column + kChecksumColumn) != webhook_checksum(columns)) return false;
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
  webhook.is_disabled = row.flag(column + 14);
  webhook.created = row.time(column + 15);
  out.activates = row.optional_time(column + 16);
  return read_strings(row.bytes(column + 7), webhook.events) &&
         read_headers(row.bytes(column + 9), webhook.headers) &&
         read_overrides(row.bytes(column + 11), webhook.overrides);
}

std::vector<WebhookRow> read_webhooks(Database& database) {
  std::vector<WebhookRow> rows;
  Statement select(database, fmt::format("SELECT sealed_to, is_removed, cursors.checksum, {} "
                                         "FROM webhooks LEFT JOIN cursors USING (generation) "
                                         "ORDER BY generation, target_revision",
                                         kWebhookColumns));
  while (select.step()) {
    WebhookRow row;
    if (!read_webhook(select, 3, row)) {
      database.note_damage(fmt::format("webhook {} cannot be read", row.webhook.id));
    }
    if (!read_cursor(select, 0, row.webhook.generation, row)) {
      database.note_damage(fmt::format("the cursor of webhook {} is damaged", row.webhook.id));
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

bool read_cursor(const Statement& row, int column, uint64_t generation, WebhookRow& out) {
  out.sealed_to = row.number(column);
  out.is_removed = row.flag(column + 1);
  const int64_t expected = number_checksum(cursor_key(generation), out.sealed_to);
  return row.integer(column + 2) == expected + (out.is_removed ? 1 : 0);
}

}  // namespace posthaste::spool
