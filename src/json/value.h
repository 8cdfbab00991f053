// A small JSON tree, for texts that are read once and looked at in any order: webhooks.json files
// and bodies of the REST shape. Events never become trees. Errors say line and column, since a
// person wrote the text.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "core/limits.h"
#include "core/result.h"
#include "json/writer.h"

namespace posthaste::json {

// One JSON value and all it holds.
// Ownership: owns its text; copyable. Threads: const functions may run concurrently.
// Invariants: members keep the order of the text, and no object has a key twice.
class Value {
 public:
  using Array = std::vector<Value>;
  using Member = std::pair<std::string, Value>;
  using Object = std::vector<Member>;

  Value() = default;  // null
  explicit Value(bool value) : data_(value) {}
  explicit Value(int64_t value) : data_(value) {}
  explicit Value(double value) : data_(value) {}
  explicit Value(std::string value) : data_(std::move(value)) {}
  explicit Value(Array value) : data_(std::move(value)) {}
  explicit Value(Object value) : data_(std::move(value)) {}

  bool is_null() const { return std::holds_alternative<std::monostate>(data_); }
  bool is_number() const { return as_int64() != nullptr || as_double() != nullptr; }

  // The value when it is of that type, else null.
  const bool* as_bool() const { return std::get_if<bool>(&data_); }
  // Whole numbers of the text that fit; every other number is a double.
  const int64_t* as_int64() const { return std::get_if<int64_t>(&data_); }
  const double* as_double() const { return std::get_if<double>(&data_); }
  const std::string* as_string() const { return std::get_if<std::string>(&data_); }
  const Array* as_array() const { return std::get_if<Array>(&data_); }
  const Object* as_object() const { return std::get_if<Object>(&data_); }

  // The member of an object; null when there is none or this is no object.
  const Value* find(std::string_view key) const;

  // What the value is called in an error text: "a string", "an object"...
  const char* kind_name() const;

 private:
  std::variant<std::monostate, bool, int64_t, double, std::string, Array, Object> data_;
};

struct ValueLimits {
  size_t size_max = core::kJsonTextSizeMax;
  size_t depth_max = core::kJsonDepthMax;
  size_t values_max = core::kJsonValuesMax;
};

// Refuses what check_value refuses, a key that an object has twice (DuplicateKey), and more than
// values_max values (TooLarge). RapidJSON makes the tree of a text that passed the check; it also
// refuses (BadJson) numbers whose digits or exponent alone go beyond a double, such as 0e400. But
// for TooLarge, the message begins with "line L, column C: ", columns counted in bytes from 1.
core::Result<Value> parse_value(std::string_view text, const ValueLimits& limits = {});

// Appends the value as the writer's next one. Numbers that are no integers may get another
// spelling.
void write_value(Writer& writer, const Value& value);

}  // namespace posthaste::json
