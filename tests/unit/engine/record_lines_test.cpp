#include "engine/record_lines.h"

#include <catch2/catch.hpp>

using posthaste::engine::RecordLines;

namespace {

std::string lines_of(std::string_view body, size_t piece_size = 1) {
  RecordLines lines;
  std::string out;
  for (size_t at = 0; at < body.size(); at += piece_size) {
    lines.feed(body.substr(at, piece_size), out);
  }
  return out;
}

}  // namespace

TEST_CASE("Each record of a body is a line, however it is cut into pieces",
          "[engine][record_lines]") {
  const auto piece_size = GENERATE(as<size_t>(), 1, 2, 3, 7, 1000);
  CHECK(lines_of(R"([{"msys":{"a":{"b":[1,2]}}},{"msys":{}}])", piece_size) ==
        "{\"msys\":{\"a\":{\"b\":[1,2]}}}\n{\"msys\":{}}\n");
  CHECK(lines_of("[]", piece_size).empty());
}

TEST_CASE("Brackets, commas and quotes inside of strings cut nothing", "[engine][record_lines]") {
  const std::string record = R"({"a":"]},{[\"\\","b":"\\\"}"})";
  CHECK(lines_of("[" + record + "," + record + "]") == record + "\n" + record + "\n");
}

TEST_CASE("A line break inside of a record becomes a blank", "[engine][record_lines]") {
  CHECK(lines_of("[{\"a\":\r\n1}]") == "{\"a\":  1}\n");
}

TEST_CASE("Lines are counted, and a body that ends early is known", "[engine][record_lines]") {
  RecordLines lines;
  std::string out;
  lines.feed(R"([{"a":1},{"b":)", out);
  CHECK(lines.lines_count() == 1);
  CHECK_FALSE(lines.is_complete());
  lines.feed("2}]", out);
  CHECK(lines.lines_count() == 2);
  CHECK(lines.is_complete());
}
