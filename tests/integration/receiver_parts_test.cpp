// The parts of the test receiver that need no socket: rule texts, counting and hashing of pieces,
// splitting a batch, printing.
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "support/receiver_body.h"
#include "support/receiver_print.h"
#include "support/receiver_rules.h"

using namespace posthaste::testing;

TEST_CASE("Receiver rules refuse unknown keys and bad values by name", "[receiver]") {
  const auto [text, culprit] =
      GENERATE(table<std::string, std::string>({{"colour=red", "colour"},
                                                {"status=9", "status"},
                                                {"status", "status"},
                                                {"statuses=200,,1", "statuses"},
                                                {"framing=odd", "framing"},
                                                {"delay-ms=-1", "delay-ms"},
                                                {"header=none", "header"},
                                                {"marker=a;read=never", "marker"}}));
  const auto rule = parse_rule(text);
  INFO(text);
  REQUIRE_FALSE(rule.ok());
  CHECK(rule.error().key == culprit);
}

TEST_CASE("OccurrenceCounter and BodyHash do not depend on how a body is cut", "[receiver]") {
  const std::string body =
      "[{\"msys\":{\"a\":1}},{\"msys\":{\"b\":22}},{\"msy\":{}},{\"msys\":{}}]";
  BodyHash whole;
  whole.add(body);
  for (size_t piece_bytes = 1; piece_bytes <= body.size(); ++piece_bytes) {
    OccurrenceCounter counter("{\"msys\":");
    BodyHash hash;
    for (size_t at = 0; at < body.size(); at += piece_bytes) {
      counter.add(std::string_view(body).substr(at, piece_bytes));
      hash.add(std::string_view(body).substr(at, piece_bytes));
    }
    REQUIRE(counter.count() == 3);
    REQUIRE(hash.value() == whole.value());
  }
  BodyHash longer;
  longer.add(body + std::string(1, '\0'));
  CHECK(longer.value() != whole.value());
}

TEST_CASE("split_records cuts a batch into its raw records", "[receiver]") {
  using Records = std::vector<std::string>;
  CHECK(split_records("[]") == Records{});
  CHECK(split_records(" [ {\"msys\":{}} ]\n") == Records{"{\"msys\":{}}"});
  CHECK(split_records(R"([{"a":"],[\"{"},{"b":[1,{"c":2}]}])") ==
        Records{R"({"a":"],[\"{"})", R"({"b":[1,{"c":2}]})"});
  const std::string bad = GENERATE("", "{}", "[", "[{]}", "[{}", "[{},]", "[\"]", "[{}] x", "[}{]");
  INFO(bad);
  CHECK_FALSE(split_records(bad));
}

TEST_CASE("printed_request indents JSON and keeps the texts of its values", "[receiver]") {
  Request request;
  request.method = "POST";
  request.target = "/hook";
  request.headers = {{"X-Id", "7"}};
  const auto printed_body = [&](std::string body) {
    request.body = std::move(body);
    const std::string text = printed_request(request);
    REQUIRE(text.find("POST /hook\nX-Id: 7\n\n") == 0);
    return text.substr(text.find("\n\n") + 2);
  };
  CHECK(printed_body(R"([{"n":1.50,"s":"a\"[,b"} , {}])") ==
        "[\n  {\n    \"n\": 1.50,\n    \"s\": \"a\\\"[,b\"\n  },\n  {}\n]\n");
  for (const std::string body : {"no JSON", "", "[1", "]", "[}", "[] []", "12"}) {
    CHECK(printed_body(body) == body + "\n");
  }
}

TEST_CASE("recorded_line is one line of JSON", "[receiver]") {
  Request request;
  request.connection_index = 3;
  request.request_index = 1;
  request.method = "POST";
  request.target = "/hook";
  request.headers = {{"X-Id", "7"}, {"X-Id", "8"}};
  request.body = "[{\"n\":\"\\\n\"}]";
  CHECK(recorded_line(request) ==
        R"({"connection_index":3,"request_index":1,"method":"POST","target":"/hook",)"
        R"("headers":[["X-Id","7"],["X-Id","8"]],"body":"[{\"n\":\"\\\u000a\"}]"})");
}
