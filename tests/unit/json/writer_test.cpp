#include "json/writer.h"

#include <bit>
#include <catch2/catch.hpp>
#include <charconv>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "json/number.h"

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

TEST_CASE("Every finite double is written as a JSON number that reads back as itself",
          "[json][writer]") {
  using Limits = std::numeric_limits<double>;
  std::mt19937_64 random(20261124);
  std::vector<double> values = {0.0, -0.0, -3, 0.1, 1e21, 1e22, Limits::max(), Limits::lowest()};
  values.insert(values.end(), {Limits::min(), Limits::denorm_min(), -1.2345678901234567e-308});
  for (int i = 0; i < 20000; ++i) {
    const double value = std::bit_cast<double>(random());
    if (std::isfinite(value)) values.push_back(value);
  }
  for (const double value : values) {
    std::string out;
    Writer(out).number(value);
    double back = 1;
    const char* const end = out.data() + out.size();
    INFO(out);
    REQUIRE(is_number(out));
    REQUIRE(std::from_chars(out.data(), end, back).ptr == end);
    REQUIRE(std::bit_cast<uint64_t>(back) == std::bit_cast<uint64_t>(value));
  }
}

TEST_CASE("Texts are escaped, those of no size and with a NUL too", "[json][writer]") {
  std::string out;
  Writer(out).begin_array().string({}).string(std::string_view("\0\x1f\n/\x7f\"", 6)).end_array();
  REQUIRE(out == "[\"\",\"\\u0000\\u001F\\n/\x7f\\\"\"]");
}

}  // namespace posthaste::json
