// The flags by which a server is named, for all subcommands that ask one.
#pragma once

#include <memory>

#include "cli/command.h"
#include "cli/server_access.h"

namespace posthaste::cli {

inline core::Result<uint64_t> parse_timeout(const std::string& text) {
  const auto length_ms = config::parse_ms(text);
  constexpr uint64_t kDayMs = 24 * 60 * 60 * 1000;
  if (length_ms && *length_ms > 0 && *length_ms <= kDayMs) return *length_ms;
  return {core::ErrorCode::BadValue, "'" + text + "' is not a length of time such as 30s"};
}

inline core::Result<std::string> parse_url(const std::string& text) {
  const bool is_http = text.starts_with("http://") || text.starts_with("https://");
  if (is_http && text.find("//") + 2 < text.size()) return text;
  return {core::ErrorCode::BadValue, "'" + text + "' is not an http or https URL"};
}

inline core::Result<std::string> parse_subaccount(const std::string& text) {
  const auto number = config::parse_count(text);
  if (number && *number <= INT32_MAX) return text;
  return {core::ErrorCode::BadValue, "'" + text + "' is not a subaccount's number"};
}

inline void add_server_flags(CLI::App* command, ServerOptions& options) {
  command
      ->add_option_function<std::string>(
          "--url", parsed_into(options.url, "--url", parse_url),
          std::string("The server. Default: ") + kServerDefault + ".")
      ->type_name("URL");
  auto* key = command
                  ->add_option("--api-key", options.api_key,
                               "The API key. Other users of the machine can see it.")
                  ->type_name("KEY");
  command->add_option("--api-key-file", options.api_key_file, "A file whose first line is the key.")
      ->type_name("FILE")
      ->excludes(key);
  command
      ->add_option_function<std::string>(
          "--timeout", parsed_into(options.timeout_ms, "--timeout", parse_timeout),
          "How long to wait for an answer. Default: 1m.")
      ->type_name("TIME");
  command->add_flag("--json", options.is_json, "Print JSON.");
}

}  // namespace posthaste::cli
