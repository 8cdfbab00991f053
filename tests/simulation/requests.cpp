#include "simulation/requests.h"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <cstdlib>
#include <iterator>

#include "simulation/random_settings.h"
#include "support/decoding.h"

namespace posthaste::simulation {
namespace {

std::string base64(const std::string& bytes) {
  std::string text(4 * ((bytes.size() + 2) / 3) + 1, '\0');
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                                   reinterpret_cast<const unsigned char*>(bytes.data()),
                                   static_cast<int>(bytes.size()));
  text.resize(static_cast<size_t>(size));
  return text;
}

// Of base64 without padding.
std::string bytes_of(const std::string& text) {
  std::string bytes(text.size() / 4 * 3, '\0');
  EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                  reinterpret_cast<const unsigned char*>(text.data()),
                  static_cast<int>(text.size()));
  return bytes;
}

// HMAC-SHA256 over id, time and body.
std::string signature_by(const std::string& secret, const std::string& message) {
  const std::string key = bytes_of(secret.substr(secret.find('_') + 1));
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
       reinterpret_cast<const unsigned char*>(message.data()), message.size(), digest, &size);
  return "v1," + base64(std::string(std::begin(digest), std::begin(digest) + size));
}

}  // namespace

const std::string* find_header(const transport::Request& request, const std::string& name) {
  const auto place = std::find_if(request.headers.begin(), request.headers.end(),
                                  [&](const auto& header) { return header.name == name; });
  return place == request.headers.end() ? nullptr : &place->value;
}

std::string header_of(const transport::Request& request, const std::string& name) {
  const std::string* const found = find_header(request, name);
  return found ? *found : std::string();
}

bool has_header(const transport::Request& request, const std::string& name,
                const std::string& value) {
  const std::string* const found = find_header(request, name);
  return value.empty() ? !found : found && *found == value;
}

bool uses_tokens(const core::Webhook& webhook) {
  return webhook.settings.auth_type == core::AuthType::OAuth2;
}

std::string authorization_of(const core::DeliverySettings& settings) {
  if (settings.auth_type == core::AuthType::Basic) {
    return "Basic " + base64(settings.auth_user + ":" + settings.auth_password);
  }
  return settings.auth_type == core::AuthType::Bearer ? "Bearer " + settings.auth_bearer
                                                      : std::string();
}

std::string coding_of(const core::DeliverySettings& settings) {
  return settings.compression == core::Compression::Gzip   ? "gzip"
         : settings.compression == core::Compression::Zstd ? "zstd"
                                                           : "";
}

std::string signature_of(const std::string& secrets, const std::string& id,
                         const std::string& timestamp, const std::string& json) {
  const std::string message = id + "." + timestamp + "." + json;
  std::string signatures;
  for (size_t from = 0; from < secrets.size();) {
    const size_t end = std::min(secrets.find(' ', from), secrets.size());
    if (!signatures.empty()) signatures += ' ';
    signatures += signature_by(secrets.substr(from, end - from), message);
    from = end + 1;
  }
  return signatures;
}

std::string json_of(const transport::Request& request) {
  std::string text(request.body->size_bytes(), '\0');
  text.resize(request.body->read(0, text.data(), text.size()));
  return test::decoded(header_of(request, "Content-Encoding"), text);
}

bool carries(const transport::Request& request, const std::string& secret) {
  const std::string authorization = header_of(request, "Authorization");
  return header_of(request, "X-MessageSystems-Webhook-Token") == secret ||
         authorization == "Bearer " + secret || authorization.ends_with("-" + secret) ||
         authorization == "Basic " + base64("user:" + secret);
}

std::string token_answer(const transport::Request& request, uint64_t number, int lifetime_s) {
  const bool is_second = json_of(request).find(kSecrets[1]) != std::string::npos;
  return fmt::format(R"({{"access_token":"token-{}-{}","expires_in":{}}})", number,
                     kSecrets[is_second ? 1 : 0], lifetime_s);
}

uint64_t token_number_of(const transport::Request& request) {
  const std::string authorization = header_of(request, "Authorization");
  const size_t at = authorization.find("token-");
  return at == std::string::npos ? ~uint64_t{0}
                                 : std::strtoull(&authorization[at + 6], nullptr, 10);
}

}  // namespace posthaste::simulation
