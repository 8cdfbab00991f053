// Whose trouble the end of an attempt is, and whether its connection is used again: each row of
// docs/outcomes.md is brought about over real sockets, and the page must say what happened.
#include <catch2/catch.hpp>

#include <fstream>
#include <functional>
#include <sstream>

#include "core/attempt_outcome.h"
#include "support/certificates.h"
#include "support/receiver.h"
#include "transport_fixture.h"

namespace posthaste::testing {
namespace {

using transport::Completion;
using transport::Request;

// Larger than what sockets hold.
constexpr size_t kLargeBody = size_t{16} << 20;
constexpr const char* kNoHost = "http://no-such-host.invalid/";

std::string trouble_of(const Completion& completion) {
  core::AttemptEnd end;
  end.status = completion.status;
  end.timed_out = completion.timed_out;
  end.upload_began = completion.upload_began;
  switch (core::outcome_of(end)) {
    case core::AttemptOutcome::Delivered:
      return "delivered";
    case core::AttemptOutcome::ContentFailure:
      return "the batch's";
    case core::AttemptOutcome::MuteFailure:
      break;
  }
  return "the endpoint's";
}

std::string line_of(const std::string& what, const Completion& completion,
                    const std::string& connection) {
  const std::string told = completion.status != 0 ? "HTTP " + std::to_string(completion.status)
                                                  : completion.network_name;
  return "| " + what + " | " + told + " | " + trouble_of(completion) + " | " + connection + " |";
}

// Purpose: makes rows. Owns the transport. Threads: one.
class Table {
 public:
  // A receiver that does one thing wrong, and then nothing.
  void add(const std::string& what, const std::function<void(Receiver&)>& misbehave,
           size_t body_size = 100, core::Duration request_timeout = 10s) {
    Receiver receiver({.socket_buffer_bytes = body_size > 100 ? 65536 : 0});
    misbehave(receiver);
    const Completion completion = post(receiver.url("/"), body_size, request_timeout, {});
    CAPTURE(what, completion.detail);
    receiver.behave();
    CHECK(post(receiver.url("/"), 100, 10s, {}).status == 200);
    const size_t connections_count = receiver.log().connections().size();
    lines_.push_back(line_of(what, completion, connections_count == 1 ? "kept" : "closed"));
  }
  void add_status(int status) {
    add("`" + std::to_string(status) + "`",
        [status](Receiver& receiver) { receiver.answer_with(status); });
  }
  void add_raw(const std::string& what, const std::string& answer) {
    add(what, [answer](Receiver& receiver) { receiver.set_default({.raw = answer}); });
  }
  // Nothing is sent before it goes wrong.
  void add_unconnected(const std::string& what, const std::string& url,
                       const std::string& ca_file = {}) {
    const Completion completion = post(url, 100, 10s, ca_file);
    CAPTURE(what, completion.detail);
    CHECK_FALSE(completion.connected);
    lines_.push_back(line_of(what, completion, "none"));
  }
  void add_certificate(const std::string& what, const CertificateDirectory& directory,
                       const Certificate& certificate) {
    ReceiverOptions options;
    options.tls = ReceiverTls{certificate};
    Receiver receiver(options);
    add_unconnected(what, receiver.url("/"), directory.ca_file());
    CHECK(receiver.log().requests().empty());
  }
  Completion post(const std::string& url, size_t body_size, core::Duration request_timeout,
                  const std::string& ca_file) {
    Request request = fixture_.request(url, std::string(body_size, 'x'));
    request.connect_timeout = 10s;
    request.request_timeout = request_timeout;
    request.max_time = 30s;
    request.connection.ca_file = ca_file;
    return fixture_.post(request);
  }

  void add_line(const std::string& what, const Completion& completion,
                const std::string& connection) {
    lines_.push_back(line_of(what, completion, connection));
  }

  const std::vector<std::string>& lines() const { return lines_; }

