// The receiver's own proof: every knob, over real sockets, with libcurl as the client. Other
// integration tests rely on what is shown here.
#include "support/receiver.h"

#include <curl/curl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <cstdio>
#include <fstream>

using namespace posthaste::testing;
using namespace std::chrono_literals;

namespace {

constexpr auto kPatience = 10s;  // for what must happen; never waited out in a passing run

struct Answer {
  CURLcode code = CURLE_OK;
  long status = 0;
  std::string head;
  std::string body;
  Clock::duration took = {};
};

size_t append(char* data, size_t size, size_t count, void* text) {
  static_cast<std::string*>(text)->append(data, size * count);
  return size * count;
}

// One libcurl handle, which keeps its connection between calls as far as the receiver allows.
class Client {
 public:
  Client() : easy_(curl_easy_init()) {
    set(CURLOPT_WRITEFUNCTION, append);
    set(CURLOPT_HEADERFUNCTION, append);
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_TIMEOUT_MS, 10'000L);
  }
  ~Client() {
    curl_slist_free_all(headers_);
    curl_easy_cleanup(easy_);
  }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  template <typename T>
  Client& set(CURLoption option, T value) {
    REQUIRE(curl_easy_setopt(easy_, option, value) == CURLE_OK);
    return *this;
  }
  Client& header(const std::string& line) {
    headers_ = curl_slist_append(headers_, line.c_str());
    return set(CURLOPT_HTTPHEADER, headers_);
  }
  CURL* handle() const { return easy_; }

  Answer post(const std::string& url, const std::string& body = "[{\"msys\":{}}]") {
    Answer answer;
    set(CURLOPT_URL, url.c_str());
    set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
    set(CURLOPT_POSTFIELDS, body.data());
    set(CURLOPT_WRITEDATA, &answer.body);
    set(CURLOPT_HEADERDATA, &answer.head);
    const Clock::time_point start = Clock::now();
    answer.code = curl_easy_perform(easy_);
    answer.took = Clock::now() - start;
    curl_easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &answer.status);
    return answer;
  }

 private:
  CURL* easy_;
  curl_slist* headers_ = nullptr;
};

Answer post_once(const Receiver& receiver, const std::string& target = "/",
                 const std::string& body = "[{\"msys\":{}}]") {
  return Client().set(CURLOPT_TIMEOUT_MS, 300L).post(receiver.url(target), body);
}

std::vector<long> statuses(Client& client, const Receiver& receiver, size_t count,
                           const std::string& target = "/") {
  std::vector<long> seen;
  for (size_t i = 0; i < count; ++i) seen.push_back(client.post(receiver.url(target)).status);
  return seen;
}

Rule rule_of(const std::string& text) {
  const auto rule = parse_rule(text);
  INFO(text);
  REQUIRE(rule.ok());
  return *rule;
}

const std::string kLargeBody(32 * 1024 * 1024, 'b');  // more than both sockets buffer

}  // namespace

TEST_CASE("Receiver records method, target, raw headers in order and body", "[receiver]") {
  Receiver receiver;
  Client client;
  client.header("X-Twice: one").header("x-TWICE: two").header("Content-Type: application/json");
  const std::string body("[{\"msys\":{\"a\":\"\0\xff\"}}]", 22);
  REQUIRE(client.post(receiver.url("/hook/7?tenant=a"), body).status == 200);
  REQUIRE(receiver.log().wait_for_requests(1, kPatience));

  const Request request = receiver.log().requests().at(0);
  CHECK(request.method == "POST");
  CHECK(request.target == "/hook/7?tenant=a");
  CHECK(request.path == "/hook/7");
  CHECK(request.body == body);
  CHECK(request.body_complete);
  CHECK(request.event_count == 1);
  CHECK(request.headers.front().name == "Host");
  CHECK(request.header("content-TYPE") == "application/json");
  CHECK(request.header_values("X-Twice") == std::vector<std::string>{"one", "two"});
  CHECK(request.headers.at(request.headers.size() - 3).name == "x-TWICE");
  CHECK_FALSE(request.header("Absent"));
  CHECK(request.head_at <= request.body_at);
}

