#include "json/text.h"

#include <cassert>
#include <charconv>
#include <cmath>
#include <cstdint>

#include "json/utf8.h"

namespace posthaste::json {

namespace {

unsigned read_code_unit(std::string_view text, size_t at) {
  unsigned value = 0;
  for (size_t i = at; i < at + 4; ++i)
    value = value * 16 + static_cast<unsigned>(hex_digit(text[i]));
  return value;
}

size_t encode_utf8(uint32_t code_point, std::array<char, 4>& out) {
  const auto tail = [code_point](unsigned shift) {
    return static_cast<char>(0x80 | ((code_point >> shift) & 0x3f));
  };
  if (code_point < 0x80) {
    out[0] = static_cast<char>(code_point);
    return 1;
  }
  if (code_point < 0x800) {
    out = {static_cast<char>(0xc0 | code_point >> 6), tail(0)};
    return 2;
  }
  if (code_point < 0x10000) {
    out = {static_cast<char>(0xe0 | code_point >> 12), tail(6), tail(0)};
    return 3;
  }
  out = {static_cast<char>(0xf0 | code_point >> 18), tail(12), tail(6), tail(0)};
  return 4;
}

// Decodes the escape whose backslash is at `at`, and moves `at` behind it.
size_t decode_escape(std::string_view text, size_t& at, std::array<char, 4>& out) {
  const char kind = text[at + 1];
  at += 2;
  if (kind != 'u') {
    constexpr std::string_view kKinds = "bfnrt";
    constexpr std::string_view kCharacters = "\b\f\n\r\t";
    const size_t index = kKinds.find(kind);
    out[0] = index == std::string_view::npos ? kind : kCharacters[index];
    return 1;
  }
  uint32_t code_point = read_code_unit(text, at);
  at += 4;
  if (code_point >= 0xd800 && code_point <= 0xdfff) {
    code_point = 0x10000 + ((code_point - 0xd800) << 10) + (read_code_unit(text, at + 2) - 0xdc00);
    at += 6;
  }
  return encode_utf8(code_point, out);
}

bool is_plain(char character) {
  const unsigned char byte = static_cast<unsigned char>(character);
  return byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';
}

void append_escape(std::string& out, char character) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  constexpr std::string_view kShort = "\"\\\b\f\n\r\t";
  constexpr std::string_view kShortNames = "\"\\bfnrt";
  const size_t index = kShort.find(character);
  out += '\\';
  if (index != std::string_view::npos) {
    out += kShortNames[index];
    return;
  }
  const auto byte = static_cast<unsigned char>(character);
  out += "u00";
  out += kDigits[byte >> 4];
  out += kDigits[byte & 15];
}

}  // namespace

size_t decode_string(std::string_view inside, std::span<char> out) {
  size_t size = 0;
  for (size_t at = 0; at < inside.size();) {
    std::array<char, 4> character;
    size_t character_size = 1;
    if (inside[at] == '\\') {
      character_size = decode_escape(inside, at, character);
    } else {
      character[0] = inside[at++];
    }
    if (out.size() - size < character_size) return kDoesNotFit;
    for (size_t i = 0; i < character_size; ++i) out[size++] = character[i];
  }
  return size;
}

void append_string(std::string& out, std::string_view text) {
  out += '"';
  for (size_t at = 0; at < text.size();) {
    size_t end = at;
    while (end < text.size() && is_plain(text[end])) ++end;
    out.append(text, at, end - at);
    at = end;
    if (at == text.size()) break;
    if (static_cast<unsigned char>(text[at]) < 0x80) {
      append_escape(out, text[at++]);
      continue;
    }
    const std::string_view rest = text.substr(at);
    const size_t size = utf8_sequence_size(rest.data(), rest.size());
    if (size == 0) {
      out += kReplacementCharacter;
      at += ill_formed_size(rest);
    } else {
      out.append(rest, 0, size);
      at += size;
    }
  }
  out += '"';
}

void append_double(std::string& out, double value) {
  assert(std::isfinite(value));
  std::array<char, 32> buffer;  // 24 characters are the longest shortest form
  const auto result = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
  out.append(buffer.data(), static_cast<size_t>(result.ptr - buffer.data()));
}

}  // namespace posthaste::json
