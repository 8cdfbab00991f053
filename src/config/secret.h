// How secrets are shown: not at all, or as a mask. Used by all that lists configuration or
// webhooks.
#pragma once

#include <string>
#include <string_view>

namespace posthaste::config {

// What stands for a secret in every listing. A change that carries it keeps the secret.
inline constexpr std::string_view kSecretMask = "****";

// The mask, or nothing for no secret.
inline std::string mask_secret(std::string_view secret) {
  return std::string(secret.empty() ? secret : kSecretMask);
}

}  // namespace posthaste::config
