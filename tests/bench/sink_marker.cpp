// The marker is searched by its first and last byte at once, 32 or 16 places in a step.
#include "sink_marker.h"

#if defined(__SSE2__)
#include <immintrin.h>
#endif

#include <algorithm>
#include <cstring>

namespace posthaste::bench {
namespace {

#if defined(__AVX2__)
constexpr ptrdiff_t kStep = 32;
using Vector = __m256i;

Vector spread(char byte) {
  return _mm256_set1_epi8(byte);
}
Vector load(const char* at) {
  return _mm256_loadu_si256(static_cast<const Vector*>(static_cast<const void*>(at)));
}
// Bit i is set when byte i of a piece equals that of a pattern.
unsigned equal(Vector pattern, const char* at) {
  return static_cast<unsigned>(_mm256_movemask_epi8(_mm256_cmpeq_epi8(pattern, load(at))));
}
#elif defined(__SSE2__)
constexpr ptrdiff_t kStep = 16;
using Vector = __m128i;

Vector spread(char byte) {
  return _mm_set1_epi8(byte);
}
Vector load(const char* at) {
  return _mm_loadu_si128(static_cast<const Vector*>(static_cast<const void*>(at)));
}
unsigned equal(Vector pattern, const char* at) {
  return static_cast<unsigned>(_mm_movemask_epi8(_mm_cmpeq_epi8(pattern, load(at))));
}
#endif

uint64_t count_byte(const char* at, const char* end, char byte) {
  uint64_t count = 0;
#if defined(__SSE2__)
  const Vector pattern = spread(byte);
  for (; end - at >= kStep; at += kStep) {
    count += static_cast<uint64_t>(__builtin_popcount(equal(pattern, at)));
  }
#endif
  return count + static_cast<uint64_t>(std::count(at, end, byte));
}

}  // namespace

// The first occurrence in [at, end), or end.
const char* SinkMarker::find(const char* at, const char* end) const {
  const size_t size = text_.size();
  if (static_cast<size_t>(end - at) < size) return end;
  const char* const stop = end - size + 1;  // an occurrence begins before it
#if defined(__SSE2__)
  const Vector first = spread(text_.front());
  const Vector last = spread(text_.back());
  for (; stop - at >= kStep; at += kStep) {
    unsigned places = equal(first, at) & equal(last, at + size - 1);
    for (; places; places &= places - 1) {
      const char* const place = at + __builtin_ctz(places);
      if (std::memcmp(place, text_.data(), size) == 0) return place;
    }
  }
#endif
  for (; at < stop; ++at) {
    if (*at == text_.front() && std::memcmp(at, text_.data(), size) == 0) return at;
  }
  return end;
}

SinkMarker::Found SinkMarker::count(const char* at, const char* end, bool is_last) const {
  if (text_.size() == 1 && !on_id_) return {count_byte(at, end, text_[0]), end};
  Found found;
  for (;;) {
    const char* const place = find(at, end);
    if (place == end) {
      const auto tail = std::min(end - at, static_cast<ptrdiff_t>(text_.size() - 1));
      found.rest = end - tail;
      return found;
    }
    const char* const digits = place + text_.size();
    const char* after = digits;
    if (on_id_) {
      uint64_t id = 0;
      const char* const digits_max = digits + std::min<ptrdiff_t>(end - digits, kIdDigitsMax);
      for (; after < digits_max && *after >= '0' && *after <= '9'; ++after) {
        id = id * 10 + static_cast<uint64_t>(*after - '0');
      }
      if (after == end && !is_last) {
        found.rest = place;
        return found;
      }
      on_id_(after == digits ? kNoId : id);
    }
    ++found.count;
    at = after;
  }
}

}  // namespace posthaste::bench
