// A sealed batch: events that travel together under one id until they are delivered or given up.
#pragma once

#include <cstdint>
#include <string>

#include "core/batch_body.h"
#include "core/time.h"

namespace posthaste::core {

struct Endpoint;

struct Batch {
  std::string id;         // version 1 UUID; the same in every attempt
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
  bool is_in_flight = false;
  bool is_probe = false;  // in flight as the probe of an endpoint in trouble
  Instant due{};          // when it is in trouble by itself: its next attempt
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
};

}  // namespace posthaste::core
