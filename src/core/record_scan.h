// Finds where each record of a batch's body begins, when a batch is to be taken apart: records are
// JSON objects one behind the other, and nobody wrote down their sizes. Pure; fed piece by piece.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace posthaste::core {

// Purpose: offsets of the records of one body, `[` {...} `,` {...} `]`. Threads: one at a time.
// Invariants: looks at brackets and strings only; text that is no array of objects makes the scan
// fail, not guess.
class RecordScan {
 public:
  void feed(std::string_view bytes);

  // Whether the array came to its end, and nothing but objects was in it.
  bool is_complete() const { return state_ == State::Ended; }
  // Of each record's first byte within the body, then of the closing bracket: one more than there
  // are records.
  const std::vector<uint64_t>& offsets() const { return offsets_; }

 private:
  enum class State {
    Start,
    BeforeRecord,
    InRecord,
    InString,
    InEscape,
    BehindRecord,
    Ended,
    Failed
  };

  State next(char c);

  State state_ = State::Start;
  uint32_t depth_ = 0;
  uint64_t offset_ = 0;
  std::vector<uint64_t> offsets_;
};

}  // namespace posthaste::core
