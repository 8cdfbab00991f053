#include "cli/key_tool.h"

#include <fmt/core.h>

#include <functional>

#include "cli/console.h"
#include "cli/json_members.h"
#include "cli/spool_tool.h"
#include "json/writer.h"

namespace posthaste::cli {
namespace {

using json::Value;

constexpr char kBase[] = "/api/v1/keys";
constexpr int32_t kCloseMs = 30'000;

Exit show_made(const Value& key) {
  print_line(text_member(key, "key"));
  warn("key " + text_member(key, "id") + " is shown this once");
  return Exit::Ok;
}

Exit show_list(const Value& list) {
  std::vector<std::vector<std::string>> rows;
  const Value::Array* keys = list.as_array();
  for (const Value& key : keys ? *keys : Value::Array()) {
    const std::string subaccount = text_member(key, "subaccount");
    rows.push_back({text_member(key, "id"), text_member(key, "name"), text_member(key, "grant"),
                    subaccount.empty() ? "all" : subaccount,
                    time_text(int_member(key, "created_ms"))});
  }
  print(table({"ID", "NAME", "GRANT", "SUBACCOUNT", "CREATED (UTC)"}, rows));
  return Exit::Ok;
}

// Does something to the keys of a spool, and shows the JSON that came of it.
Exit with_spool(
    const KeyOptions& options, Exit (*show)(const Value&),
    const std::function<int32_t(posthaste_t*, posthaste_text_t**, posthaste_error_t*)>& use) {
  Exit status = Exit::Ok;
  auto engine = open_spool(options.spool_dir, {}, status);
  if (!engine) return fail(status, engine.error().message);
  ErrorText error;
  Text text;
  const int32_t code = use(engine->get(), text.out(), error);
  if (code != POSTHASTE_OK) {
    return fail(code == POSTHASTE_E_BAD_VALUE ? Exit::Usage : Exit::Failed, error.message());
  }
  Value value;
  if (!text.view().empty()) {
    auto parsed = parse_answer(text.view());
    if (!parsed) return fail(Exit::Failed, parsed.error().message);
    value = std::move(*parsed);
  }
  if (options.server.is_json && !value.is_null()) {
    print_line(pretty(value));
  } else {
    show(value);
  }
  posthaste_close(engine->get(), kCloseMs, nullptr);
  return Exit::Ok;
}

Exit show_nothing(const Value&) {
  return Exit::Ok;
}

}  // namespace

Exit key_create(const KeyOptions& options) {
  const bool may_modify = options.grant == "modify";
  if (!options.spool_dir.empty()) {
    return with_spool(options, show_made, [&](posthaste_t* engine, auto** out, auto* error) {
      return posthaste_key_create(engine, options.name.c_str(),
                                  may_modify ? POSTHASTE_GRANT_MODIFY : POSTHASTE_GRANT_VIEW,
                                  options.subaccount, out, error);
    });
  }
  std::string body;
  json::Writer writer(body);
  writer.begin_object().string("name", options.name).string("grant", options.grant);
  if (options.subaccount >= 0) writer.int64("subaccount", options.subaccount);
  writer.end_object();
  return ask_server(options.server, "POST", kBase, body, show_made);
}

Exit key_list(const KeyOptions& options) {
  if (options.spool_dir.empty()) return ask_server(options.server, "GET", kBase, "", show_list);
  return with_spool(options, show_list, [](posthaste_t* engine, auto** out, auto* error) {
    return posthaste_key_list(engine, out, error);
  });
}

Exit key_revoke(const KeyOptions& options) {
  if (options.spool_dir.empty()) {
    return ask_server(options.server, "DELETE", std::string(kBase) + "/" + url_escaped(options.id),
                      "", show_nothing);
  }
  return with_spool(options, show_nothing, [&](posthaste_t* engine, auto**, auto* error) {
    return posthaste_key_revoke(engine, options.id.c_str(), error);
  });
}

}  // namespace posthaste::cli