TEST_CASE("Receiver numbers connections and the requests on each", "[receiver]") {
  Receiver receiver;
  {
    Client kept;
    statuses(kept, receiver, 2);
  }
  post_once(receiver);
  REQUIRE(receiver.log().wait_for_end(0, kPatience));
  REQUIRE(receiver.log().wait_for_end(1, kPatience));
  const std::vector<Request> requests = receiver.log().requests();
  REQUIRE(requests.size() == 3);
  CHECK(requests[1].connection_index == 0);
  CHECK(requests[1].request_index == 1);
  CHECK(requests[2].connection_index == 1);
  CHECK(requests[2].request_index == 0);
  const std::vector<Connection> connections = receiver.log().connections();
  CHECK(connections[0].request_count == 2);
  CHECK(connections[0].ending == Ending::PeerClosed);
  CHECK(connections[0].opened_at <= connections[0].ended_at);
}

TEST_CASE("Receiver takes chunked requests and announced ones", "[receiver]") {
  Receiver receiver;
  const std::string body(3'000'000, 'c');
  Client chunked;
  chunked.header("Transfer-Encoding: chunked");
  CHECK(chunked.post(receiver.url(), body).status == 200);
  Client announced;
  announced.header("Expect: 100-continue");
  CHECK(announced.post(receiver.url(), body).took < 900ms);  // libcurl waits 1 s for no 100
  const std::vector<Request> requests = receiver.log().requests();
  CHECK(requests.at(0).body == body);
  CHECK(requests.at(1).body == body);
  CHECK(requests.at(0).body_hash == requests.at(1).body_hash);
}

TEST_CASE("Receiver can leave an announced request without its 100", "[receiver]") {
  Receiver receiver;
  receiver.set_rules({rule_of("continue=never")});
  Client client;
  client.header("Expect: 100-continue").set(CURLOPT_EXPECT_100_TIMEOUT_MS, 200L);
  const Answer answer = client.post(receiver.url());
  CHECK(answer.status == 200);
  CHECK(answer.took >= 200ms);
}

TEST_CASE("Receiver chooses the status by sequence, count and marker", "[receiver]") {
  Receiver receiver;
  Client client;
  using Statuses = std::vector<long>;
  receiver.answer_sequence({503, 429, 200});
  CHECK(statuses(client, receiver, 4) == Statuses{503, 429, 200, 200});
  receiver.fail_first(2, 500);
  CHECK(statuses(client, receiver, 3) == Statuses{500, 500, 200});
  receiver.fail_every(2);
  CHECK(statuses(client, receiver, 4) == Statuses{200, 503, 200, 503});
  receiver.fail_while_body_contains("poison", 400);
  CHECK(client.post(receiver.url(), "[{\"a\":\"poison\"}]").status == 400);
  CHECK(client.post(receiver.url(), "[{\"a\":\"honey\"}]").status == 200);
  receiver.fail_larger_than(10);
  CHECK(client.post(receiver.url(), "12345678901").status == 413);
  CHECK(client.post(receiver.url(), "1234567890").status == 200);
  receiver.behave();
  CHECK(statuses(client, receiver, 1) == Statuses{200});
  CHECK(receiver.log().connections().size() == 1);
}

TEST_CASE("Receiver asks the decide function first, then the rules by path", "[receiver]") {
  Receiver receiver;
  receiver.set_rules({rule_of("path=/a;status=401"), rule_of("path=/b/*;status=403")});
  receiver.set_default({.status = 202});
  receiver.set_decide([](const Request& request) -> std::optional<Reply> {
    if (request.body != "special") return std::nullopt;
    return Reply{.status = 418};
  });
  Client client;
  CHECK(client.post(receiver.url("/a?x=1")).status == 401);
  CHECK(client.post(receiver.url("/b/any")).status == 403);
  CHECK(client.post(receiver.url("/b")).status == 202);
  CHECK(client.post(receiver.url("/a"), "special").status == 418);
}

TEST_CASE("Receiver notes which requests were answered and how many events were accepted",
          "[receiver]") {
  Receiver receiver;
  receiver.answer_sequence({503, 200});
  Client client;
  const std::string two_events = "[{\"msys\":{}},{\"msys\":{}}]";
  client.post(receiver.url(), two_events);
  client.post(receiver.url(), two_events);
  REQUIRE(receiver.log().wait_for_accepted_events(2, kPatience));
  const Totals totals = receiver.log().totals();
  CHECK(totals.events == 4);
  CHECK(totals.requests == 2);
  CHECK(totals.accepted_requests == 1);
  CHECK(totals.accepted_events == 2);
  CHECK(receiver.log().requests().at(0).answered_status == 503);
  CHECK(receiver.log().requests().at(1).answered_status == 200);
  receiver.forget_requests();
  CHECK(receiver.log().totals().requests == 0);
  CHECK(receiver.log().requests().empty());
}

