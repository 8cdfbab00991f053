// What the subcommands share when they are defined: the parser is CLI11, a subcommand is a CLI::App
// with texts, and what it will do is an Action, run after all arguments were understood. Only
// *_command.cpp files, main.cpp and manual_main.cpp include this; what subcommands do stands in
// files that do not know the parser.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>

#include "cli/exit_status.h"
#include "config/value_text.h"
#include "core/result.h"

namespace posthaste::cli {

using Action = std::function<Exit()>;

// Where a subcommand puts what it will do. Owned by main; outlives the parser's run.
struct Chosen {
  Action action;
};

// Adds a subcommand. summary: one line, a full sentence. details: paragraphs below the options, of
// which a line that begins with a blank is printed as it is.
inline CLI::App* add_command(CLI::App& parent, const std::string& name, const std::string& summary,
                             const std::string& details = {}) {
  CLI::App* command = parent.add_subcommand(name, summary);
  command->footer(details);
  return command;
}

// Makes `action` what the program does when the subcommand was given.
inline void on_chosen(CLI::App* command, Chosen& chosen, Action action) {
  command->callback([&chosen, action = std::move(action)] { chosen.action = action; });
}

// For options whose text is parsed at once: refused with the parser's error, which the argument's
// name precedes.
template <typename Value, typename Parse>
std::function<void(const std::string&)> parsed_into(Value& out, std::string name, Parse parse) {
  return [&out, name = std::move(name), parse](const std::string& text) {
    auto value = parse(text);
    if (!value) throw CLI::ValidationError(name, value.error().message);
    out = std::move(*value);
  };
}
// Likewise for options that may be given several times.
template <typename Value, typename Parse>
std::function<void(const std::vector<std::string>&)> parsed_onto(std::vector<Value>& out,
                                                                 std::string name, Parse parse) {
  return [&out, name = std::move(name), parse](const std::vector<std::string>& texts) {
    for (const std::string& text : texts) {
      auto value = parse(text);
      if (!value) throw CLI::ValidationError(name, value.error().message);
      out.push_back(std::move(*value));
    }
  };
}

// Anything but nothing: an empty text is what a script has when a variable is not set.
inline core::Result<std::string> parse_text(const std::string& text) {
  if (text.empty()) return {core::ErrorCode::BadValue, "must not be empty"};
  return text;
}

// A whole number; the parser's own conversion takes a minus.
inline core::Result<uint64_t> parse_number(const std::string& text) {
  const auto number = config::parse_count(text);
  if (!number) return {core::ErrorCode::BadValue, "'" + text + "' is not a whole number"};
  return *number;
}

// All subcommands.
void define_program(CLI::App& app, Chosen& chosen);

void define_config(CLI::App& app, Chosen& chosen);
void define_events(CLI::App& app, Chosen& chosen);
void define_key(CLI::App& app, Chosen& chosen);
void define_push(CLI::App& app, Chosen& chosen);
void define_serve(CLI::App& app, Chosen& chosen);
void define_sink(CLI::App& app, Chosen& chosen);
void define_spool(CLI::App& app, Chosen& chosen);
void define_version(CLI::App& app, Chosen& chosen);
void define_webhook(CLI::App& app, Chosen& chosen);

}  // namespace posthaste::cli
