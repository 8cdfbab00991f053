// What a webhook may put into the head of its requests: custom headers, the name of the token's
// header, the token itself (spec/momentum.md section 10). Called where a webhook enters; the
// transport takes checked headers only.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/result.h"

namespace posthaste::transport {

inline constexpr size_t kCustomHeadersMax = 5;
// Names and values together stay below this.
inline constexpr size_t kCustomHeaderBytesLimit = 3000;

// Names that are taken besides the fixed ones.
struct HeaderContext {
  std::string token_header;        // auth.header; empty: none
  bool has_authorization = false;  // the webhook's authentication sends `Authorization`
  bool is_signed = false;          // signatures send webhook-id and two more
  bool is_compressed = false;      // compression sends `Content-Encoding`
};

// All fail with BadHeader, the header's name as key; no message contains a value.

// A token in the sense of RFC 9110 section 5.6.2.
core::Result<> check_header_name(std::string_view name);
// No control characters, so no line can end early.
core::Result<> check_header_value(std::string_view name, std::string_view value);
// In any case of letters.
bool is_signature_header(std::string_view name);
bool is_reserved_header(std::string_view name, const HeaderContext& context);
core::Result<> check_custom_headers(const std::vector<std::pair<std::string, std::string>>& headers,
                                    const HeaderContext& context);

}  // namespace posthaste::transport
