#include "core/uuid.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

namespace posthaste::core {
namespace {

// 100 ns ticks between 1582-10-15 and 1970-01-01 (RFC 9562, section 5.1).
constexpr uint64_t kGregorianToUnix = 0x01b21dd213814000u;

// Posthaste's name space for version 5: a random version 4 UUID, fixed for ever.
constexpr std::array<uint8_t, 16> kNameSpace = {0x6f, 0x1c, 0x0b, 0x52, 0x9d, 0x3e, 0x4a, 0x77,
                                                0x8e, 0x05, 0x3b, 0xd1, 0x94, 0xc2, 0x7f, 0x60};

std::string format(const std::array<uint8_t, 16>& bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(36);
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += kDigits[bytes[i] >> 4];
    text += kDigits[bytes[i] & 15];
  }
  return text;
}

void store_big_endian(uint8_t* out, uint64_t value, size_t size) {
  for (size_t i = 0; i < size; ++i) out[i] = static_cast<uint8_t>(value >> (8 * (size - 1 - i)));
}

// SHA-1 (FIPS 180-4), which version 5 prescribes; for naming only, nothing rests on its strength.
class Sha1 {
 public:
  void add(const uint8_t* data, size_t size) {
    for (size_t i = 0; i < size; ++i) {
      block_[size_ % 64] = data[i];
      if (++size_ % 64 == 0) mix();
    }
  }
  std::array<uint8_t, 20> finish() {
    const uint64_t bits = size_ * 8;
    const uint8_t one = 0x80;
    const uint8_t zero = 0;
    add(&one, 1);
    while (size_ % 64 != 56) add(&zero, 1);
    std::array<uint8_t, 8> length{};
    store_big_endian(length.data(), bits, 8);
    add(length.data(), length.size());
    std::array<uint8_t, 20> digest{};
    for (size_t i = 0; i < 5; ++i) store_big_endian(&digest[i * 4], state_[i], 4);
    return digest;
  }

 private:
  void mix() {
    std::array<uint32_t, 80> w{};
    for (size_t i = 0; i < 16; ++i) {
      w[i] = static_cast<uint32_t>(block_[i * 4]) << 24 |
             static_cast<uint32_t>(block_[i * 4 + 1]) << 16 |
             static_cast<uint32_t>(block_[i * 4 + 2]) << 8 |
             static_cast<uint32_t>(block_[i * 4 + 3]);
    }
    for (size_t i = 16; i < 80; ++i)
      w[i] = std::rotl(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    auto [a, b, c, d, e] = state_;
    for (size_t i = 0; i < 80; ++i) {
      uint32_t f = b ^ c ^ d;
      uint32_t k = i < 40 ? 0x6ed9eba1u : 0xca62c1d6u;
      if (i < 20) f = (b & c) | (~b & d), k = 0x5a827999u;
      if (i >= 40 && i < 60) f = (b & c) | (b & d) | (c & d), k = 0x8f1bbcdcu;
      const uint32_t next = std::rotl(a, 5) + f + e + k + w[i];
      e = d, d = c, c = std::rotl(b, 30), b = a, a = next;
    }
    state_ = {state_[0] + a, state_[1] + b, state_[2] + c, state_[3] + d, state_[4] + e};
  }

  std::array<uint32_t, 5> state_ = {0x67452301u, 0xefcdab89u, 0x98badcfeu, 0x10325476u,
                                    0xc3d2e1f0u};
  std::array<uint8_t, 64> block_{};
  uint64_t size_ = 0;
};

}  // namespace

UuidSource::UuidSource(Random& random)
    : node_((random.next() & 0xffffffffffffu) | 0x010000000000u),
      clock_sequence_(static_cast<uint16_t>(random.next() & 0x3fff)) {}

std::string UuidSource::next(WallTime now) {
  const auto since_epoch =
      static_cast<uint64_t>(std::max<int64_t>(0, now.time_since_epoch().count()));
  last_ticks_ = std::max(since_epoch / 100 + kGregorianToUnix, last_ticks_ + 1);
  std::array<uint8_t, 16> bytes{};
  store_big_endian(&bytes[0], last_ticks_ & 0xffffffffu, 4);
  store_big_endian(&bytes[4], (last_ticks_ >> 32) & 0xffffu, 2);
  store_big_endian(&bytes[6], 0x1000u | ((last_ticks_ >> 48) & 0x0fffu), 2);
  store_big_endian(&bytes[8], 0x8000u | clock_sequence_, 2);
  store_big_endian(&bytes[10], node_, 6);
  return format(bytes);
}

std::string uuid_of_name(std::string_view name) {
  Sha1 sha;
  sha.add(kNameSpace.data(), kNameSpace.size());
  for (const char c : name) {
    const auto byte = static_cast<uint8_t>(c);
    sha.add(&byte, 1);
  }
  const auto digest = sha.finish();
  std::array<uint8_t, 16> bytes{};
  std::copy_n(digest.begin(), bytes.size(), bytes.begin());
  bytes[6] = static_cast<uint8_t>((bytes[6] & 0x0f) | 0x50);
  bytes[8] = static_cast<uint8_t>((bytes[8] & 0x3f) | 0x80);
  return format(bytes);
}

}  // namespace posthaste::core
