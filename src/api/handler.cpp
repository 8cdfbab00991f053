#include "api/handler.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <memory>

#include "config/value_text.h"
#include "core/subaccount.h"
#include "engine/waiter.h"
#include "metrics/prometheus_text.h"

namespace posthaste::api {
namespace {

enum class Needs { Nothing, View, Modify };

struct RouteRow {
  std::string_view method;
  std::string_view path;  // with {id} for the one variable segment
  Needs needs;
  Route route;
};

constexpr RouteRow kRoutes[] = {
    {"POST", "api/v1/webhooks", Needs::Modify, create_webhook},
    {"GET", "api/v1/webhooks", Needs::View, list_webhooks},
    {"GET", "api/v1/webhooks/events/documentation", Needs::Nothing, document_events},
    {"GET", "api/v1/webhooks/events/samples", Needs::Nothing, show_samples},
    {"GET", "api/v1/webhooks/{id}", Needs::View, show_webhook},
    {"PUT", "api/v1/webhooks/{id}", Needs::Modify, update_webhook},
    {"DELETE", "api/v1/webhooks/{id}", Needs::Modify, remove_webhook},
    {"POST", "api/v1/webhooks/{id}/validate", Needs::Modify, validate_webhook},
    {"GET", "api/v1/webhooks/{id}/batch-status", Needs::View, show_batch_status},
    {"GET", "api/v1/webhooks/{id}/attempts", Needs::View, show_attempts},
    {"POST", "api/v1/webhooks/{id}/pause", Needs::Modify, pause_webhook},
    {"POST", "api/v1/webhooks/{id}/resume", Needs::Modify, resume_webhook},
    {"POST", "api/v1/webhooks/{id}/retry", Needs::Modify, retry_webhook},
    {"GET", "api/v1/dead-letters", Needs::View, list_dead_letters},
    {"POST", "api/v1/dead-letters/replay", Needs::Modify, replay_dead_letters},
    {"GET", "api/v1/dead-letters/{id}", Needs::View, show_dead_letter},
    {"DELETE", "api/v1/dead-letters/{id}", Needs::Modify, remove_dead_letter},
    {"POST", "api/v1/dead-letters/{id}/replay", Needs::Modify, replay_dead_letter},
    {"POST", "api/v1/events", Needs::Modify, push_events},
    {"GET", "api/v1/stats", Needs::View, show_stats},
    {"GET", "api/v1/settings", Needs::View, show_settings},
    {"GET", "api/v1/keys", Needs::View, list_keys},
    {"POST", "api/v1/keys", Needs::Modify, create_key},
    {"DELETE", "api/v1/keys/{id}", Needs::Modify, revoke_key},
    {"GET", "api/v1/openapi.json", Needs::Nothing, show_openapi},
    {"GET", "metrics", Needs::View, show_metrics},
    {"GET", "health", Needs::Nothing, show_health},
};

// Whether a path has the form of a row; the variable segment goes to `id`.
bool matches(std::string_view form, const std::vector<std::string>& segments, std::string& id) {
  for (size_t i = 0; i < segments.size(); ++i) {
    if (form.empty()) return false;
    const std::string_view part = form.substr(0, form.find('/'));
    form.remove_prefix(std::min(part.size() + 1, form.size()));
    if (part == "{id}" && !segments[i].empty()) {
      id = segments[i];
    } else if (part != segments[i]) {
      return false;
    }
  }
  return form.empty();
}

// A HEAD is answered as a GET; whoever sends the answer leaves its body out.
bool is_method(const RouteRow& row, std::string_view method) {
  return row.method == method || (row.method == "GET" && method == "HEAD");
}

struct Found {
  const RouteRow* row = nullptr;
  std::string id;
  std::string allow;  // the methods that the path has
};

// The first row of the path decides what its last segment means: `events` is no id.
Found find_route(const HttpRequest& request, const Target& target) {
  Found found;
  std::string_view path;
  for (const RouteRow& row : kRoutes) {
    std::string id;
    if (!matches(row.path, target.segments, id)) continue;
    if (!path.empty() && row.path != path) break;
    path = row.path;
    found.id = id;
    found.allow += (found.allow.empty() ? "" : ", ") + std::string(row.method);
    if (is_method(row, request.method)) found.row = &row;
  }
  return found;
}

HttpAnswer wrong_method(const std::string& allow) {
  HttpAnswer answer =
      error_answer({.status = 405, .message = "Method Not Allowed", .code = "1102"});
  answer.headers.push_back({"Allow", allow});
  return answer;
}

bool can_accept(const HttpRequest& request, Route route) {
  const auto accept = request.header("Accept");
  if (!accept || accept->empty()) return true;
  return is_acceptable(*accept, route == show_metrics ? "text/plain" : "application/json");
}

// What X-MSYS-SUBACCOUNT and the key say together; nothing when the reply is given.
bool take_scope(Call& call) {
  call.scope = call.identity.subaccount;
  const auto text = call.request.header("X-MSYS-SUBACCOUNT");
  if (!text || text->empty()) return true;
  const auto number = config::parse_count(*text);
  if (!number || *number > core::kSubaccountMax) {
    call.reply(bad_parameter("X-MSYS-SUBACCOUNT must be the number of a subaccount"));
    return false;
  }
  const auto scope = static_cast<uint32_t>(*number);
  if (call.identity.subaccount && *call.identity.subaccount != scope) {
    call.reply(error_answer(forbidden()));
    return false;
  }
  call.scope = scope;
  return true;
}

}  // namespace

void Handler::begin(const HttpRequest& request, const Reply& reply, const engine::Claim& claim) {
  const auto target = parse_target(request.target);
  if (!target) {
    return reply(error_answer({.status = 404, .message = "bad query string", .code = "1103"}));
  }
  Found found = find_route(request, *target);
  const bool is_api = !target->segments.empty() && target->segments.front() == "api";
  const Needs needs = found.row != nullptr             ? found.row->needs
                      : is_api || !found.allow.empty() ? Needs::View
                                                       : Needs::Nothing;
  Call call{engine_, request, *target, engine_.settings(), {}, {}, found.id, reply, claim};
  if (needs != Needs::Nothing) {
    Access access = identify(request, engine_, brake_);
    if (!access.identity) return reply(std::move(access.refusal));
    call.identity = *access.identity;
  }
  if (found.row == nullptr) {
    return reply(found.allow.empty() ? error_answer(invalid_uri()) : wrong_method(found.allow));
  }
  if (needs == Needs::Modify && !call.identity.may_modify) return reply(error_answer(forbidden()));
  if (!can_accept(request, found.row->route)) {
    return reply(error_answer({.status = 406, .message = "Not Acceptable", .code = "1800"}));
  }
  if (take_scope(call)) found.row->route(call);
}

HttpAnswer Handler::handle(const HttpRequest& request, int32_t timeout_ms) {
  const auto waiter = std::make_shared<engine::Waiter>();
  begin(
      request,
      [waiter](HttpAnswer answer) {
        engine::Outcome outcome;
        outcome.http_answer = std::make_shared<HttpAnswer>(std::move(answer));
        waiter->complete(std::move(outcome));
      },
      [waiter] { return waiter->claim(); });
  if (auto outcome = waiter->wait(timeout_ms)) return std::move(*outcome->http_answer);
  return engine_error(
      {core::ErrorCode::Timeout, fmt::format("no outcome within {} ms", timeout_ms), {}});
}

}  // namespace posthaste::api
