#include "cli/json_members.h"

#include "json/text.h"

namespace posthaste::cli {

std::string text_of(const json::Value* value) {
  if (!value) return {};
  if (const std::string* text = value->as_string()) return *text;
  if (const int64_t* whole = value->as_int64()) return std::to_string(*whole);
  if (const bool* flag = value->as_bool()) return *flag ? "true" : "false";
  std::string out;
  if (const double* number = value->as_double()) json::append_double(out, *number);
  return out;
}

std::string text_member(const json::Value& object, std::string_view name) {
  return text_of(object.find(name));
}

int64_t int_member(const json::Value& object, std::string_view name) {
  const json::Value* value = object.find(name);
  const int64_t* whole = value ? value->as_int64() : nullptr;
  return whole ? *whole : 0;
}

const json::Value::Array& array_member(const json::Value& object, std::string_view name) {
  static const json::Value::Array kNone;
  const json::Value* value = object.find(name);
  const json::Value::Array* array = value ? value->as_array() : nullptr;
  return array ? *array : kNone;
}

core::Result<json::Value> parse_answer(std::string_view text) {
  constexpr json::ValueLimits kLimits{size_t{1} << 30, core::kJsonDepthMax, size_t{1} << 26};
  return json::parse_value(text, kLimits);
}

}  // namespace posthaste::cli
