#include "cli/sink_report.h"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>

#include "cli/console.h"
#include "json/value.h"
#include "json/writer.h"

namespace posthaste::cli {
namespace {

// A batch of a million events has more values than a configuration.
constexpr json::ValueLimits kBatchLimits{size_t{1} << 30, core::kJsonDepthMax, size_t{1} << 26};
// Ids beyond these are not remembered, and their repetition not seen.
constexpr size_t kBatchesMax = 1'000'000;
constexpr size_t kShownEventMax = 400;

std::string compact(const json::Value& value) {
  std::string out;
  bool is_in_string = false;
  bool is_escaped = false;
  for (const char character : pretty(value)) {
    if (!is_in_string && (character == ' ' || character == '\n')) continue;
    out += character;
    if (character == '"' && !is_escaped) is_in_string = !is_in_string;
    is_escaped = is_in_string && character == '\\' && !is_escaped;
  }
  return out;
}

std::string now_text() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const int64_t now_ms = std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
  return fmt::format("{}.{:03}", time_text(now_ms), now_ms % 1000);
}

std::string counts(const std::map<std::string, uint64_t>& entries) {
  std::string text;
  for (const auto& [name, count] : entries) {
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", printable(name), count);
  }
  return text;
}

void write_counts(json::Writer& writer, std::string_view name,
                  const std::map<std::string, uint64_t>& entries) {
  writer.key(name).begin_object();
  for (const auto& [key, count] : entries) writer.uint64(key, count);
  writer.end_object();
}

bool is_worth_seeing(std::string name) {
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char letter) { return static_cast<char>(std::tolower(letter)); });
  static constexpr const char* kUsual[] = {"host",           "accept",     "content-length",
                                           "content-type",   "connection", "transfer-encoding",
                                           "accept-encoding"};
  return std::none_of(std::begin(kUsual), std::end(kUsual),
                      [&](const char* usual) { return name == usual; });
}

}  // namespace

core::Result<BatchContent> read_batch(std::string_view body, size_t first_max) {
  const auto value = json::parse_value(body, kBatchLimits);
  if (!value) return value.error();
  const json::Value::Array* records = value->as_array();
  if (!records) return {core::ErrorCode::Invalid, "the body is not a JSON array"};
  BatchContent content;
  for (const json::Value& record : *records) {
    const json::Value* msys = record.find("msys");
    const json::Value::Object* classes = msys ? msys->as_object() : nullptr;
    if (!classes || classes->size() > 1) {
      return {core::ErrorCode::Invalid, "an element of the body is not a record with msys"};
    }
    if (classes->empty()) {
      content.is_test = true;
      continue;
    }
    const json::Value* type = classes->front().second.find("type");
    const std::string* name = type ? type->as_string() : nullptr;
    ++content.types[name ? *name : classes->front().first];
    if (content.events_count++ < first_max) content.first.push_back(compact(record));
  }
  return content;
}

void SinkReport::take(const SinkRequest& request) {
  const std::lock_guard lock(mutex_);
  const uint64_t number = ++requests_count_;
  ++answers_[request.answer];
  if (std::strcmp(request.signature, "valid") != 0 && *request.signature) ++bad_signatures_;
  if (std::strcmp(request.token, "wrong") == 0) ++bad_tokens_;
  if (!request.problem.empty()) ++bad_bodies_;
  Known known;
  if (!request.batch_id.empty()) {
    const auto place = batches_.find(request.batch_id);
    if (place != batches_.end()) {
      known = place->second;
      ++repeated_count_;
      place->second.is_accepted = known.is_accepted || request.is_accepted;
    } else if (batches_.size() < kBatchesMax) {
      batches_.emplace(request.batch_id, Known{number, request.is_accepted});
    }
  }
  if (request.is_accepted) {
    ++accepted_count_;
    if (known.is_accepted) {
      ++duplicates_count_;
      duplicate_events_ += request.content.events_count;
    } else {
      accepted_events_ += request.content.events_count;
      for (const auto& [type, count] : request.content.types) types_[type] += count;
    }
  }
  if (output_ == SinkOutput::Text) print_text(request, known);
  if (output_ == SinkOutput::Json) print_json(request, known);
  std::fflush(stdout);
}