 private:
  TransportFixture fixture_;
  std::vector<std::string> lines_;
};

Reply broken(StopAt stop_at, StopAction action) {
  Reply reply;
  reply.stop_at = stop_at;
  reply.stop_action = action;
  reply.body = std::string(1000, 'x');
  return reply;
}

void add_statuses(Table& table) {
  for (const int status :
       {200, 201, 202, 204, 226, 299, 300, 301, 302, 303, 304, 307, 308, 400, 401, 402,
        403, 404, 405, 406, 407, 408, 409, 410, 411, 413, 414, 415, 417, 418, 421, 422,
        425, 426, 429, 431, 451, 499, 500, 501, 502, 503, 504, 505, 507, 511, 520, 599}) {
    table.add_status(status);
  }
  table.add_raw("`103`, then `200`",
                "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  table.add("`200` to a request that waits for no `100`", [](Receiver& receiver) {
    Rule rule;
    rule.intake.answer_continue = false;
    receiver.set_rules({rule});
  });
}

void add_redirects(Table& table) {
  table.add("`302` to itself", [](Receiver& receiver) {
    receiver.answer_with(302, {{"Location", receiver.url("/")}});
  });
  Receiver elsewhere;
  table.add("`307` to an address of the own network", [&](Receiver& receiver) {
    receiver.answer_with(307, {{"Location", elsewhere.url("/")}});
  });
  CHECK(elsewhere.log().connections().empty());
}

void add_broken_answers(Table& table) {
  table.add(
      "reset in the middle of the upload",
      [](Receiver& receiver) { receiver.reset_after(100'000); }, kLargeBody);
  table.add("reset after the upload, without an answer", [](Receiver& receiver) {
    receiver.set_default(broken(StopAt::BeforeHead, StopAction::Reset));
  });
  table.add("closed after the upload, without an answer", [](Receiver& receiver) {
    receiver.set_default(broken(StopAt::BeforeHead, StopAction::Close));
  });
  table.add("reset in the middle of the answer", [](Receiver& receiver) {
    receiver.set_default(broken(StopAt::MidBody, StopAction::Reset));
  });
  table.add("closed in the middle of the answer", [](Receiver& receiver) {
    receiver.set_default(broken(StopAt::MidBody, StopAction::Close));
  });
  table.add("an answer shorter than it says",
            [](Receiver& receiver) { receiver.set_default({.body = "x", .length_error = 10}); });
  table.add("an answer without end, `200`",
            [](Receiver& receiver) { receiver.set_default({.endless = true}); });
  table.add_raw("garbage between the chunks of an answer",
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n");
  table.add_raw("garbage instead of a status line", "220 mail.example ESMTP\r\n");
  table.add_raw("`100` alone, then closed", "HTTP/1.1 100 Continue\r\n\r\n");
}

void add_stalls(Table& table) {
  table.add(
      "silence instead of an answer", [](Receiver& receiver) { receiver.hang(); }, 100, 300ms);
  table.add(
      "silence after the head of an answer",
      [](Receiver& receiver) { receiver.hang(StopAt::AfterHead); }, 100, 300ms);
  table.add(
      "an upload that is not read", [](Receiver& receiver) { receiver.never_read_bodies(); },
      kLargeBody, 300ms);
}

void add_unconnected(Table& table) {
  table.add_unconnected("no such host", kNoHost);
  table.add_unconnected("connection refused",
                        "http://127.0.0.1:" + std::to_string(closed_port()) + "/");
  const CertificateDirectory directory;
  const CertificateDirectory stranger;
  table.add_certificate("certificate expired", directory,
                        make_expired_server_certificate(directory.authority()));
  CertificateSubject other;
  other.dns_names = {"other.example"};
  other.ip_addresses = {};
  table.add_certificate("certificate of another name", directory,
                        make_server_certificate(directory.authority(), other));
  table.add_certificate("certificate of an unknown authority", directory,
                        make_server_certificate(stranger.authority()));
  RawServer alarmed([](int socket) {
    char hello[1024];
    if (::recv(socket, hello, sizeof hello, 0) <= 0) return;
    // A fatal handshake_failure (RFC 8446, section 6).
    send_text(socket, std::string("\x15\x03\x03\x00\x02\x02\x28", 7));
    wait_for_close(socket);
  });
  table.add_unconnected("TLS alert instead of a handshake",
                        "https://127.0.0.1:" + std::to_string(alarmed.port()) + "/");
}

void add_missing_client_certificate(Table& table) {
  const CertificateDirectory directory;
  ReceiverOptions options;
  options.tls = ReceiverTls{make_server_certificate(directory.authority()),
                            ClientCertificates::Required, directory.authority().certificate_pem};
  Receiver receiver(options);
  const Completion completion = table.post(receiver.url("/"), 100, 10s, directory.ca_file());
  CAPTURE(completion.detail);
  table.add_line("TLS alert because of a missing client certificate", completion, "closed");
  CHECK(receiver.log().requests().empty());
}

// The rows of the page's tables, without their heads.
std::vector<std::string> documented_lines() {
  std::ifstream page(POSTHASTE_OUTCOMES_PAGE);
  std::vector<std::string> lines;
  for (std::string line; std::getline(page, line);) {
    const bool is_head = line.starts_with("| what") || line.starts_with("|-");
    if (line.starts_with("|") && !is_head) lines.push_back(line);
  }
  return lines;
}

TEST_CASE("Every end of an attempt is the trouble that the page of outcomes says",
          "[transport][status_table]") {
  Table table;
  add_statuses(table);
  add_redirects(table);
  add_broken_answers(table);
  add_stalls(table);
  add_unconnected(table);
  add_missing_client_certificate(table);
  const std::vector<std::string> documented = documented_lines();
  CHECK(documented.size() == table.lines().size());
  for (const std::string& line : table.lines()) {
    INFO(line);
    CHECK(std::count(documented.begin(), documented.end(), line) == 1);
  }
}

TEST_CASE("Retry-After is told in the receiver's words", "[transport][status_table]") {
  const int status = GENERATE(429, 503);
  const std::string value =
      GENERATE("0", "120", "99999999999999999999", "Fri, 31 Dec 1999 23:59:59 GMT", "soon");
  Receiver receiver;
  receiver.answer_with(status, {{"Retry-After", value}});
  Table table;
  CHECK(table.post(receiver.url("/"), 100, 10s, {}).retry_after == value);
}

}  // namespace
}  // namespace posthaste::testing
