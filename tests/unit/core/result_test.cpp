#include "core/result.h"

#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <utility>

using namespace posthaste::core;

TEST_CASE("A Result is a value or an error, never both", "[core][result]") {
  Result<std::string> good("text");
  CHECK(good.ok());
  CHECK(static_cast<bool>(good));
  CHECK(good.code() == ErrorCode::Ok);
  CHECK(*good == "text");
  CHECK(good->size() == 4);

  const Result<std::string> bad(ErrorCode::BadValue, "not a number", "batch.max_events");
  CHECK_FALSE(bad.ok());
  CHECK(bad.code() == ErrorCode::BadValue);
  CHECK(bad.error().message == "not a number");
  CHECK(bad.error().key == "batch.max_events");
}

TEST_CASE("A Result without a type succeeds by default", "[core][result]") {
  const Result<> done;
  CHECK(done.ok());
  CHECK(done.code() == ErrorCode::Ok);
  const Result<> failed(ErrorCode::State, "the engine is closed");
  CHECK_FALSE(failed);
  CHECK(failed.error().key.empty());
}

TEST_CASE("A Result passes an error on under another type", "[core][result]") {
  const Result<int> inner(ErrorCode::TooLarge, "too large", "events");
  const Result<std::string> outer = inner.error();
  CHECK(outer.code() == ErrorCode::TooLarge);
  CHECK(outer.error().key == "events");
}

TEST_CASE("A Result carries what can only be moved", "[core][result]") {
  Result<std::unique_ptr<int>> made(std::make_unique<int>(7));
  REQUIRE(made);
  const std::unique_ptr<int> taken = std::move(*made);
  CHECK(*taken == 7);
}
