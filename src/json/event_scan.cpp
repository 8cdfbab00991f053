#include "json/event_scan.h"

#include <array>
#include <bit>
#include <cassert>
#include <cstring>

#include "json/number.h"
#include "json/text.h"
#include "json/utf8.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace posthaste::json {

namespace {

using core::ErrorCode;

// Integers shorter than this are within a double's range; 308 would do.
constexpr size_t kHarmlessNumberSize = 300;

bool is_digit(char character) {
  return character >= '0' && character <= '9';
}

// The text is looked at in blocks of 64 bytes, one bit of a word each.
constexpr size_t kBlockSize = 64;

// The bytes of a block that are not plain characters of a string: quotes, backslashes, control
// characters, non-ASCII.
inline uint64_t special_bits(const char* block) {
  uint64_t bits = 0;
#if defined(__SSE2__)
  const __m128i quotes = _mm_set1_epi8('"');
  const __m128i backslashes = _mm_set1_epi8('\\');
  const __m128i spaces = _mm_set1_epi8(' ');
  for (size_t i = 0; i < kBlockSize; i += sizeof(__m128i)) {
    __m128i bytes;
    std::memcpy(&bytes, block + i, sizeof bytes);
    // The comparison is signed: bytes from 0x80 count as below a space, like control characters.
    const __m128i special = _mm_or_si128(
        _mm_or_si128(_mm_cmpeq_epi8(bytes, quotes), _mm_cmpeq_epi8(bytes, backslashes)),
        _mm_cmplt_epi8(bytes, spaces));
    bits |= uint64_t{static_cast<uint32_t>(_mm_movemask_epi8(special))} << i;
  }
#else
  for (size_t i = 0; i < kBlockSize; ++i) {
    const bool is_plain =
        block[i] != '"' && block[i] != '\\' && static_cast<unsigned char>(block[i] - ' ') < 0x60;
    bits |= uint64_t{!is_plain} << i;
  }
#endif
  return bits;
}

// One pass over one text.
// Threads: a local variable of one call.
// Invariants: every step takes a position and gives the position behind what it read, or null after
// a fault.
class Scanner {
 public:
  Scanner(std::string_view text, size_t depth_max, ScanFault& fault)
      : begin_(text.data()),
        end_(text.data() + text.size()),
        block_end_(text.data()),
        depth_max_(depth_max),
        fault_(fault) {}

  const char* scan_event(EventScan& out);
  const char* scan_any(MemberSpan& out);

 private:
  struct Value {
    ValueKind kind = ValueKind::Missing;
    bool has_escapes = false;

    MemberSpan span(const char* start, const char* end) const {
      return {kind, has_escapes, {start, static_cast<size_t>(end - start)}};
    }
  };

  [[gnu::cold, gnu::noinline]] const char* fail(ErrorCode code, const char* at,
                                                const char* reason) {
    fault_ = {code, reason, static_cast<size_t>(at - begin_)};
    return nullptr;
  }

