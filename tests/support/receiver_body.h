// Small tools for bodies: counting events and hashing while a body streams by, and splitting a
// batch into records.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace posthaste::testing {

// Counts the occurrences of a text that does not overlap itself, also across the borders of pieces.
// Threads: one at a time. Invariant: tail_ is shorter than the text.
class OccurrenceCounter {
 public:
  explicit OccurrenceCounter(std::string text) : text_(std::move(text)) {}
  void add(std::string_view piece);
  uint64_t count() const { return count_; }

 private:
  const std::string text_;
  std::string tail_;  // the last bytes seen, one less than the text has
  uint64_t count_ = 0;
};

// A fast 64-bit hash, not a cryptographic one, that does not depend on how the body was cut into
// pieces. Threads: one at a time.
class BodyHash {
 public:
  void add(std::string_view piece);
  uint64_t value() const;

 private:
  uint64_t state_ = 0x243F6A8885A308D3;  // digits of pi
  uint64_t pending_ = 0;                 // size_bytes_ % 8 bytes that make no word yet
  uint64_t size_bytes_ = 0;
};

// Splits `[{...},{...}]` into the raw texts of its elements, blanks around them removed. Nothing
// when the brackets do not match or anything but blanks stands outside of the array. It checks no
// more JSON than that.
std::optional<std::vector<std::string>> split_records(std::string_view body);

}  // namespace posthaste::testing
