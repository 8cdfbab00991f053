#include "json/number.h"

#include <catch2/catch.hpp>
#include <string>

namespace posthaste::json {

TEST_CASE("Only numbers of the JSON grammar are numbers", "[json][number]") {
  for (const char* text : {"0", "-0", "1", "10", "-1.5", "0.0", "1e1", "1E+10", "1.25e-7", "0e0"}) {
    REQUIRE(is_number(text));
  }
  for (const char* text : {"", "-", "+1", "01", "-01", "1.", ".5", "1e", "1e+", "0x1", "NaN", "1 ",
                           " 1", "1,0", "1.5.2", "--1", "1e1.5"}) {
    REQUIRE_FALSE(is_number(text));
  }
}

TEST_CASE("The whole part of a number is cut towards zero without rounding", "[json][number]") {
  REQUIRE(whole_part("0") == 0);
  REQUIRE(whole_part("1418407074") == 1418407074);
  REQUIRE(whole_part("1411751722.079") == 1411751722);
  REQUIRE(whole_part("1411751722.999999999999999999999") == 1411751722);
  REQUIRE(whole_part("1.4544426e9") == 1454442600);
  REQUIRE(whole_part("14544426E+2") == 1454442600);
  REQUIRE(whole_part("145444260012.5e-2") == 1454442600);
  REQUIRE(whole_part("0.0014544426e12") == 1454442600);
  REQUIRE(whole_part("0.999") == 0);
  REQUIRE(whole_part("5e-1") == 0);
  REQUIRE(whole_part("1e-99999999999999999999") == 0);
  REQUIRE(whole_part("0e99999999999999999999") == 0);
  REQUIRE(whole_part("-0") == 0);
  REQUIRE(whole_part("-0.0") == 0);
  REQUIRE(whole_part("9223372036854775807") == INT64_MAX);
  REQUIRE(whole_part("9223372036854775807.9") == INT64_MAX);
  REQUIRE(whole_part("9.223372036854775807e18") == INT64_MAX);
  REQUIRE(whole_part("1" + std::string(400, '0') + "e-400") == 1);
}

TEST_CASE("A number that is negative or beyond int64 has no whole part", "[json][number]") {
  for (const char* text : {"-1", "-0.5", "-1e-9", "9223372036854775808", "1e19", "1e300",
                           "1e99999999999999999999", "92233720368547758070"}) {
    REQUIRE_FALSE(whole_part(text).has_value());
  }
}

TEST_CASE("Numbers beyond a double are told from those that only come close", "[json][number]") {
  for (const std::string& text :
       {std::string("0"), std::string("1.7976931348623157e308"),
        std::string("-1.7976931348623157e308"), std::string("1e308"), std::string("1e-400"),
        std::string("0e999999999999"), std::string(309, '1'), "1" + std::string(700, '0') + "e-500",
        "0." + std::string(500, '0') + "1e800"}) {
    REQUIRE(is_in_double_range(text));
  }
  for (const std::string& text :
       {std::string("1.8e308"), std::string("-1e309"), std::string("1e99999999999999999999"),
        std::string(309, '9'), "1" + std::string(700, '0') + "e-300",
        "0." + std::string(500, '0') + "1e811"}) {
    REQUIRE_FALSE(is_in_double_range(text));
  }
}

}  // namespace posthaste::json
