// The check that every pushed event passes: one pass over the bytes proves that they are one JSON
// object in valid UTF-8 and finds the three members that record completion looks at. It runs on the
// host's threads, per event, so it allocates nothing, recurses nowhere and uses a few hundred bytes
// of stack. Why it is not RapidJSON's reader, which tests and fuzzer compare it with: decision 5.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/limits.h"
#include "core/result.h"

namespace posthaste::json {

struct ScanLimits {
  size_t size_max = core::kEventSizeDefault;
  size_t depth_max = core::kJsonDepthMax;  // at most kJsonDepthMax
};

enum class ValueKind : uint8_t { Missing, Null, Boolean, Number, String, Object, Array };

// A member's value as it stands in the text, quotes included.
struct MemberSpan {
  ValueKind kind = ValueKind::Missing;
  bool has_escapes = false;
  std::string_view raw;

  // What stands between the quotes of a string.
  std::string_view inside() const { return raw.substr(1, raw.size() - 2); }
};

// Why a text was refused. Plain data, so that refusing costs no allocation; message() makes the
// text.
struct ScanFault {
  core::ErrorCode code = core::ErrorCode::Ok;
  const char* reason = "";
  size_t offset = 0;

  std::string message() const;
};

struct EventScan {
  MemberSpan type;
  MemberSpan timestamp;
  MemberSpan event_id;
  size_t body_offset = 0;  // of the byte behind the opening brace
  bool is_empty = false;   // the object has no member
  ScanFault fault;
};

// Refuses: TooLarge; BadJson (RFC 8259 strictly, control characters and numbers beyond a double
// included); BadUtf8 (ill-formed bytes in a string, and escapes of lone surrogates, which are no
// characters either); TooDeep; DuplicateKey when type, timestamp or event_id comes twice in the
// event itself, however the key is escaped. `out` views the payload. Threads: any.
core::ErrorCode check_event(std::string_view payload, const ScanLimits& limits, EventScan& out);

// The same proof for a JSON text of any kind; says which kind it is.
core::ErrorCode check_value(std::string_view text, const ScanLimits& limits, MemberSpan& out,
                            ScanFault& fault);

}  // namespace posthaste::json
