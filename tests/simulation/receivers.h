// The receivers of the simulation of durable mode: each address changes its ways now and then.
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
  enum class Mood { Healthy, Flaky, Down, Refusing, Hanging };

  test::SimAnswer taken();

  Chance chance_;
  std::map<std::string, Mood> moods_;  // by address
  bool is_healed_ = false;
};

}  // namespace posthaste::simulation
