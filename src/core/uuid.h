// UUIDs: version 1 for webhooks and batches, as the original's, and version 5 for ids that must be
// the same each time they are made from the same name (RFC 9562).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/random.h"
#include "core/time.h"

namespace posthaste::core {

// Makes version 1 UUIDs: strictly growing, unique within the source, with a random node (multicast
// bit set), so that no hardware address leaves the host. Threads: one at a time.
class UuidSource {
 public:
  explicit UuidSource(Random& random);
  std::string next(WallTime now);

 private:
  uint64_t node_;
  uint16_t clock_sequence_;
  uint64_t last_ticks_ = 0;
};

// The version 5 UUID of a name in Posthaste's own name space.
std::string uuid_of_name(std::string_view name);

}  // namespace posthaste::core
