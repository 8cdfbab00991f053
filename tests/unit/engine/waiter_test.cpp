#include "engine/waiter.h"

#include <catch2/catch.hpp>
#include <memory>
#include <thread>
#include <utility>

using namespace posthaste::engine;
using posthaste::core::ErrorCode;

namespace {

Outcome outcome_of(ErrorCode code) {
  return {{code, {}, {}}, nullptr, "w"};
}

}  // namespace

TEST_CASE("A waiter gets what was completed before it waited", "[engine][waiter]") {
  Waiter waiter;
  waiter.complete(outcome_of(ErrorCode::BadTarget));
  const auto outcome = waiter.wait(0);
  REQUIRE(outcome);
  CHECK(outcome->error.code == ErrorCode::BadTarget);
  CHECK(outcome->webhook_id == "w");
}

TEST_CASE("A waiter that is not completed gives up, and nothing can be claimed after",
          "[engine][waiter]") {
  Waiter waiter;
  CHECK_FALSE(waiter.wait(0));
  CHECK_FALSE(waiter.claim());
  waiter.complete(outcome_of(ErrorCode::Ok));
}

TEST_CASE("A claim before the time-out makes the waiter wait for the outcome", "[engine][waiter]") {
  const auto waiter = std::make_shared<Waiter>();
  REQUIRE(waiter->claim());
  std::thread completes([waiter] { waiter->complete(outcome_of(ErrorCode::Ok)); });
  // Its time has passed already, yet the outcome that was claimed counts.
  const auto outcome = waiter->wait(0);
  completes.join();
  REQUIRE(outcome);
  CHECK(outcome->error.code == ErrorCode::Ok);
}

TEST_CASE("A negative time-out waits without limit", "[engine][waiter]") {
  const auto waiter = std::make_shared<Waiter>();
  std::thread completes([waiter] { waiter->complete(outcome_of(ErrorCode::Ok)); });
  CHECK(waiter->wait(-1));
  completes.join();
}

TEST_CASE("Either the claim succeeds and the outcome counts, or the wait ends without one",
          "[engine][waiter]") {
  for (int round = 0; round < 2000; ++round) {
    const auto waiter = std::make_shared<Waiter>();
    bool is_claimed = false;
    std::thread completes([&, waiter] {
      is_claimed = waiter->claim();
      if (is_claimed) waiter->complete(outcome_of(ErrorCode::Ok));
    });
    if (round % 2 == 0) std::this_thread::yield();
    const auto outcome = waiter->wait(0);
    completes.join();
    REQUIRE(outcome.has_value() == is_claimed);
  }
}
