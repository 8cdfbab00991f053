#include "json/value.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
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

TEST_CASE("Numbers of a tree are read exactly", "[json][value]") {
  REQUIRE(*parse_value("-0")->as_int64() == 0);
  REQUIRE(std::signbit(*parse_value("-0.0")->as_double()));
  REQUIRE(*parse_value("0.30000000000000004")->as_double() == 0.30000000000000004);
  REQUIRE(*parse_value("1.7976931348623157e308")->as_double() ==
          std::numeric_limits<double>::max());
  REQUIRE(*parse_value("1e-400")->as_double() == 0);
  REQUIRE(*parse_value("[12,\n-3.5]")->as_array()->at(1).as_double() == -3.5);
}

TEST_CASE("A number that only its exponent brings into range is refused in a tree",
          "[json][value]") {
  for (const std::string& number : {std::string("0e400"), std::string(400, '1') + "e-300"}) {
    const core::Result<Value> parsed = parse_value("[1,\n " + number + "]");
    REQUIRE(parsed.code() == ErrorCode::BadJson);
    REQUIRE(parsed.error().message == "line 2, column 2: a number too long to read");
  }
}

TEST_CASE("A tree's strings are decoded, those with a NUL too", "[json][value]") {
  const core::Result<Value> parsed =
      parse_value(R"({"\u0000k":"a\u0000b","p":"\uD83D\uDE00","e":""})");
  REQUIRE(parsed.ok());
  REQUIRE(*parsed->find(std::string_view("\0k", 2))->as_string() == std::string("a\0b", 3));
  REQUIRE(*parsed->find("p")->as_string() == "\xf0\x9f\x98\x80");
  REQUIRE(parsed->find("e")->as_string()->empty());
  REQUIRE(parse_value(R"("\uDE00")").code() == ErrorCode::BadUtf8);
  REQUIRE(parse_value(std::string_view("1\0", 2)).code() == ErrorCode::BadJson);
}

TEST_CASE("Nested containers of a tree keep their own values", "[json][value]") {
  const core::Result<Value> parsed = parse_value(R"([[1,[2]],{"a":[],"b":{"c":[3,4]}},5])");
  REQUIRE(parsed.ok());
  const Value::Array& root = *parsed->as_array();
  REQUIRE(root.size() == 3);
  REQUIRE(*root[0].as_array()->at(0).as_int64() == 1);
  REQUIRE(*root[0].as_array()->at(1).as_array()->at(0).as_int64() == 2);
  REQUIRE(root[1].find("a")->as_array()->empty());
  REQUIRE(*root[1].find("b")->find("c")->as_array()->at(1).as_int64() == 4);
  REQUIRE(*root[2].as_int64() == 5);
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
  REQUIRE(twice.message == "line 2, column 12: key 'a' comes twice");
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