TEST_CASE("Receiver sends extra headers and a body", "[receiver]") {
  Receiver receiver;
  receiver.answer_with(302, {{"Location", "/elsewhere"}, {"Retry-After", "7"}}, "moved");
  const Answer answer = post_once(receiver);
  CHECK(answer.status == 302);
  CHECK(answer.body == "moved");
  CHECK(answer.head.find("Location: /elsewhere\r\nRetry-After: 7\r\n") != std::string::npos);
}

TEST_CASE("Receiver delays an answer", "[receiver]") {
  Receiver receiver;
  receiver.delay_by(150ms);
  const Answer answer = post_once(receiver);
  CHECK(answer.status == 200);
  CHECK(answer.took >= 150ms);
}

TEST_CASE("Receiver hangs before the head, after it and in mid-body until the peer leaves",
          "[receiver]") {
  const auto [stop_at, status, has_body] =
      GENERATE(table<StopAt, long, bool>({{StopAt::BeforeHead, 0, false},
                                          {StopAt::AfterHead, 200, false},
                                          {StopAt::MidBody, 200, true}}));
  Receiver receiver;
  receiver.hang(stop_at);
  const Answer answer = post_once(receiver);
  const Clock::time_point gave_up = Clock::now();
  CHECK(answer.code == CURLE_OPERATION_TIMEDOUT);
  CHECK(answer.status == status);
  CHECK(answer.body.empty() != has_body);
  const auto connection = receiver.log().wait_for_end(0, kPatience);
  REQUIRE(connection);
  CHECK(connection->ended_by_peer());
  CHECK(connection->ended_at - receiver.log().requests().at(0).body_at >= 200ms);
  CHECK(connection->ended_at < gave_up + 1s);
  CHECK(receiver.log().requests().at(0).answered_status == 0);
}

TEST_CASE("Receiver hangs while a connection stays open, and stop ends it", "[receiver]") {
  Receiver receiver;
  receiver.hang();
  std::thread poster([&] { post_once(receiver); });
  REQUIRE(receiver.log().wait_for_requests(1, kPatience));
  CHECK(receiver.log().connections().at(0).ending == Ending::Open);
  receiver.stop();
  poster.join();
  CHECK(receiver.log().connections().at(0).ending != Ending::Open);
}

TEST_CASE("Receiver accepts and never reads, so that an upload stands still", "[receiver]") {
  Receiver receiver({.socket_buffer_bytes = 16 * 1024});
  SECTION("no byte at all") {
    receiver.set_accept_fault(AcceptFault::NeverRead);
    CHECK(post_once(receiver, "/", kLargeBody).code == CURLE_OPERATION_TIMEDOUT);
    CHECK(receiver.log().connections().at(0).request_count == 0);
  }
  SECTION("only the head") {
    receiver.never_read_bodies();
    Client client;
    client.header("Expect:").set(CURLOPT_TIMEOUT_MS, 300L);
    CHECK(client.post(receiver.url(), kLargeBody).code == CURLE_OPERATION_TIMEDOUT);
    curl_off_t sent_bytes = 0;
    curl_easy_getinfo(client.handle(), CURLINFO_SIZE_UPLOAD_T, &sent_bytes);
    CHECK(sent_bytes < static_cast<curl_off_t>(kLargeBody.size()));
    CHECK(receiver.log().connections().at(0).request_count == 1);
  }
}

TEST_CASE("Receiver sees a reset of an upload that it never reads", "[receiver]") {
  Receiver receiver({.socket_buffer_bytes = 16 * 1024});
  receiver.never_read_bodies();
  // A close that is stuck behind unread bytes never arrives; AF_UNSPEC makes the kernel send a
  // reset.
  const auto abort_socket = [](void*, curl_socket_t fd) {
    sockaddr unconnected{};
    unconnected.sa_family = AF_UNSPEC;
    connect(fd, &unconnected, sizeof unconnected);
    return close(fd);
  };
  {
    Client client;
    client.header("Expect:").set(CURLOPT_TIMEOUT_MS, 300L);
    client.set(CURLOPT_CLOSESOCKETFUNCTION,
               static_cast<int (*)(void*, curl_socket_t)>(abort_socket));
    CHECK(client.post(receiver.url(), kLargeBody).code == CURLE_OPERATION_TIMEDOUT);
  }
  const auto connection = receiver.log().wait_for_end(0, kPatience);
  REQUIRE(connection);
  CHECK(connection->ending == Ending::PeerReset);
}

