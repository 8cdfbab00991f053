// Verifies what the library signs: Standard Webhooks 1.0, schemes v1 and v1a, as a receiver would.
// Source: https://www.standardwebhooks.com, "Verifying signatures".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace posthaste::cli {

struct VerifyingKey {
  bool is_ed25519 = false;
  std::string bytes;  // the HMAC secret, or the public key
};

// whsec_ and base64 of 24 to 64 bytes, or whpk_ and base64 of 32. BadValue, without the text.
core::Result<VerifyingKey> parse_verifying_key(std::string_view text);

enum class SignatureState {
  Missing,  // not all of the three headers
  Wrong,    // no signature fits any key
  Stale,    // signed, but more than five minutes ago or ahead
  Valid,
};
const char* signature_state_name(SignatureState state);

struct SignatureHeaders {
  std::string id;
  std::string timestamp;
  std::string signatures;
};

// body: as it was before compression.
SignatureState check_signature(const std::vector<VerifyingKey>& keys,
                               const SignatureHeaders& headers, std::string_view body,
                               int64_t now_seconds);

}  // namespace posthaste::cli
