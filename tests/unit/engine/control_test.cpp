#include "engine/control.h"

#include <catch2/catch.hpp>

using namespace posthaste::engine;
using posthaste::core::Instant;

namespace {

CloseControl numbered(int number) {
  return {Instant(std::chrono::seconds(number))};
}

int number_of(const std::optional<Control>& control) {
  const auto deadline = std::get<CloseControl>(*control).deadline.time_since_epoch();
  return static_cast<int>(std::chrono::duration_cast<std::chrono::seconds>(deadline).count());
}

}  // namespace

TEST_CASE("Controls come in the order in which they were put", "[engine][control]") {
  ControlQueue queue;
  CHECK_FALSE(queue.take());
  for (int i = 1; i <= 3; ++i) queue.put(numbered(i));
  for (int i = 1; i <= 3; ++i) CHECK(number_of(queue.take()) == i);
  CHECK_FALSE(queue.take());
}

TEST_CASE("A control whose place was refused is taken back alone", "[engine][control]") {
  ControlQueue queue;
  queue.put(numbered(1));
  queue.put(numbered(2));
  queue.drop_last();
  CHECK(number_of(queue.take()) == 1);
  CHECK_FALSE(queue.take());
}
