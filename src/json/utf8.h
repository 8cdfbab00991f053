// Well-formedness of UTF-8 (Unicode 15, table 3-7) and its repair. Used by the event check, which
// refuses ill-formed text, and by everything that writes JSON from a host's strings, which repairs
// it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace posthaste::json {

// Size of the well-formed sequence that begins at `data`, of which `size` bytes are there; 0 when
// it is ill-formed.
inline size_t utf8_sequence_size(const char* data, size_t size) {
  const auto byte = [data](size_t i) { return static_cast<unsigned char>(data[i]); };
  const auto is_tail = [&](size_t i) { return (byte(i) & 0xc0) == 0x80; };
  if (size == 0) return 0;
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead < 0xc2) return 0;  // a stray tail byte, or an overlong form
  if (lead < 0xe0) return size >= 2 && is_tail(1) ? 2 : 0;
  if (size < 3 || !is_tail(1) || !is_tail(2)) return 0;
  if (lead < 0xf0) {
    if (lead == 0xe0 && byte(1) < 0xa0) return 0;   // overlong
    if (lead == 0xed && byte(1) >= 0xa0) return 0;  // surrogates
    return 3;
  }
  if (lead > 0xf4 || size < 4 || !is_tail(3)) return 0;
  if (lead == 0xf0 && byte(1) < 0x90) return 0;   // overlong
  if (lead == 0xf4 && byte(1) >= 0x90) return 0;  // beyond U+10FFFF
  return 4;
}

bool is_valid_utf8(std::string_view text);

// Size of the ill-formed start of `text` that one U+FFFD stands for: the maximal subpart of a
// sequence (Unicode 15, section 3.9, the practice of the WHATWG encoding standard too). `text` must
// begin ill-formed.
size_t ill_formed_size(std::string_view text);

// Appends `text` with every ill-formed part replaced by U+FFFD.
void append_repaired_utf8(std::string& out, std::string_view text);
std::string repair_utf8(std::string_view text);

inline constexpr std::string_view kReplacementCharacter = "\xef\xbf\xbd";

}  // namespace posthaste::json
