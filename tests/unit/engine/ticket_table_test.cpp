#include "engine/ticket_table.h"

#include <catch2/catch.hpp>

#include "core/limits.h"

using posthaste::core::ErrorCode;
using posthaste::core::kTicketsMax;
using posthaste::engine::TicketTable;

TEST_CASE("Beyond the tickets that may be unpolled a ticket is refused until one is polled",
          "[engine][ticket_table]") {
  TicketTable table;
  for (uint64_t i = 1; i <= kTicketsMax; ++i) REQUIRE(*table.begin() == i);
  CHECK(table.begin().code() == ErrorCode::QueueFull);
  table.polled(kTicketsMax + 1);
  CHECK(table.begin().code() == ErrorCode::QueueFull);
  table.polled(5);
  table.polled(5);
  CHECK(*table.begin() == kTicketsMax + 1);
  CHECK(table.begin().code() == ErrorCode::QueueFull);
}
