#include "engine/report.h"

#include <catch2/catch.hpp>
#include <string>

using namespace posthaste::engine;

TEST_CASE("Kinds and reasons are named like their constants in lower case", "[engine][report]") {
  const char* const kinds[] = {"delivered", "retrying", "dropped", "state",
                               "ticket",    "overflow", "log",     "dead_lettered",
                               "spool",     "endpoint", "limit"};
  int32_t value = 0;
  for (const char* name : kinds) {
    CHECK(report_kind_name(static_cast<ReportKind>(++value)) == std::string(name));
  }
  CHECK(report_kind_name(static_cast<ReportKind>(0)) == std::string("?"));
  CHECK(report_kind_name(static_cast<ReportKind>(12)) == std::string("?"));

  const char* const reasons[] = {
      "none",     "expired",           "quota",           "removed", "closed",    "unreadable",
      "salvaged", "dead_letter_quota", "dead_letter_age", "purged",  "unsecured", "refused"};
  value = 0;
  for (const char* name : reasons) {
    CHECK(drop_reason_name(static_cast<DropReason>(value++)) == std::string(name));
  }
  CHECK(drop_reason_name(static_cast<DropReason>(-1)) == std::string("?"));
}
