// A body of a batch, `[` records `]`, as lines of one record each. Used by the export of batches;
// it takes the text in pieces, so that nothing is held at once.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace posthaste::engine {

// Purpose: cuts a JSON array into its elements. Threads: one at a time. Invariants: a line has no
// line break but its end; every other byte of a record is as it was.
class RecordLines {
 public:
  // The next piece of the body; appends what it makes of it.
  void feed(std::string_view piece, std::string& out);
  // Lines ended so far.
  uint64_t lines_count() const { return lines_count_; }
  // The array was closed.
  bool is_complete() const { return is_complete_; }

 private:
  void end_line(std::string& out);

  uint32_t depth_ = 0;  // 1: between records
  bool is_in_string_ = false;
  bool is_escaped_ = false;
  bool has_record_ = false;
  bool is_complete_ = false;
  uint64_t lines_count_ = 0;
};

}  // namespace posthaste::engine
