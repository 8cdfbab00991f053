// Wire records whose every byte follows from a number, a type and a size, so that a body can be
// checked without keeping what was pushed.
#pragma once

#include <cstdint>
#include <string>

#include "core/event_catalogue.h"

namespace posthaste::test {

// The smallest size that a record can be asked for.
inline constexpr uint32_t kSimRecordSizeMin = 96;

// Appends the record of exactly size_bytes, trailing comma included.
void append_sim_record(const core::EventCatalogue& catalogue, core::EventTypeId type,
                       uint64_t number, uint32_t size_bytes, std::string& out);

}  // namespace posthaste::test
