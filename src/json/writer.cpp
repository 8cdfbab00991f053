#include "json/writer.h"

#include <cmath>

#include "json/rapidjson.h"
#include "json/utf8.h"

namespace posthaste::json {

namespace {

// RapidJSON's output stream, which gives the names, over a string.
class StringStream {
 public:
  using Ch = char;

  explicit StringStream(std::string& out) : out_(out) {}

  void Put(char character) { out_ += character; }
  void Flush() {}

 private:
  std::string& out_;
};

rapidjson::SizeType size_of(const std::string& text) {
  return static_cast<rapidjson::SizeType>(text.size());
}

}  // namespace

struct Writer::Output {
  explicit Output(std::string& out) : stream(out), writer(stream) {}

  StringStream stream;
  rapidjson::Writer<StringStream> writer;
};

Writer::Writer(std::string& out) : output_(std::make_unique<Output>(out)) {}

Writer::~Writer() = default;

Writer& Writer::begin_object() {
  output_->writer.StartObject();
  return *this;
}

Writer& Writer::end_object() {
  output_->writer.EndObject();
  return *this;
}

Writer& Writer::begin_array() {
  output_->writer.StartArray();
  return *this;
}

Writer& Writer::end_array() {
  output_->writer.EndArray();
  return *this;
}

Writer& Writer::key(std::string_view name) {
  const std::string repaired = repair_utf8(name);
  output_->writer.Key(repaired.data(), size_of(repaired));
  return *this;
}

Writer& Writer::string(std::string_view text) {
  const std::string repaired = repair_utf8(text);
  output_->writer.String(repaired.data(), size_of(repaired));
  return *this;
}

Writer& Writer::int64(int64_t value) {
  output_->writer.Int64(value);
  return *this;
}

Writer& Writer::uint64(uint64_t value) {
  output_->writer.Uint64(value);
  return *this;
}

Writer& Writer::boolean(bool value) {
  output_->writer.Bool(value);
  return *this;
}

Writer& Writer::null() {
  output_->writer.Null();
  return *this;
}

Writer& Writer::number(double value) {
  if (!std::isfinite(value)) return null();
  output_->writer.Double(value);
  return *this;
}

Writer& Writer::raw(std::string_view json) {
  // The type is only asserted against that of a key, so any but a string's will do.
  output_->writer.RawValue(json.data(), json.size(), rapidjson::kObjectType);
  return *this;
}

bool Writer::is_complete() const {
  return output_->writer.IsComplete();
}

}  // namespace posthaste::json
