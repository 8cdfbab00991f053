// The engine itself: statistics, health, settings, the description of this API, and its keys.
#include "api/call.h"
#include "api/key_shape.h"
#include "api/openapi.h"
#include "config/conf.h"
#include "config/property_table.h"
#include "core/subaccount.h"
#include "json/value.h"
#include "json/writer.h"
#include "metrics/prometheus_text.h"

namespace posthaste::api {
namespace {

using core::ErrorCode;

// Keys are for whoever may see and do everything.
bool may_manage_keys(Call& call) {
  if (!call.identity.subaccount && call.identity.may_modify) return true;
  call.reply(error_answer(forbidden()));
  return false;
}

// What a body says of a new key; nothing when the reply is given.
struct KeyWish {
  std::string name;
  bool may_modify = false;
  std::optional<uint32_t> subaccount;
};
std::optional<KeyWish> read_key_wish(Call& call) {
  const Body body = parse_body(call);
  const auto refuse = [&](HttpAnswer answer) {
    call.reply(std::move(answer));
    return std::nullopt;
  };
  if (!body.value) return refuse(body.refusal);
  const json::Value* name = body.value->find("name");
  if (name == nullptr) return refuse(missing_field("name"));
  if (name->as_string() == nullptr) return refuse(bad_field("'name' must be a string"));
  KeyWish wish;
  wish.name = *name->as_string();
  const json::Value* grant = body.value->find("grant");
  const std::string* grant_text = grant == nullptr ? nullptr : grant->as_string();
  if (grant == nullptr) return refuse(missing_field("grant"));
  if (grant_text == nullptr || (*grant_text != "view" && *grant_text != "modify")) {
    return refuse(bad_field("'grant' must be view or modify"));
  }
  wish.may_modify = *grant_text == "modify";
  const json::Value* subaccount = body.value->find("subaccount");
  if (subaccount == nullptr || subaccount->is_null()) return wish;
  const int64_t* number = subaccount->as_int64();
  if (number == nullptr || *number < 0 || *number > core::kSubaccountMax) {
    return refuse(bad_field("'subaccount' must be the number of a subaccount or null"));
  }
  wish.subaccount = static_cast<uint32_t>(*number);
  return wish;
}

}  // namespace

void show_stats(Call& call) {
  if (!call.scope) {
    const auto text = call.engine.stats_json();
    return call.reply(text ? results_answer(*text) : engine_error(text.error()));
  }
  const auto webhooks = call.engine.webhook_stats_json(
      [&](const core::Webhook& webhook) { return is_visible(call, webhook); });
  if (!webhooks) return call.reply(engine_error(webhooks.error()));
  call.reply(results_answer("{\"webhooks\":" + *webhooks + "}"));
}

void show_metrics(Call& call) {
  if (call.identity.subaccount) return call.reply(error_answer(forbidden()));
  auto text = call.engine.prometheus_text();
  if (!text) return call.reply(engine_error(text.error()));
  call.reply({200,
              {{"Content-Type", metrics::kPrometheusType}, {"Cache-Control", "no-store"}},
              std::move(*text)});
}

void show_health(Call& call) {
  const auto health = call.engine.health();
  std::string text;
  json::Writer writer(text);
  writer.begin_object().string("status", health ? "ok" : "failing");
  if (!health) writer.string("reason", health.error().message);
  writer.end_object();
  HttpAnswer answer = results_answer(text);
  if (!health) answer.status = 503;
  call.reply(std::move(answer));
}

void show_settings(Call& call) {
  std::string text = "[";
  for (const config::Property& property : config::properties()) {
    if (property.scope() != config::Scope::Webhook) continue;
    // The operator's own values are no matter of who may act for one subaccount.
    const auto described = call.identity.subaccount
                               ? config::describe(property.key)
                               : config::describe_in(call.settings, property.key);
    if (!described) continue;
    if (text.size() > 1) text.push_back(',');
    text += *described;
  }
  call.reply(results_answer(text + "]"));
}

void show_openapi(Call& call) {
  call.reply(json_answer(200, std::string(openapi_document())));
}

void list_keys(Call& call) {
  if (call.identity.subaccount) return call.reply(error_answer(forbidden()));
  const auto keys = call.engine.api_keys();
  if (!keys) return call.reply(engine_error(keys.error()));
  call.reply(results_answer(keys_json((*keys)->list())));
}

void create_key(Call& call) {
  if (!may_manage_keys(call)) return;
  const auto wish = read_key_wish(call);
  if (!wish) return;
  const auto keys = call.engine.api_keys();
  if (!keys) return call.reply(engine_error(keys.error()));
  const auto made =
      (*keys)->create(wish->name, wish->may_modify, wish->subaccount, call.engine.wall_now());
  if (!made) return call.reply(engine_error(made.error()));
  call.reply(results_answer(key_json(made->row, &made->key)));
}

void revoke_key(Call& call) {
  if (!may_manage_keys(call)) return;
  const auto keys = call.engine.api_keys();
  if (!keys) return call.reply(engine_error(keys.error()));
  const auto done = (*keys)->revoke(call.id);
  call.reply(done ? empty_answer() : engine_error(done.error()));
}

}  // namespace posthaste::api
