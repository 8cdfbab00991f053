// The request for an OAuth 2 access token (RFC 6749, sections 4.4 and 5) and the answer to it.
// Texts only: the delivery step sends the request through the Transport like any other.
#pragma once

#include <string>
#include <string_view>

#include "core/result.h"
#include "core/settings.h"
#include "core/time.h"

namespace posthaste::transport {

// Bytes of a token, as part of a header.
inline constexpr size_t kTokenBytesMax = 16u << 10;
// Of a token whose answer does not say how long it lives.
inline constexpr core::Duration kTokenLifetimeDefault = std::chrono::hours(1);

struct TokenRequest {
  std::string url;
  std::string content_type;
  std::string body;  // has secrets in it
};

// By the keys oauth2.*.
TokenRequest token_request_of(const core::DeliverySettings& settings);

struct Token {
  std::string text;
  core::Duration lifetime{};
};

// From the body of an answer 2xx. BadJson, BadField; no message repeats anything of the body.
core::Result<Token> parse_token(std::string_view body);

}  // namespace posthaste::transport
