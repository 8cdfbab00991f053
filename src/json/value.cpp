#include "json/value.h"

#include <algorithm>
#include <charconv>

#include "json/event_scan.h"
#include "json/text.h"

namespace posthaste::json {

namespace {

using core::ErrorCode;

std::string place(std::string_view text, size_t offset) {
  const std::string_view before = text.substr(0, offset);
  const auto line = std::count(before.begin(), before.end(), '\n') + 1;
  const size_t line_start = before.rfind('\n') + 1;  // npos + 1 is 0
  return "line " + std::to_string(line) + ", column " + std::to_string(offset - line_start + 1) +
         ": ";
}

bool has_twice(const Value::Object& object, std::string& culprit) {
  std::vector<std::string_view> keys;
  keys.reserve(object.size());
  for (const Value::Member& member : object) keys.push_back(member.first);
  std::sort(keys.begin(), keys.end());
  const auto found = std::adjacent_find(keys.begin(), keys.end());
  if (found == keys.end()) return false;
  culprit = *found;
  return true;
}

// Reads the tree of a text that passed check_value: grammar and depth are proven, only keys and
// numbers of values can still refuse. It recurses, at most to the depth limit.
class TreeReader {
 public:
  TreeReader(std::string_view text, size_t values_max) : text_(text), values_left_(values_max) {}

  bool read(Value& out);

  bool is_too_large() const { return is_too_large_; }
  const std::string& culprit() const { return culprit_; }
  size_t offset() const { return at_; }

 private:
  // The next byte that is not white space.
  char peek() {
    at_ = text_.find_first_not_of(" \t\r\n", at_);
    return text_[at_];
  }
  // Takes a comma if one is next.
  void skip_comma() {
    if (peek() == ',') ++at_;
  }
  std::string read_string();
  Value read_number();
  bool read_array(Value& out);
  bool read_object(Value& out);

  std::string_view text_;
  size_t at_ = 0;
  size_t values_left_;
  bool is_too_large_ = false;
  std::string culprit_;
};

bool TreeReader::read(Value& out) {
  is_too_large_ = values_left_ == 0;
  if (is_too_large_) return false;
  --values_left_;
  switch (peek()) {
    case '{':
      return read_object(out);
    case '[':
      return read_array(out);
    case '"':
      out = Value(read_string());
      return true;
    case 't':
      at_ += 4;
      out = Value(true);
      return true;
    case 'f':
      at_ += 5;
      out = Value(false);
      return true;
    case 'n':
      at_ += 4;
      out = Value();
      return true;
    default:
      out = read_number();
      return true;
  }
}

std::string TreeReader::read_string() {
  const size_t start = ++at_;
  while (text_[at_] != '"') at_ += text_[at_] == '\\' ? 2u : 1u;
  const std::string_view inside = text_.substr(start, at_ - start);
  ++at_;
  std::string decoded(inside.size(), '\0');  // escapes are longer than what they stand for
  decoded.resize(decode_string(inside, decoded));
  return decoded;
}

Value TreeReader::read_number() {
  const size_t end = std::min(text_.find_first_not_of("+-.0123456789eE", at_), text_.size());
  const char* const first = text_.data() + at_;
  const char* const last = text_.data() + end;
  at_ = end;
  int64_t whole = 0;
  const auto result = std::from_chars(first, last, whole);
  if (result.ec == std::errc() && result.ptr == last) return Value(whole);
  // The check has proven the range; what is too small for a double leaves the 0.
  double value = 0;
  std::from_chars(first, last, value);
  return Value(value);
}

bool TreeReader::read_array(Value& out) {
  Value::Array array;
  for (++at_; peek() != ']'; skip_comma()) {
    if (!read(array.emplace_back())) return false;
  }
  ++at_;
  out = Value(std::move(array));
  return true;
}

bool TreeReader::read_object(Value& out) {
  Value::Object object;
  for (++at_; peek() != '}'; skip_comma()) {
    Value::Member& member = object.emplace_back(read_string(), Value());
    peek();
    ++at_;  // the colon
    if (!read(member.second)) return false;
  }
  if (has_twice(object, culprit_)) return false;
  ++at_;
  out = Value(std::move(object));
  return true;
}

}  // namespace

const Value* Value::find(std::string_view key) const {
  const Object* object = as_object();
  if (object == nullptr) return nullptr;
  const auto found = std::find_if(object->begin(), object->end(),
                                  [key](const Member& member) { return member.first == key; });
  return found == object->end() ? nullptr : &found->second;
}

const char* Value::kind_name() const {
  constexpr const char* kNames[] = {"null",     "a boolean", "a number", "a number",
                                    "a string", "an array",  "an object"};
  return kNames[data_.index()];
}

core::Result<Value> parse_value(std::string_view text, const ValueLimits& limits) {
  MemberSpan whole;
  ScanFault fault;
  if (check_value(text, {limits.size_max, limits.depth_max}, whole, fault) != ErrorCode::Ok) {
    if (fault.code == ErrorCode::TooLarge) return {fault.code, fault.message()};
    return {fault.code, place(text, fault.offset) + fault.reason};
  }
  TreeReader reader(text, limits.values_max);
  Value value;
  if (reader.read(value)) return value;
  if (reader.is_too_large()) {
    return {ErrorCode::TooLarge, "more than " + std::to_string(limits.values_max) + " values"};
  }
  return {ErrorCode::DuplicateKey,
          place(text, reader.offset()) + "key '" + reader.culprit() + "' comes twice",
          reader.culprit()};
}

}  // namespace posthaste::json
