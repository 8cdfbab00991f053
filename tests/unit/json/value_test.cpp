#include "json/value.h"

#include <catch2/catch.hpp>
#include <string>

namespace posthaste::json {

using core::ErrorCode;

TEST_CASE("A tree keeps order, types and text", "[json][value]") {
  const core::Result<Value> parsed = parse_value(
      R"( [{"name":"A\u00e9","target":"http:\/\/x","events":["open","click"],"n":-5,"big":1e3,"f":0.5,"t":true,"z":null,"o":{}}] )");
  REQUIRE(parsed.ok());
  REQUIRE(parsed->as_array()->size() == 1);
  const Value& entry = parsed->as_array()->front();
  REQUIRE(*entry.find("name")->as_string() == "A\xc3\xa9");
  REQUIRE(*entry.find("target")->as_string() == "http://x");
  REQUIRE(entry.find("events")->as_array()->at(1).as_string()->compare("click") == 0);
  REQUIRE(*entry.find("n")->as_int64() == -5);
  REQUIRE(*entry.find("big")->as_double() == 1000);
  REQUIRE(*entry.find("f")->as_double() == 0.5);
  REQUIRE(*entry.find("t")->as_bool());
  REQUIRE(entry.find("z")->is_null());
  REQUIRE(entry.find("o")->as_object()->empty());
  REQUIRE(entry.find("absent") == nullptr);
  REQUIRE(parsed->find("name") == nullptr);
  REQUIRE(entry.as_object()->at(0).first == "name");
  REQUIRE(entry.as_object()->at(8).first == "o");
  REQUIRE(std::string(entry.find("n")->kind_name()) == "a number");
  REQUIRE(std::string(entry.kind_name()) == "an object");
}

TEST_CASE("Whole numbers beyond int64 become doubles", "[json][value]") {
  REQUIRE(*parse_value("9223372036854775807")->as_int64() == INT64_MAX);
  REQUIRE(*parse_value("-9223372036854775808")->as_int64() == INT64_MIN);
  REQUIRE(*parse_value("9223372036854775808")->as_double() == 9223372036854775808.0);
  REQUIRE(parse_value("1e400").code() == ErrorCode::BadJson);
}

TEST_CASE("Errors of a tree say line and column", "[json][value]") {
  const auto error = [](std::string_view text) {
    const core::Result<Value> parsed = parse_value(text);
    REQUIRE_FALSE(parsed.ok());
    return parsed.error();
  };
  REQUIRE(error("[\n  1,\n  x]").message == "line 3, column 3: expected a value");
  REQUIRE(error("").message == "line 1, column 1: expected a value");
  REQUIRE(error("{\"a\":1,}").message == "line 1, column 8: expected a key");
  REQUIRE(error("[\"\xff\"]").code == ErrorCode::BadUtf8);
  REQUIRE(error("[1] 2").code == ErrorCode::BadJson);
  const core::Error twice = error("{\"a\":1,\n\"b\":2,\"a\":3}");
  REQUIRE(twice.code == ErrorCode::DuplicateKey);
  REQUIRE(twice.key == "a");
  REQUIRE(twice.message.find("line 2, ") == 0);
  REQUIRE(error(R"({"":1,"":2})").code == ErrorCode::DuplicateKey);
}

TEST_CASE("A tree has limits of size, depth and number of values", "[json][value]") {
  REQUIRE(parse_value(std::string(65, '[') + std::string(65, ']')).code() == ErrorCode::TooDeep);
  REQUIRE(parse_value(std::string(64, '[') + std::string(64, ']')).ok());
  REQUIRE(parse_value("[1,2]", {4, 64, 100}).code() == ErrorCode::TooLarge);
  REQUIRE(parse_value("[1,2]", {5, 64, 3}).ok());
  REQUIRE(parse_value("[1,2,3]", {100, 64, 3}).code() == ErrorCode::TooLarge);
  REQUIRE(parse_value("[1,[],{}]", {100, 64, 4}).ok());
  REQUIRE(parse_value("[1,[],{}]", {100, 64, 3}).code() == ErrorCode::TooLarge);
}

TEST_CASE("The same key in different objects of a tree is no duplicate", "[json][value]") {
  REQUIRE(parse_value(R"([{"a":1},{"a":{"a":2}}])").ok());
}

}  // namespace posthaste::json
