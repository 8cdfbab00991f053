// posthaste_push_many, for whatever takes the lines: an engine, or a producer.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/result.h"
#include "posthaste/posthaste.h"

namespace posthaste::capi {

inline bool is_blank(std::string_view line) {
  return line.find_first_not_of(" \t\r") == std::string_view::npos;
}

// Whether the line itself is to blame; any other refusal would meet the next lines too.
inline bool is_of_the_line(core::ErrorCode code) {
  return static_cast<int32_t>(code) >= POSTHASTE_E_BAD_JSON &&
         static_cast<int32_t>(code) < POSTHASTE_E_SPOOL_FULL;
}

// The lines of one posthaste_push_many, and how far it came. What was done is written at once, so
// that it stands even if a push throws. Threads: a local variable of one call.
struct Lines {
  std::string_view text;
  size_t* out_consumed;
  int32_t* out_codes;
  size_t codes_count;  // 0: no codes are wanted
  size_t judged_count = 0;

  template <typename Push>
  core::ErrorCode push(const Push& push_line) {
    core::ErrorCode first_refusal = core::ErrorCode::Ok;
    for (size_t begin = 0; begin < text.size();) {
      const size_t end = std::min(text.find('\n', begin), text.size());
      const std::string_view line = text.substr(begin, end - begin);
      if (!is_blank(line)) {
        if (codes_count != 0 && judged_count == codes_count) break;
        const core::ErrorCode code = push_line(line);
        if (first_refusal == core::ErrorCode::Ok) first_refusal = code;
        if (code != core::ErrorCode::Ok && !is_of_the_line(code)) break;
        if (codes_count != 0) out_codes[judged_count++] = static_cast<int32_t>(code);
      }
      begin = std::min(end + 1, text.size());
      if (out_consumed != nullptr) *out_consumed = begin;
    }
    return first_refusal;
  }
};

}  // namespace posthaste::capi
