// The receivers of the simulation of durable mode, and the servers of tokens: each address changes
// its ways now and then.
#pragma once

#include <map>
#include <string>

#include "simulation/chance.h"
#include "support/sim_transport.h"

namespace posthaste::simulation {

// Purpose: answers for a SimTransport, over the lives of several engines. Threads: one. Invariants:
// until it is healed the webhook `dead` gets nothing; `all` is never refused.
class Receivers {
 public:
  explicit Receivers(uint64_t seed) : chance_(seed) {}

  test::SimAnswer answer(const transport::Request& request);
  // From now on everything is taken.
  void heal() { is_healed_ = true; }

 private:
  // Strict: it wants one of two credentials. Plain: it refuses what is compressed. Revoking: it
  // knows no token that was given before.
  enum class Mood { Healthy, Flaky, Down, Refusing, Hanging, Strict, Plain, Revoking };
  struct Receiver {
    Mood mood = Mood::Healthy;
    std::string wanted;        // Strict
    uint64_t first_token = 0;  // Revoking
  };

  test::SimAnswer token_for(const transport::Request& request);
  Receiver& receiver_at(const std::string& url);
  void behave(const transport::Request& request, const Receiver& receiver, test::SimAnswer& answer);
  test::SimAnswer taken();

  Chance chance_;
  std::map<std::string, Receiver> receivers_;  // by address
  uint64_t tokens_count_ = 0;                  // given out
  bool is_healed_ = false;
};

}  // namespace posthaste::simulation
