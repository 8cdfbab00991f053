#include "json/writer.h"

#include <catch2/catch.hpp>
#include <limits>
#include <string>

namespace posthaste::json {

TEST_CASE("The writer puts commas and colons where they belong", "[json][writer]") {
  std::string out;
  Writer writer(out);
  REQUIRE_FALSE(writer.is_complete());
  writer.begin_object().string("a", "x\"").int64("b", -1).uint64("c", UINT64_MAX);
  writer.key("d")
      .begin_array()
      .boolean(true)
      .null()
      .begin_object()
      .end_object()
      .begin_array()
      .end_array();
  writer.end_array().number("e", 0.25).raw("f", "[1]").boolean("g", false);
  REQUIRE_FALSE(writer.is_complete());
  writer.end_object();
  REQUIRE(writer.is_complete());
  REQUIRE(
      out ==
      R"({"a":"x\"","b":-1,"c":18446744073709551615,"d":[true,null,{},[]],"e":0.25,"f":[1],"g":false})");
}

TEST_CASE("The writer appends to what is there and repairs ill-formed text in keys and values",
          "[json][writer]") {
  std::string out = "x=";
  Writer writer(out);
  writer.begin_object().string("\xff", "\xc3").end_object();
  REQUIRE(out == "x={\"\xef\xbf\xbd\":\"\xef\xbf\xbd\"}");
}

TEST_CASE("A number that is not finite is written as null", "[json][writer]") {
  std::string out;
  Writer(out)
      .begin_array()
      .number(std::numeric_limits<double>::infinity())
      .number(std::nan(""))
      .end_array();
  REQUIRE(out == "[null,null]");
}

}  // namespace posthaste::json
