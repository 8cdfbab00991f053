#include "cli/sink_rules.h"

#include <algorithm>

#include "config/value_text.h"

namespace posthaste::cli {
namespace {

core::Error bad(std::string message) {
  return {core::ErrorCode::BadValue, std::move(message), {}};
}

core::Result<> read_condition(std::string_view text, SinkRule& rule) {
  const size_t equals = text.find('=');
  const std::string name(text.substr(0, equals));
  const std::string_view value = equals == std::string_view::npos ? "" : text.substr(equals + 1);
  const std::optional<uint64_t> count = config::parse_count(value);
  std::optional<uint64_t> number = count;
  if (name == "first" && count && *count > 0) {
    rule.first = *count;
  } else if (name == "every" && count && *count > 0) {
    rule.every = *count;
  } else if (name == "retry-after" && count && rule.answer == SinkRule::Answer::Status) {
    rule.retry_after = *count;
  } else if (name == "over" && (number = config::parse_bytes(value))) {
    rule.over = *number;
  } else if (name == "for" && rule.answer == SinkRule::Answer::Timeout &&
             (number = config::parse_ms(value))) {
    rule.for_ms = *number;
  } else {
    return bad("condition '" + std::string(text) + "' is not known or does not fit here");
  }
  return {};
}

}  // namespace

core::Result<std::string> parse_header_name(const std::string& text) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  const auto is_plain = [&](char character) {
    return (character >= '0' && character <= '9') || (character >= 'a' && character <= 'z') ||
           (character >= 'A' && character <= 'Z') ||
           kMarks.find(character) != std::string_view::npos;
  };
  if (!text.empty() && std::all_of(text.begin(), text.end(), is_plain)) return text;
  return bad("it is no name of a header field");
}

core::Result<SinkRule> parse_sink_rule(std::string_view text) {
  SinkRule rule;
  const size_t colon = text.find(':');
  const std::string_view answer = text.substr(0, colon);
  if (answer == "timeout") {
    rule.answer = SinkRule::Answer::Timeout;
  } else if (answer == "reset") {
    rule.answer = SinkRule::Answer::Reset;
  } else {
    const std::optional<uint64_t> status = config::parse_count(answer);
    if (!status || *status < 200 || *status > 599) {
      return bad("answer '" + std::string(answer) + "' is not 200 to 599, timeout or reset");
    }
    rule.status = static_cast<int>(*status);
  }
  if (colon == std::string_view::npos) return rule;
  for (const std::string_view condition : config::split_list(text.substr(colon + 1))) {
    if (auto read = read_condition(condition, rule); !read) return read.error();
  }
  return rule;
}

SinkRules::SinkRules(const std::vector<SinkRule>& rules) {
  for (const SinkRule& rule : rules) rules_.push_back({rule, 0});
}

SinkRule SinkRules::decide(uint64_t body_bytes) {
  const std::lock_guard lock(mutex_);
  std::optional<SinkRule> decided;
  for (Counted& counted : rules_) {
    const SinkRule& rule = counted.rule;
    if (rule.over && body_bytes <= *rule.over) continue;
    const uint64_t number = ++counted.seen_count;
    const bool is_first = rule.first == 0 || number <= rule.first;
    const bool is_turn = rule.every == 0 || number % rule.every == 0;
    if (is_first && is_turn && !decided) decided = rule;
  }
  return decided.value_or(SinkRule{});
}

}  // namespace posthaste::cli
