#include "envelope/event_ids.h"

#include <cstring>

namespace posthaste::envelope {

namespace {

struct HexPairs {
  constexpr HexPairs() {
    constexpr char kDigits[] = "0123456789abcdef";
    for (size_t i = 0; i < 256; ++i) pairs[i] = {kDigits[i >> 4], kDigits[i & 15]};
  }
  std::array<std::array<char, 2>, 256> pairs{};
};

constexpr HexPairs kHexPairs;

// Writes the lowest `byte_count` bytes of `value`, the most significant first.
char* write_hex(char* out, uint64_t value, unsigned byte_count) {
  for (unsigned i = byte_count; i > 0; --i, out += 2) {
    std::memcpy(out, kHexPairs.pairs[(value >> (8 * (i - 1))) & 0xff].data(), 2);
  }
  return out;
}

}  // namespace

EventIds::EventIds(uint64_t process_seed, uint64_t counter_seed)
    : process_(process_seed), counter_(counter_seed) {}

void EventIds::reseed(uint64_t process_seed, uint64_t counter_seed) {
  process_.store(process_seed, std::memory_order_relaxed);
  counter_.store(counter_seed, std::memory_order_relaxed);
}

void EventIds::write(char* out) {
  constexpr uint64_t kVersion = 0x8000;
  constexpr uint64_t kVariant = uint64_t{2} << 62;
  const uint64_t process = process_.load(std::memory_order_relaxed);
  const uint64_t counter = counter_.fetch_add(1, std::memory_order_relaxed);
  const uint64_t low = (counter & ~(uint64_t{3} << 62)) | kVariant;
  out = write_hex(out, process >> 32, 4);
  *out++ = '-';
  out = write_hex(out, process >> 16, 2);
  *out++ = '-';
  out = write_hex(out, (process & 0x0fff) | kVersion, 2);
  *out++ = '-';
  out = write_hex(out, low >> 48, 2);
  *out++ = '-';
  write_hex(out, low, 6);
}

}  // namespace posthaste::envelope
