// The registered webhooks of an engine.
#include <fmt/format.h>

#include "capi/guard.h"
#include "json/writer.h"

namespace capi = posthaste::capi;
namespace config = posthaste::config;
using posthaste::core::ErrorCode;
using posthaste::core::Result;
using posthaste::engine::Engine;
using posthaste::engine::Outcome;
using posthaste::engine::Snapshot;

namespace {

posthaste_webhook description_of(Snapshot snapshot) {
  posthaste_webhook description;
  description.spec = config::spec_of(*snapshot.webhook, config::Secrets::Masked);
  description.facts = std::move(snapshot.facts);
  return description;
}

Result<> give_description(posthaste_webhook_t** out, Result<Snapshot> found) {
  if (!found) return found.error();
  *out = std::make_unique<posthaste_webhook>(description_of(std::move(*found))).release();
  return {};
}

std::string summary_json(const posthaste::engine::LoadSummary& summary) {
  std::string text;
  posthaste::json::Writer(text)
      .begin_object()
      .uint64("added", summary.added_count)
      .uint64("changed", summary.changed_count)
      .uint64("removed", summary.removed_count)
      .uint64("unchanged", summary.unchanged_count)
      .end_object();
  return text;
}

}  // namespace

int32_t posthaste_create(posthaste_t* ph, const posthaste_webhook_t* webhook, int32_t timeout_ms,
                         posthaste_webhook_t** out, posthaste_error_t* error) {
  capi::clear(out);
  return capi::with_engine(__func__, ph, {{"webhook", webhook}}, error, [&](Engine& engine) {
    Outcome outcome = engine.create(webhook->spec, timeout_ms);
    if (out == nullptr || outcome.error.code != ErrorCode::Ok) return outcome;
    const Result<> given = give_description(out, engine.find(outcome.webhook_id));
    if (!given) outcome.error = given.error();  // another thread has removed it already
    return outcome;
  });
}

int32_t posthaste_create_ticket(posthaste_t* ph, const posthaste_webhook_t* webhook,
                                uint64_t* out_ticket, posthaste_error_t* error) {
  capi::clear(out_ticket);
  return capi::with_engine(
      __func__, ph, {{"webhook", webhook}, {"out_ticket", out_ticket}}, error, [&](Engine& engine) {
        return capi::give_number(out_ticket, engine.create_ticket(webhook->spec));
      });
}

int32_t posthaste_put(posthaste_t* ph, const char* id, const posthaste_webhook_t* webhook,
                      posthaste_error_t* error) {
  return capi::with_engine(__func__, ph, {{"id", id}, {"webhook", webhook}}, error,
                           [&](Engine& engine) { return engine.put(id, webhook->spec); });
}

int32_t posthaste_update(posthaste_t* ph, const char* id, const posthaste_webhook_t* webhook,
                         int32_t timeout_ms, posthaste_error_t* error) {
  return capi::with_engine(
      __func__, ph, {{"id", id}, {"webhook", webhook}}, error,
      [&](Engine& engine) { return engine.update(id, webhook->spec, timeout_ms); });
}

int32_t posthaste_update_ticket(posthaste_t* ph, const char* id, const posthaste_webhook_t* webhook,
                                uint64_t* out_ticket, posthaste_error_t* error) {
  capi::clear(out_ticket);
  return capi::with_engine(
      __func__, ph, {{"id", id}, {"webhook", webhook}, {"out_ticket", out_ticket}}, error,
      [&](Engine& engine) {
        return capi::give_number(out_ticket, engine.update_ticket(id, webhook->spec));
      });
}

int32_t posthaste_remove(posthaste_t* ph, const char* id, int32_t how, posthaste_error_t* error) {
  return capi::with_engine(__func__, ph, {{"id", id}}, error, [&](Engine& engine) -> Result<> {
    if (how != POSTHASTE_REMOVE_DRAIN && how != POSTHASTE_REMOVE_DROP) {
      return {ErrorCode::Invalid, fmt::format("how is {}, not one of POSTHASTE_REMOVE_*", how),
              "how"};
    }
    return engine.remove(id, how == POSTHASTE_REMOVE_DROP);
  });
}

int32_t posthaste_pause(posthaste_t* ph, const char* id, posthaste_error_t* error) {
  return capi::with_engine(__func__, ph, {{"id", id}}, error,
                           [&](Engine& engine) { return engine.set_paused(id, true); });
}

int32_t posthaste_resume(posthaste_t* ph, const char* id, posthaste_error_t* error) {
  return capi::with_engine(__func__, ph, {{"id", id}}, error,
                           [&](Engine& engine) { return engine.set_paused(id, false); });
}

int32_t posthaste_verify(posthaste_t* ph, const char* id, int32_t timeout_ms,
                         posthaste_error_t* error) {
  return capi::with_engine(__func__, ph, {{"id", id}}, error,
                           [&](Engine& engine) { return engine.verify(id, timeout_ms); });
}

int32_t posthaste_verify_ticket(posthaste_t* ph, const char* id, uint64_t* out_ticket,
                                posthaste_error_t* error) {
  capi::clear(out_ticket);
  return capi::with_engine(
      __func__, ph, {{"id", id}, {"out_ticket", out_ticket}}, error,
      [&](Engine& engine) { return capi::give_number(out_ticket, engine.verify_ticket(id)); });
}

int32_t posthaste_find(const posthaste_t* ph, const char* id, posthaste_webhook_t** out,
                       posthaste_error_t* error) {
  capi::clear(out);
  return capi::with_engine(
      __func__, ph, {{"id", id}, {"out", out}}, error,
      [&](const Engine& engine) { return give_description(out, engine.find(id)); });
}

int32_t posthaste_list(const posthaste_t* ph, posthaste_webhook_list_t** out,
                       posthaste_error_t* error) {
  capi::clear(out);
  return capi::with_engine(__func__, ph, {{"out", out}}, error,
                           [&](const Engine& engine) -> Result<> {
                             auto snapshots = engine.list();
                             if (!snapshots) return snapshots.error();
                             auto list = std::make_unique<posthaste_webhook_list>();
                             list->webhooks.reserve(snapshots->size());
                             for (Snapshot& snapshot : *snapshots) {
                               list->webhooks.push_back(description_of(std::move(snapshot)));
                             }
                             *out = list.release();
                             return {};
                           });
}

int32_t posthaste_load(posthaste_t* ph, const char* path, posthaste_text_t** out,
                       posthaste_error_t* error) {
  capi::clear(out);
  return capi::with_engine(__func__, ph, {{"path", path}}, error, [&](Engine& engine) -> Result<> {
    const auto summary = engine.load(path);
    if (!summary) return summary.error();
    if (out != nullptr) capi::give_text(out, summary_json(*summary));
    return {};
  });
}
