// Strings between their plain form and their JSON form. Decoding serves the few short strings the
// push path looks at (keys, type names); escaping serves everything that writes JSON.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace posthaste::json {

inline constexpr size_t kDoesNotFit = static_cast<size_t>(-1);

// Value of a hexadecimal digit, -1 for any other character.
constexpr int hex_digit(char character) {
  if (character >= '0' && character <= '9') return character - '0';
  if (character >= 'a' && character <= 'f') return character - 'a' + 10;
  if (character >= 'A' && character <= 'F') return character - 'A' + 10;
  return -1;
}

// Decodes what stands between the quotes of a checked JSON string; gives the size, or kDoesNotFit.
size_t decode_string(std::string_view inside, std::span<char> out);

// Appends `text` as a JSON string, quotes included: escapes what JSON demands, repairs ill-formed
// UTF-8.
void append_string(std::string& out, std::string_view text);

// Appends the shortest number that reads back as `value`, which must be finite.
void append_double(std::string& out, double value);

}  // namespace posthaste::json
