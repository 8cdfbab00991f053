// `posthaste config`: the property table of the library, for people, machines and the page
// docs/configuration.md, which is this command's output.
#include <fmt/core.h>

#include <utility>

#include "cli/command.h"
#include "cli/console.h"
#include "cli/handles.h"

namespace posthaste::cli {
namespace {

constexpr char kPageHead[] =
    "# Configuration\n"
    "\n"
    "Every key is text: `posthaste_conf_set(conf, \"batch.max_age\", \"30s\", error)`. Units are "
    "written in the value, such as\n"
    "`500ms`, `30s`, `4h`, `64KiB`, `16MiB`; switches are `on` or `off`. Keys of scope *webhook* "
    "are defaults in the engine's\n"
    "configuration and can be set for each webhook with `posthaste_webhook_set`. A key *may "
    "change* at `new` (fixed by\n"
    "`posthaste_new`), at `start` (until `posthaste_start`) or `live` (with `posthaste_set`, any "
    "time).\n"
    "\n"
    "This page is generated from the library's property table by `scripts/generate_docs.py`; a "
    "test compares it.\n";
constexpr char kTableHead[] =
    "| key | scope | default | range | unit | may change | what it does |\n"
    "|---|---|---|---|---|---|---|\n";

std::string member(const json::Value& entry, std::string_view name) {
  const json::Value* value = entry.find(name);
  const std::string* text = value ? value->as_string() : nullptr;
  return text ? *text : std::string();
}

bool is_secret(const json::Value& entry) {
  const json::Value* value = entry.find("secret");
  return value && value->as_bool() && *value->as_bool();
}

std::string escaped_cell(std::string_view text) {
  std::string out;
  for (const char character : text) {
    if (character == '|') out += '\\';
    out += character;
  }
  return out;
}

std::string markdown(const json::Value::Array& entries) {
  std::string page = kPageHead;
  std::string group;
  for (const json::Value& entry : entries) {
    const std::string key = member(entry, "key");
    const std::string first = key.substr(0, key.find('.'));
    if (std::exchange(group, first) != first)
      page += fmt::format("\n## {}\n\n{}", first, kTableHead);
    const std::string standard = member(entry, "default");
    const std::string range = member(entry, "range");
    const char* secret = is_secret(entry)
                             ? " Secret: listings show `****`, which keeps it when it is sent back."
                             : "";
    page += fmt::format("| `{}` | {} | {} | {} | {} | {} | {}{} |\n", key, member(entry, "scope"),
                        standard.empty() ? "none" : escaped_cell("`" + standard + "`"),
                        range.empty() ? "any" : escaped_cell(range),
                        escaped_cell(member(entry, "unit")), member(entry, "change"),
                        escaped_cell(member(entry, "help")), secret);
  }
  return page;
}

// The groups stay together, whatever the order of the table.
json::Value::Array grouped(const json::Value::Array& entries) {
  json::Value::Array out;
  std::vector<std::string> groups;
  const auto group_of = [](const json::Value& entry) {
    const std::string key = member(entry, "key");
    return key.substr(0, key.find('.'));
  };
  for (const json::Value& entry : entries) {
    const std::string group = group_of(entry);
    if (std::find(groups.begin(), groups.end(), group) == groups.end()) groups.push_back(group);
  }
  for (const std::string& group : groups) {
    for (const json::Value& entry : entries) {
      if (group_of(entry) == group) out.push_back(entry);
    }
  }
  return out;
}

std::string details(const json::Value& entry) {
  return fmt::format(
      "{}: {}\n  scope       {}\n  default     {}\n  range       {}\n  unit        {}\n"
      "  may change  {}\n",
      member(entry, "key"), member(entry, "help"), member(entry, "scope"),
      member(entry, "default").empty() ? "none" : member(entry, "default"), member(entry, "range"),
      member(entry, "unit").empty() ? "-" : member(entry, "unit"), member(entry, "change"));
}

struct ConfigOptions {
  std::string key;
  bool is_json = false;
  bool is_markdown = false;
};

Exit show_config(const ConfigOptions& options) {
  ErrorText error;
  Text text;
  const char* key = options.key.empty() ? nullptr : options.key.c_str();
  if (posthaste_conf_describe(key, text.out(), error) != POSTHASTE_OK) {
    return fail(Exit::Usage, error.message());
  }
  const auto described = json::parse_value(text.view());
  if (!described) return fail(Exit::Failed, described.error().message);
  if (options.is_json) {
    print_line(pretty(*described));
    return Exit::Ok;
  }
  const json::Value::Array entries =
      described->as_array() ? grouped(*described->as_array()) : json::Value::Array{*described};
  if (options.is_markdown) {
    print(markdown(entries));
  } else if (key) {
    print(details(*described));
  } else {
    std::vector<std::vector<std::string>> rows;
    for (const json::Value& entry : entries) {
      rows.push_back({member(entry, "key"), member(entry, "default"), member(entry, "scope"),
                      member(entry, "change"), member(entry, "help")});
    }
    print(table({"KEY", "DEFAULT", "SCOPE", "MAY CHANGE", "WHAT IT DOES"}, rows));
  }
  return Exit::Ok;
}

}  // namespace

void define_config(CLI::App& app, Chosen& chosen) {
  CLI::App* command = add_command(
      app, "config", "List the configuration keys of engine and webhooks.",
      "Keys of scope webhook are defaults when given to the server, and can be set for each "
      "webhook.");
  auto options = std::make_shared<ConfigOptions>();
  command->add_option("KEY", options->key, "Only this key, with its range and unit.");
  auto* json = command->add_flag("--json", options->is_json, "Print JSON.");
  command->add_flag("--markdown", options->is_markdown, "Print the page docs/configuration.md.")
      ->excludes(json);
  on_chosen(command, chosen, [options] { return show_config(*options); });
}

}  // namespace posthaste::cli
