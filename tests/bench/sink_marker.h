// Finds and counts a marker in the pieces of a body, as fast as the sink must swallow them. Used by
// the sink only; it knows nothing of HTTP.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>

namespace posthaste::bench {

inline constexpr size_t kMarkerSizeMax = 64;
inline constexpr size_t kIdDigitsMax = 20;

// Purpose: counts one text, and reads the decimal number behind it. Ownership: a value. Threads:
// any, it does not change.
class SinkMarker {
 public:
  // An id that cannot be read, or does not follow.
  static constexpr uint64_t kNoId = UINT64_MAX;

  struct Found {
    uint64_t count = 0;
    const char* rest = nullptr;  // from here on the next piece decides
  };

  SinkMarker() = default;
  // on_id: called with each marker's number; none when numbers are not looked at.
  SinkMarker(std::string text, std::function<void(uint64_t)> on_id)
      : text_(std::move(text)), on_id_(std::move(on_id)) {}

  bool is_empty() const { return text_.empty(); }
  // Counts in [begin, end). is_last says that no piece follows.
  Found count(const char* begin, const char* end, bool is_last) const;

 private:
  const char* find(const char* begin, const char* end) const;

  std::string text_;
  std::function<void(uint64_t)> on_id_;
};

}  // namespace posthaste::bench
