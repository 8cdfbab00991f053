#include "cli/webhook_tool.h"

#include <fmt/core.h>

#include "cli/console.h"
#include "cli/json_members.h"
#include "config/value_text.h"
#include "json/writer.h"

namespace posthaste::cli {
namespace {

using json::Value;

constexpr char kBase[] = "/api/v1/webhooks";
constexpr size_t kMessageMax = size_t{16} << 20;

std::string target_of(const WebhookOptions& options, const char* what = "") {
  return std::string(kBase) + "/" + url_escaped(options.id) + what;
}

std::string zone_of(const WebhookOptions& options) {
  return options.time_zone.empty() ? "" : "?timezone=" + url_escaped(options.time_zone);
}

std::string joined(const Value::Array& values) {
  std::string text;
  for (const Value& value : values) text += (text.empty() ? "" : ",") + text_of(&value);
  return text;
}

// Adds a member when the flag was given.
core::Result<> put(json::Writer& writer, const char* name,
                   const std::optional<std::string>& value) {
  if (!value) return {};
  const auto text = secret_value(*value);
  if (!text) return text.error();
  writer.string(name, *text);
  return {};
}

core::Result<> put_secrets(json::Writer& writer, const WebhookFields& fields) {
  if (auto done = put(writer, "auth_token", fields.token); !done) return done;
  if (fields.auth_user || fields.auth_password || fields.auth_bearer) {
    writer.key("auth_credentials").begin_object();
    if (auto done = put(writer, "username", fields.auth_user); !done) return done;
    if (auto done = put(writer, "password", fields.auth_password); !done) return done;
    if (auto done = put(writer, "access_token", fields.auth_bearer); !done) return done;
    writer.end_object();
  }
  if (!fields.oauth2_url && !fields.oauth2_client_id && !fields.oauth2_client_secret) return {};
  writer.key("auth_request_details").begin_object();
  if (fields.oauth2_url) writer.string("url", *fields.oauth2_url);
  writer.key("body").begin_object();
  writer.string("grant_type", "client_credentials");
  if (auto done = put(writer, "client_id", fields.oauth2_client_id); !done) return done;
  if (auto done = put(writer, "client_secret", fields.oauth2_client_secret); !done) return done;
  if (fields.oauth2_scope) writer.string("scope", *fields.oauth2_scope);
  writer.end_object().end_object();
  return {};
}

core::Result<> put_lists(json::Writer& writer, const WebhookFields& fields) {
  if (fields.events) {
    writer.key("events").begin_array();
    for (const std::string_view type : config::split_list(*fields.events)) writer.string(type);
    writer.end_array();
  }
  if (fields.exception_subaccounts) {
    writer.key("exception_subaccounts").begin_array();
    for (const std::string_view text : config::split_list(*fields.exception_subaccounts)) {
      const auto number = config::parse_count(text);
      if (!number) return {core::ErrorCode::BadValue, "--exception-subaccounts takes numbers"};
      writer.uint64(*number);
    }
    writer.end_array();
  }
  if (!fields.headers.empty() || fields.clears_headers) {
    writer.key("custom_headers").begin_object();
    for (const Setting& header : fields.headers) {
      const auto value = secret_value(header.value);
      if (!value) return value.error();
      writer.string(header.key, *value);
    }
    writer.end_object();
  }
  if (fields.settings.empty()) return {};
  writer.key("settings").begin_object();
  for (const Setting& setting : fields.settings) {
    const auto value = secret_value(setting.value);
    if (!value) return value.error();
    writer.key(setting.key);
    value->empty() ? writer.null() : writer.string(std::string_view(*value));
  }
  writer.end_object();
  return {};
}

Exit print_state(const Value& results) {
  print_line(printable(text_member(results, "id") + " " + text_member(results, "state")));
  return Exit::Ok;
}

Exit post(const WebhookOptions& options, const char* what) {
  return ask_server(options.server, "POST", target_of(options, what), "", print_state);
}

Exit print_id(const Value& results) {
  print_line(printable(text_member(results, "id")));
  return Exit::Ok;
}

}  // namespace

core::Result<std::string> webhook_body(const WebhookFields& fields) {
  std::string body;
  json::Writer writer(body);
  writer.begin_object();
  if (fields.name) writer.string("name", *fields.name);
  if (fields.target) writer.string("target", *fields.target);
  if (fields.auth_type) writer.string("auth_type", *fields.auth_type);
  if (fields.is_active) writer.boolean("active", *fields.is_active);
  if (auto done = put_secrets(writer, fields); !done) return done.error();
  if (auto done = put_lists(writer, fields); !done) return done.error();
  writer.end_object();
  return body;
}

Exit webhook_list(const WebhookOptions& options) {
  return ask_server(options.server, "GET", kBase + zone_of(options), "", [](const Value& results) {
    std::vector<std::vector<std::string>> rows;
    const Value::Array* webhooks = results.as_array();
    for (const Value& webhook : webhooks ? *webhooks : Value::Array()) {
      std::string events = joined(array_member(webhook, "events"));
      constexpr size_t kEventsShown = 40;
      if (events.size() > kEventsShown) events = events.substr(0, kEventsShown) + "...";
      const auto or_dash = [&](const char* name) {
        const std::string text = text_member(webhook, name);
        return text.empty() ? std::string("-") : text;
      };
      rows.push_back({text_member(webhook, "id"), text_member(webhook, "name"),
                      text_member(webhook, "state"), text_member(webhook, "target"), events,
                      or_dash("last_successful"), or_dash("last_failure")});
    }
    print(table({"ID", "NAME", "STATE", "TARGET", "EVENTS", "LAST SUCCESS", "LAST FAILURE"}, rows));
    return Exit::Ok;
  });
}

Exit webhook_create(const WebhookOptions& options) {
  const auto body = webhook_body(options.fields);
  if (!body) return fail(Exit::Usage, body.error().message);
  return ask_server(options.server, "POST", std::string(kBase) + "?detail=true", *body, print_id);
}

Exit webhook_show(const WebhookOptions& options) {
  const std::string target = target_of(options) + zone_of(options);
  return ask_server(options.server, "GET", target, "", [](const Value& results) {
    const Value::Object* members = results.as_object();
    for (const auto& [name, value] : members ? *members : Value::Object()) {
      if (name == "links") continue;
      if (const Value::Object* inner = value.as_object()) {
        for (const auto& [key, element] : *inner) {
          const std::string text = element.as_object() ? pretty(element) : text_of(&element);
          print_line(printable(fmt::format("{:<22} {} = {}", name, key, text)));
        }
      } else {
        const std::string text = value.as_array() ? joined(*value.as_array()) : text_of(&value);
        print_line(printable(fmt::format("{:<22} {}", name, text)));
      }
    }
    return Exit::Ok;
  });
}

Exit webhook_update(const WebhookOptions& options) {
  const auto body = webhook_body(options.fields);
  if (!body) return fail(Exit::Usage, body.error().message);
  if (*body == "{}")
    return fail(Exit::Usage, "say what is to change; see posthaste webhook update --help");
  return ask_server(options.server, "PUT", target_of(options, "?detail=true"), *body, print_id);
}

Exit webhook_delete(const WebhookOptions& options) {
  const std::string target = target_of(options) + (options.drops ? "?queued=drop" : "");
  return ask_server(options.server, "DELETE", target, "", [](const Value&) { return Exit::Ok; });
}

Exit webhook_test(const WebhookOptions& options) {
  std::string body = "[{\"msys\":{}}]";
  if (!options.message_file.empty()) {
    auto message = read_file(options.message_file, kMessageMax);
    if (!message) return fail(Exit::Usage, message.error().message);
    if (auto value = parse_answer(*message); !value) {
      return fail(Exit::Usage, options.message_file + ": " + value.error().message);
    }
    body = "{\"message\":" + *message + "}";
  }
  const auto show = [](const Value& results) {
    print_line(printable(text_member(results, "msg")));
    if (const Value* response = results.find("response")) {
      print_line("status " + text_member(*response, "status"));
      const Value* headers = response->find("headers");
      const Value::Object* members = headers ? headers->as_object() : nullptr;
      for (const auto& [name, value] : members ? *members : Value::Object()) {
        print_line(printable(name + ": " + text_of(&value)));
      }
      const std::string text = text_member(*response, "body");
      if (!text.empty()) print_line("\n" + printable(text, Lines::Keep));
    }
    return Exit::Ok;
  };
  return ask_server(options.server, "POST", target_of(options, "/validate?detail=true"), body,
                    show);
}

Exit webhook_batches(const WebhookOptions& options) {
  const std::string what =
      fmt::format("{}?limit={}", options.is_all ? "/attempts" : "/batch-status", options.limit);
  const auto show = [](const Value& results) {
    std::vector<std::vector<std::string>> rows;
    const Value::Array* batches = results.as_array();
    for (const Value& batch : batches ? *batches : Value::Array()) {
      const std::string code = text_member(batch, "failure_code");
      rows.push_back({text_member(batch, "batch_id"), text_member(batch, "ts"),
                      text_member(batch, "attempts"), text_member(batch, "response_code"),
                      code.empty() ? "-" : code, text_member(batch, "batch_size"),
                      text_member(batch, "latency")});
    }
    print(table({"BATCH", "TIME", "ATTEMPTS", "STATUS", "FAILURE", "EVENTS", "LATENCY"}, rows));
    return Exit::Ok;
  };
  return ask_server(options.server, "GET", target_of(options, what.c_str()), "", show);
}

Exit webhook_pause(const WebhookOptions& options) {
  return post(options, "/pause");
}
Exit webhook_resume(const WebhookOptions& options) {
  return post(options, "/resume");
}
Exit webhook_retry(const WebhookOptions& options) {
  return post(options, "/retry");
}

}  // namespace posthaste::cli
