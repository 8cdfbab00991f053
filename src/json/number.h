// What the text of a JSON number means, in exact decimal arithmetic: no float rounds a time stamp,
// no locale matters. Used by the event check (range) and by record completion (time stamps).
// Callers pass text of the JSON grammar.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace posthaste::json {

// Whether the text is one number of the JSON grammar (RFC 8259, section 6) and nothing else.
bool is_number(std::string_view text);

// Whether the number fits a double. Many readers refuse a whole batch for one number beyond it; a
// number too small to tell from 0 harms nobody.
bool is_in_double_range(std::string_view number);

// The integer part, or nothing when the number is negative or beyond int64_t.
std::optional<int64_t> whole_part(std::string_view number);

}  // namespace posthaste::json
