// How `posthaste sink` misbehaves when it is told to: rules in the small grammar of kSinkRuleHelp.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace posthaste::cli {

inline constexpr char kSinkRuleHelp[] =
    "A RULE is an answer, and after a colon when it is given and how, with commas between. The "
    "first rule that matches decides; a request that none matches is answered 200.\n"
    "  503               always this status, 200 to 599\n"
    "  timeout           no answer, until the sender leaves; for=2s: at most so long, then 200\n"
    "  reset             the connection is reset\n"
    "  ...:first=3       only the first 3 requests\n"
    "  ...:every=10      only each 10th request\n"
    "  ...:over=1MiB     only requests with a larger body, as it was sent\n"
    "  ...:retry-after=30  with a Retry-After header of so many seconds\n"
    "Examples: 503:every=10  413:over=1MiB  429:first=5,retry-after=30  timeout:every=5,for=2s";

struct SinkRule {
  enum class Answer { Status, Timeout, Reset };

  Answer answer = Answer::Status;
  int status = 200;
  uint64_t first = 0;  // 0: not limited
  uint64_t every = 0;  // 0: each
  std::optional<uint64_t> over;
  std::optional<uint64_t> retry_after;  // seconds
  uint64_t for_ms = 0;                  // of a time-out; 0: until the sender leaves
};

// RFC 9110, section 5.1: a token. BadValue.
core::Result<std::string> parse_header_name(const std::string& text);

// BadValue; the message names the part that is wrong.
core::Result<SinkRule> parse_sink_rule(std::string_view text);

// Purpose: the rules with their counters. Ownership: its copies. Threads: any. Invariants: each
// rule counts the requests whose size it is for, whether or not another rule decided.
class SinkRules {
 public:
  explicit SinkRules(const std::vector<SinkRule>& rules);

  // What the next request gets.
  SinkRule decide(uint64_t body_bytes);

 private:
  struct Counted {
    SinkRule rule;
    uint64_t seen_count = 0;
  };

  std::mutex mutex_;  // guards the counters
  std::vector<Counted> rules_;
};

}  // namespace posthaste::cli
