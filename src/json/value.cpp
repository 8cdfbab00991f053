#include "json/value.h"

#include <algorithm>
#include <cassert>
#include <charconv>
#include <cstddef>
#include <iterator>
#include <optional>

#include "json/event_scan.h"
#include "json/rapidjson.h"

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

std::optional<std::string> find_key_twice(const Value::Object& object) {
  std::vector<std::string_view> keys;
  keys.reserve(object.size());
  for (const Value::Member& member : object) keys.push_back(member.first);
  std::sort(keys.begin(), keys.end());
  const auto found = std::adjacent_find(keys.begin(), keys.end());
  if (found == keys.end()) return std::nullopt;
  return std::string(*found);
}

Value number_value(std::string_view text) {
  const char* const end = text.data() + text.size();
  int64_t whole = 0;
  const auto result = std::from_chars(text.data(), end, whole);
  if (result.ec == std::errc() && result.ptr == end) return Value(whole);
  // The check has proven the range; what is too small for a double leaves the 0.
  double value = 0;
  std::from_chars(text.data(), end, value);
  return Value(value);
}

// Makes the tree from the calls of RapidJSON's reader, which give the functions their names. A
// false answer ends the reading.
// Threads: a local variable of one call.
// Invariants: keys and values wait in the order of the text until their container ends; at the end
// of the text one value is left.
class TreeBuilder : public rapidjson::BaseReaderHandler<rapidjson::UTF8<>, TreeBuilder> {
 public:
  explicit TreeBuilder(size_t values_max) : values_left_(values_max) {}

  bool Null() { return add(Value()); }
  bool Bool(bool value) { return add(Value(value)); }
  bool RawNumber(const char* text, rapidjson::SizeType size, bool) {
    return add(number_value({text, size}));
  }
  bool String(const char* text, rapidjson::SizeType size, bool) {
    return add(Value(std::string(text, size)));
  }
  bool Key(const char* text, rapidjson::SizeType size, bool) {
    keys_.emplace_back(text, size);
    return true;
  }
  bool StartObject() { return count_value(); }
  bool StartArray() { return count_value(); }
  bool EndObject(rapidjson::SizeType count);
  bool EndArray(rapidjson::SizeType count);

  bool is_too_large() const { return is_too_large_; }
  const std::optional<std::string>& key_twice() const { return key_twice_; }
  Value take() { return std::move(values_.front()); }

 private:
  bool count_value() {
    is_too_large_ = values_left_ == 0;
    if (!is_too_large_) --values_left_;
    return !is_too_large_;
  }
  bool add(Value value) {
    values_.push_back(std::move(value));
    return count_value();
  }

  size_t values_left_;
  std::vector<std::string> keys_;
  std::vector<Value> values_;
  bool is_too_large_ = false;
  std::optional<std::string> key_twice_;
};

bool TreeBuilder::EndObject(rapidjson::SizeType count) {
  const size_t first_key = keys_.size() - count;
  const size_t first_value = values_.size() - count;
  Value::Object object;
  object.reserve(count);
  for (size_t i = 0; i < count; ++i) {
    object.emplace_back(std::move(keys_[first_key + i]), std::move(values_[first_value + i]));
  }
  key_twice_ = find_key_twice(object);
  keys_.resize(first_key);
  values_.resize(first_value);
  values_.emplace_back(std::move(object));
  return !key_twice_;
}

bool TreeBuilder::EndArray(rapidjson::SizeType count) {
  const auto first = values_.end() - static_cast<std::ptrdiff_t>(count);
  Value::Array array(std::make_move_iterator(first), std::make_move_iterator(values_.end()));
  values_.erase(first, values_.end());
  values_.emplace_back(std::move(array));
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
  std::string copy(text);  // the reader decodes strings in place
  rapidjson::InsituStringStream stream(copy.data());
  rapidjson::Reader reader;
  TreeBuilder builder(limits.values_max);
  constexpr unsigned kFlags = rapidjson::kParseInsituFlag | rapidjson::kParseIterativeFlag |
                              rapidjson::kParseNumbersAsStringsFlag;
  const rapidjson::ParseResult result = reader.Parse<kFlags>(stream, builder);
  if (!result.IsError()) return builder.take();
  if (builder.is_too_large()) {
    return {ErrorCode::TooLarge, "more than " + std::to_string(limits.values_max) + " values"};
  }
  const std::string at = place(text, result.Offset());
  if (builder.key_twice()) {
    const std::string& key = *builder.key_twice();
    return {ErrorCode::DuplicateKey, at + "key '" + key + "' comes twice", key};
  }
  // The check computes a number exactly; the reader gives up on 0e400 and on 310 digits with a
  // negative exponent.
  assert(result.Code() == rapidjson::kParseErrorNumberTooBig);
  return {ErrorCode::BadJson, at + "a number too long to read"};
}

void write_value(Writer& writer, const Value& value) {
  if (const bool* boolean = value.as_bool()) {
    writer.boolean(*boolean);
  } else if (const int64_t* integer = value.as_int64()) {
    writer.int64(*integer);
  } else if (const double* number = value.as_double()) {
    writer.number(*number);
  } else if (const std::string* text = value.as_string()) {
    writer.string(*text);
  } else if (const Value::Array* array = value.as_array()) {
    writer.begin_array();
    for (const Value& item : *array) write_value(writer, item);
    writer.end_array();
  } else if (const Value::Object* object = value.as_object()) {
    writer.begin_object();
    for (const auto& [key, member] : *object) write_value(writer.key(key), member);
    writer.end_object();
  } else {
    writer.null();
  }
}

}  // namespace posthaste::json
