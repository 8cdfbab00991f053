// Standard Webhooks 1.0: what webhook-signature says of a body. A secret is `whsec_` and base64 of
// 24 to 64 random bytes (scheme v1, HMAC-SHA256), or `whsk_` and base64 of an Ed25519 private key
// (scheme v1a). All secrets of a webhook sign, so that a receiver can change from one to the next.
// Source: https://www.standardwebhooks.com, "Signature scheme".
#pragma once

#include <openssl/evp.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace posthaste::transport {

struct EvpFree {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

// Purpose: one secret, ready to sign. Ownership: owns its key, which OpenSSL wipes. Threads: any,
// it does not change.
class SigningSecret {
 public:
  // BadValue; the message has no part of the text.
  static core::Result<SigningSecret> parse(std::string_view text);

  // What receivers verify the signatures of a whsk_ secret with: `whpk_` and base64. Empty for
  // whsec_.
  std::string public_key() const;
  bool is_ed25519() const { return EVP_PKEY_get_base_id(key_.get()) == EVP_PKEY_ED25519; }
  EVP_PKEY* key() const { return key_.get(); }

 private:
  explicit SigningSecret(EVP_PKEY* key) : key_(key) {}

  std::unique_ptr<EVP_PKEY, EvpFree> key_;
};

// Purpose: signs one message, whose body may come in parts. Ownership: refers to the secrets.
// Threads: one. Invariants: keeps a copy of the body only when there is a whsk_ secret, since
// Ed25519 reads its message twice.
class Signer {
 public:
  // id: webhook-id, which is the batch's; timestamp_s: webhook-timestamp, of this attempt.
  Signer(const std::vector<SigningSecret>& secrets, std::string_view id, int64_t timestamp_s);

  void add(std::string_view part);
  // The value of webhook-signature: a signature for each secret, in their order. Internal when
  // OpenSSL refuses.
  core::Result<std::string> finish();

 private:
  struct Run {
    const SigningSecret* secret = nullptr;
    std::unique_ptr<EVP_MD_CTX, EvpFree> context;
  };

  std::vector<Run> runs_;
  bool keeps_message_ = false;
  bool has_failed_ = false;
  std::string message_;
};

}  // namespace posthaste::transport
