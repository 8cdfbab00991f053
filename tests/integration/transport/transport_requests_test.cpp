// What goes over the wire when nothing goes wrong: exact heads, bodies, kept connections, what is
// kept of an answer.
#include <sys/socket.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <csignal>
#include <future>

#include "support/receiver.h"
#include "transport_fixture.h"

namespace posthaste::testing {
namespace {

using transport::Completion;
using transport::Phase;
using transport::Reached;
using transport::Request;

constexpr const char* kEmptyOk = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

std::string numbered_body(size_t size_bytes) {
  std::string body;
  for (size_t i = 0; body.size() < size_bytes; ++i) body += std::to_string(i) + ",";
  body.resize(size_bytes);
  return body;
}

TEST_CASE("The head on the wire is exactly the given headers, Host and Content-Length",
          "[transport]") {
  std::string raw;
  RawServer server([&raw](int socket) {
    raw = read_request(socket);
    send_text(socket, kEmptyOk);
  });
  TransportFixture fixture;
  Request request = fixture.request(server.url("/a/../b?x=1&y=%2f"));
  request.headers = {{"Content-Type", "application/json"},
                     {"User-Agent", "posthaste/0"},
                     {"X-MessageSystems-Batch-ID", "77c2b630-d712-11e4-9642-efc2723b99c1"},
                     {"X-Empty", ""}};
  const std::string common =
      "POST /a/../b?x=1&y=%2f HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(server.port()) +
      "\r\nContent-Type: application/json\r\nUser-Agent: posthaste/0\r\n"
      "X-MessageSystems-Batch-ID: 77c2b630-d712-11e4-9642-efc2723b99c1\r\n"
      "X-Empty:\r\n";
  SECTION("with a kept connection") {
    CHECK(fixture.post(request).status == 200);
    CHECK(raw == common + "Content-Length: 13\r\n\r\n[{\"msys\":{}}]");
  }
  SECTION("with a connection of its own") {
    request.connection.keep_alive = false;
    CHECK(fixture.post(request).status == 200);
    CHECK(raw == common + "Connection: close\r\nContent-Length: 13\r\n\r\n[{\"msys\":{}}]");
  }
  SECTION("with no header given at all, and a body that curl would ask about first") {
    request = fixture.request(server.url("/"), numbered_body(2'000'000));
    request.headers.clear();
    CHECK(fixture.post(request).status == 200);
    CHECK(raw == "POST / HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(server.port()) +
                     "\r\nContent-Length: 2000000\r\n\r\n" + numbered_body(2'000'000));
  }
}

TEST_CASE("Bodies of any size arrive whole", "[transport]") {
  Receiver receiver;
  TransportFixture fixture;
  for (const size_t size : {1u, 1000u, 16384u, 65535u, 65536u, 524288u, 5'000'001u}) {
    CHECK(fixture.post(fixture.request(receiver.url("/"), numbered_body(size))).status == 200);
    REQUIRE(receiver.log().wait_for_requests(1, 5s));
    CHECK(receiver.log().requests()[0].body == numbered_body(size));
    receiver.forget_requests();
  }
}

TEST_CASE("A delivered request tells status, address, timings, and nothing else", "[transport]") {
  Receiver receiver;
  TransportFixture fixture;
  const Completion completion = fixture.post(receiver.url("/"));
  CHECK(completion.status == 200);
  CHECK(completion.phase == Phase::None);
  CHECK(completion.reached == Reached::Yes);
  CHECK(completion.connected);
  CHECK(completion.upload_began);
  CHECK_FALSE(completion.timed_out);
  CHECK(completion.network_name.empty());
  CHECK(completion.detail.empty());
  CHECK(completion.remote_address == "127.0.0.1");
  CHECK(completion.response_headers.empty());
  CHECK(completion.timings.connect > 0ns);
  CHECK(completion.timings.tls == 0ns);
  CHECK(completion.timings.first_byte >= completion.timings.connect);
  CHECK(completion.timings.total >= completion.timings.first_byte);
}

TEST_CASE("Requests one after the other share one connection", "[transport]") {
  Receiver receiver;
  TransportFixture fixture;
  for (int i = 0; i < 50; ++i) CHECK(fixture.post(receiver.url("/")).status == 200);
  CHECK(receiver.log().connections().size() == 1);

  Request alone = fixture.request(receiver.url("/"));
  alone.connection.keep_alive = false;
  CHECK(fixture.post(alone).status == 200);
  CHECK(receiver.log().connections().size() == 2);
  CHECK(receiver.log().wait_for_end(1, 2s).has_value());
}

TEST_CASE("A kept connection that the receiver closed is replaced, and the body goes out once",
          "[transport]") {
  Receiver receiver;
  Reply closing;
  closing.keep_alive = KeepAlive::SilentClose;
  receiver.set_default(closing);
  TransportFixture fixture;
  const std::string body = GENERATE(std::string("[]"), numbered_body(1'000'000));
  for (size_t i = 0; i < 20; ++i) {
    const Completion completion = fixture.post(fixture.request(receiver.url("/"), body));
    CAPTURE(i, completion.detail);
    CHECK(completion.status == 200);
    REQUIRE(receiver.log().wait_for_requests(i + 1, 2s));
    REQUIRE(receiver.log().wait_for_end(i, 2s).has_value());
  }
  const auto requests = receiver.log().requests();
  REQUIRE(requests.size() == 20);
  for (const auto& request : requests) CHECK(request.body == body);
}

TEST_CASE("A kept connection that dies under the request is replaced without a failure",
          "[transport]") {
  std::atomic<int> request_count{0};
  std::atomic<int> connection_count{0};
  std::string last;
  RawServer server([&](int socket) {
    const bool is_first = connection_count++ == 0;
    last = read_request(socket);
    ++request_count;
    send_text(socket, kEmptyOk);
    if (!is_first) return;
    // Takes the next head, then drops the connection without a word.
    char byte = 0;
    ::recv(socket, &byte, 1, 0);
    reset_on_close(socket);
  });
  TransportFixture fixture;
  CHECK(fixture.post(server.url()).status == 200);
  CHECK(fixture.post(fixture.request(server.url(), "[1,2,3]")).status == 200);
  CHECK(connection_count == 2);
  CHECK(request_count == 2);
  CHECK(last.ends_with("\r\n\r\n[1,2,3]"));
}

TEST_CASE("Redirects are answers like any other", "[transport]") {
  Receiver elsewhere;
  Receiver receiver;
  const int status = GENERATE(301, 302, 303, 307, 308);
  receiver.answer_with(status, {{"Location", elsewhere.url("/new")}});
  TransportFixture fixture;
  const Completion completion = fixture.post(receiver.url("/"));
  CHECK(completion.status == status);
  CHECK(completion.location == elsewhere.url("/new"));
  CHECK(elsewhere.log().connections().empty());
}

TEST_CASE("Retry-After is kept always, headers and body only on request", "[transport]") {
  Receiver receiver;
  receiver.answer_with(503, {{"Retry-After", "120"}, {"X-One", "1"}, {"x-one", "2"}},
                       std::string(5000, 'b'));
  TransportFixture fixture;
  Request request = fixture.request(receiver.url("/"));
  SECTION("not asked for") {
    const Completion completion = fixture.post(request);
    CHECK(completion.status == 503);
    CHECK(completion.retry_after == "120");
    CHECK(completion.response_headers.empty());
    CHECK(completion.response_body.empty());
  }
  SECTION("asked for") {
    request.keep_response = true;
    const Completion completion = fixture.post(request);
    CHECK(completion.retry_after == "120");
    CHECK(completion.response_body == std::string(4096, 'b'));
    std::string names;
    for (const auto& header : completion.response_headers) names += header.name + ";";
    CHECK(names.find("Retry-After;X-One;x-one;") != std::string::npos);
  }
}

TEST_CASE("Only the final head counts", "[transport]") {
  RawServer server([](int socket) {
    read_request(socket);
    send_text(socket,
              "HTTP/1.1 103 Early Hints\r\nLink: <a>\r\nRetry-After: 9\r\n\r\n"
              "HTTP/1.1 202 Accepted\r\nX-Final: yes\r\nContent-Length: 2\r\n\r\nok");
  });
  TransportFixture fixture;
  Request request = fixture.request(server.url());
  request.keep_response = true;
  const Completion completion = fixture.post(request);
  CHECK(completion.status == 202);
  CHECK(completion.retry_after.empty());
  REQUIRE(completion.response_headers.size() == 2);
  CHECK(completion.response_headers[0].name == "X-Final");
  CHECK(completion.response_headers[0].value == "yes");
  CHECK(completion.response_body == "ok");
}

TEST_CASE("Three hundred requests run at the same time", "[transport]") {
  Receiver receiver;
  Reply slow;
  slow.delay = 200ms;
  receiver.set_default(slow);
  TransportFixture fixture;
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < 300; ++i) {
    Request request = fixture.request(receiver.url("/"));
    request.request_timeout = 10s;
    fixture.transport().begin(request);
  }
  for (const Completion& completion : fixture.wait_for(300)) CHECK(completion.status == 200);
  CHECK(elapsed_since(start) < 10s);  // in turn they would take 60 s
  CHECK(receiver.log().connections().size() == 300);
}

TEST_CASE("Environment proxies are ignored unless asked for", "[transport]") {
  Receiver receiver;
  const std::string dead = "http://127.0.0.1:" + std::to_string(closed_port());
  ::setenv("http_proxy", dead.c_str(), 1);
  TransportFixture fixture;
  Request request = fixture.request(receiver.url("/"));
  CHECK(fixture.post(request).status == 200);
  request = fixture.request(receiver.url("/"));
  request.connection.proxy = transport::kEnvironmentProxy;
  CHECK(fixture.post(request).network_name == "ECONNREFUSED");
  ::unsetenv("http_proxy");
}

TEST_CASE("Only http and https are spoken", "[transport]") {
  TransportFixture fixture;
  const Completion completion = fixture.post("ftp://127.0.0.1/x");
  CHECK(completion.status == 0);
  CHECK(completion.network_name == "ERR_INVALID_PROTOCOL");
}

TEST_CASE("A wake-up ends the running wait and the next one", "[transport]") {
  TransportFixture fixture;
  std::vector<Completion> completions;
  SECTION("before the wait") {
    fixture.transport().wake();
    const auto start = std::chrono::steady_clock::now();
    fixture.transport().wait(fixture.now() + 10s, completions);
    CHECK(elapsed_since(start) < 2s);
  }
  SECTION("during the wait") {
    auto waker = std::async(std::launch::async, [&fixture] {
      std::this_thread::sleep_for(50ms);
      fixture.transport().wake();
    });
    const auto start = std::chrono::steady_clock::now();
    fixture.transport().wait(core::kNever, completions);
    CHECK(elapsed_since(start) < 2s);
  }
  CHECK(completions.empty());
  // The wake-up is spent.
  const auto start = std::chrono::steady_clock::now();
  fixture.transport().wait(fixture.now() + 100ms, completions);
  CHECK(elapsed_since(start) >= 100ms);
}

TEST_CASE("A deadline in the past drives once and does not wait", "[transport]") {
  Receiver receiver;
  TransportFixture fixture;
  fixture.transport().begin(fixture.request(receiver.url("/")));
  std::vector<Completion> completions;
  const core::Instant end = fixture.now() + 5s;
  while (completions.empty() && fixture.now() < end) {
    fixture.transport().wait(core::Instant{}, completions);
  }
  REQUIRE(completions.size() == 1);
  CHECK(completions[0].status == 200);
}

}  // namespace
}  // namespace posthaste::testing
