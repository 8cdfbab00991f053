// How values are written in configuration: numbers with units, lists, names. Used by the property
// table and the webhook keys. Nothing here knows a key; a text that does not parse is simply
// nothing, and the caller words the error.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/time.h"

namespace posthaste::config {

// "500ms", "30s", "5m" (or "5min"), "1.5h", "1d": digits, up to six decimals, a unit, no space; the
// length must come out in whole milliseconds. Only "0" stands without a unit.
std::optional<uint64_t> parse_ms(std::string_view text);
// In the largest unit that takes it whole: 90 minutes are "90m", 60 minutes "1h".
std::string format_ms(uint64_t length_ms);

// "512B", "64KiB", "1.5MiB", "1GiB", "1TiB": multiples of 1024, whole bytes. Only "0" stands
// without a unit.
std::optional<uint64_t> parse_bytes(std::string_view text);
std::string format_bytes(uint64_t size_bytes);

// Decimal digits and nothing else.
std::optional<uint64_t> parse_count(std::string_view text);

// on, true, yes, 1 and off, false, no, 0.
std::optional<bool> parse_boolean(std::string_view text);

// The items between commas without the blanks around them. One empty item for an empty text.
std::vector<std::string_view> split_list(std::string_view text);

// The text in quotes for an error message: control characters and ill-formed bytes become '?', long
// texts are cut.
std::string quote(std::string_view text);

inline uint64_t to_ms(core::Duration length) {
  return static_cast<uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(length).count());
}

}  // namespace posthaste::config
