#include "transport/response.h"

#include <catch2/catch.hpp>

namespace posthaste::transport {
namespace {

using Verdict = Response::Verdict;

void feed(Response& response, std::initializer_list<const char*> lines) {
  for (const char* line : lines) REQUIRE(response.take_head_line(line) == Verdict::More);
}

Completion kept(Response& response) {
  Completion completion;
  response.move_kept_to(completion);
  return completion;
}

TEST_CASE("A response keeps the fields of its final head in order", "[transport][response]") {
  Response response;
  response.reset(true);
  feed(response, {"HTTP/1.1 100 Continue\r\n", "X-Interim: 1\r\n", "Retry-After: 1\r\n", "\r\n"});
  CHECK_FALSE(response.has_final_status());
  feed(response, {"HTTP/1.1 503 Busy\r\n", "B:  2 \r\n", "A:1\r\n", "retry-after: 30\r\n",
                  "Location: /x\r\n", "C: first\r\n", "\t second\r\n", "no colon\r\n", "\r\n"});
  CHECK(response.status() == 503);
  feed(response, {"Trailer-Field: late\r\n"});
  const Completion completion = kept(response);
  CHECK(completion.retry_after == "30");
  CHECK(completion.location == "/x");
  REQUIRE(completion.response_headers.size() == 5);
  CHECK(completion.response_headers[0].name == "B");
  CHECK(completion.response_headers[0].value == "2");
  CHECK(completion.response_headers[1].value == "1");
  CHECK(completion.response_headers[4].value == "first second");
}

TEST_CASE("Without keep_response only Retry-After and Location are kept", "[transport][response]") {
  Response response;
  response.reset(false);
  feed(response,
       {"HTTP/1.1 429 Slow\r\n", "Retry-After: 7\r\n", "Location: /y\r\n", "X: y\r\n", "\r\n"});
  CHECK(response.take_body("text") == Verdict::More);
  const Completion completion = kept(response);
  CHECK(completion.retry_after == "7");
  CHECK(completion.location == "/y");
  CHECK(completion.response_headers.empty());
  CHECK(completion.response_body.empty());
}

TEST_CASE("A response's body is enough at 64 KiB and keeps its first 4 KiB",
          "[transport][response]") {
  Response response;
  response.reset(true);
  feed(response, {"HTTP/1.1 200 OK\r\n", "\r\n"});
  CHECK(response.take_body(std::string(3000, 'a')) == Verdict::More);
  CHECK(response.take_body(std::string(62535, 'b')) == Verdict::More);
  CHECK(response.take_body("c") == Verdict::Enough);
  CHECK(kept(response).response_body == std::string(3000, 'a') + std::string(1096, 'b'));
}

TEST_CASE("A response's heads are bounded by 64 KiB, interim ones included",
          "[transport][response]") {
  Response response;
  response.reset(true);
  const std::string line = "X: " + std::string(1021, 'x');
  for (int i = 0; i < 64; ++i) REQUIRE(response.take_head_line(line) == Verdict::More);
  CHECK_FALSE(response.is_head_over_limit());
  CHECK(response.take_head_line("X") == Verdict::Enough);
  CHECK(response.is_head_over_limit());
  response.reset(true);
  CHECK_FALSE(response.is_head_over_limit());
}

TEST_CASE("A response is known to be complete by its announced length only",
          "[transport][response]") {
  Response response;
  response.reset(false);
  SECTION("with a length") {
    feed(response, {"HTTP/1.1 413 Large\r\n", "Content-Length: 3\r\n"});
    CHECK_FALSE(response.is_known_complete());
    feed(response, {"\r\n"});
    CHECK_FALSE(response.is_known_complete());
    response.take_body("abc");
    CHECK(response.is_known_complete());
  }
  SECTION("with chunks") {
    feed(response, {"HTTP/1.1 200 OK\r\n", "Content-Length: 0\r\n",
                    "Transfer-Encoding: chunked\r\n", "\r\n"});
    CHECK_FALSE(response.is_known_complete());
  }
  SECTION("without a body") {
    feed(response, {"HTTP/1.1 204 None\r\n", "\r\n"});
    CHECK(response.is_known_complete());
  }
  SECTION("interim") {
    feed(response, {"HTTP/1.1 100 Continue\r\n", "Content-Length: 0\r\n", "\r\n"});
    CHECK_FALSE(response.is_known_complete());
  }
  SECTION("with a length that is none") {
    feed(response, {"HTTP/1.1 200 OK\r\n", "Content-Length: ten\r\n", "\r\n"});
    CHECK_FALSE(response.is_known_complete());
  }
}

}  // namespace
}  // namespace posthaste::transport
