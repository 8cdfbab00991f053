#include "envelope/event_builder.h"

#include <charconv>
#include <cmath>
#include <functional>

#include "json/number.h"
#include "json/text.h"
#include "json/utf8.h"

namespace posthaste::envelope {

using core::ErrorCode;
using core::FieldKind;
using json::ValueKind;

namespace {

constexpr std::string_view kTimestamp = "timestamp";

FieldKind kind_as_field(ValueKind kind) {
  switch (kind) {
    case ValueKind::Object:
      return FieldKind::Object;
    case ValueKind::Array:
      return FieldKind::Array;
    default:
      return FieldKind::Any;
  }
}

struct NumberText {
  std::array<char, 32> buffer;
  size_t size = 0;
  std::string_view view() const { return {buffer.data(), size}; }
};

template <typename Number>
NumberText number_text(Number value) {
  NumberText text;
  const auto result =
      std::to_chars(text.buffer.data(), text.buffer.data() + text.buffer.size(), value);
  text.size = static_cast<size_t>(result.ptr - text.buffer.data());
  return text;
}

}  // namespace

void EventBuilder::reset(std::string_view type) {
  text_ = "{}";
  keys_.clear();
  depth_ = 1;
  arrays_ = 0;
  mark_.reset();
  code_ = ErrorCode::Ok;
  message_.clear();
  key_.clear();
  knows_fields_ = true;
  if (type.empty()) return;
  const std::string_view documented = core::builtin_type_name(type);
  knows_fields_ = !documented.empty();
  add_string("type", knows_fields_ ? documented : type);
}

ErrorCode EventBuilder::set_string(Key key, std::string_view value) {
  switch (kind_of(key)) {
    case FieldKind::Boolean:
      return add_as_boolean(key, value);
    case FieldKind::Number:
      return add_number(key, value);
    case FieldKind::Object:
    case FieldKind::Array:
      return fail(ErrorCode::BadField, "the field is an object or array", key);
    default:
      return add_string(key, value);
  }
}

ErrorCode EventBuilder::set_int64(Key key, int64_t value) {
  return add_number(key, number_text(value).view());
}

ErrorCode EventBuilder::set_double(Key key, double value) {
  if (!std::isfinite(value)) return fail(ErrorCode::BadField, "the number is not finite", key);
  return add_number(key, number_text(value).view());
}

ErrorCode EventBuilder::set_boolean(Key key, bool value) {
  switch (kind_of(key)) {
    case FieldKind::String:
      return add_string(key, value ? "1" : "0");
    case FieldKind::Boolean:
    case FieldKind::Any:
      return add_raw(key, value ? "true" : "false");
    default:
      return fail(ErrorCode::BadField, "the field is no boolean", key);
  }
}

ErrorCode EventBuilder::set_json(Key key, std::string_view json) {
  if (code_ != ErrorCode::Ok) return code_;
  json::MemberSpan value;
  json::ScanFault fault;
  const json::ScanLimits limits{core::kEventSizeMax, core::kJsonDepthMax - depth_};
  if (json::check_value(json, limits, value, fault) != ErrorCode::Ok) {
    return fail(fault.code, fault.message(), key);
  }
  const FieldKind field = kind_of(key);
  if (field == FieldKind::Any) return add_raw(key, value.raw);
  switch (value.kind) {
    case ValueKind::Boolean:
      return set_boolean(key, value.raw == "true");
    case ValueKind::Number:
      return add_number(key, value.raw);
    case ValueKind::String:
      if (field == FieldKind::String) return add_raw(key, value.raw);
      // Text for a Boolean or Number field is ASCII without escapes, or it does not fit.
      return set_string(key, value.inside());
    default:
      if (kind_as_field(value.kind) == field) return add_raw(key, value.raw);
      return fail(ErrorCode::BadField, "the value does not fit the field", key);
  }
}

ErrorCode EventBuilder::begin(Key key, ValueKind kind) {
  const FieldKind field = kind_of(key);
  if (field != FieldKind::Any && field != kind_as_field(kind)) {
    return fail(ErrorCode::BadField, "the field does not take such a nested value", key);
  }
  if (depth_ == core::kJsonDepthMax) return fail(ErrorCode::TooDeep, "nested too deeply", key);
  if (const ErrorCode code = begin_member(key); code != ErrorCode::Ok) return code;
  text_ += kind == ValueKind::Object ? '{' : '[';
  ++depth_;
  arrays_ = arrays_ << 1 | uint64_t{kind == ValueKind::Array};
  first_key_[depth_] = static_cast<uint32_t>(keys_.size());
  return ErrorCode::Ok;
}

ErrorCode EventBuilder::end() {
  if (code_ != ErrorCode::Ok) return code_;
  if (!is_nested()) return fail(ErrorCode::Invalid, "no nested value is open", {});
  text_ += is_in_array() ? ']' : '}';
  keys_.resize(first_key_[depth_]);
  --depth_;
  arrays_ >>= 1;
  return end_member({});
}

ErrorCode EventBuilder::mark() {
  if (code_ != ErrorCode::Ok) return code_;
  if (is_nested()) return fail(ErrorCode::Invalid, "a mark inside a nested value", {});
  mark_ = State{text_.size(), keys_.size()};
  return ErrorCode::Ok;
}

ErrorCode EventBuilder::rewind() {
  if (!mark_) return fail(ErrorCode::Invalid, "rewind without a mark", {});
  text_.resize(mark_->text_size);
  text_.back() = '}';
  keys_.resize(mark_->key_count);
  depth_ = 1;
  arrays_ = 0;
  code_ =
      ErrorCode::Ok;  // mark refuses while an error sticks, so every error is newer than the mark
  message_.clear();
  key_.clear();
  return ErrorCode::Ok;
}

ErrorCode EventBuilder::finish(std::string_view& out) const {
  out = {};
  if (code_ != ErrorCode::Ok) return code_;
  if (is_nested()) return ErrorCode::Invalid;
  out = text_;
  return ErrorCode::Ok;
}

core::Error EventBuilder::error() const {
  if (code_ == ErrorCode::Ok && is_nested())
    return {ErrorCode::Invalid, "a nested value is still open", {}};
  return {code_, message_, key_};
}

ErrorCode EventBuilder::fail(ErrorCode code, std::string_view message, Key key) {
  if (code_ != ErrorCode::Ok) return code_;
  code_ = code;
  key_ = json::repair_utf8(key.value_or(std::string_view()));
  message_ = message;
  if (key) message_ += ": field '" + key_ + "'";
  return code_;
}

ErrorCode EventBuilder::begin_member(Key key) {
  if (code_ != ErrorCode::Ok) return code_;
  if (is_in_array() == key.has_value()) {
    return fail(ErrorCode::Invalid,
                key ? "an element of an array has no key" : "a member needs a key", key);
  }
  if (!is_nested()) text_.pop_back();  // the closing brace
  if (text_.back() != '{' && text_.back() != '[') text_ += ',';
  if (!key) return ErrorCode::Ok;
  const size_t offset = text_.size();
  json::append_string(text_, *key);
  if (const ErrorCode code = register_key(key, offset); code != ErrorCode::Ok) return code;
  text_ += ':';
  return ErrorCode::Ok;
}

ErrorCode EventBuilder::end_member(Key key) {
  if (text_.size() > core::kEventSizeMax) {
    return fail(ErrorCode::TooLarge, "the payload is larger than any engine takes", key);
  }
  if (!is_nested()) text_ += '}';
  return ErrorCode::Ok;
}

ErrorCode EventBuilder::register_key(Key key, size_t offset) {
  const std::string_view text = std::string_view(text_).substr(offset);
  const auto hash = static_cast<uint32_t>(std::hash<std::string_view>{}(text));
  for (size_t i = first_key_[depth_]; i < keys_.size(); ++i) {
    if (keys_[i].hash == hash &&
        std::string_view(text_).substr(keys_[i].offset, keys_[i].size) == text) {
      return fail(ErrorCode::DuplicateKey, "a key comes twice", key);
    }
  }
  if (keys_.size() == core::kBuilderMembersMax) {
    return fail(ErrorCode::TooLarge, "too many members", key);
  }
  keys_.push_back({hash, static_cast<uint32_t>(offset), static_cast<uint32_t>(text.size())});
  return ErrorCode::Ok;
}

ErrorCode EventBuilder::add_raw(Key key, std::string_view raw) {
  if (const ErrorCode code = begin_member(key); code != ErrorCode::Ok) return code;
  text_ += raw;
  return end_member(key);
}

ErrorCode EventBuilder::add_string(Key key, std::string_view value) {
  if (const ErrorCode code = begin_member(key); code != ErrorCode::Ok) return code;
  json::append_string(text_, value);
  return end_member(key);
}

ErrorCode EventBuilder::add_as_boolean(Key key, std::string_view text) {
  if (text == "1" || text == "true") return add_raw(key, "true");
  if (text == "0" || text == "false") return add_raw(key, "false");
  return fail(ErrorCode::BadField, "the value is no boolean", key);
}

// `number` comes from a setter or a checked JSON number, or, for a Number field, from any text.
ErrorCode EventBuilder::add_number(Key key, std::string_view number) {
  switch (kind_of(key)) {
    case FieldKind::String: {
      if (key != kTimestamp) return add_string(key, number);
      const std::optional<int64_t> seconds = json::whole_part(number);
      if (!seconds) return fail(ErrorCode::BadField, "the time is negative or too large", key);
      return add_string(key, number_text(*seconds).view());
    }
    case FieldKind::Boolean:
      return add_as_boolean(key, number);
    case FieldKind::Number:
      if (!json::is_number(number) || !json::is_in_double_range(number)) {
        return fail(ErrorCode::BadField, "the value is no number", key);
      }
      return add_raw(key, number);
    case FieldKind::Any:
      return add_raw(key, number);
    default:
      return fail(ErrorCode::BadField, "the field is an object or array", key);
  }
}

FieldKind EventBuilder::kind_of(const Key& key) const {
  if (!key || is_nested()) return FieldKind::Any;
  if (knows_fields_) return core::builtin_field_kind(*key);
  const bool is_common = *key == "type" || *key == kTimestamp || *key == "event_id";
  return is_common ? FieldKind::String : FieldKind::Any;
}

}  // namespace posthaste::envelope
