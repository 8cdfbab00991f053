// Fuzzes the way of a payload from the host's bytes to the wire record. Properties: the check
// agrees with RapidJSON; a planned record is one JSON object with the planned size; planning a
// finished record again changes nothing; the tree and the builder take whatever the check takes.
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "core/event_catalogue.h"
#include "envelope/event_builder.h"
#include "envelope/event_ids.h"
#include "envelope/record.h"
#include "json/event_scan.h"
#include "json/utf8.h"
#include "json/value.h"

namespace {

using namespace posthaste;
using core::ErrorCode;

void require(bool is_true) {
  if (!is_true) std::abort();
}

struct Ignore : rapidjson::BaseReaderHandler<rapidjson::UTF8<>, Ignore> {};

void compare_with_rapidjson(std::string_view text, ErrorCode code, const json::ScanFault& fault) {
  if (code == ErrorCode::TooDeep || code == ErrorCode::TooLarge || code == ErrorCode::DuplicateKey)
    return;
  rapidjson::MemoryStream stream(text.data(), text.size());
  rapidjson::Reader reader;
  Ignore handler;
  constexpr unsigned kFlags =
      rapidjson::kParseValidateEncodingFlag | rapidjson::kParseIterativeFlag;
  const rapidjson::ParseResult result = reader.Parse<kFlags>(stream, handler);
  const bool is_accepted = !result.IsError() && stream.Tell() == text.size();
  const std::string_view reason = fault.reason;
  // RapidJSON rounds before it judges a number's range, and lets a lone low surrogate's escape
  // pass.
  if (result.Code() == rapidjson::kParseErrorNumberTooBig ||
      reason.find("double") != std::string_view::npos)
    return;
  if (reason.find("surrogate") != std::string_view::npos) return;
  require(is_accepted == (code == ErrorCode::Ok));
}

std::string written(const envelope::RecordPlan& plan) {
  std::string record(plan.size_bytes(), '\0');
  plan.write_to(record.data());
  return record;
}

void plan(const envelope::RecordSettings& settings, std::string_view text) {
  const core::WallTime now{std::chrono::seconds(1790000000)};
  for (const std::optional<std::string_view> type :
       {std::optional<std::string_view>(), std::optional<std::string_view>("bounce")}) {
    envelope::RecordPlan enveloped;
    if (envelope::plan_enveloped(settings, type, text, now, enveloped) == ErrorCode::Ok) {
      require(json::is_valid_utf8(written(enveloped)));
    } else {
      require(!enveloped.error().message.empty());
    }
    envelope::RecordPlan record;
    if (envelope::plan_record(settings, type, text, now, record) != ErrorCode::Ok) {
      require(!record.error().message.empty() && json::is_valid_utf8(record.error().message));
      continue;
    }
    const std::string wire = written(record);
    require(wire.back() == ',');
    const std::string_view object = std::string_view(wire).substr(0, wire.size() - 1);
    envelope::RecordPlan again;
    require(envelope::plan_enveloped(settings, std::nullopt, object, now, again) == ErrorCode::Ok);
    require(written(again) == wire);
  }
}

void use_value(std::string_view text) {
  json::MemberSpan value;
  json::ScanFault fault;
  const ErrorCode code = json::check_value(text, {}, value, fault);
  compare_with_rapidjson(text, code, fault);
  const core::Result<json::Value> tree = json::parse_value(text);
  // RapidJSON refuses a few absurd spellings of zero that the check lets pass; see value.h.
  require(tree.ok() == (code == ErrorCode::Ok) || tree.code() == ErrorCode::DuplicateKey ||
          tree.error().message.ends_with("a number too long to read"));
  envelope::EventBuilder builder;
  builder.reset("open");
  builder.mark();
  builder.set_string(text, text);
  builder.set_json("rcpt_meta", text);
  builder.rewind();
  builder.set_json("x", text);
  builder.set_string(text.substr(0, 8), text);
  std::string_view payload;
  if (builder.finish(payload) != ErrorCode::Ok) return;
  json::EventScan scan;
  require(json::check_event(payload, {}, scan) == ErrorCode::Ok);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const core::EventCatalogue catalogue;
  static envelope::EventIds ids(1, 2);
  const envelope::RecordSettings settings{catalogue, ids, {}};
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  json::EventScan scan;
  const ErrorCode code = json::check_event(text, settings.limits, scan);
  const size_t start = text.find_first_not_of(" \t\r\n");
  if (start != std::string_view::npos && text[start] == '{')
    compare_with_rapidjson(text, code, scan.fault);
  require(code == ErrorCode::Ok || scan.fault.offset <= size);
  plan(settings, text);
  use_value(text);
  require(json::is_valid_utf8(json::repair_utf8(text)));
  return 0;
}
