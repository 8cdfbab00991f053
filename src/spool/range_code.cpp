#include "spool/range_code.h"

#include <algorithm>
#include <limits>

#include "journal/frame.h"

namespace posthaste::spool {
namespace {

void put_varint(std::string& out, uint64_t value) {
  while (value >= 0x80) {
    out.push_back(static_cast<char>((value & 0x7f) | 0x80));
    value >>= 7;
  }
  out.push_back(static_cast<char>(value));
}

// Takes one number off the front.
std::optional<uint64_t> take_varint(std::string_view& bytes) {
  uint64_t value = 0;
  for (unsigned shift = 0; shift < 64 && !bytes.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(bytes.front());
    bytes.remove_prefix(1);
    const uint64_t bits = byte & 0x7f;
    if (bits << shift >> shift != bits) return std::nullopt;
    value |= bits << shift;
    if ((byte & 0x80) == 0) return value;
  }
  return std::nullopt;
}

constexpr size_t kChecksumSize = 8;

// As it stands in a row, the least byte first.
std::string checksum_of(uint64_t sequence, std::string_view facts, std::string_view encoded) {
  uint64_t checksum = journal::contents_checksum(std::string(facts).append(encoded), sequence);
  std::string out;
  for (size_t i = 0; i < kChecksumSize; ++i, checksum >>= 8) {
    out.push_back(static_cast<char>(checksum & 0xff));
  }
  return out;
}

}  // namespace

std::string encode_ranges(const std::vector<core::StreamRange>& ranges) {
  std::string out;
  core::StreamPosition end = 0;
  for (const core::StreamRange& range : ranges) {
    put_varint(out, range.position - end);
    put_varint(out, range.size);
    end = range.end();
  }
  return out;
}

std::optional<std::vector<core::StreamRange>> decode_ranges(std::string_view bytes) {
  constexpr uint64_t kMost = std::numeric_limits<int64_t>::max();
  std::vector<core::StreamRange> ranges;
  core::StreamPosition end = 0;
  while (!bytes.empty()) {
    const auto gap = take_varint(bytes);
    const auto size = take_varint(bytes);
    if (!gap || !size || *size == 0 || *gap > kMost - end || *size > kMost - end - *gap) {
      return std::nullopt;
    }
    ranges.push_back({end + *gap, *size});
    end = ranges.back().end();
  }
  return ranges;
}

std::string seal_ranges(uint64_t sequence, std::string_view facts,
                        const std::vector<core::StreamRange>& ranges) {
  const std::string encoded = encode_ranges(ranges);
  return checksum_of(sequence, facts, encoded) + encoded;
}

std::optional<std::vector<core::StreamRange>> open_ranges(uint64_t sequence, std::string_view facts,
                                                          std::string_view bytes) {
  if (bytes.size() < kChecksumSize) return std::nullopt;
  const std::string_view encoded = bytes.substr(kChecksumSize);
  if (bytes.substr(0, kChecksumSize) != checksum_of(sequence, facts, encoded)) return std::nullopt;
  return decode_ranges(encoded);
}

uint64_t total_size(const std::vector<core::StreamRange>& ranges) {
  uint64_t total = 0;
  for (const core::StreamRange& range : ranges) total += range.size;
  return total;
}

std::vector<core::StreamRange> slice_ranges(const std::vector<core::StreamRange>& ranges,
                                            uint64_t offset, uint64_t size) {
  std::vector<core::StreamRange> slice;
  for (const core::StreamRange& range : ranges) {
    if (size == 0) break;
    if (offset >= range.size) {
      offset -= range.size;
      continue;
    }
    const uint64_t taken = std::min(range.size - offset, size);
    slice.push_back({range.position + offset, taken});
    offset = 0;
    size -= taken;
  }
  return slice;
}

}  // namespace posthaste::spool