TEST_CASE("Receiver stands still before the body, then goes on", "[receiver]") {
  Receiver receiver;
  receiver.set_rules({rule_of("read-delay-ms=150;path=/slow")});
  const Answer answer = post_once(receiver, "/slow");
  CHECK(answer.status == 200);
  CHECK(answer.took >= 150ms);
}

TEST_CASE("Receiver resets after so many bytes of the body", "[receiver]") {
  Receiver receiver;
  receiver.reset_after(100'000);
  Client client;
  client.header("Expect:");
  const Answer answer = client.post(receiver.url(), kLargeBody);
  CHECK((answer.code == CURLE_SEND_ERROR || answer.code == CURLE_RECV_ERROR));
  const auto connection = receiver.log().wait_for_end(0, kPatience);
  REQUIRE(connection);
  CHECK(connection->ending == Ending::ReceiverReset);
  const Request request = receiver.log().requests().at(0);
  CHECK_FALSE(request.body_complete);
  CHECK(request.body.size() == 100'000);
  CHECK(receiver.log().totals().requests == 0);
}

TEST_CASE("Receiver answers 413 to a body above its limit without reading it", "[receiver]") {
  Receiver receiver;
  receiver.set_rules({rule_of("body-max=1000")});
  Client client;
  client.header("Expect:");
  const Answer refused = client.post(receiver.url(), kLargeBody);
  CHECK(refused.status == 413);
  CHECK(client.post(receiver.url(), std::string(1000, 'a')).status == 200);
  const Request request = receiver.log().requests().at(0);
  CHECK(request.answered_status == 413);
  CHECK(request.body.empty());
}

TEST_CASE("Receiver sends huge and endless bodies", "[receiver]") {
  Receiver receiver;
  receiver.set_rules({rule_of("path=/huge;fill-bytes=5000000;body=start"),
                      rule_of("path=/endless;endless=yes"),
                      rule_of("path=/endless-chunks;endless=yes;framing=chunked")});
  const Answer huge = Client().post(receiver.url("/huge"));
  CHECK(huge.code == CURLE_OK);
  CHECK(huge.body.size() == 5'000'005);
  const std::string target = GENERATE("/endless", "/endless-chunks");
  const Answer endless = Client().set(CURLOPT_TIMEOUT_MS, 200L).post(receiver.url(target));
  CHECK(endless.code == CURLE_OPERATION_TIMEDOUT);
  CHECK(endless.body.size() > 1'000'000);
  const auto connection = receiver.log().wait_for_end(1, kPatience);
  REQUIRE(connection);
  CHECK(connection->ended_by_peer());
}

TEST_CASE("Receiver states a wrong length", "[receiver]") {
  Receiver receiver;
  receiver.set_rules({rule_of("path=/long;body=12345;length-error=5"),
                      rule_of("path=/short;body=12345;length-error=-2")});
  CHECK(post_once(receiver, "/long").code == CURLE_PARTIAL_FILE);
  CHECK(post_once(receiver, "/short").body == "123");
}

TEST_CASE("Receiver frames a body in chunks, in broken chunks and by the close", "[receiver]") {
  Receiver receiver;
  receiver.set_rules(
      {rule_of("path=/chunks;body=12345;framing=chunked"),
       rule_of("path=/broken;body=12345;framing=chunked-garbage"),
       rule_of("path=/close;body=12345;framing=until-close"),
       rule_of("path=/half;body=123456;framing=chunked;stop-at=mid-body;stop-action=close")});
  Client client;
  const Answer chunks = client.post(receiver.url("/chunks"));
  CHECK(chunks.code == CURLE_OK);
  CHECK(chunks.body == "12345");
  const Answer broken = client.post(receiver.url("/broken"));
  CHECK(broken.code == CURLE_RECV_ERROR);
  CHECK(broken.body == "12345");
  const Answer closed = client.post(receiver.url("/close"));
  CHECK(closed.code == CURLE_OK);
  CHECK(closed.body == "12345");
  const Answer half = client.post(receiver.url("/half"));
  CHECK(half.code == CURLE_PARTIAL_FILE);
  CHECK(half.body == "123");
}

TEST_CASE("Receiver closes after an answer, with a word or without", "[receiver]") {
  Receiver receiver;
  Client client;
  SECTION("announced") {
    receiver.set_default({.keep_alive = KeepAlive::No});
    const Answer answer = client.post(receiver.url());
    CHECK(answer.head.find("Connection: close") != std::string::npos);
  }
  SECTION("silently") {
    receiver.set_default({.keep_alive = KeepAlive::SilentClose});
    const Answer answer = client.post(receiver.url());
    CHECK(answer.head.find("Connection: close") == std::string::npos);
  }
  REQUIRE(receiver.log().wait_for_end(0, kPatience));
  CHECK(client.post(receiver.url()).status == 200);
  CHECK(receiver.log().connections().size() == 2);
  CHECK(receiver.log().connections()[0].ending == Ending::ReceiverClosed);
}

TEST_CASE("Receiver gives no answer but an end, or garbage", "[receiver]") {
  Receiver receiver;
  receiver.set_rules({rule_of("path=/close;stop-at=before-head;stop-action=close"),
                      rule_of("path=/reset;stop-at=before-head;stop-action=reset"),
                      rule_of("path=/garbage;raw=this is no HTTP at all, not even close")});
  CHECK(post_once(receiver, "/close").code == CURLE_GOT_NOTHING);
  CHECK(post_once(receiver, "/reset").code == CURLE_RECV_ERROR);
  CHECK(post_once(receiver, "/garbage").code == CURLE_UNSUPPORTED_PROTOCOL);  // HTTP/0.9
  CHECK(receiver.log().requests().at(2).answered_status == 0);
}

TEST_CASE("Receiver ends or spoils a connection as soon as it is accepted", "[receiver]") {
  Receiver receiver;
  receiver.set_accept_fault(GENERATE(AcceptFault::Close, AcceptFault::Reset, AcceptFault::Garbage));
  const Answer answer = post_once(receiver);
  CHECK(answer.code != CURLE_OK);
  CHECK(answer.code != CURLE_OPERATION_TIMEDOUT);
  CHECK(answer.status == 0);
  CHECK(receiver.log().requests().empty());
}

TEST_CASE("Receiver refuses what is no request", "[receiver]") {
  Receiver receiver;
  Client client;
  SECTION("a head above its limit") {
    client.header("X-Long: " + std::string(100'000, 'h'));
    CHECK(client.post(receiver.url()).status == 431);
  }
  SECTION("a header without a colon") {
    client.set(CURLOPT_CUSTOMREQUEST, "POST / HTTP/1.1\r\nbroken line\r\nX:");
    CHECK(client.post(receiver.url()).status == 400);
  }
  CHECK(receiver.log().totals().requests == 0);
}

TEST_CASE("Receiver speaks TLS with a certificate that libcurl accepts or refuses", "[receiver]") {
  const CertificateDirectory folder;
  Client client;
  client.set(CURLOPT_CAINFO, folder.ca_file().c_str());
  SECTION("good, by address and by name") {
    Receiver receiver({.tls = ReceiverTls{make_server_certificate(folder.authority())}});
    CHECK(client.post(receiver.url()).status == 200);
    const std::string by_name = "https://localhost:" + std::to_string(receiver.port());
    CHECK(client.post(by_name).status == 200);
    CHECK(receiver.log().connections().at(0).tls_version == "TLSv1.3");
  }
  SECTION("of an unknown authority") {
    const Certificate stranger = make_authority("Stranger");
    Receiver receiver({.tls = ReceiverTls{make_server_certificate(stranger)}});
    CHECK(client.post(receiver.url()).code == CURLE_PEER_FAILED_VERIFICATION);
    const auto connection = receiver.log().wait_for_end(0, kPatience);
    REQUIRE(connection);
    CHECK_FALSE(connection->tls_error.empty());
  }
  SECTION("expired") {
    Receiver receiver({.tls = ReceiverTls{make_expired_server_certificate(folder.authority())}});
    CHECK(client.post(receiver.url()).code == CURLE_PEER_FAILED_VERIFICATION);
  }
  SECTION("for another name") {
    const Certificate other = make_server_certificate(
        folder.authority(),
        {.common_name = "other", .dns_names = {"other.test"}, .ip_addresses = {}});
    Receiver receiver({.tls = ReceiverTls{other}});
    CHECK(client.post(receiver.url()).code == CURLE_PEER_FAILED_VERIFICATION);
  }
  SECTION("and can stall before the handshake") {
    Receiver receiver({.tls = ReceiverTls{make_server_certificate(folder.authority())}});
    receiver.set_accept_fault(AcceptFault::NeverRead);
    CHECK(client.set(CURLOPT_TIMEOUT_MS, 200L).post(receiver.url()).code ==
          CURLE_OPERATION_TIMEDOUT);
    CHECK(receiver.log().wait_for_end(0, kPatience)->ended_by_peer());
  }
}

TEST_CASE("Receiver demands client certificates", "[receiver]") {
  const CertificateDirectory folder;
  const Certificate& authority = folder.authority();
  folder.write("client", make_client_certificate(authority, "mail server 1"));
  Receiver receiver({.tls = ReceiverTls{make_server_certificate(authority),
                                        ClientCertificates::Required, authority.certificate_pem}});
  Client without;
  without.set(CURLOPT_CAINFO, folder.ca_file().c_str());
  CHECK(without.post(receiver.url()).code != CURLE_OK);
  Client with;
  with.set(CURLOPT_CAINFO, folder.ca_file().c_str());
  with.set(CURLOPT_SSLCERT, folder.certificate_file("client").c_str());
  with.set(CURLOPT_SSLKEY, folder.key_file("client").c_str());
  CHECK(with.post(receiver.url()).status == 200);
  CHECK(receiver.log().connections().at(1).client_common_name == "mail server 1");
  CHECK_FALSE(receiver.log().connections().at(0).tls_error.empty());
}

TEST_CASE("Receiver survives peers that leave in mid-answer under TLS without a SIGPIPE",
          "[receiver]") {
  const CertificateDirectory folder;
  Receiver receiver({.tls = ReceiverTls{make_server_certificate(folder.authority())}});
  receiver.set_default({.endless = true});
  for (size_t i = 0; i < 10; ++i) {
    Client client;
    client.set(CURLOPT_CAINFO, folder.ca_file().c_str()).set(CURLOPT_TIMEOUT_MS, 50L);
    CHECK(client.post(receiver.url()).code == CURLE_OPERATION_TIMEDOUT);
  }
  for (size_t i = 0; i < 10; ++i) {
    const auto connection = receiver.log().wait_for_end(i, kPatience);
    REQUIRE(connection);
    CHECK(connection->ended_by_peer());
  }
}

TEST_CASE("Receiver serves 300 connections at once", "[receiver]") {
  constexpr size_t kCount = 300;
  Receiver receiver;
  // Answers only when all have arrived, so they are open together.
  receiver.set_decide([&](const Request&) {
    return Reply{.status = receiver.log().wait_for_requests(kCount, kPatience) ? 200 : 500};
  });
  CURLM* multi = curl_multi_init();
  const std::string url = receiver.url();
  std::string answers;
  std::vector<std::unique_ptr<Client>> clients;
  for (size_t i = 0; i < kCount; ++i) {
    Client& client = *clients.emplace_back(std::make_unique<Client>());
    client.set(CURLOPT_URL, url.c_str()).set(CURLOPT_POSTFIELDS, "[]");
    client.set(CURLOPT_WRITEDATA, &answers).set(CURLOPT_HEADERDATA, &answers);
    client.set(CURLOPT_TIMEOUT_MS, 30'000L);
    curl_multi_add_handle(multi, client.handle());
  }
  for (int running = 1; running > 0;) {
    REQUIRE(curl_multi_perform(multi, &running) == CURLM_OK);
    REQUIRE(curl_multi_poll(multi, nullptr, 0, 100, nullptr) == CURLM_OK);
  }
  for (const auto& client : clients) curl_multi_remove_handle(multi, client->handle());
  curl_multi_cleanup(multi);
  CHECK(receiver.log().connections().size() == kCount);
  CHECK(receiver.log().wait_for_requests(kCount, 0s));
  for (const auto& client : clients) {
    long status = 0;
    curl_easy_getinfo(client->handle(), CURLINFO_RESPONSE_CODE, &status);
    REQUIRE(status == 200);
  }
}

TEST_CASE("Receiver counts and hashes bodies that it does not keep", "[receiver]") {
  std::atomic<int> calls = 0;
  Receiver receiver({.record_bodies = false,
                     .records_max = 2,
                     .on_request = [&](const Request& request) { calls += request.body.empty(); }});
  std::string body = "[";
  for (size_t i = 0; i < 10'000; ++i) {
    body += "{\"msys\":{\"number\":" + std::to_string(i) + "}},";
  }
  body.back() = ']';
  Client client;
  for (size_t i = 0; i < 3; ++i) client.post(receiver.url(), body);
  REQUIRE(receiver.log().wait_for_accepted_events(30'000, kPatience));
  CHECK(receiver.log().totals().body_bytes == 3 * body.size());
  CHECK(calls == 3);
  const std::vector<Request> requests = receiver.log().requests();
  REQUIRE(requests.size() == 2);
  CHECK(requests[0].body.empty());
  CHECK(requests[0].body_size_bytes == body.size());
  CHECK(requests[0].body_hash == requests[1].body_hash);
  // A marker rule still sees the body, and the record still has none.
  receiver.fail_while_body_contains("\"number\":9999}", 400);
  CHECK(client.post(receiver.url(), body).status == 400);
}

TEST_CASE("Receiver frees its port when stopped, also with connections open", "[receiver]") {
  auto first = std::make_unique<Receiver>();
  const uint16_t port = first->port();
  Client client;
  CHECK(client.post(first->url()).status == 200);
  first->stop();
  first->stop();
  CHECK(client.post(first->url()).code == CURLE_COULDNT_CONNECT);
  first.reset();
  Receiver second({.port = port});
  CHECK(client.post(second.url()).status == 200);
  CHECK_THROWS_AS(Receiver({.port = port}), std::runtime_error);
}

TEST_CASE("Receiver listens on the IPv6 loopback when told", "[receiver]") {
  Receiver receiver({.ipv6 = true});
  CHECK(receiver.url("/x") == "http://[::1]:" + std::to_string(receiver.port()) + "/x");
  CHECK(post_once(receiver).status == 200);
}

TEST_CASE("posthaste-receiver serves by its rules, prints, records and ends on SIGTERM",
          "[receiver]") {
  const CertificateDirectory folder;
  int output[2];
  REQUIRE(pipe(output) == 0);
  const std::string record_file = folder.path() + "/record";
  const pid_t child = fork();
  if (child == 0) {
    dup2(output[1], STDOUT_FILENO);
    execl(POSTHASTE_RECEIVER_PROGRAM, "posthaste-receiver", "--tls", "--certificates",
          folder.path().c_str(), "--rule", "path=/busy;status=503", "--print", "--record",
          record_file.c_str(), "--client-certificate", nullptr);
    _exit(127);
  }
  close(output[1]);
  FILE* lines = fdopen(output[0], "r");
  unsigned port = 0;
  REQUIRE(fscanf(lines, "listening 127.0.0.1:%u", &port) == 1);

  Client client;
  client.set(CURLOPT_CAINFO, folder.ca_file().c_str());
  client.set(CURLOPT_SSLCERT, folder.certificate_file("client").c_str());
  client.set(CURLOPT_SSLKEY, folder.key_file("client").c_str());
  const std::string url = "https://127.0.0.1:" + std::to_string(port);
  CHECK(client.post(url + "/busy").status == 503);
  CHECK(client.post(url + "/free").status == 200);
  kill(child, SIGTERM);
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
  std::string printed(4096, '\0');
  printed.resize(fread(printed.data(), 1, printed.size(), lines));
  fclose(lines);
  CHECK(printed.find("POST /busy\nHost: ") != std::string::npos);
  CHECK(printed.find("received 2 requests, 2 events") != std::string::npos);
  std::ifstream record(record_file);
  std::string line;
  REQUIRE(std::getline(record, line));
  CHECK(line.find("\"target\":\"/busy\"") != std::string::npos);
}

TEST_CASE("Receiver takes more than 500 MB/s of bodies when it only counts", "[.speed][receiver]") {
  Receiver receiver({.record_bodies = false});
  std::string body;
  while (body.size() < 5'000'000) body += "{\"msys\":{\"" + std::string(480, 'f') + "\":1}},";
  Client client;
  client.header("Expect:").set(CURLOPT_UPLOAD_BUFFERSIZE, 512L * 1024);
  const Clock::time_point start = Clock::now();
  for (size_t i = 0; i < 200; ++i) REQUIRE(client.post(receiver.url(), body).status == 200);
  const std::chrono::duration<double> took = Clock::now() - start;
  const double rate = static_cast<double>(200 * body.size()) / took.count() / 1e6;
  WARN(rate << " MB/s");
  CHECK(rate > 500);
}
