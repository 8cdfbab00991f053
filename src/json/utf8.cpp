#include "json/utf8.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace posthaste::json {

namespace {

// First byte of `text` at or behind `position` that is not ASCII, or the end.
size_t skip_ascii(std::string_view text, size_t position) {
  constexpr uint64_t kHighBits = 0x8080808080808080u;
  while (text.size() - position >= sizeof(uint64_t)) {
    uint64_t word;
    std::memcpy(&word, text.data() + position, sizeof word);
    if ((word & kHighBits) != 0) break;
    position += sizeof word;
  }
  while (position < text.size() && static_cast<unsigned char>(text[position]) < 0x80) ++position;
  return position;
}

// First ill-formed byte at or behind `position`, or the end.
size_t skip_well_formed(std::string_view text, size_t position) {
  for (;;) {
    position = skip_ascii(text, position);
    if (position == text.size()) return position;
    const size_t size = utf8_sequence_size(text.data() + position, text.size() - position);
    if (size == 0) return position;
    position += size;
  }
}

struct Range {
  unsigned char low;
  unsigned char high;
};

// Which bytes may follow this lead byte; an empty range when none may.
Range second_byte_range(unsigned char lead) {
  if (lead < 0xc2 || lead > 0xf4) return {1, 0};
  if (lead == 0xe0) return {0xa0, 0xbf};
  if (lead == 0xed) return {0x80, 0x9f};
  if (lead == 0xf0) return {0x90, 0xbf};
  if (lead == 0xf4) return {0x80, 0x8f};
  return {0x80, 0xbf};
}

}  // namespace

bool is_valid_utf8(std::string_view text) {
  return skip_well_formed(text, 0) == text.size();
}

size_t ill_formed_size(std::string_view text) {
  const auto byte = [text](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  const Range range = second_byte_range(lead);
  if (text.size() < 2 || byte(1) < range.low || byte(1) > range.high) return 1;
  const size_t wanted = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  size_t size = 2;
  while (size < std::min(wanted, text.size()) && (byte(size) & 0xc0) == 0x80) ++size;
  return size;
}

void append_repaired_utf8(std::string& out, std::string_view text) {
  size_t position = 0;
  while (position < text.size()) {
    const size_t next = skip_well_formed(text, position);
    out.append(text, position, next - position);
    position = next;
    if (position == text.size()) break;
    out += kReplacementCharacter;
    position += ill_formed_size(text.substr(position));
  }
}

std::string repair_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  append_repaired_utf8(out, text);
  return out;
}

}  // namespace posthaste::json
