#include "core/record_scan.h"

namespace posthaste::core {

void RecordScan::feed(std::string_view bytes) {
  for (const char c : bytes) {
    state_ = next(c);
    ++offset_;
  }
}

RecordScan::State RecordScan::next(char c) {
  switch (state_) {
    case State::Start:
      return c == '[' ? State::BeforeRecord : State::Failed;
    case State::BeforeRecord:
      if (c != '{') return State::Failed;
      offsets_.push_back(offset_);
      depth_ = 1;
      return State::InRecord;
    case State::InRecord:
      if (c == '"') return State::InString;
      if (c == '{' || c == '[') ++depth_;
      if ((c == '}' || c == ']') && --depth_ == 0) return State::BehindRecord;
      return State::InRecord;
    case State::InString:
      if (c == '\\') return State::InEscape;
      return c == '"' ? State::InRecord : State::InString;
    case State::InEscape:
      return State::InString;
    case State::BehindRecord:
      if (c == ',') return State::BeforeRecord;
      if (c != ']') return State::Failed;
      offsets_.push_back(offset_);
      return State::Ended;
    case State::Ended:
    case State::Failed:
      break;
  }
  return State::Failed;
}

}  // namespace posthaste::core
