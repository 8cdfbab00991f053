#include "engagement/token.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <zlib.h>

#include <array>
#include <utility>

#include "core/wipe.h"
#include "engagement/base64url.h"

namespace posthaste::engagement {
namespace {

using core::ErrorCode;

// Of HMAC-SHA256's 32 bytes; RFC 2104 (section 5) asks for at least half.
constexpr size_t kMacSize = 16;
constexpr unsigned kVersion = 1;
// A signed payload is our own, so this bounds a mistake and not an attacker.
constexpr size_t kPayloadSizeMax = 64 * 1024;
constexpr int kWindowBits = -12;  // raw, 4 KiB: as much as dictionary and payload
constexpr int kMemoryLevel = 5;

// What payloads are likely to have, the likeliest at the end. Part of version 1: links in mailboxes
// are read with it, so it never changes.
constexpr std::string_view kDictionary =
    "\"ab_test_id\":\"\",\"ab_test_version\":\"\",\"amp_enabled\":false,\"mailbox_provider_"
    "region\":\""
    "\"mailbox_provider\":\"Gsuite\",\"ip_pool\":\"\",\"rcpt_type\":\"cc\",\"scheduled_time\":\""
    "\"sending_ip\":\"\",\"num_retries\":\"0\",\"queue_time\":\"\",\"rcpt_hash\":\"\",\"mailfrom\":"
    "\""
    "\"rcpt_meta\":{\"\"},\"rcpt_tags\":[\"\"],\"transactional\":\"1\",\"node_name\":\""
    "\"routing_domain\":\"\",\"recv_method\":\"esmtp\",\"delv_method\":\"esmtp\","
    "\"sending_domain\":\"\",\"recipient_domain\":\"\",\"raw_rcpt_to\":\"\",\"msg_size\":\""
    "\"injection_time\":\"2026-01-01T00:00:00.000Z\",\"subject\":\"\",\"subaccount_id\":\""
    "\"template_version\":\"\",\"template_id\":\"\",\"campaign_id\":\"\",\"transmission_id\":\""
    "\"friendly_from\":\"news@\",\"msg_from\":\"bounce@\",\"customer_id\":\"1\",\"message_id\":\""
    "\",\"rcpt_to\":\"@gmail.com@outlook.com@example.com\",\"open_tracking\":true,"
    "\"click_tracking\":true,\"initial_pixel\":true}?utm_source=newsletter&utm_medium=email"
    "&utm_campaign=&utm_content=.html.com/.org/.net/http://https://www.";

const Bytef* bytes_of(std::string_view text) {
  return reinterpret_cast<const Bytef*>(text.data());
}

// Empty when zlib fails.
std::string pack(std::string_view text) {
  z_stream stream{};
  if (deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, kWindowBits, kMemoryLevel,
                   Z_DEFAULT_STRATEGY) != Z_OK) {
    return {};
  }
  deflateSetDictionary(&stream, bytes_of(kDictionary), static_cast<uInt>(kDictionary.size()));
  std::string out(deflateBound(&stream, text.size()), '\0');
  stream.next_in = const_cast<Bytef*>(bytes_of(text));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const int code = deflate(&stream, Z_FINISH);
  out.resize(code == Z_STREAM_END ? stream.total_out : 0);
  deflateEnd(&stream);
  return out;
}

std::optional<std::string> unpack(std::string_view packed) {
  z_stream stream{};
  if (inflateInit2(&stream, kWindowBits) != Z_OK) return std::nullopt;
  inflateSetDictionary(&stream, bytes_of(kDictionary), static_cast<uInt>(kDictionary.size()));
  std::string out(kPayloadSizeMax, '\0');
  stream.next_in = const_cast<Bytef*>(bytes_of(packed));
  stream.avail_in = static_cast<uInt>(packed.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const bool is_whole = inflate(&stream, Z_FINISH) == Z_STREAM_END && stream.avail_in == 0;
  out.resize(stream.total_out);
  inflateEnd(&stream);
  return is_whole ? std::optional(std::move(out)) : std::nullopt;
}

// False when OpenSSL fails.
bool make_mac(std::string_view key, std::string_view text,
              std::array<unsigned char, EVP_MAX_MD_SIZE>& out) {
  unsigned size = 0;
  return HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), bytes_of(text), text.size(),
              out.data(), &size) != nullptr &&
         size >= kMacSize;
}

std::string_view take_until_nul(std::string_view& text) {
  const std::string_view part = text.substr(0, text.find('\0'));
  text.remove_prefix(std::min(part.size() + 1, text.size()));
  return part;
}

}  // namespace

TokenSigner::~TokenSigner() {
  for (std::string& key : keys_) core::wipe(key);
}

core::Result<std::string> TokenSigner::sign(const Link& link) const {
  std::string text = link.context;
  if (!link.target.empty()) text += '\0' + link.target;
  if (!link.name.empty()) text += '\0' + link.name;
  std::string body(1, static_cast<char>(kVersion << 4 | static_cast<unsigned>(link.kind)));
  const std::string packed = pack(text);
  if (packed.empty()) return {ErrorCode::Internal, "zlib could not pack a link", {}};
  body += packed;
  std::array<unsigned char, EVP_MAX_MD_SIZE> mac{};
  if (!make_mac(keys_.front(), body, mac)) {
    return {ErrorCode::Internal, "OpenSSL could not sign a link", {}};
  }
  return encode_base64url(std::string(reinterpret_cast<const char*>(mac.data()), kMacSize) + body);
}

std::optional<VerifiedLink> TokenSigner::verify(std::string_view token) const {
  if (token.size() > kTokenSizeMax) return std::nullopt;
  const auto bytes = decode_base64url(token);
  if (!bytes || bytes->size() <= kMacSize) return std::nullopt;
  const std::string_view body = std::string_view(*bytes).substr(kMacSize);
  // Every key takes its time, whichever fits.
  bool is_ours = false;
  for (const std::string& key : keys_) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> mac{};
    const bool is_made = make_mac(key, body, mac);
    is_ours |= is_made && CRYPTO_memcmp(mac.data(), bytes->data(), kMacSize) == 0;
  }
  const unsigned head = static_cast<unsigned char>(body.front());
  const unsigned kind = head & 15;
  const bool is_known = head >> 4 == kVersion && kind >= 1 && kind <= 5;
  if (!is_ours || !is_known) return std::nullopt;
  const auto text = unpack(body.substr(1));
  if (!text) return std::nullopt;
  VerifiedLink out;
  std::string_view rest = *text;
  out.link.kind = static_cast<LinkKind>(kind);
  out.link.context = take_until_nul(rest);
  out.link.target = take_until_nul(rest);
  out.link.name = take_until_nul(rest);
  out.id = 0;
  for (size_t i = 0; i < sizeof out.id; ++i) {
    out.id = out.id << 8 | static_cast<unsigned char>((*bytes)[i]);
  }
  return out;
}

}  // namespace posthaste::engagement
