// Webhooks: create, list, retrieve, update, delete, validate, and what goes beyond the original,
// pause, resume and retry (spec/momentum.md, sections 7.1 to 7.6).
#include <fmt/format.h>

#include "api/exchange_json.h"
#include "api/webhook_shape.h"
#include "json/value.h"
#include "json/writer.h"

namespace posthaste::api {
namespace {

using core::ErrorCode;
using engine::Outcome;

// What a failed creation or update answers.
HttpAnswer failure_of(const Outcome& outcome, bool has_details) {
  if (outcome.error.code == ErrorCode::VerifyFailed) return verify_error(outcome, has_details);
  return engine_error(outcome.error, true);
}

// The query parameter `timezone`; the reply is given when it is no zone.
std::optional<TimeZone> zone_of(Call& call) {
  const std::string_view name = call.target.parameter("timezone").value_or("UTC");
  auto zone = TimeZone::find(name);
  if (!zone) call.reply(bad_parameter("timezone is not a name of the time zone database"));
  return zone;
}

std::string array_of_one(const std::string& record) {
  return "[" + record + "]";
}

// The JSON to send: what the caller gave in one of the forms that clients use, as an array, since
// that is what batches are; nothing given is the ping. None: it is neither object nor array.
std::optional<std::string> message_of(const json::Value& body) {
  const json::Value* message = body.find("message");
  const json::Value& given = message == nullptr ? body : *message;
  const json::Value::Object* object = given.as_object();
  if (object == nullptr && given.as_array() == nullptr) return std::nullopt;
  if (object != nullptr && object->empty()) return std::string(engine::kPing);
  std::string text;
  json::Writer writer(text);
  json::write_value(writer, given);
  return object == nullptr ? text : array_of_one(text);
}

void change_state(Call& call,
                  core::Result<> (*change)(engine::Engine& engine, const std::string& id)) {
  auto found = find_visible(call, call.id);
  if (!found) return call.reply(engine_error(found.error()));
  if (auto done = change(call.engine, call.id); !done) {
    return call.reply(engine_error(done.error()));
  }
  found = call.engine.find(call.id);
  if (!found) return call.reply(engine_error(found.error()));
  std::string text;
  json::Writer(text)
      .begin_object()
      .string("id", call.id)
      .string("state", core::state_name(found->facts.state))
      .end_object();
  call.reply(results_answer(text));
}

}  // namespace

void create_webhook(Call& call) {
  Wish wish = read_wish(call, nullptr);
  if (wish.refusal) return call.reply(std::move(*wish.refusal));
  call.engine.begin_create(
      wish.spec,
      [reply = call.reply, base = call.link_base(),
       has_details = call.has_details()](const Outcome& outcome) {
        reply(outcome.error.code == ErrorCode::Ok
                  ? results_answer(webhook_reference(base, outcome.webhook_id, Links::Webhook))
                  : failure_of(outcome, has_details));
      },
      call.claim);
}

void list_webhooks(Call& call) {
  const auto zone = zone_of(call);
  if (!zone) return;
  const auto snapshots = call.engine.list();
  if (!snapshots) return call.reply(engine_error(snapshots.error()));
  std::string text;
  json::Writer writer(text);
  writer.begin_array();
  for (const engine::Snapshot& snapshot : *snapshots) {
    if (is_visible(call, *snapshot.webhook)) {
      write_webhook(writer, call, snapshot, *zone, Links::Webhook);
    }
  }
  writer.end_array();
  call.reply(results_answer(text));
}

void show_webhook(Call& call) {
  const auto zone = zone_of(call);
  if (!zone) return;
  const auto found = find_visible(call, call.id);
  if (!found) return call.reply(engine_error(found.error()));
  std::string text;
  json::Writer writer(text);
  write_webhook(writer, call, *found, *zone, Links::Actions);
  call.reply(results_answer(text));
}

void update_webhook(Call& call) {
  const auto found = find_visible(call, call.id);
  if (!found) return call.reply(engine_error(found.error()));
  Wish wish = read_wish(call, found->webhook.get());
  if (wish.refusal) return call.reply(std::move(*wish.refusal));
  call.engine.begin_update(
      call.id, wish.spec,
      [reply = call.reply, base = call.link_base(), id = call.id,
       has_details = call.has_details()](const Outcome& outcome) {
        reply(outcome.error.code == ErrorCode::Ok
                  ? results_answer(webhook_reference(base, id, Links::Actions))
                  : failure_of(outcome, has_details));
      },
      call.claim);
}

void remove_webhook(Call& call) {
  const auto queued = call.target.parameter("queued").value_or("drain");
  if (queued != "drain" && queued != "drop") {
    return call.reply(bad_parameter("queued must be drain or drop"));
  }
  if (auto found = find_visible(call, call.id); !found) {
    return call.reply(engine_error(found.error()));
  }
  const auto done = call.engine.remove(call.id, queued == "drop");
  call.reply(done ? empty_answer() : engine_error(done.error()));
}

void validate_webhook(Call& call) {
  if (auto found = find_visible(call, call.id); !found) {
    return call.reply(engine_error(found.error()));
  }
  std::string message(engine::kPing);
  if (!call.request.body.empty()) {
    const Body body = parse_body(call);
    if (!body.value) return call.reply(body.refusal);
    const auto given = message_of(*body.value);
    if (!given) return call.reply(bad_field("'message' must be an object or an array"));
    message = *given;
  }
  call.engine.begin_verify(
      call.id, std::move(message),
      [reply = call.reply, has_details = call.has_details()](const Outcome& outcome) {
        if (outcome.error.code != ErrorCode::Ok) return reply(failure_of(outcome, has_details));
        std::string text;
        json::Writer writer(text);
        writer.begin_object().string("msg", "Test POST to endpoint succeeded");
        write_response(writer, *outcome.verify_answer);
        if (has_details) write_request(writer, *outcome.verify_answer);
        writer.end_object();
        reply(results_answer(text));
      });
}

void pause_webhook(Call& call) {
  change_state(call, [](engine::Engine& engine, const std::string& id) {
    return engine.set_paused(id, true);
  });
}

void resume_webhook(Call& call) {
  change_state(call, [](engine::Engine& engine, const std::string& id) {
    return engine.set_paused(id, false);
  });
}

void retry_webhook(Call& call) {
  change_state(call,
               [](engine::Engine& engine, const std::string& id) { return engine.retry_now(id); });
}

}  // namespace posthaste::api
