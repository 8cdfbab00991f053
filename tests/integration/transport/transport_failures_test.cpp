// What goes wrong: time-outs, broken connections, answers that are none, and that nothing of it
// spoils what follows.
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <csignal>

#include "support/receiver.h"
#include "transport_fixture.h"

namespace posthaste::testing {
namespace {

using transport::Completion;
using transport::Phase;
using transport::Reached;
using transport::Request;

constexpr size_t kLargeBodyBytes = 24u << 20;  // more than loopback's socket buffers take

// A connection that outlived its transfer would serve the next request, or break it.
void check_next_request_passes(TransportFixture& fixture, Receiver& receiver) {
  receiver.behave();
  receiver.set_accept_fault(AcceptFault::None);
  Request request = fixture.request(receiver.url("/next"));
  request.request_timeout = 5s;
  CHECK(fixture.post(request).status == 200);
}

TEST_CASE("A receiver that answers nothing is cut at the request time-out and sees the close",
          "[transport]") {
  Receiver receiver;
  TransportFixture fixture;
  const StopAt stop_at = GENERATE(StopAt::BeforeHead, StopAt::AfterHead, StopAt::MidBody);
  Rule hanging;
  hanging.reply.body = std::string(1000, 'x');
  hanging.reply.stop_at = stop_at;
  receiver.set_rules({hanging});
  const Completion completion = fixture.post(receiver.url("/"));
  CAPTURE(completion.detail);
  CHECK(completion.status == 0);
  CHECK(completion.timed_out);
  CHECK(completion.phase == Phase::Timeout);
  CHECK(completion.network_name == "ETIMEDOUT");
  CHECK(completion.reached == (stop_at == StopAt::BeforeHead ? Reached::Maybe : Reached::Yes));
  CHECK(completion.timings.total >= 300ms);
  CHECK(completion.timings.total < 800ms);
  const auto ended = receiver.log().wait_for_end(0, 1s);
  REQUIRE(ended.has_value());
  CHECK(ended->ended_by_peer());
  check_next_request_passes(fixture, receiver);
  CHECK(receiver.log().connections().size() == 2);
}

TEST_CASE("The default of six seconds is kept within half a second", "[transport]") {
  Receiver receiver;
  receiver.hang();
  Receiver unread;
  unread.never_read_bodies();
  TransportFixture fixture;
  Request waiting = fixture.request(receiver.url("/"));
  Request stuck = fixture.request(unread.url("/"), std::string(kLargeBodyBytes, 'x'));
  for (Request* request : {&waiting, &stuck}) {
    request->connect_timeout = request->request_timeout = 6s;
    request->max_time = 60s;
    fixture.transport().begin(*request);
  }
  for (const Completion& completion : fixture.wait_for(2)) {
    CAPTURE(completion.detail);
    CHECK(completion.timed_out);
    CHECK(completion.timings.total >= 6s);
    CHECK(completion.timings.total < 6500ms);
  }
  CHECK(receiver.log().wait_for_end(0, 500ms).has_value());
}

TEST_CASE("An upload that stands still is cut at the request time-out", "[transport]") {
  Receiver receiver;
  receiver.never_read_bodies();
  TransportFixture fixture;
  const Completion completion =
      fixture.post(fixture.request(receiver.url("/"), std::string(kLargeBodyBytes, 'x')));
  CAPTURE(completion.detail);
  CHECK(completion.timed_out);
  CHECK(completion.phase == Phase::Timeout);
  CHECK(completion.reached == Reached::Maybe);
  CHECK(completion.upload_began);
  CHECK(completion.detail.find("stood still for 300 ms") != std::string::npos);
  CHECK(completion.timings.total < 1s);
  check_next_request_passes(fixture, receiver);
}

TEST_CASE("An upload that is slow but moves outlives the request time-out", "[transport]") {
  std::atomic<bool> is_done{false};
  RawServer server([&is_done](int socket) {
    const int small = 16384;
    ::setsockopt(socket, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    // Ten steps, 100 ms apart: never 300 ms without progress, but a second in all.
    char buffer[65536];
    size_t left = 6'000'000;
    while (left > 0) {
      std::this_thread::sleep_for(100ms);
      for (size_t step = 0; step < 600'000 && left > 0;) {
        const ssize_t count = ::recv(socket, buffer, std::min(sizeof buffer, left), 0);
        if (count <= 0) return;
        step += static_cast<size_t>(count);
        left -= std::min(left, static_cast<size_t>(count));
      }
    }
    is_done = true;
    send_text(socket, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    wait_for_close(socket);
  });
  TransportFixture fixture;
  const Completion completion =
      fixture.post(fixture.request(server.url(), std::string(6'000'000, 'x')));
  CAPTURE(completion.detail);
  CHECK(completion.status == 200);
  CHECK(is_done);
  CHECK(completion.timings.total > 500ms);
}

TEST_CASE("The whole of a request is bounded however well it moves", "[transport]") {
  RawServer server([](int socket) {
    read_request(socket);
    send_text(socket, "HTTP/1.1 200 OK\r\n\r\n");
    for (int i = 0; i < 100; ++i) {
      std::this_thread::sleep_for(20ms);
      if (::send(socket, "x", 1, MSG_NOSIGNAL) <= 0) return;
    }
  });
  TransportFixture fixture;
  Request request = fixture.request(server.url());
  SECTION("by max_time") {
    request.request_timeout = 10s;
    request.max_time = 400ms;
    const Completion completion = fixture.post(request);
    CHECK(completion.timed_out);
    CHECK(completion.phase == Phase::Timeout);
    CHECK(completion.detail == "not finished within 400 ms");
    CHECK(completion.timings.total < 900ms);
  }
  SECTION("by the request time-out, which counts from the last byte sent") {
    const Completion completion = fixture.post(request);
    CHECK(completion.timed_out);
    CHECK(completion.detail == "no complete answer within 300 ms after the last byte was sent");
    CHECK(completion.timings.total < 800ms);
  }
}

TEST_CASE("Time-outs before the connection stands tell the phase", "[transport]") {
  Receiver receiver;
  receiver.set_accept_fault(AcceptFault::NeverRead);
  TransportFixture fixture;
  Request request = fixture.request("https://" + receiver.address() + "/");
  request.connect_timeout = 300ms;
  const Completion completion = fixture.post(request);
  CAPTURE(completion.detail);
  CHECK(completion.timed_out);
  CHECK(completion.phase == Phase::Tls);
  CHECK(completion.reached == Reached::No);
  CHECK_FALSE(completion.connected);
  CHECK(completion.network_name == "ETIMEDOUT");
  CHECK(completion.timings.total >= 250ms);
  CHECK(completion.timings.total < 800ms);
}

TEST_CASE("A refused connection is told as such, with nothing sent", "[transport]") {
  TransportFixture fixture;
  const Completion completion =
      fixture.post("http://127.0.0.1:" + std::to_string(closed_port()) + "/");
  CHECK(completion.status == 0);
  CHECK(completion.phase == Phase::Connect);
  CHECK(completion.network_name == "ECONNREFUSED");
  CHECK(completion.reached == Reached::No);
  CHECK_FALSE(completion.connected);
  CHECK_FALSE(completion.timed_out);
  CHECK(completion.detail == "the connection was refused");
}

TEST_CASE("An early answer counts although the upload has not ended", "[transport]") {
  Receiver receiver;
  Rule refusing;
  refusing.intake.body_bytes_max = 1000;
  receiver.set_rules({refusing});
  TransportFixture fixture;
  for (int i = 0; i < 20; ++i) {
    const Completion completion =
        fixture.post(fixture.request(receiver.url("/"), std::string(kLargeBodyBytes, 'x')));
    CAPTURE(i, completion.detail, completion.network_name);
    CHECK(completion.status == 413);
    CHECK(completion.reached == Reached::Yes);
  }
  // The answers were early indeed: no body was ever taken in.
  for (const auto& request : receiver.log().requests()) CHECK_FALSE(request.body_complete);
  check_next_request_passes(fixture, receiver);
}

TEST_CASE("An early answer counts when the receiver hangs up on the rest, or a reset is told",
          "[transport]") {
  // Closing with bytes unread resets the connection right behind the answer, and the reset may
  // overtake it (RFC 9112 section 9.6): rarely, and then the truth is that the connection broke.
  RawServer server([](int socket) {
    char buffer[1024];
    ::recv(socket, buffer, sizeof buffer, 0);
    send_text(socket, "HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
  });
  TransportFixture fixture;
  int early_count = 0;
  for (int i = 0; i < 100; ++i) {
    const Completion completion =
        fixture.post(fixture.request(server.url(), std::string(1 << 20, 'x')));
    CAPTURE(i, completion.detail, completion.network_name);
    if (completion.status == 413) {
      ++early_count;
      continue;
    }
    CHECK(completion.status == 0);
    CHECK(completion.phase == Phase::Http);
    CHECK(completion.reached == Reached::Maybe);
    CHECK((completion.network_name == "ECONNRESET" || completion.network_name == "EPIPE"));
  }
  CHECK(early_count > 50);
}

TEST_CASE("A complete answer stands when the receiver then reads no further", "[transport]") {
  RawServer server([](int socket) {
    char buffer[1024];
    ::recv(socket, buffer, sizeof buffer, 0);
    send_text(socket, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    std::this_thread::sleep_for(1s);
  });
  TransportFixture fixture;
  const Completion completion =
      fixture.post(fixture.request(server.url(), std::string(kLargeBodyBytes, 'x')));
  CHECK(completion.status == 200);
  CHECK_FALSE(completion.timed_out);
}

TEST_CASE("A connection reset in mid-upload may have reached the receiver", "[transport]") {
  Receiver receiver;
  receiver.reset_after(100'000);
  TransportFixture fixture;
  const Completion completion =
      fixture.post(fixture.request(receiver.url("/"), std::string(kLargeBodyBytes, 'x')));
  CAPTURE(completion.network_name, completion.detail);
  CHECK(completion.status == 0);
  CHECK(completion.phase == Phase::Http);
  CHECK(completion.reached == Reached::Maybe);
  CHECK(completion.upload_began);
  CHECK((completion.network_name == "ECONNRESET" || completion.network_name == "EPIPE"));
  check_next_request_passes(fixture, receiver);
}

TEST_CASE("A thousand resets in mid-upload raise no signal", "[transport]") {
  // The default action of SIGPIPE ends the process, and with it this test.
  struct sigaction action {};
  struct sigaction before {};
  action.sa_handler = SIG_DFL;
  REQUIRE(::sigaction(SIGPIPE, &action, &before) == 0);
  Receiver receiver;
  receiver.reset_after(1000);
  TransportFixture fixture;
  const std::string body(300'000, 'x');
  for (int i = 0; i < 100; ++i) {
    for (int j = 0; j < 10; ++j) {
      Request request = fixture.request(receiver.url("/"), body);
      request.request_timeout = 10s;
      fixture.transport().begin(request);
    }
    for (const Completion& completion : fixture.wait_for(10)) CHECK(completion.status == 0);
  }
  CHECK(receiver.log().connections().size() >= 1000);
  check_next_request_passes(fixture, receiver);
  ::sigaction(SIGPIPE, &before, nullptr);
}

TEST_CASE("After 64 KiB of answer the status decides and the connection is closed", "[transport]") {
  Receiver receiver;
  Reply reply;
  reply.status = GENERATE(200, 500);
  const bool is_endless = GENERATE(true, false);
  if (is_endless) {
    reply.endless = true;
  } else {
    reply.fill_bytes = 50'000'000;
  }
  receiver.set_default(reply);
  TransportFixture fixture;
  Request request = fixture.request(receiver.url("/"));
  request.keep_response = true;
  const Completion completion = fixture.post(request);
  CHECK(completion.status == reply.status);
  CHECK(completion.phase == Phase::None);
  CHECK(completion.response_body.size() == 4096);
  const auto ended = receiver.log().wait_for_end(0, 2s);
  REQUIRE(ended.has_value());
  CHECK(ended->ended_by_peer());
  receiver.set_default({});
  check_next_request_passes(fixture, receiver);
  CHECK(receiver.log().connections().size() == 2);
}

TEST_CASE("An answer just under the limit keeps its connection", "[transport]") {
  Receiver receiver;
  Reply reply;
  reply.fill_bytes = 65535;
  receiver.set_default(reply);
  TransportFixture fixture;
  CHECK(fixture.post(receiver.url("/")).status == 200);
  CHECK(fixture.post(receiver.url("/")).status == 200);
  CHECK(receiver.log().connections().size() == 1);
}

TEST_CASE("An answer shorter than announced has broken off", "[transport]") {
  Receiver receiver;
  Reply reply;
  reply.body = "half";
  reply.length_error = 4;
  receiver.set_default(reply);
  TransportFixture fixture;
  const Completion completion = fixture.post(receiver.url("/"));
  CHECK(completion.status == 0);
  CHECK(completion.phase == Phase::Http);
  CHECK(completion.reached == Reached::Yes);
  CHECK(completion.network_name == "ECONNRESET");
  CHECK(completion.detail == "the answer broke off");
}

struct BadAnswer {
  std::string text;
  std::string network_name;
  Reached reached;
};

TEST_CASE("Answers that are not HTTP get Node.js's names", "[transport]") {
  const BadAnswer bad =
      GENERATE(BadAnswer{"220 mail.example ESMTP\r\n", "HPE_INVALID_CONSTANT", Reached::Maybe},
               BadAnswer{"HTTP/3.7 abc\r\n\r\n", "HPE_INVALID_CONSTANT", Reached::Maybe},
               BadAnswer{"", "ECONNRESET", Reached::Maybe},
               BadAnswer{"HTTP/1.1 200 OK\r\nX-Broken", "ECONNRESET", Reached::Yes},
               BadAnswer{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
                         "HPE_INVALID_CHUNK_SIZE", Reached::Yes},
               BadAnswer{"HTTP/1.1 200 OK\r\n" +
                             [] {
                               std::string lines;
                               for (int i = 0; i < 80; ++i)
                                 lines += "X-Flood: " + std::string(1000, 'f') + "\r\n";
                               return lines;
                             }(),
                         "HPE_HEADER_OVERFLOW", Reached::Yes});
  RawServer server([&bad](int socket) {
    read_request(socket);
    send_text(socket, bad.text);
    ::shutdown(socket, SHUT_WR);
    wait_for_close(socket);
  });
  TransportFixture fixture;
  const Completion completion = fixture.post(server.url());
  CAPTURE(bad.text.substr(0, 40), completion.detail);
  CHECK(completion.status == 0);
  CHECK(completion.phase == Phase::Http);
  CHECK(completion.network_name == bad.network_name);
  CHECK(completion.reached == bad.reached);
  CHECK_FALSE(completion.detail.empty());
}

TEST_CASE("A cancelled request has no completion, and the receiver sees it end", "[transport]") {
  Receiver receiver;
  receiver.hang();
  TransportFixture fixture;
  Request request = fixture.request(receiver.url("/"));
  request.request_timeout = 10s;
  fixture.transport().begin(request);
  CHECK(fixture.drive_for(100ms).empty());
  REQUIRE(receiver.log().wait_for_requests(1, 1s));
  fixture.transport().cancel(request.id);
  const auto ended = receiver.log().wait_for_end(0, 1s);
  REQUIRE(ended.has_value());
  CHECK(ended->ended_by_peer());
  fixture.transport().cancel(request.id);
  fixture.transport().cancel(12345);
  CHECK(fixture.drive_for(50ms).empty());
  check_next_request_passes(fixture, receiver);
}

TEST_CASE("Destroying the transport ends what runs, and the receivers see it", "[transport]") {
  Receiver receiver;
  receiver.hang();
  TransportFixture fixture;
  for (int i = 0; i < 20; ++i) {
    Request request = fixture.request(receiver.url("/"));
    request.request_timeout = 10s;
    fixture.transport().begin(request);
  }
  CHECK(fixture.drive_for(200ms).empty());
  REQUIRE(receiver.log().wait_for_requests(20, 1s));
  const auto start = std::chrono::steady_clock::now();
  fixture.destroy_transport();
  CHECK(elapsed_since(start) < 100ms);
  for (size_t i = 0; i < 20; ++i) {
    const auto ended = receiver.log().wait_for_end(i, 1s);
    REQUIRE(ended.has_value());
    CHECK(ended->ended_by_peer());
  }
}

TEST_CASE("The receiver sees the close although a forked child holds the socket", "[transport]") {
  Receiver receiver;
  receiver.hang();
  TransportFixture fixture;
  fixture.transport().begin(fixture.request(receiver.url("/")));
  CHECK(fixture.drive_for(100ms).empty());
  const pid_t child = ::fork();
  if (child == 0) {
    ::pause();
    ::_exit(0);
  }
  REQUIRE(child > 0);
  CHECK(fixture.wait_for(1)[0].timed_out);
  CHECK(receiver.log().wait_for_end(0, 1s).has_value());
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
}

}  // namespace
}  // namespace posthaste::testing
