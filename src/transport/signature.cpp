#include "transport/signature.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <utility>

#include "core/limits.h"

namespace posthaste::transport {

using core::ErrorCode;
using core::Result;

namespace {

constexpr std::string_view kSymmetricPrefix = "whsec_";
constexpr std::string_view kPrivatePrefix = "whsk_";
constexpr std::string_view kPublicPrefix = "whpk_";

// The specification's bounds of a symmetric secret.
constexpr size_t kSymmetricSizeMin = 24;
constexpr size_t kSymmetricSizeMax = 64;
// An Ed25519 key is its seed (RFC 8032), which many write with the public key behind it.
constexpr size_t kSeedSize = 32;
constexpr size_t kKeyPairSize = 64;

constexpr size_t kSignatureSizeMax = 64;

// Purpose: bytes of a secret. Invariants: wiped when they go.
struct SecretBytes {
  std::array<unsigned char, 3 * 64> bytes{};
  size_t size = 0;

  SecretBytes() = default;
  ~SecretBytes() { OPENSSL_cleanse(bytes.data(), bytes.size()); }
  SecretBytes(const SecretBytes&) = delete;
  SecretBytes& operator=(const SecretBytes&) = delete;
};

// False: not base64, or too much of it.
bool decode_base64(std::string_view text, SecretBytes& out) {
  if (text.empty() || text.size() % 4 != 0 || text.size() / 4 * 3 > out.bytes.size()) return false;
  const size_t padding = text.ends_with("==") ? 2 : text.ends_with("=") ? 1 : 0;
  // EVP_DecodeBlock passes over blanks at both ends.
  const std::string_view digits = text.substr(0, text.size() - padding);
  static constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  if (digits.find_first_not_of(kDigits) != std::string_view::npos) return false;
  const int size =
      EVP_DecodeBlock(out.bytes.data(), reinterpret_cast<const unsigned char*>(text.data()),
                      static_cast<int>(text.size()));
  if (size < 0) return false;
  out.size = static_cast<size_t>(size) - padding;
  return true;
}

std::string encode_base64(const unsigned char* bytes, size_t size) {
  std::string text((size + 2) / 3 * 4 + 1, '\0');
  const int length =
      EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), bytes, static_cast<int>(size));
  text.resize(static_cast<size_t>(length));
  return text;
}

core::Error bad(const char* message) {
  return {ErrorCode::BadValue, message, {}};
}

constexpr const char* kSecretsKey = "signing.secrets";
constexpr std::string_view kSeparators = " ,";

}  // namespace

void EvpFree::operator()(EVP_PKEY* key) const {
  EVP_PKEY_free(key);
}

void EvpFree::operator()(EVP_MD_CTX* context) const {
  EVP_MD_CTX_free(context);
}

bool SigningSecret::is_ed25519() const {
  return EVP_PKEY_get_base_id(key_.get()) == EVP_PKEY_ED25519;
}

Result<SigningSecret> SigningSecret::parse(std::string_view text) {
  const bool is_symmetric = text.starts_with(kSymmetricPrefix);
  if (!is_symmetric && !text.starts_with(kPrivatePrefix)) {
    return bad("a signing secret begins with whsec_ or whsk_");
  }
  text.remove_prefix(is_symmetric ? kSymmetricPrefix.size() : kPrivatePrefix.size());
  SecretBytes secret;
  if (!decode_base64(text, secret)) return bad("a signing secret is base64 behind its prefix");
  if (is_symmetric && (secret.size < kSymmetricSizeMin || secret.size > kSymmetricSizeMax)) {
    return bad("a whsec_ secret has 24 to 64 bytes");
  }
  if (!is_symmetric && secret.size != kSeedSize && secret.size != kKeyPairSize) {
    return bad("a whsk_ secret is an Ed25519 key of 32 bytes, or 64 with its public key");
  }
  SigningSecret made(EVP_PKEY_new_raw_private_key(is_symmetric ? EVP_PKEY_HMAC : EVP_PKEY_ED25519,
                                                  nullptr, secret.bytes.data(),
                                                  is_symmetric ? secret.size : kSeedSize));
  if (!made.key_) return core::Error{ErrorCode::Internal, "OpenSSL refuses a signing secret", {}};
  const bool has_public = !is_symmetric && secret.size == kKeyPairSize;
  const unsigned char* const public_part = secret.bytes.data() + kSeedSize;
  if (has_public &&
      made.public_key() != std::string(kPublicPrefix) + encode_base64(public_part, kSeedSize)) {
    return bad("the public key in a whsk_ secret belongs to another private key");
  }
  return made;
}

