#include "cli/sink_rules.h"

#include <catch2/catch.hpp>

using namespace posthaste::cli;

namespace {

SinkRules rules_of(std::initializer_list<const char*> texts) {
  std::vector<SinkRule> rules;
  for (const char* text : texts) rules.push_back(*parse_sink_rule(text));
  return SinkRules(rules);
}

// The statuses of so many requests with a body of that size.
std::vector<int> statuses(SinkRules& rules, int count, uint64_t body_bytes = 1) {
  std::vector<int> found;
  for (int i = 0; i < count; ++i) found.push_back(rules.decide(body_bytes).status);
  return found;
}

}  // namespace

TEST_CASE("A rule of the sink is an answer and its conditions", "[cli][sink_rules]") {
  const auto rule = parse_sink_rule("429:first=5,every=2,over=1MiB,retry-after=30");
  REQUIRE(rule);
  CHECK(rule->answer == SinkRule::Answer::Status);
  CHECK(rule->status == 429);
  CHECK(rule->first == 5);
  CHECK(rule->every == 2);
  CHECK(rule->over == 1u << 20);
  CHECK(rule->retry_after == 30);
  const auto silence = parse_sink_rule("timeout:for=2s");
  REQUIRE(silence);
  CHECK(silence->answer == SinkRule::Answer::Timeout);
  CHECK(silence->for_ms == 2000);
  CHECK(parse_sink_rule("reset")->answer == SinkRule::Answer::Reset);
}

TEST_CASE("A rule that cannot be understood is refused by the part that is wrong",
          "[cli][sink_rules]") {
  for (const char* text : {"", "199", "600", "ok", "503:", "503:first=0", "503:every=0",
                           "503:first", "503:first=x", "503:never=1", "503:for=2s",
                           "reset:retry-after=1", "timeout:for=", "413:over=x", "503:first=1,"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_sink_rule(text));
  }
  CHECK_THAT(parse_sink_rule("503:first=1,sometimes=2").error().message,
             Catch::Contains("'sometimes=2'"));
}

TEST_CASE("The first rule that matches decides and others count all the same",
          "[cli][sink_rules]") {
  SinkRules rules = rules_of({"503:first=1", "429:every=2"});
  CHECK(statuses(rules, 5) == std::vector<int>{503, 429, 200, 429, 200});
}

TEST_CASE("A rule for large bodies counts those only", "[cli][sink_rules]") {
  SinkRules rules = rules_of({"413:over=1KiB,first=2"});
  CHECK(statuses(rules, 2, 1024) == std::vector<int>{200, 200});
  CHECK(statuses(rules, 3, 1025) == std::vector<int>{413, 413, 200});
}

TEST_CASE("A header's name is a token", "[cli][sink_rules]") {
  CHECK(parse_header_name("X-Token_1"));
  for (const char* text : {"", "a b", "a:b", "a\nb", "\xc3\xa9"})
    CHECK_FALSE(parse_header_name(text));
}
