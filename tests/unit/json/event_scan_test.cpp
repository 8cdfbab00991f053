#include "json/event_scan.h"

#include <pthread.h>
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace posthaste::json {

using core::ErrorCode;

namespace {

ErrorCode check(std::string_view payload) {
  EventScan scan;
  return check_event(payload, {}, scan);
}

struct CorpusFile {
  std::string name;
  std::string text;
};

std::vector<CorpusFile> read_corpus() {
  std::vector<CorpusFile> files;
  for (const auto& entry : std::filesystem::directory_iterator(POSTHASTE_EVENT_CORPUS)) {
    std::ifstream file(entry.path(), std::ios::binary);
    files.push_back({entry.path().filename().string(), {std::istreambuf_iterator<char>(file), {}}});
  }
  std::sort(files.begin(), files.end(),
            [](const auto& left, const auto& right) { return left.name < right.name; });
  return files;
}

// RapidJSON's reader with its encoding check as a second opinion. It stops at a NUL byte, knows no
// limit of depth, and lets the escape of a lone low surrogate pass; the comparison allows for these
// three.
class Oracle : public rapidjson::BaseReaderHandler<rapidjson::UTF8<>, Oracle> {
 public:
  bool StartObject() { return start(); }
  bool StartArray() { return depth_ != 0 && start(); }
  bool EndObject(rapidjson::SizeType) { return end(); }
  bool EndArray(rapidjson::SizeType) { return end(); }
  bool Default() { return depth_ != 0; }
  bool Key(const char* text, rapidjson::SizeType size, bool) {
    if (depth_ != 1) return true;
    const std::string key(text, size);
    if (key != "type" && key != "timestamp" && key != "event_id") return true;
    const bool is_new = std::find(seen_.begin(), seen_.end(), key) == seen_.end();
    seen_.push_back(key);
    return is_new;
  }

  bool accepts(std::string_view text) {
    rapidjson::MemoryStream stream(text.data(), text.size());
    rapidjson::Reader reader;
    constexpr unsigned kFlags =
        rapidjson::kParseValidateEncodingFlag | rapidjson::kParseIterativeFlag;
    result_ = reader.Parse<kFlags>(stream, *this);
    return !result_.IsError() && stream.Tell() == text.size();
  }
  bool blames_range() const { return result_.Code() == rapidjson::kParseErrorNumberTooBig; }
  bool blames_encoding() const {
    return result_.Code() == rapidjson::kParseErrorStringInvalidEncoding ||
           result_.Code() == rapidjson::kParseErrorStringUnicodeSurrogateInvalid;
  }

 private:
  bool start() { return ++depth_ <= core::kJsonDepthMax; }
  bool end() {
    --depth_;
    return true;
  }

  size_t depth_ = 0;
  std::vector<std::string> seen_;
  rapidjson::ParseResult result_;
};

bool has_surrogate_escape(std::string_view text) {
  return text.find("\\ud") != std::string_view::npos || text.find("\\uD") != std::string_view::npos;
}

void compare_with_oracle(std::string_view text) {
  Oracle oracle;
  const bool is_expected = oracle.accepts(text);
  EventScan scan;
  const ErrorCode code = check_event(text, {}, scan);
  INFO("text: " << std::string(text));
  if (is_expected && code == ErrorCode::BadUtf8 && has_surrogate_escape(text)) return;
  const bool is_range =
      std::string_view(scan.fault.reason).find("double") != std::string_view::npos;
  if (oracle.blames_range() || is_range) return;
  if (is_expected != (code == ErrorCode::Ok))
    FAIL("judged differently, code " << static_cast<int>(code));
  // The check looks for the opening brace before anything else.
  const size_t start = text.find_first_not_of(" \t\r\n");
  const bool is_object = start != std::string_view::npos && text[start] == '{';
  if (is_object && oracle.blames_encoding() && code != ErrorCode::BadUtf8)
    FAIL("encoding not blamed");
}

std::string mutate(std::string text, std::mt19937& random) {
  static const std::string kBytes =
      std::string("{}[]\",:\\u0dD8+-.eE19tfn \n\x01\x7f\x80\xa0\xc3\xe2\xed\xf0\xff") + '\0';
  for (auto count = 1 + random() % 3; count > 0; --count) {
    const size_t at = text.empty() ? 0 : random() % text.size();
    const char byte = kBytes[random() % kBytes.size()];
    switch (random() % 5) {
      case 0:
        if (!text.empty()) text[at] = byte;
        break;
      case 1:
        text.insert(at, 1, byte);
        break;
      case 2:
        if (!text.empty()) text.erase(at, 1 + random() % 3);
        break;
      case 3:
        text.insert(at, text.substr(at, random() % 20));
        break;
      default:
        text.resize(at);
        break;
    }
  }
  return text;
}

// Bytes of stack that a function uses, from what it leaves behind in a stack of our own.
size_t stack_use(void* (*function)(void*), void* argument) {
  constexpr size_t kSize = 2 << 20;  // ThreadSanitizer takes the better part of a megabyte
  constexpr unsigned char kPaint = 0xa5;
  const std::unique_ptr<unsigned char[]> memory(new unsigned char[kSize + 4096]);
  const size_t address = reinterpret_cast<size_t>(memory.get());
  unsigned char* const stack = memory.get() + (4096 - address % 4096);
  std::fill_n(stack, kSize, kPaint);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  REQUIRE(pthread_attr_setstack(&attributes, stack, kSize) == 0);
  pthread_t thread;
  REQUIRE(pthread_create(&thread, &attributes, function, argument) == 0);
  pthread_join(thread, nullptr);
  pthread_attr_destroy(&attributes);
  return kSize -
         static_cast<size_t>(
             std::find_if(stack, stack + kSize, [](unsigned char byte) { return byte != kPaint; }) -
             stack);
}

}  // namespace

TEST_CASE("Every file of the corpus is accepted or rejected as its name says",
          "[json][event_scan]") {
  const std::vector<CorpusFile> files = read_corpus();
  REQUIRE(files.size() > 90);
  for (const CorpusFile& file : files) {
    INFO(file.name);
    CHECK((check(file.text) == ErrorCode::Ok) == (file.name.rfind("accept_", 0) == 0));
  }
}

TEST_CASE("Every file of the corpus is judged as RapidJSON judges it", "[json][event_scan]") {
  for (const CorpusFile& file : read_corpus()) {
    INFO(file.name);
    compare_with_oracle(file.text);
  }
}

TEST_CASE("Mutated events are judged as RapidJSON judges them", "[json][event_scan]") {
  std::mt19937 random(20261123);
  const std::vector<CorpusFile> files = read_corpus();
  for (int i = 0; i < 60000; ++i) {
    const CorpusFile& file = files[random() % files.size()];
    compare_with_oracle(mutate(file.text, random));
  }
}

TEST_CASE("Every prefix of an event is refused, at every distance from a block's edge",
          "[json][event_scan]") {
  const std::string event =
      R"({"type":"bounce","a":"\u00e9\uD83D\uDE00é","b":[1.5e3,true,null,{"c":"x"}],"timestamp":-12})";
  for (size_t pad = 0; pad < 70; ++pad) {
    const std::string padded = "{\"" + std::string(pad, 'p') + "\":0," + event.substr(1);
    REQUIRE(check(padded) == ErrorCode::Ok);
    for (size_t size = 0; size < padded.size(); ++size) {
      // A buffer of exactly this size lets the address sanitizer see a byte read too far.
      const std::vector<char> prefix(padded.begin(), padded.begin() + static_cast<ptrdiff_t>(size));
      if (check({prefix.data(), prefix.size()}) == ErrorCode::Ok)
        FAIL("accepted a prefix of " << size);
    }
  }
}

TEST_CASE("Each kind of fault has a code and names the byte", "[json][event_scan]") {
  const auto fault = [](std::string_view payload) {
    EventScan scan;
    check_event(payload, {}, scan);
    return scan.fault;
  };
  REQUIRE(fault(R"({"a":x})").code == ErrorCode::BadJson);
  REQUIRE(fault(R"({"a":x})").message() == "expected a value at byte 5");
  REQUIRE(fault("{\"a\":\"b\xff\"}").code == ErrorCode::BadUtf8);
  REQUIRE(fault("{\"a\":\"b\xff\"}").offset == 7);
  REQUIRE(fault(R"({"a":"b\uDE00"})").code == ErrorCode::BadUtf8);
  REQUIRE(fault(R"({"a":"b\uDE00"})").offset == 7);
  REQUIRE(fault(std::string(1000, '[')).code == ErrorCode::BadJson);
  REQUIRE(fault("{\"a\":" + std::string(1000, '[')).code == ErrorCode::TooDeep);
  REQUIRE(fault("{\"a\":" + std::string(1000, '[')).offset == 5 + 63);
  REQUIRE(fault(R"({"type":1,"type":2})").code == ErrorCode::DuplicateKey);
  REQUIRE(fault(R"({"type":1,"type":2})").offset == 10);
  REQUIRE(fault(R"({"a":"b" "c":1})").message() == "expected ',' or '}' at byte 9");
  REQUIRE(fault("{\"a\":\"\n\"}").message() == "control character in a string at byte 6");
  REQUIRE(fault("{} {}").offset == 3);
}

TEST_CASE("A payload larger than the limit is refused before it is read", "[json][event_scan]") {
  EventScan scan;
  REQUIRE(check_event("{ }", {3, 64}, scan) == ErrorCode::Ok);
  REQUIRE(check_event("{  }", {3, 64}, scan) == ErrorCode::TooLarge);
  REQUIRE(check(std::string((1 << 20) - 1, ' ') + "{}") == ErrorCode::TooLarge);
  REQUIRE(check(std::string((1 << 20) - 2, ' ') + "{}") == ErrorCode::Ok);
}

TEST_CASE("The depth limit counts the event itself as one", "[json][event_scan]") {
  EventScan scan;
  REQUIRE(check_event("{}", {100, 0}, scan) == ErrorCode::TooDeep);
  REQUIRE(check_event(R"({"a":1})", {100, 1}, scan) == ErrorCode::Ok);
  REQUIRE(check_event(R"({"a":[]})", {100, 1}, scan) == ErrorCode::TooDeep);
  REQUIRE(check_event(R"({"a":[],"b":{}})", {100, 2}, scan) == ErrorCode::Ok);
  REQUIRE(check_event(R"({"a":[],"b":{"c":[]}})", {100, 2}, scan) == ErrorCode::TooDeep);
}

TEST_CASE("The members that completion needs are found whole, however their keys are written",
          "[json][event_scan]") {
  EventScan scan;
  const std::string_view payload =
      R"( { "a":{"type":"inner"} , "ty\u0070e" : "in\u0062and", "timestamp":-1.5e3,"event_id":[1,{"x":[]}]} )";
  REQUIRE(check_event(payload, {}, scan) == ErrorCode::Ok);
  REQUIRE(scan.type.kind == ValueKind::String);
  REQUIRE(scan.type.raw == R"("in\u0062and")");
  REQUIRE(scan.type.inside() == R"(in\u0062and)");
  REQUIRE(scan.type.has_escapes);
  REQUIRE(scan.timestamp.kind == ValueKind::Number);
  REQUIRE(scan.timestamp.raw == "-1.5e3");
  REQUIRE(scan.event_id.kind == ValueKind::Array);
  REQUIRE(scan.event_id.raw == R"([1,{"x":[]}])");
  REQUIRE(scan.body_offset == 2);
  REQUIRE_FALSE(scan.is_empty);
  REQUIRE(check_event("{\n}", {}, scan) == ErrorCode::Ok);
  REQUIRE(scan.is_empty);
  REQUIRE(scan.type.kind == ValueKind::Missing);
  REQUIRE(check_event(R"({"type":true,"timestamp":null,"event_id":{}})", {}, scan) ==
          ErrorCode::Ok);
  REQUIRE(scan.type.kind == ValueKind::Boolean);
  REQUIRE(scan.timestamp.kind == ValueKind::Null);
  REQUIRE(scan.event_id.raw == "{}");
}

TEST_CASE("Only type, timestamp and event_id of the event itself may not come twice",
          "[json][event_scan]") {
  REQUIRE(check(R"({"a":1,"a":2})") == ErrorCode::Ok);
  REQUIRE(check(R"({"a":{"type":1,"type":2},"type":"x"})") == ErrorCode::Ok);
  REQUIRE(check(R"({"Type":1,"type":"x","types":1})") == ErrorCode::Ok);
  REQUIRE(check(R"({"timestamp":1,"timestamp":1})") == ErrorCode::DuplicateKey);
  REQUIRE(check(R"({"event_id":1,"\u0065vent_id":1})") == ErrorCode::DuplicateKey);
}

TEST_CASE("Any value passes check_value, and its kind is told", "[json][event_scan]") {
  MemberSpan value;
  ScanFault fault;
  REQUIRE(check_value(" [1,2] ", {}, value, fault) == ErrorCode::Ok);
  REQUIRE(value.kind == ValueKind::Array);
  REQUIRE(value.raw == "[1,2]");
  REQUIRE(check_value("null", {}, value, fault) == ErrorCode::Ok);
  REQUIRE(value.kind == ValueKind::Null);
  REQUIRE(check_value("1 2", {}, value, fault) == ErrorCode::BadJson);
  REQUIRE(check_value("", {}, value, fault) == ErrorCode::BadJson);
  REQUIRE(check_value(R"("a)", {}, value, fault) == ErrorCode::BadJson);
  REQUIRE(check_value("[1]", {100, 0}, value, fault) == ErrorCode::TooDeep);
  REQUIRE(check_value("1", {100, 0}, value, fault) == ErrorCode::Ok);
}

TEST_CASE("Depth bombs of a million brackets are refused in 16 KiB of stack",
          "[json][event_scan]") {
  for (const char* unit : {"[", "{\"a\":", "[{\"a\":"}) {
    std::string bomb = "{\"a\":";
    while (bomb.size() < 1000000) bomb += unit;
    const auto run = [](void* argument) -> void* {
      EventScan scan;
      const bool is_refused =
          check_event(*static_cast<std::string*>(argument), {}, scan) == ErrorCode::TooDeep;
      return is_refused ? argument : nullptr;
    };
    const auto idle = [](void*) -> void* { return nullptr; };
    REQUIRE(run(&bomb) != nullptr);
    REQUIRE(stack_use(run, &bomb) < stack_use(idle, nullptr) + (16 << 10));
  }
}

}  // namespace posthaste::json
