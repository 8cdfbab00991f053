#include "json/writer.h"

#include <cassert>
#include <cmath>

#include "json/text.h"

namespace posthaste::json {

Writer& Writer::key(std::string_view name) {
  assert(!levels_.empty() && levels_.back() == Level::Object && !has_key_);
  if (needs_comma_) out_ += ',';
  append_string(out_, name);
  out_ += ':';
  has_key_ = true;
  return *this;
}

Writer& Writer::string(std::string_view text) {
  before_value();
  append_string(out_, text);
  return *this;
}

Writer& Writer::int64(int64_t value) {
  return raw(std::to_string(value));
}

Writer& Writer::uint64(uint64_t value) {
  return raw(std::to_string(value));
}

Writer& Writer::boolean(bool value) {
  return raw(value ? "true" : "false");
}

Writer& Writer::null() {
  return raw("null");
}

Writer& Writer::number(double value) {
  if (!std::isfinite(value)) return null();
  before_value();
  append_double(out_, value);
  return *this;
}

Writer& Writer::raw(std::string_view json) {
  before_value();
  out_ += json;
  return *this;
}

Writer& Writer::begin(char bracket, Level level) {
  before_value();
  out_ += bracket;
  levels_.push_back(level);
  needs_comma_ = false;
  return *this;
}

Writer& Writer::end(char bracket, [[maybe_unused]] Level level) {
  assert(!levels_.empty() && levels_.back() == level && !has_key_);
  out_ += bracket;
  levels_.pop_back();
  needs_comma_ = true;
  return *this;
}

void Writer::before_value() {
  assert(levels_.empty() ? !has_root_ : (levels_.back() == Level::Array || has_key_));
  if (needs_comma_ && !has_key_) out_ += ',';
  has_key_ = false;
  needs_comma_ = true;
  has_root_ = true;
}

}  // namespace posthaste::json
