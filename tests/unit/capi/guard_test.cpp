#include "capi/guard.h"

#include <new>
#include <stdexcept>

#include "owned.h"

using namespace posthaste::capi;
using namespace posthaste::testing;
using posthaste::core::Result;

TEST_CASE("No exception passes the C boundary", "[capi][guard]") {
  const ErrorHandle error = make_error();
  const auto call = [&](auto&& thrown) {
    return guarded("posthaste_put", {}, error.get(), [&]() -> Result<> { throw thrown; });
  };
  CHECK(call(std::bad_alloc()) == POSTHASTE_E_NO_MEMORY);
  CHECK(std::string(posthaste_error_message(error.get())) == "out of memory");
  CHECK(call(std::runtime_error("lost")) == POSTHASTE_E_INTERNAL);
  CHECK(std::string(posthaste_error_message(error.get())) == "posthaste_put: lost");
  CHECK(call(1) == POSTHASTE_E_INTERNAL);
  CHECK(std::string(posthaste_error_message(error.get())) == "posthaste_put: an unknown exception");
  CHECK(value_or(7, []() -> int { throw std::bad_alloc(); }) == 7);
}

TEST_CASE("A null argument is named and nothing is called", "[capi][guard]") {
  const ErrorHandle error = make_error();
  const int there = 0;
  bool is_called = false;
  const auto call = [&]() -> Result<> {
    is_called = true;
    return {};
  };
  CHECK(guarded("f", {{"a", &there}, {"b", nullptr}}, error.get(), call) == POSTHASTE_E_INVALID);
  CHECK_FALSE(is_called);
  CHECK(std::string(posthaste_error_key(error.get())) == "b");
  CHECK(std::string(posthaste_error_message(error.get())) == "parameter 'b' is null");
  CHECK(guarded("f", {{"a", &there}}, error.get(), call) == POSTHASTE_OK);
  CHECK(is_called);
}

TEST_CASE("An error object is optional everywhere", "[capi][guard]") {
  CHECK(posthaste_put(nullptr, "hook", nullptr, nullptr) == POSTHASTE_E_INVALID);
  CHECK(guarded("f", {}, nullptr, []() -> Result<> { throw std::bad_alloc(); }) ==
        POSTHASTE_E_NO_MEMORY);
}
