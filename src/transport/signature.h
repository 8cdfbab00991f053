// Standard Webhooks 1.0: what webhook-signature says of a body. A secret is `whsec_` and base64 of
// 24 to 64 random bytes (scheme v1, HMAC-SHA256), or `whsk_` and base64 of an Ed25519 private key
// (scheme v1a). All secrets of a webhook sign, so that a receiver can change from one to the next.
// Source: https://www.standardwebhooks.com, "Signature scheme".
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

// OpenSSL's EVP_PKEY and EVP_MD_CTX, which only signature.cpp looks into.
struct evp_pkey_st;
struct evp_md_ctx_st;

namespace posthaste::transport {

struct EvpFree {
  void operator()(evp_pkey_st* key) const;
  void operator()(evp_md_ctx_st* context) const;
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
  bool is_ed25519() const;
  evp_pkey_st* key() const { return key_.get(); }

 private:
  explicit SigningSecret(evp_pkey_st* key) : key_(key) {}

  std::unique_ptr<evp_pkey_st, EvpFree> key_;
};

// The value of signing.secrets: secrets with blanks or commas between them; none of an empty text.
// BadValue tells which secret is bad, by its place, and has no part of the text.
core::Result<std::vector<SigningSecret>> parse_signing_secrets(std::string_view text);

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
    std::unique_ptr<evp_md_ctx_st, EvpFree> context;
  };

  std::vector<Run> runs_;
  bool keeps_message_ = false;
  bool has_failed_ = false;
  std::string message_;
};

}  // namespace posthaste::transport
