// Dice for the simulation.
#pragma once

#include <initializer_list>
#include <iterator>

#include "core/random.h"
#include "core/time.h"

namespace posthaste::simulation {

// Purpose: choices made of one seeded source. Threads: one.
class Chance {
 public:
  explicit Chance(uint64_t seed) : random_(seed) {}

  uint64_t below(uint64_t bound) { return random_.below(bound); }
  uint64_t between(uint64_t least, uint64_t most) {
    return least + random_.below(most - least + 1);
  }
  bool one_in(uint64_t count) { return random_.below(count) == 0; }
  core::Duration up_to(core::Duration most) {
    return core::Duration(
        static_cast<int64_t>(random_.below(static_cast<uint64_t>(most.count()) + 1)));
  }
  template <typename Values>
  const auto& of(const Values& values) {
    return *std::next(std::begin(values), static_cast<std::ptrdiff_t>(below(std::size(values))));
  }
  template <typename Value>
  Value of(std::initializer_list<Value> values) {
    return *std::next(values.begin(), static_cast<std::ptrdiff_t>(below(values.size())));
  }

 private:
  core::Random random_;
};

}  // namespace posthaste::simulation
