// The engine's only source of randomness: a small seeded generator, injected, so that a simulation
// replays. Not for secrets.
#pragma once

#include <cstdint>

namespace posthaste::core {

// SplitMix64 (Steele, Lea, Flood 2014): one addition and three mixes a number, any seed is good.
// Threads: one at a time.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }

  // Uniform in [0, bound); bound must not be 0. The bias of the plain remainder is below 2^-32 for
  // our small bounds.
  uint64_t below(uint64_t bound) { return next() % bound; }

 private:
  uint64_t state_;
};

}  // namespace posthaste::core
