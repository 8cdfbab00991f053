// Places in the stream of all records that a spool ever took: how sealed batches, cursors and the
// journal name records without naming files.
#pragma once

#include <cstdint>

namespace posthaste::core {

// How many bytes of records were journaled before this one; never goes back, over restarts
// neither. 0: in no journal.
using StreamPosition = uint64_t;

struct StreamRange {
  StreamPosition position = 0;
  uint64_t size = 0;

  StreamPosition end() const { return position + size; }
  bool operator==(const StreamRange&) const = default;
};

}  // namespace posthaste::core
