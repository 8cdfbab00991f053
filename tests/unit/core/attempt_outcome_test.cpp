#include "core/attempt_outcome.h"

#include <catch2/catch.hpp>
#include <set>

using namespace posthaste::core;

namespace {

AttemptOutcome outcome_of_status(int32_t status) {
  return outcome_of({.status = status, .timed_out = false, .upload_began = true});
}

}  // namespace

TEST_CASE("Any 2xx is success", "[core][attempt_outcome]") {
  for (int32_t status = 200; status <= 299; ++status) {
    INFO(status);
    CHECK(outcome_of_status(status) == AttemptOutcome::Delivered);
  }
}

TEST_CASE("Every status has one owner: the batch or the endpoint", "[core][attempt_outcome]") {
  const std::set<int32_t> mute_4xx = {401, 403, 404, 405, 408, 410, 429};
  for (int32_t status = 100; status <= 599; ++status) {
    if (status >= 200 && status <= 299) continue;
    INFO(status);
    const bool is_4xx = status >= 400 && status <= 499;
    const bool is_content = status == 500 || (is_4xx && !mute_4xx.contains(status));
    CHECK(outcome_of_status(status) ==
          (is_content ? AttemptOutcome::ContentFailure : AttemptOutcome::MuteFailure));
  }
}

TEST_CASE("The statuses that the design names", "[core][attempt_outcome]") {
  for (const int32_t status : {400, 413, 415, 422, 402, 406, 409, 411, 418, 431, 451, 500}) {
    INFO(status);
    CHECK(outcome_of_status(status) == AttemptOutcome::ContentFailure);
  }
  for (const int32_t status : {301, 302, 307, 308, 304, 401, 403, 404, 405, 408,
                               410, 429, 501, 502, 503, 504, 511, 599, 600, 999}) {
    INFO(status);
    CHECK(outcome_of_status(status) == AttemptOutcome::MuteFailure);
  }
}

TEST_CASE("A connection broken after the upload began is the batch's trouble",
          "[core][attempt_outcome]") {
  CHECK(outcome_of({.status = 0, .timed_out = false, .upload_began = true}) ==
        AttemptOutcome::ContentFailure);
}

TEST_CASE("Connection, DNS, TLS and time-outs are the endpoint's trouble",
          "[core][attempt_outcome]") {
  CHECK(outcome_of({.status = 0, .timed_out = false, .upload_began = false}) ==
        AttemptOutcome::MuteFailure);
  CHECK(outcome_of({.status = 0, .timed_out = true, .upload_began = false}) ==
        AttemptOutcome::MuteFailure);
  CHECK(outcome_of({.status = 0, .timed_out = true, .upload_began = true}) ==
        AttemptOutcome::MuteFailure);
}
