// The receiver of the torture: takes batches, fails at random, and books what came.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "simulation/chance.h"
#include "support/receiver.h"
#include "torture/arrivals.h"

namespace posthaste::torture {

enum class Mood {
  Healthy,  // takes everything
  Good,     // takes everything but what is for `rare` and `dead`
  Mixed,    // fails in all ways, now and then
  Down      // answers everything with 503
};

// Purpose: one receiver for all hosts of a run. Ownership: owns the receiver; refers to the book.
// Threads: the driver's, beside the receiver's own. Invariants: while not healthy nothing is
// accepted for the webhooks `rare` and `dead`: what one loses, it loses unseen, and what the other
// gets, it gets because it was replayed.
class FarSide {
 public:
  explicit FarSide(uint64_t seed);

  // What comes from now on, while this host runs.
  void begin(Arrivals& arrivals, uint64_t cycle, Mood mood);
  // Waits until the connections of the last host have ended, and with them what it had sent. False
  // when they do not.
  bool settle();
  std::string port() const { return std::to_string(receiver_.port()); }

 private:
  std::optional<testing::Reply> decide(const testing::Request& request);
  testing::Reply mixed_reply();

  std::mutex mutex_;  // guards all but the receiver
  simulation::Chance chance_;
  Arrivals* arrivals_ = nullptr;
  uint64_t cycle_ = 0;
  Mood mood_ = Mood::Healthy;
  size_t probe_connection_ = 0;     // of the last probe
  size_t settled_connections_ = 0;  // those before it have ended
  testing::Receiver receiver_;      // last, so that it stops first
};

}  // namespace posthaste::torture
