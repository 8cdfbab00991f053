// `posthaste events`: the catalogue of event types, which the library tells through its REST
// handler.
#include <fmt/core.h>

#include "cli/api_call.h"
#include "cli/command.h"
#include "cli/console.h"
#include "cli/json_members.h"

namespace posthaste::cli {
namespace {

using json::Value;

struct EventsOptions {
  std::string type;
  bool is_json = false;
};

core::Result<Value> documentation() {
  ErrorText error;
  posthaste_t* raw = nullptr;
  int32_t code = posthaste_new(nullptr, &raw, error);
  const Engine engine(raw);
  if (code == POSTHASTE_OK) code = posthaste_start(raw, error);
  if (code != POSTHASTE_OK) return {core::ErrorCode::Internal, error.message()};
  const auto answer = call_api(raw, "GET", "/api/v1/webhooks/events/documentation", "", 10'000);
  if (!answer) return answer.error();
  const auto body = parse_answer(answer->body);
  const Value* results = body ? body->find("results") : nullptr;
  if (!results) return {core::ErrorCode::Internal, "the catalogue cannot be read"};
  return *results;
}

const Value::Object& members_of(const Value* value) {
  static const Value::Object kNone;
  const Value::Object* members = value ? value->as_object() : nullptr;
  return members ? *members : kNone;
}

void print_types(const Value& classes) {
  bool is_first = true;
  for (const auto& [name, about] : members_of(&classes)) {
    if (!std::exchange(is_first, false)) print_line("");
    print_line(fmt::format("{}: {}", name, text_member(about, "description")));
    std::vector<std::vector<std::string>> rows;
    for (const auto& [type, event] : members_of(about.find("events"))) {
      rows.push_back({"  " + type, text_member(event, "description")});
    }
    print(table({"  TYPE", "MEANING"}, rows));
  }
}

void print_fields(const std::string& type, const std::string& class_name, const Value& event) {
  print_line(
      fmt::format("{} (class {}): {}\n", type, class_name, text_member(event, "description")));
  std::vector<std::vector<std::string>> rows;
  for (const auto& [field, about] : members_of(event.find("event"))) {
    const Value* sample = about.find("sampleValue");
    rows.push_back({field, sample ? sample->kind_name() : "", text_member(about, "description")});
  }
  print(table({"FIELD", "KIND", "MEANING"}, rows));
}

Exit show_events(const EventsOptions& options) {
  const auto classes = documentation();
  if (!classes) return fail(Exit::Failed, classes.error().message);
  if (options.type.empty()) {
    options.is_json ? print_line(pretty(*classes)) : print_types(*classes);
    return Exit::Ok;
  }
  for (const auto& [name, about] : members_of(&*classes)) {
    for (const auto& [type, event] : members_of(about.find("events"))) {
      if (type != options.type) continue;
      options.is_json ? print_line(pretty(event)) : print_fields(type, name, event);
      return Exit::Ok;
    }
  }
  return fail(Exit::Usage, "no event type '" + options.type + "'; posthaste events lists them");
}

}  // namespace

void define_events(CLI::App& app, Chosen& chosen) {
  CLI::App* command = add_command(app, "events", "List event types, or the fields of one.");
  auto options = std::make_shared<EventsOptions>();
  command->add_option("TYPE", options->type, "Only this type, with its fields.");
  command->add_flag("--json", options->is_json, "Print JSON.");
  on_chosen(command, chosen, [options] { return show_events(*options); });
}

}  // namespace posthaste::cli
