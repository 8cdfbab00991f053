// Base64 for URLs, without padding (RFC 4648, section 5).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace posthaste::engagement {

inline constexpr std::string_view kBase64UrlDigits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

inline std::string encode_base64url(std::string_view bytes) {
  std::string out;
  uint32_t bits = 0;
  int bit_count = 0;
  for (const char byte : bytes) {
    bits = bits << 8 | static_cast<unsigned char>(byte);
    for (bit_count += 8; bit_count >= 6;) {
      bit_count -= 6;
      out += kBase64UrlDigits[bits >> bit_count & 63];
    }
  }
  if (bit_count > 0) out += kBase64UrlDigits[bits << (6 - bit_count) & 63];
  return out;
}

// Nothing unless it is exactly what encode_base64url makes of some bytes: one text, one meaning.
inline std::optional<std::string> decode_base64url(std::string_view text) {
  std::string out;
  uint32_t bits = 0;
  int bit_count = 0;
  for (const char digit : text) {
    const size_t value = kBase64UrlDigits.find(digit);
    if (value == std::string_view::npos) return std::nullopt;
    bits = bits << 6 | static_cast<uint32_t>(value);
    bit_count += 6;
    if (bit_count < 8) continue;
    bit_count -= 8;
    out += static_cast<char>(bits >> bit_count & 255);
  }
  const bool is_whole = bit_count < 6 && (bits & ((1u << bit_count) - 1)) == 0;
  return is_whole ? std::optional(std::move(out)) : std::nullopt;
}

}  // namespace posthaste::engagement