void SinkReport::print_text(const SinkRequest& request, const Known& known) const {
  std::string text =
      fmt::format("#{} {} {} {} from {} -> {}\n", requests_count_, now_text(), request.method,
                  printable(request.path), request.peer, request.answer);
  for (const auto& [name, value] : request.headers) {
    if (is_worth_seeing(name)) text += fmt::format("  {}: {}\n", printable(name), printable(value));
  }
  text += fmt::format("  body {}", bytes_text(request.sent_bytes));
  if (request.body_bytes != request.sent_bytes) {
    text += fmt::format(", {} decoded", bytes_text(request.body_bytes));
  }
  if (*request.signature) text += fmt::format("; signature {}", request.signature);
  if (*request.token) text += fmt::format("; token {}", request.token);
  if (known.first_request > 0) {
    text += fmt::format("; {} of #{}", known.is_accepted ? "duplicate" : "repetition",
                        known.first_request);
  }
  text += '\n';
  if (!request.problem.empty()) {
    text += fmt::format("  not understood: {}\n", printable(request.problem));
  } else if (request.content.events_count == 0) {
    text += request.content.is_test ? "  a test request\n" : "  no events\n";
  } else {
    text += fmt::format("  {} events: {}\n", request.content.events_count,
                        counts(request.content.types));
  }
  for (const std::string& event : request.content.first) {
    const std::string shown = printable(event);
    text += "    " + shown.substr(0, kShownEventMax) +
            (shown.size() > kShownEventMax ? " ...\n" : "\n");
  }
  print(text);
}

void SinkReport::print_json(const SinkRequest& request, const Known& known) const {
  std::string text;
  json::Writer writer(text);
  writer.begin_object().uint64("request", requests_count_);
  writer.string("method", request.method).string("path", request.path).string("peer", request.peer);
  writer.key("headers").begin_array();
  for (const auto& [name, value] : request.headers) {
    writer.begin_array().string(std::string_view(name)).string(std::string_view(value)).end_array();
  }
  writer.end_array();
  writer.string("answer", request.answer).boolean("accepted", request.is_accepted);
  writer.string("batch_id", request.batch_id).uint64("sent_bytes", request.sent_bytes);
  writer.uint64("body_bytes", request.body_bytes).string("coding", request.coding);
  writer.string("signature", request.signature).string("token", request.token);
  writer.uint64("repetition_of", known.first_request);
  writer.boolean("duplicate", known.is_accepted).boolean("test", request.content.is_test);
  writer.uint64("events", request.content.events_count);
  write_counts(writer, "types", request.content.types);
  writer.key("first_events").begin_array();
  for (const std::string& event : request.content.first) writer.raw(event);
  writer.end_array();
  writer.string("problem", request.problem).end_object();
  print_line(text);
}

void SinkReport::print_summary() {
  const std::lock_guard lock(mutex_);
  if (output_ == SinkOutput::Json) {
    std::string text;
    json::Writer writer(text);
    writer.begin_object().key("summary").begin_object();
    writer.uint64("requests", requests_count_).uint64("accepted", accepted_count_);
    writer.uint64("events", accepted_events_).uint64("batches", batches_.size());
    writer.uint64("repeated", repeated_count_).uint64("duplicates", duplicates_count_);
    writer.uint64("duplicate_events", duplicate_events_);
    writer.uint64("bad_signatures", bad_signatures_).uint64("bad_tokens", bad_tokens_);
    writer.uint64("bad_bodies", bad_bodies_);
    write_counts(writer, "types", types_);
    write_counts(writer, "answers", answers_);
    writer.end_object().end_object();
    print_line(text);
    return;
  }
  print_line(fmt::format("{} requests, {} accepted with {} events{}{}", requests_count_,
                         accepted_count_, accepted_events_, types_.empty() ? "" : ": ",
                         counts(types_)));
  print_line(
      fmt::format("{} batches, {} requests repeated one, {} of them duplicates of an "
                  "accepted batch ({} events)",
                  batches_.size(), repeated_count_, duplicates_count_, duplicate_events_));
  if (!answers_.empty()) print_line("answers: " + counts(answers_));
  if (bad_signatures_ + bad_tokens_ + bad_bodies_ > 0) {
    print_line(fmt::format("{} bad signatures, {} bad tokens, {} bodies not understood",
                           bad_signatures_, bad_tokens_, bad_bodies_));
  }
}

}  // namespace posthaste::cli
