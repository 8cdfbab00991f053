// A sealed batch: events that travel together under one id until they are delivered or given up.
#pragma once

#include <cstdint>
#include <string>

#include "core/batch_body.h"
#include "core/time.h"

namespace posthaste::core {

struct Endpoint;

// Sealed batches are numbered in steps of this. The numbers between two of them are those of the
// first one's parts: 2 * m for the part that would be halved before its family's event m, 2 * n + 1
// for event n alone. So parts keep the order of their events, no number comes twice, and what a
// number stands for needs not be written down.
inline constexpr uint64_t kSequenceStride = uint64_t{1} << 21;

inline uint64_t sequence_after(uint64_t sequence) {
  return (sequence / kSequenceStride + 1) * kSequenceStride;
}
// The whole batch that a batch is part of, or is.
inline uint64_t family_of(uint64_t sequence) {
  return sequence - sequence % kSequenceStride;
}
inline bool is_part(uint64_t sequence) {
  return sequence % kSequenceStride != 0;
}
// The first event of a part among those of its family.
inline uint32_t first_event_of(uint64_t sequence, uint32_t events_count) {
  const uint64_t middle = sequence % kSequenceStride / 2;
  return is_part(sequence) ? static_cast<uint32_t>(middle - events_count / 2) : 0;
}
inline uint64_t sequence_of_part(uint64_t family, uint32_t first_event, uint32_t events_count) {
  const uint64_t middle = uint64_t{first_event} + events_count / 2;
  return family + 2 * middle + (events_count == 1 ? 1 : 0);
}

struct Batch {
  std::string id;         // version 1 UUID, version 5 of a part; the same in every attempt
  uint64_t sequence = 0;  // order of sealing over the whole engine, and over all runs of a spool
  BatchBody body;
  Endpoint* endpoint = nullptr;
  WallTime sealed{};

  // Of the last attempt: HTTP status, or 0 and the name of a network error.
  int32_t last_status = 0;
  std::string last_network_name;
  uint32_t attempts_count = 0;  // begun
  uint32_t failures_count = 0;  // failed
  uint32_t content_failures_count = 0;
  // False once a trouble of its endpoint has ended that it met a content failure in.
  bool counts_against_endpoint = true;
  // It met a content failure, or is part of one that did.
  bool is_suspect = false;
  // What it is part of had a failed attempt.
  bool is_of_failed = false;
  // It cannot be taken apart: its bytes are not what they should be.
  bool is_indivisible = false;
  // It, or what it is part of, had an outcome.
  bool is_settled = false;
  bool is_in_flight = false;
  bool is_probe = false;      // in flight as the probe of an endpoint in trouble
  bool is_of_family = false;  // in flight for its troubled family
  Instant due{};              // when it is in trouble by itself: its next attempt
  // Content failures of its family since one of it was taken, when it left the scheduler.
  uint32_t family_failures_count = 0;
  // The four hours of design 2a: kNever while the clock stands.
  Instant expires = kNever;
  // What was left on the clock when its webhook was paused; zero: the clock did not run.
  Duration expires_after_pause{};
  // Overdue since a restart, but its endpoint answers: one attempt more.
  bool has_last_chance = false;
  // Refused compressed with 415: it goes as JSON from then on.
  bool refuses_coding = false;
  // Its row and its records are in the spool, where the body can be read at any time.
  bool is_stored = false;

  // Its clock runs on when its endpoint recovers.
  bool has_failed() const { return failures_count > 0 || is_of_failed; }
};

}  // namespace posthaste::core
