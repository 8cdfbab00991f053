// What the end of an attempt means: delivered, the batch's own trouble, or the endpoint's (design
// 2a, "Whose trouble").
#pragma once

#include <cstdint>

#include "core/time.h"

namespace posthaste::core {

enum class AttemptOutcome {
  Delivered,
  ContentFailure,  // of the batch: it alone backs off
  MuteFailure,     // of the endpoint: everything for it waits behind a probe
};

// How an attempt ended, without the words.
struct AttemptEnd {
  int32_t status = 0;         // 0: no HTTP answer
  bool timed_out = false;     // any of the three time-outs
  bool upload_began = false;  // the connection stood and took a byte of the body
};

constexpr AttemptOutcome outcome_of(const AttemptEnd& end) {
  if (end.status >= 200 && end.status <= 299) return AttemptOutcome::Delivered;
  if (end.status == 0) {
    return end.upload_began && !end.timed_out ? AttemptOutcome::ContentFailure
                                              : AttemptOutcome::MuteFailure;
  }
  switch (end.status) {
    case 401:
    case 403:
    case 404:
    case 405:
    case 408:
    case 410:
    case 429:
      return AttemptOutcome::MuteFailure;
    default:
      return end.status >= 400 && end.status <= 500 ? AttemptOutcome::ContentFailure
                                                    : AttemptOutcome::MuteFailure;
  }
}

// What the scheduler is told of an attempt's end.
struct AttemptResult {
  AttemptOutcome outcome = AttemptOutcome::Delivered;
  bool is_ours = false;        // we could not read the batch: it backs off, and nobody is blamed
  bool is_too_large = false;   // 413
  bool is_throttling = false;  // 429, or 503 with Retry-After
  bool is_slow = false;        // a time-out after the connection stood
  Duration retry_after{};      // what the endpoint asked for; zero: nothing
};

}  // namespace posthaste::core
