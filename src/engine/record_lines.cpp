#include "engine/record_lines.h"

namespace posthaste::engine {

void RecordLines::feed(std::string_view piece, std::string& out) {
  for (const char byte : piece) {
    const bool is_between = depth_ <= 1 && !is_in_string_;
    if (is_in_string_) {
      is_in_string_ = is_escaped_ || byte != '"';
      is_escaped_ = !is_escaped_ && byte == '\\';
    } else if (byte == '"') {
      is_in_string_ = true;
    } else if (byte == '{' || byte == '[') {
      ++depth_;
    } else if ((byte == '}' || byte == ']') && depth_ > 0) {
      --depth_;
    }
    if (!is_between || depth_ > 1) {
      // A line break between the tokens of a payload means nothing.
      out += byte == '\n' || byte == '\r' ? ' ' : byte;
      has_record_ = true;
    } else if (byte == ',' || byte == ']') {
      end_line(out);
      is_complete_ = is_complete_ || byte == ']';
    }
  }
}

void RecordLines::end_line(std::string& out) {
  if (!has_record_) return;
  out += '\n';
  has_record_ = false;
  ++lines_count_;
}

}  // namespace posthaste::engine
