// What a run leaves behind: a trace, whose hash must be the same for the same seed, counts of what
// occurred, and the first rule that did not hold.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <cstdio>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "core/time.h"

namespace posthaste::simulation {

// A rule that did not hold: the invariant's short name (README.md lists them) and what was seen.
struct Violation {
  std::string invariant;
  std::string text;
};

struct RunResult {
  std::optional<Violation> violation;
  uint64_t trace_hash = 0;
  core::Duration virtual_time{};
  size_t steps_count = 0;
};

// How often each thing occurred, by a name such as "fault refused".
using Counts = std::map<std::string, uint64_t>;

// Purpose: lines in the order of happening. Ownership: the file, if any, is the caller's. Threads:
// one.
class Trace {
 public:
  explicit Trace(std::FILE* file) : file_(file) {}

  template <typename... Parts>
  void line(fmt::format_string<Parts...> format, Parts&&... parts) {
    text_.clear();
    fmt::format_to(std::back_inserter(text_), format, std::forward<Parts>(parts)...);
    text_ += '\n';
    // FNV-1a.
    for (const char letter : text_) {
      hash_ = (hash_ ^ static_cast<unsigned char>(letter)) * 0x100000001b3u;
    }
    if (file_) std::fwrite(text_.data(), 1, text_.size(), file_);
  }
  uint64_t hash() const { return hash_; }

 private:
  std::FILE* file_;
  std::string text_;
  uint64_t hash_ = 0xcbf29ce484222325u;
};

}  // namespace posthaste::simulation
