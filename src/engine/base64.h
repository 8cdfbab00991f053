// Base64 (RFC 4648, section 4) for the Basic authentication header.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace posthaste::engine {

inline std::string base64(std::string_view text) {
  static constexpr char kDigits[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (size_t i = 0; i < text.size(); i += 3) {
    const size_t left = text.size() - i;
    const auto byte = [&](size_t at) -> uint32_t {
      return at < left ? static_cast<unsigned char>(text[i + at]) : 0u;
    };
    const uint32_t bits = byte(0) << 16 | byte(1) << 8 | byte(2);
    out += kDigits[bits >> 18];
    out += kDigits[bits >> 12 & 63];
    out += left > 1 ? kDigits[bits >> 6 & 63] : '=';
    out += left > 2 ? kDigits[bits & 63] : '=';
  }
  return out;
}

}  // namespace posthaste::engine
