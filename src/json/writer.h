// Writes JSON text with RapidJSON's writer: statistics, reports, REST answers. Strings are escaped
// and repaired, commas and colons come by themselves; the caller keeps the order (a key before each
// member, as many ends as begins), which RapidJSON asserts. The payloads of events have a builder
// of their own, which refuses instead of asserting.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace posthaste::json {

// Ownership: appends to a string of the caller's, which must outlive it. Threads: one at a time.
class Writer {
 public:
  explicit Writer(std::string& out);
  ~Writer();

  Writer& begin_object();
  Writer& end_object();
  Writer& begin_array();
  Writer& end_array();
  Writer& key(std::string_view name);

  Writer& string(std::string_view text);
  Writer& int64(int64_t value);
  Writer& uint64(uint64_t value);
  Writer& boolean(bool value);
  Writer& null();
  // A number that is not finite has no JSON form and is written as null.
  Writer& number(double value);
  // A JSON value that is text already.
  Writer& raw(std::string_view json);

  // A key and its value in one call.
  Writer& string(std::string_view name, std::string_view text) { return key(name).string(text); }
  Writer& int64(std::string_view name, int64_t value) { return key(name).int64(value); }
  Writer& uint64(std::string_view name, uint64_t value) { return key(name).uint64(value); }
  Writer& boolean(std::string_view name, bool value) { return key(name).boolean(value); }
  Writer& number(std::string_view name, double value) { return key(name).number(value); }
  Writer& raw(std::string_view name, std::string_view json) { return key(name).raw(json); }

  // Whether one whole value has been written.
  bool is_complete() const;

 private:
  struct Output;

  std::unique_ptr<Output> output_;
};

}  // namespace posthaste::json