  const char* skip_space(const char* at) const {
    if (at != end_ && *at > ' ') [[likely]] {
      return at;
    }
    while (at != end_ && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t')) ++at;
    return at;
  }

  // The special bits of the present block from `at` on, which lies inside it.
  uint64_t bits_from(const char* at) const {
    const auto left = static_cast<size_t>(block_end_ - at);
    return block_bits_ >> ((0 - left) % kBlockSize);
  }

  // First byte that is not a plain character of a string.
  const char* skip_plain(const char* at) {
    while (at != end_) {
      if (at >= block_end_) enter_block(at);
      const uint64_t bits = bits_from(at);
      if (bits != 0) return at + std::countr_zero(bits);
      at = block_end_;
    }
    return at;
  }

  // Makes the block that holds `at`, or the last one, the present one. The address of a block does
  // not depend on the string before it, so the processor works on blocks ahead of the walk: this is
  // where the speed comes from.
  void enter_block(const char* at) {
    while (static_cast<size_t>(end_ - block_end_) >= kBlockSize) {
      block_end_ += kBlockSize;
      if (at < block_end_) {
        block_bits_ = special_bits(block_end_ - kBlockSize);
        return;
      }
    }
    enter_last_block();
  }

  // Never reads a byte beyond the end.
  void enter_last_block() {
    block_end_ = end_;
    const size_t size = static_cast<size_t>(end_ - begin_);
    if (size >= kBlockSize) {
      block_bits_ = special_bits(end_ - kBlockSize);
      return;
    }
    std::array<char, kBlockSize> block{};
    std::memcpy(block.data() + kBlockSize - size, begin_, size);
    block_bits_ = special_bits(block.data());
  }

  const char* scan_hex(const char* at, unsigned& code_unit);
  const char* scan_escape(const char* at);
  const char* scan_non_ascii(const char* at);
  const char* scan_string(const char* at, bool& has_escapes);
  const char* scan_long_string(const char* at, bool& has_escapes);
  const char* scan_digits(const char* at);
  const char* scan_number(const char* at);
  const char* scan_word(const char* at, std::string_view word);
  const char* scan_scalar(const char* at, Value& value);
  const char* scan_literal(const char* at, Value& value);
  const char* scan_colon(const char* at);
  const char* scan_key(const char* at);
  const char* scan_container(const char* at, size_t depth);
  const char* scan_value(const char* at, size_t depth, Value& value);
  const char* scan_member(const char* at, EventScan& out);
  const char* scan_end(const char* at);

  const char* begin_;
  const char* end_;
  const char* block_end_;
  uint64_t block_bits_ = 0;
  size_t depth_max_;
  ScanFault& fault_;
};

// `at` is behind the u of \uXXXX.
const char* Scanner::scan_hex(const char* at, unsigned& code_unit) {
  code_unit = 0;
  for (int i = 0; i < 4; ++i, ++at) {
    const int digit = at == end_ ? -1 : hex_digit(*at);
    if (digit < 0) return fail(ErrorCode::BadJson, at, "expected four hexadecimal digits");
    code_unit = code_unit * 16 + static_cast<unsigned>(digit);
  }
  return at;
}

// `at` is the backslash.
const char* Scanner::scan_escape(const char* at) {
  const char* const start = at++;
  if (at == end_) return fail(ErrorCode::BadJson, at, "the text ends inside a string");
  if (*at != 'u') {
    if (std::strchr("\"\\/bfnrt", *at) == nullptr || *at == '\0') {
      return fail(ErrorCode::BadJson, start, "unknown escape in a string");
    }
    return at + 1;
  }
  unsigned code_unit = 0;
  at = scan_hex(at + 1, code_unit);
  if (at == nullptr || code_unit < 0xd800 || code_unit > 0xdfff) return at;
  if (code_unit > 0xdbff || end_ - at < 2 || at[0] != '\\' || at[1] != 'u') {
    return fail(ErrorCode::BadUtf8, start, "escape of a lone surrogate");
  }
  at = scan_hex(at + 2, code_unit);
  if (at == nullptr || (code_unit >= 0xdc00 && code_unit <= 0xdfff)) return at;
  return fail(ErrorCode::BadUtf8, start, "escape of a lone surrogate");
}

const char* Scanner::scan_non_ascii(const char* at) {
  do {
    const size_t size = utf8_sequence_size(at, static_cast<size_t>(end_ - at));
    if (size == 0) return fail(ErrorCode::BadUtf8, at, "ill-formed UTF-8");
    at += size;
  } while (at != end_ && static_cast<unsigned char>(*at) >= 0x80);
  return at;
}

// `at` is behind the opening quote; the result is behind the closing one. Most strings end in the
// block they begin in, with nothing special before the quote.
[[gnu::always_inline]] inline const char* Scanner::scan_string(const char* at, bool& has_escapes) {
  if (at < block_end_) [[likely]] {
    const uint64_t bits = bits_from(at);
    if (bits != 0) [[likely]] {
      const char* const special = at + std::countr_zero(bits);
      if (*special == '"') [[likely]]
        return special + 1;
    }
  }
  return scan_long_string(at, has_escapes);
}

const char* Scanner::scan_long_string(const char* at, bool& has_escapes) {
  for (;;) {
    at = skip_plain(at);
    if (at == end_) return fail(ErrorCode::BadJson, at, "the text ends inside a string");
    if (*at == '"') return at + 1;
    if (*at == '\\') {
      has_escapes = true;
      at = scan_escape(at);
    } else if (static_cast<unsigned char>(*at) >= 0x80) {
      at = scan_non_ascii(at);
    } else {
      return fail(ErrorCode::BadJson, at, "control character in a string");
    }
    if (at == nullptr) return nullptr;
  }
}

[[gnu::always_inline]] inline const char* Scanner::scan_digits(const char* at) {
  if (at == end_ || !is_digit(*at)) return fail(ErrorCode::BadJson, at, "expected a digit");
  do {
    ++at;
  } while (at != end_ && is_digit(*at));
  return at;
}

[[gnu::always_inline]] inline const char* Scanner::scan_number(const char* at) {
  const char* const start = at;
  if (*at == '-') ++at;
  at = at != end_ && *at == '0' ? at + 1 : scan_digits(at);
  if (at == nullptr) return nullptr;
  if (at != end_ && *at == '.') {
    at = scan_digits(at + 1);
    if (at == nullptr) return nullptr;
  }
  bool has_exponent = false;
  if (at != end_ && (*at == 'e' || *at == 'E')) {
    has_exponent = true;
    ++at;
    if (at != end_ && (*at == '+' || *at == '-')) ++at;
    at = scan_digits(at);
    if (at == nullptr) return nullptr;
  }
  const size_t size = static_cast<size_t>(at - start);
  if ((has_exponent || size > kHarmlessNumberSize) && !is_in_double_range({start, size})) {
    return fail(ErrorCode::BadJson, start, "a number beyond the range of a double");
  }
  return at;
}

inline const char* Scanner::scan_word(const char* at, std::string_view word) {
  if (static_cast<size_t>(end_ - at) < word.size() ||
      std::memcmp(at, word.data(), word.size()) != 0) {
    return fail(ErrorCode::BadJson, at, "expected a value");
  }
  return at + word.size();
}

[[gnu::always_inline]] inline const char* Scanner::scan_scalar(const char* at, Value& value) {
  if (at == end_) return fail(ErrorCode::BadJson, at, "expected a value");
  if (*at == '"') {
    value.kind = ValueKind::String;
    return scan_string(at + 1, value.has_escapes);
  }
  if (*at == '-' || is_digit(*at)) {
    value.kind = ValueKind::Number;
    return scan_number(at);
  }
  return scan_literal(at, value);
}

const char* Scanner::scan_literal(const char* at, Value& value) {
  value.kind = *at == 'n' ? ValueKind::Null : ValueKind::Boolean;
  return scan_word(at, *at == 't' ? "true" : *at == 'f' ? "false" : "null");
}

// `at` is behind a key; the result is at the value.
[[gnu::always_inline]] inline const char* Scanner::scan_colon(const char* at) {
  at = skip_space(at);
  if (at == end_ || *at != ':') return fail(ErrorCode::BadJson, at, "expected ':'");
  return skip_space(at + 1);
}

const char* Scanner::scan_key(const char* at) {
  if (at == end_ || *at != '"') return fail(ErrorCode::BadJson, at, "expected a key");
  bool has_escapes = false;
  at = scan_string(at + 1, has_escapes);
  return at == nullptr ? nullptr : scan_colon(at);
}

// `at` is an opening bracket whose level is `depth`; the result is behind the bracket that closes
// it. The levels open inside are the bits of one word, set for an object, the innermost lowest.
const char* Scanner::scan_container(const char* at, size_t depth) {
  static_assert(core::kJsonDepthMax <= 64);
  uint64_t objects = 0;
  const size_t outside = depth - 1;
  --depth;
  for (;;) {
    if (at != end_ && (*at == '{' || *at == '[')) {
      if (depth == depth_max_) return fail(ErrorCode::TooDeep, at, "nested too deeply");
      ++depth;
      objects = objects << 1 | uint64_t{*at == '{'};
      at = skip_space(at + 1);
      const bool is_object = (objects & 1) != 0;
      if (at == end_ || *at != (is_object ? '}' : ']')) {
        if (is_object) at = scan_key(at);
        if (at == nullptr) return nullptr;
        continue;
      }
    } else {
      Value value;
      at = scan_scalar(at, value);
      if (at == nullptr) return nullptr;
    }
    for (;;) {  // behind a value, or at the bracket that closes an empty container
      at = skip_space(at);
      const char closer = (objects & 1) != 0 ? '}' : ']';
      if (at != end_ && *at == closer) {
        ++at;
        objects >>= 1;
        if (--depth == outside) return at;
        continue;
      }
      if (at == end_ || *at != ',') {
        return fail(ErrorCode::BadJson, at,
                    closer == '}' ? "expected ',' or '}'" : "expected ',' or ']'");
      }
      at = skip_space(at + 1);
      if (closer == '}') at = scan_key(at);
      if (at == nullptr) return nullptr;
      break;
    }
  }
}

[[gnu::always_inline]] inline const char* Scanner::scan_value(const char* at, size_t depth,
                                                              Value& value) {
  if (at != end_ && (*at == '{' || *at == '[')) {
    value.kind = *at == '{' ? ValueKind::Object : ValueKind::Array;
    return scan_container(at, depth);
  }
  return scan_scalar(at, value);
}

MemberSpan* find_member(std::string_view key, EventScan& out) {
  switch (key.size()) {
    case 4:
      return key == "type" ? &out.type : nullptr;
    case 8:
      return key == "event_id" ? &out.event_id : nullptr;
    case 9:
      return key == "timestamp" ? &out.timestamp : nullptr;
    default:
      return nullptr;
  }
}

// An escaped character takes at most six bytes in place of one.
MemberSpan* find_escaped_member(std::string_view key, EventScan& out) {
  std::array<char, 16> buffer;
  const size_t size = decode_string(key, buffer);
  return size == kDoesNotFit ? nullptr : find_member({buffer.data(), size}, out);
}

// One member of the event itself.
[[gnu::always_inline]] inline const char* Scanner::scan_member(const char* at, EventScan& out) {
  if (at == end_ || *at != '"') return fail(ErrorCode::BadJson, at, "expected a key");
  const char* const key_start = at + 1;
  bool has_escapes = false;
  at = scan_string(key_start, has_escapes);
  if (at == nullptr) return nullptr;
  const std::string_view key(key_start, static_cast<size_t>(at - key_start) - 1);
  at = scan_colon(at);
  if (at == nullptr) return nullptr;
  MemberSpan* const member = has_escapes ? find_escaped_member(key, out) : find_member(key, out);
  if (member != nullptr && member->kind != ValueKind::Missing) {
    return fail(ErrorCode::DuplicateKey, key_start - 1, "a key comes twice");
  }
  const char* const value_start = at;
  Value value;
  at = scan_value(at, 2, value);
  if (member != nullptr && at != nullptr) *member = value.span(value_start, at);
  return at;
}

const char* Scanner::scan_end(const char* at) {
  at = skip_space(at);
  if (at != end_) return fail(ErrorCode::BadJson, at, "text behind the end of the value");
  return at;
}

const char* Scanner::scan_event(EventScan& out) {
  const char* at = skip_space(begin_);
  if (at == end_ || *at != '{') return fail(ErrorCode::BadJson, at, "expected an object");
  if (depth_max_ == 0) return fail(ErrorCode::TooDeep, at, "nested too deeply");
  ++at;
  out.body_offset = static_cast<size_t>(at - begin_);
  at = skip_space(at);
  out.is_empty = at != end_ && *at == '}';
  if (out.is_empty) return scan_end(at + 1);
  for (;;) {
    at = scan_member(at, out);
    if (at == nullptr) return nullptr;
    at = skip_space(at);
    if (at != end_ && *at == '}') return scan_end(at + 1);
    if (at == end_ || *at != ',') return fail(ErrorCode::BadJson, at, "expected ',' or '}'");
    at = skip_space(at + 1);
  }
}

const char* Scanner::scan_any(MemberSpan& out) {
  const char* const start = skip_space(begin_);
  Value value;
  const char* const at = scan_value(start, 1, value);
  if (at == nullptr) return nullptr;
  out = value.span(start, at);
  return scan_end(at);
}

}  // namespace

std::string ScanFault::message() const {
  return std::string(reason) + " at byte " + std::to_string(offset);
}

core::ErrorCode check_event(std::string_view payload, const ScanLimits& limits, EventScan& out) {
  assert(limits.depth_max <= core::kJsonDepthMax);
  out = {};
  if (payload.size() > limits.size_max) {
    out.fault = {ErrorCode::TooLarge, "the payload goes on", limits.size_max};
  } else {
    Scanner(payload, limits.depth_max, out.fault).scan_event(out);
  }
  return out.fault.code;
}

core::ErrorCode check_value(std::string_view text, const ScanLimits& limits, MemberSpan& out,
                            ScanFault& fault) {
  assert(limits.depth_max <= core::kJsonDepthMax);
  out = {};
  fault = {};
  if (text.size() > limits.size_max) {
    fault = {ErrorCode::TooLarge, "the text goes on", limits.size_max};
  } else {
    Scanner(text, limits.depth_max, fault).scan_any(out);
  }
  return fault.code;
}

}  // namespace posthaste::json
