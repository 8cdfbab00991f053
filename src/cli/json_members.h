// Members of JSON values that may not be there, as what prints them needs them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "json/value.h"

namespace posthaste::cli {

// A value as text: strings as they are, numbers and truth values written out, else nothing.
std::string text_of(const json::Value* value);

// Empty or 0 when there is no such member, or one of another type.
std::string text_member(const json::Value& object, std::string_view name);
int64_t int_member(const json::Value& object, std::string_view name);
// An empty array when there is none.
const json::Value::Array& array_member(const json::Value& object, std::string_view name);

// Reads what the library or the server wrote; values of any number.
core::Result<json::Value> parse_answer(std::string_view text);

}  // namespace posthaste::cli
