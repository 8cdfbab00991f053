#include "cli/signature_check.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <charconv>
#include <cstdlib>
#include <memory>
#include <optional>

namespace posthaste::cli {
namespace {

constexpr int64_t kToleranceSeconds = 300;
constexpr size_t kEd25519KeySize = 32;

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

std::optional<std::string> decode_base64(std::string_view text) {
  if (text.empty() || text.size() % 4 != 0 || text.size() > 1024) return std::nullopt;
  std::string out(text.size() / 4 * 3, '\0');
  const int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()), bytes_of(text),
                                   static_cast<int>(text.size()));
  if (size < 0) return std::nullopt;
  const size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  out.resize(static_cast<size_t>(size) - padding);
  return out;
}

struct EvpFree {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

bool fits_hmac(const VerifyingKey& key, std::string_view text, std::string_view signature) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  if (!HMAC(EVP_sha256(), key.bytes.data(), static_cast<int>(key.bytes.size()), bytes_of(text),
            text.size(), digest, &size)) {
    return false;
  }
  return size == signature.size() && CRYPTO_memcmp(digest, signature.data(), size) == 0;
}

bool fits_ed25519(const VerifyingKey& key, std::string_view text, std::string_view signature) {
  const std::unique_ptr<EVP_PKEY, EvpFree> pkey(EVP_PKEY_new_raw_public_key(
      EVP_PKEY_ED25519, nullptr, bytes_of(key.bytes), key.bytes.size()));
  const std::unique_ptr<EVP_MD_CTX, EvpFree> context(EVP_MD_CTX_new());
  if (!pkey || !context) return false;
  if (EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, pkey.get()) != 1) return false;
  return EVP_DigestVerify(context.get(), bytes_of(signature), signature.size(), bytes_of(text),
                          text.size()) == 1;
}

// One `v1,<base64>` or `v1a,<base64>`.
bool fits(const std::vector<VerifyingKey>& keys, std::string_view text, std::string_view entry) {
  const size_t comma = entry.find(',');
  if (comma == std::string_view::npos) return false;
  const std::string_view scheme = entry.substr(0, comma);
  const auto signature = decode_base64(entry.substr(comma + 1));
  if (!signature) return false;
  for (const VerifyingKey& key : keys) {
    if (scheme == "v1" && !key.is_ed25519 && fits_hmac(key, text, *signature)) return true;
    if (scheme == "v1a" && key.is_ed25519 && fits_ed25519(key, text, *signature)) return true;
  }
  return false;
}

}  // namespace

core::Result<VerifyingKey> parse_verifying_key(std::string_view text) {
  VerifyingKey key;
  key.is_ed25519 = text.starts_with("whpk_");
  const bool is_known = key.is_ed25519 || text.starts_with("whsec_");
  const auto bytes = is_known ? decode_base64(text.substr(text.find('_') + 1)) : std::nullopt;
  const size_t size = bytes ? bytes->size() : 0;
  const bool fits = key.is_ed25519 ? size == kEd25519KeySize : size >= 24 && size <= 64;
  if (!fits) {
    return {core::ErrorCode::BadValue,
            "a secret is whsec_ and base64 of 24 to 64 bytes, or whpk_ and base64 of 32"};
  }
  key.bytes = *bytes;
  return key;
}

const char* signature_state_name(SignatureState state) {
  switch (state) {
    case SignatureState::Missing:
      return "missing";
    case SignatureState::Wrong:
      return "wrong";
    case SignatureState::Stale:
      return "stale";
    case SignatureState::Valid:
      break;
  }
  return "valid";
}

SignatureState check_signature(const std::vector<VerifyingKey>& keys,
                               const SignatureHeaders& headers, std::string_view body,
                               int64_t now_seconds) {
  if (headers.id.empty() || headers.timestamp.empty() || headers.signatures.empty()) {
    return SignatureState::Missing;
  }
  std::string text = headers.id + "." + headers.timestamp + ".";
  text += body;
  bool is_signed = false;
  for (std::string_view rest = headers.signatures; !rest.empty() && !is_signed;) {
    const size_t blank = rest.find(' ');
    is_signed = fits(keys, text, rest.substr(0, blank));
    rest.remove_prefix(blank == std::string_view::npos ? rest.size() : blank + 1);
  }
  if (!is_signed) return SignatureState::Wrong;
  int64_t seconds = 0;
  const char* end = headers.timestamp.data() + headers.timestamp.size();
  const auto [stopped, problem] = std::from_chars(headers.timestamp.data(), end, seconds);
  if (problem != std::errc() || stopped != end) return SignatureState::Wrong;
  return std::abs(now_seconds - seconds) <= kToleranceSeconds ? SignatureState::Valid
                                                              : SignatureState::Stale;
}

}  // namespace posthaste::cli
