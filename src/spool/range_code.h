// Ranges of the journal's stream as bytes: what a row of a batch holds. Used by the SQLite store
// only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/stream.h"

namespace posthaste::spool {

// Three bytes or so for each of many short ranges: varints (seven bits each, the least first) of
// the gap since the end of the range before, and of the size.
std::string encode_ranges(const std::vector<core::StreamRange>& ranges);

// With a checksum before them, over facts of the batch and the ranges, seeded with its sequence.
std::string seal_ranges(uint64_t sequence, std::string_view facts,
                        const std::vector<core::StreamRange>& ranges);
// None when the checksum is not right or the rest is no ranges.
std::optional<std::vector<core::StreamRange>> open_ranges(uint64_t sequence, std::string_view facts,
                                                          std::string_view bytes);

// None when the bytes are not ranges in ascending order, each of at least one byte.
std::optional<std::vector<core::StreamRange>> decode_ranges(std::string_view bytes);

uint64_t total_size(const std::vector<core::StreamRange>& ranges);

// The part [offset, offset + size) of what the ranges hold together.
std::vector<core::StreamRange> slice_ranges(const std::vector<core::StreamRange>& ranges,
                                            uint64_t offset, uint64_t size);

}  // namespace posthaste::spool
