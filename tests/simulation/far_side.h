// The receivers and the servers of tokens: each URL behaves in one way for a while, then in
// another.
#pragma once

#include <map>
#include <string>

#include "simulation/chance.h"
#include "support/sim_transport.h"

namespace posthaste::simulation {

// Purpose: answers for a SimTransport. Ownership: refers to the clock. Threads: one.
class FarSide {
 public:
  // is_gentle: receivers may be slow, and never fail.
  FarSide(const test::SimClock& clock, uint64_t seed, bool is_gentle)
      : clock_(clock), chance_(seed), is_gentle_(is_gentle) {}

  test::SimAnswer answer(const transport::Request& request);
  // From now on everything is taken at once.
  void heal() { is_healed_ = true; }

 private:
  // Particular: it refuses some events. Narrow: it refuses large bodies. Overtaxed: it takes its
  // time for each byte. Strict: it wants one of two credentials. Plain: it refuses what is
  // compressed. Revoking: it knows no token that was given before.
  enum class Mood {
    Healthy,
    Slow,
    Flaky,
    Down,
    Refusing,
    Poisoned,
    Hanging,
    Particular,
    Narrow,
    Overtaxed,
    Strict,
    Plain,
    Revoking
  };
  struct Receiver {
    Mood mood = Mood::Healthy;
    core::Instant until{};
    test::SimFault fault = test::SimFault::None;
    int32_t status = 200;
    uint64_t bad = 0;          // Particular
    uint64_t bytes_max = 0;    // Narrow
    std::string wanted;        // Strict
    uint64_t first_token = 0;  // Revoking
  };

  test::SimAnswer token_for(const transport::Request& request);
  void behave(const transport::Request& request, const Receiver& receiver, test::SimAnswer& answer);
  void change(Receiver& receiver);
  test::SimAnswer taken();
  void make_slow(test::SimAnswer& answer);
  test::SimFault any_fault();
  int32_t any_status();

  const test::SimClock& clock_;
  Chance chance_;
  bool is_gentle_;
  std::map<std::string, Receiver> receivers_;  // by URL
  uint64_t tokens_count_ = 0;                  // given out
  bool is_healed_ = false;
};

}  // namespace posthaste::simulation