std::string SigningSecret::public_key() const {
  if (!is_ed25519()) return {};
  std::array<unsigned char, kSeedSize> bytes{};
  size_t size = bytes.size();
  if (EVP_PKEY_get_raw_public_key(key_.get(), bytes.data(), &size) != 1) return {};
  return std::string(kPublicPrefix) + encode_base64(bytes.data(), size);
}

Result<std::vector<SigningSecret>> parse_signing_secrets(std::string_view text) {
  std::vector<SigningSecret> secrets;
  for (;;) {
    text.remove_prefix(std::min(text.find_first_not_of(kSeparators), text.size()));
    if (text.empty()) return secrets;
    if (secrets.size() == core::kSigningSecretsMax) {
      return core::Error{ErrorCode::BadValue,
                         std::string(kSecretsKey) + ": more than " +
                             std::to_string(core::kSigningSecretsMax) + " secrets",
                         kSecretsKey};
    }
    const std::string_view item = text.substr(0, text.find_first_of(kSeparators));
    text.remove_prefix(item.size());
    auto secret = SigningSecret::parse(item);
    if (!secret) {
      return core::Error{secret.code(),
                         std::string(kSecretsKey) + ": secret " +
                             std::to_string(secrets.size() + 1) + ": " + secret.error().message,
                         kSecretsKey};
    }
    secrets.push_back(std::move(*secret));
  }
}

Signer::Signer(const std::vector<SigningSecret>& secrets, std::string_view id,
               int64_t timestamp_s) {
  for (const SigningSecret& secret : secrets) {
    Run run{&secret, std::unique_ptr<evp_md_ctx_st, EvpFree>(EVP_MD_CTX_new())};
    const EVP_MD* const digest = secret.is_ed25519() ? nullptr : EVP_sha256();
    has_failed_ =
        has_failed_ || !run.context ||
        EVP_DigestSignInit(run.context.get(), nullptr, digest, nullptr, secret.key()) != 1;
    keeps_message_ = keeps_message_ || secret.is_ed25519();
    runs_.push_back(std::move(run));
  }
  add(std::string(id) + "." + std::to_string(timestamp_s) + ".");
}

void Signer::add(std::string_view part) {
  if (has_failed_) return;
  if (keeps_message_) message_.append(part);
  for (const Run& run : runs_) {
    if (run.secret->is_ed25519()) continue;
    has_failed_ =
        has_failed_ || EVP_DigestSignUpdate(run.context.get(), part.data(), part.size()) != 1;
  }
}

Result<std::string> Signer::finish() {
  std::string header;
  for (const Run& run : runs_) {
    if (has_failed_) break;
    std::array<unsigned char, kSignatureSizeMax> bytes{};
    size_t size = bytes.size();
    const bool is_ed25519 = run.secret->is_ed25519();
    const int done = is_ed25519
                         ? EVP_DigestSign(run.context.get(), bytes.data(), &size,
                                          reinterpret_cast<const unsigned char*>(message_.data()),
                                          message_.size())
                         : EVP_DigestSignFinal(run.context.get(), bytes.data(), &size);
    has_failed_ = done != 1;
    if (!header.empty()) header += ' ';
    header += is_ed25519 ? "v1a," : "v1,";
    header += encode_base64(bytes.data(), size);
  }
  if (has_failed_) return core::Error{ErrorCode::Internal, "OpenSSL could not sign a batch", {}};
  return header;
}

}  // namespace posthaste::transport
