// Tracking links as a host uses them: made, followed, and their events at a receiver.
#include <posthaste/engagement.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "support/host.h"
#include "support/receiver.h"

using namespace posthaste::testing;

namespace {

constexpr char kUrl[] = "https://links.test/mail";
constexpr char kKey[] = "a-key-of-this-test-only";
constexpr char kContext[] =
    R"({"message_id":"m1","rcpt_to":"a@b.test","friendly_from":"c@d.test","subject":"Hi"})";
constexpr char kBrowser[] = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101";

using ResponseHandle = std::unique_ptr<posthaste_response_t, Releaser<posthaste_response_free>>;
using RequestHandle = std::unique_ptr<posthaste_request_t, Releaser<posthaste_request_free>>;

// One set of keys, and one request after the other for its links.
class Links {
 public:
  explicit Links(const char* keys = kKey, const char* length_max = "2000")
      : error_(posthaste_error_new()) {
    const std::unique_ptr<posthaste_engagement_conf_t, Releaser<posthaste_engagement_conf_free>>
        conf(posthaste_engagement_conf_new());
    for (const auto& [key, value] :
         {std::pair{"url", kUrl}, {"keys", keys}, {"url.max_length", length_max}}) {
      must(posthaste_engagement_conf_set(conf.get(), key, value, error_.get()));
    }
    must(posthaste_engagement_new(conf.get(), &links_, error_.get()));
  }
  ~Links() { posthaste_engagement_free(links_); }
  Links(const Links&) = delete;
  Links& operator=(const Links&) = delete;

  int32_t try_url(int32_t kind, const char* context, const char* target = nullptr,
                  const char* name = nullptr) {
    posthaste_text_t* text = nullptr;
    const int32_t code =
        posthaste_engagement_url(links_, kind, context, target, name, &text, error_.get());
    url_ = TextHandle(text);
    return code;
  }
  std::string url(int32_t kind, const char* target = nullptr, const char* context = kContext) {
    must(try_url(kind, context, target));
    return posthaste_text_data(url_.get());
  }
  std::string rewrite(std::string_view html, int32_t parts = POSTHASTE_REWRITE_ALL) {
    posthaste_text_t* text = nullptr;
    must(posthaste_engagement_rewrite(links_, html.data(), html.size(), kContext, parts, &text,
                                      error_.get()));
    const TextHandle owner(text);
    return {posthaste_text_data(text), posthaste_text_size(text)};
  }

  ResponseHandle ask(const Host& host, const std::string& url, const char* method = "GET",
                     std::string_view body = {}, const char* agent = kBrowser) {
    const RequestHandle request(posthaste_request_new(method, url.c_str() + url.find("/mail")));
    posthaste_request_add_header(request.get(), "User-Agent", agent);
    posthaste_request_add_header(request.get(), "Accept-Language", "nb");
    posthaste_request_set_peer(request.get(), "192.0.2.7");
    posthaste_request_set_body(request.get(), body.data(), body.size());
    posthaste_response_t* response = nullptr;
    must(posthaste_engagement_handle(links_, host.get(), request.get(), 10'000, &response,
                                     error_.get()));
    return ResponseHandle(response);
  }
  int status(const Host& host, const std::string& url, const char* method = "GET",
             std::string_view body = {}, const char* agent = kBrowser) {
    return posthaste_response_status(ask(host, url, method, body, agent).get());
  }
  const char* message() const { return posthaste_error_message(error_.get()); }

 private:
  void must(int32_t code) const {
    if (code != POSTHASTE_OK) throw std::runtime_error(message());
  }

  const ErrorHandle error_;
  posthaste_engagement_t* links_ = nullptr;
  TextHandle url_;
};

std::string header_of(const ResponseHandle& response, std::string_view name) {
  for (size_t i = 0; i < posthaste_response_header_count(response.get()); ++i) {
    if (posthaste_response_header_name(response.get(), i) == name) {
      return posthaste_response_header_value(response.get(), i);
    }
  }
  return {};
}

size_t count_of(std::string_view text, std::string_view part) {
  size_t count = 0;
  for (size_t at = 0; (at = text.find(part, at)) != std::string_view::npos; at += part.size()) {
    ++count;
  }
  return count;
}

// Text that cannot be packed small.
std::string noise() {
  std::mt19937 random;
  std::string text;
  while (text.size() < 2000) text += static_cast<char>('a' + random() % 26);
  return text;
}

// An engine whose events all come to one place.
struct Told {
  Told() { host.put("w", receiver.url()).start(); }

  std::string all() {
    host.must(host.flush());
    std::string bodies;
    for (const Request& request : receiver.log().requests()) bodies += request.body;
    return bodies;
  }
  size_t count(const std::string& type) { return count_of(all(), "\"type\":\"" + type + "\""); }

  Receiver receiver;
  Host host;
};

}  // namespace

TEST_CASE("Each kind of link tells its event with what the visitor's request said",
          "[integration][engagement]") {
  Told told;
  Links links;
  const ResponseHandle pixel = links.ask(told.host, links.url(POSTHASTE_LINK_OPEN));
  CHECK(posthaste_response_status(pixel.get()) == 200);
  CHECK(header_of(pixel, "Content-Type") == "image/gif");
  CHECK(header_of(pixel, "Cache-Control") == "no-store");
  CHECK(header_of(pixel, "Referrer-Policy") == "no-referrer");
  const std::string open = told.all();
  CHECK(open.find(R"([{"msys":{"track_event":{)") == 0);
  for (const char* part :
       {R"("type":"open")", R"("message_id":"m1")", R"("rcpt_to":"a@b.test")",
        R"("recipient_domain":"b.test")", R"("ip_address":"192.0.2.7")",
        R"("accept_language":"nb")", R"("is_mobile":false)", R"("is_prefetched":false)",
        R"("is_proxy":false)", R"("user_agent":"Mozilla/5.0 (X11;)"}) {
    CAPTURE(part);
    CHECK(open.find(part) != std::string::npos);
  }
  CHECK(links.status(told.host, links.url(POSTHASTE_LINK_INITIAL_OPEN)) == 200);
  const ResponseHandle click =
      links.ask(told.host, links.url(POSTHASTE_LINK_CLICK, "https://shop.test/?a=1&b=2"));
  CHECK(posthaste_response_status(click.get()) == 302);
  CHECK(header_of(click, "Location") == "https://shop.test/?a=1&b=2");
  CHECK(links.status(told.host, links.url(POSTHASTE_LINK_UNSUBSCRIBE, "https://shop.test/bye")) ==
        302);
  CHECK(links.status(told.host, links.url(POSTHASTE_LINK_LIST_UNSUBSCRIBE), "POST",
                     "List-Unsubscribe=One-Click") == 200);
  const std::string all = told.all();
  CHECK(count_of(all, "\"unsubscribe_event\":{") == 2);
  CHECK(count_of(all, "\"track_event\":{") == 3);
  CHECK(count_of(all, R"("target_link_url":"https://shop.test/?a=1&b=2")") == 1);
  for (const char* type :
       {"open", "initial_open", "click", "link_unsubscribe", "list_unsubscribe"}) {
    CAPTURE(type);
    CHECK(told.count(type) == 1);
  }
}

TEST_CASE("A link that was forged or altered is answered 404 and tells nothing",
          "[integration][engagement]") {
  Told told;
  Links links;
  Links others("another-key-of-this-test");
  const std::string url = links.url(POSTHASTE_LINK_CLICK, "https://shop.test/");
  for (size_t i = url.find("/t/") + 3; i < url.size(); ++i) {
    std::string altered = url;
    altered[i] = altered[i] == 'A' ? 'B' : 'A';
    CHECK(links.status(told.host, altered) == 404);
  }
  for (const std::string& forged :
       {others.url(POSTHASTE_LINK_CLICK, "https://evil.test/"), url.substr(0, url.size() - 1),
        url + "A", url + "/", url + "%41", std::string(kUrl) + "/t/",
        std::string(kUrl) + "/t/https://evil.test/",
        std::string(kUrl) + "/t/" + std::string(7000, 'A'),
        std::string(kUrl) + "/t/" + std::string(1 << 20, 'A'), url.substr(0, url.find("/t/")),
        std::string(kUrl) + "/t/%00"}) {
    CAPTURE(forged.substr(0, 100));
    const ResponseHandle response = links.ask(told.host, forged);
    CHECK(posthaste_response_status(response.get()) == 404);
    CHECK(header_of(response, "Location").empty());
  }
  CHECK(told.all().empty());
}

TEST_CASE("No query, header or body changes where a link leads", "[integration][engagement]") {
  Told told;
  Links links;
  const std::string url = links.url(POSTHASTE_LINK_CLICK, "https://shop.test/");
  for (const char* more : {"?url=https://evil.test/", "?target=//evil.test", "?x=%0d%0aLocation:y",
                           "#https://evil.test/", "?", "?//evil.test/t/x"}) {
    CAPTURE(more);
    CHECK(header_of(links.ask(told.host, url + more), "Location") == "https://shop.test/");
  }
}

TEST_CASE("Targets that a browser would read as something else are not made into links",
          "[integration][engagement]") {
  Links links;
  for (const char* target : {"",
                             "javascript:alert(1)",
                             "JavaScript:alert(1)",
                             "data:text/html,x",
                             "//evil.test/",
                             "/path",
                             "https:",
                             "https://",
                             "https:///evil.test",
                             "https:/evil.test",
                             "ftp://a.test/",
                             "https://a.test/\r\nSet-Cookie: x",
                             "https://a.test/\n",
                             " https://a.test/",
                             "https://a.test/\x01",
                             "https://a.test/\xff",
                             "https://\\evil.test/",
                             "https://?x",
                             "mailto:a@b.test",
                             "\thttps://a.test/"}) {
    CAPTURE(target);
    CHECK(links.try_url(POSTHASTE_LINK_CLICK, kContext, target) == POSTHASTE_E_BAD_TARGET);
    CHECK(links.try_url(POSTHASTE_LINK_UNSUBSCRIBE, kContext, target) == POSTHASTE_E_BAD_TARGET);
  }
  CHECK(links.try_url(POSTHASTE_LINK_CLICK, kContext) == POSTHASTE_E_BAD_TARGET);
}

TEST_CASE("A target leads where it was signed for, in any writing", "[integration][engagement]") {
  Told told;
  Links links;
  // Whoever signs decides; what follows the host is the target's own.
  for (const auto& [target, location] :
       {std::pair{"https://user:x@shop.test/", "https://user:x@shop.test/"},
        {"HTTPS://Shop.test/\xc3\xa9 <x>\"", "HTTPS://Shop.test/%C3%A9%20%3Cx%3E%22"},
        {"https://shop.test/%0d%0aX:y", "https://shop.test/%0d%0aX:y"},
        {"http://[::1]:8080/#part", "http://[::1]:8080/#part"}}) {
    CAPTURE(target);
    CHECK(header_of(links.ask(told.host, links.url(POSTHASTE_LINK_CLICK, target)), "Location") ==
          location);
  }
}

TEST_CASE("A key that was taken out ends its links, and one in second place does not",
          "[integration][engagement]") {
  Told told;
  const std::string url = Links("first-key-of-this-test").url(POSTHASTE_LINK_OPEN);
  Links rotated("second-key-of-this-test, first-key-of-this-test");
  Links ended("second-key-of-this-test");
  CHECK(rotated.status(told.host, url) == 200);
  CHECK(ended.status(told.host, url) == 404);
  CHECK(ended.status(told.host, rotated.url(POSTHASTE_LINK_OPEN)) == 200);
  CHECK(told.count("open") == 2);
}

TEST_CASE("An initial open is told once for each message and recipient, machines apart",
          "[integration][engagement]") {
  Told told;
  Links links;
  const std::string first = links.url(POSTHASTE_LINK_INITIAL_OPEN);
  const std::string second = links.url(POSTHASTE_LINK_INITIAL_OPEN, nullptr,
                                       R"({"message_id":"m1","rcpt_to":"other@b.test"})");
  for (int i = 0; i < 3; ++i) {
    CHECK(links.status(told.host, first, "GET", {}, "Mozilla/5.0") == 200);
    CHECK(links.status(told.host, first) == 200);
    CHECK(links.status(told.host, second) == 200);
  }
  CHECK(told.count("initial_open") == 3);
  CHECK(count_of(told.all(), R"("is_prefetched":true)") == 1);
  for (int i = 0; i < 3; ++i) links.status(told.host, links.url(POSTHASTE_LINK_OPEN));
  CHECK(told.count("open") == 3);
}

TEST_CASE("Of many first opens at the same moment one is told", "[integration][engagement]") {
  Told told;
  Links links;
  std::vector<std::string> urls;
  for (int i = 0; i < 50; ++i) {
    urls.push_back(links.url(POSTHASTE_LINK_INITIAL_OPEN, nullptr,
                             ("{\"message_id\":\"" + std::to_string(i) + "\"}").c_str()));
  }
  std::vector<std::thread> threads;
  std::atomic<int> ready{0};
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      ++ready;
      while (ready < 4) std::this_thread::yield();
      Links mine;
      for (const std::string& url : urls) {
        links.status(told.host, url);
        mine.rewrite("<a href='https://shop.test/'>x</a>");
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(told.count("initial_open") == 50);
}

TEST_CASE("An initial open that could not be told is told later", "[integration][engagement]") {
  Receiver receiver;
  Links links;
  const std::string url = links.url(POSTHASTE_LINK_INITIAL_OPEN);
  Host closed;
  closed.put("w", receiver.url()).start();
  closed.must(closed.close());
  CHECK(links.status(closed, url) == 200);
  Told told;
  CHECK(links.status(told.host, url) == 200);
  CHECK(told.count("initial_open") == 1);
}

TEST_CASE(
    "Visitors are answered when events cannot be queued, but nobody is told to be unsubscribed",
    "[integration][engagement]") {
  Receiver receiver;
  Links links;
  Host host;
  host.put("w", receiver.url()).start();
  host.must(host.close());
  CHECK(links.status(host, links.url(POSTHASTE_LINK_OPEN)) == 200);
  CHECK(links.status(host, links.url(POSTHASTE_LINK_CLICK, "https://shop.test/")) == 302);
  const ResponseHandle refused = links.ask(host, links.url(POSTHASTE_LINK_LIST_UNSUBSCRIBE), "POST",
                                           "List-Unsubscribe=One-Click");
  CHECK(posthaste_response_status(refused.get()) == 503);
  CHECK(header_of(refused, "Retry-After") == "60");
}

TEST_CASE("Asking for an unsubscribe page unsubscribes nobody", "[integration][engagement]") {
  Told told;
  Links links;
  const std::string list = links.url(POSTHASTE_LINK_LIST_UNSUBSCRIBE);
  for (const char* method : {"GET", "HEAD"}) {
    const ResponseHandle page = links.ask(told.host, list, method);
    CHECK(posthaste_response_status(page.get()) == 200);
    CHECK(header_of(page, "Content-Type") == "text/html; charset=utf-8");
  }
  for (const char* body : {"", "x=y", "List-Unsubscribe=No"}) {
    CHECK(links.status(told.host, list, "POST", body) == 400);
  }
  CHECK(told.all().empty());
  // A robot that follows the link of the text is a click.
  const std::string link = links.url(POSTHASTE_LINK_UNSUBSCRIBE, "https://shop.test/bye");
  CHECK(links.status(told.host, link, "HEAD") == 302);
  CHECK(links.status(told.host, link, "GET", {}, "Linkbot/1.0") == 302);
  CHECK(told.count("click") == 2);
  CHECK(told.count("link_unsubscribe") == 0);
}

TEST_CASE("Other methods are refused with those that are allowed", "[integration][engagement]") {
  Told told;
  Links links;
  const auto allowed = [&](const std::string& url, const char* method) {
    const ResponseHandle response = links.ask(told.host, url, method, "x");
    CHECK(posthaste_response_status(response.get()) == 405);
    return header_of(response, "Allow");
  };
  for (const char* method : {"POST", "PUT", "DELETE", "OPTIONS", "TRACE", "get"}) {
    CAPTURE(method);
    CHECK(allowed(links.url(POSTHASTE_LINK_OPEN), method) == "GET, HEAD");
    CHECK(allowed(links.url(POSTHASTE_LINK_CLICK, "https://shop.test/"), method) == "GET, HEAD");
  }
  CHECK(allowed(links.url(POSTHASTE_LINK_LIST_UNSUBSCRIBE), "PUT") == "GET, HEAD, POST");
  CHECK(told.all().empty());
}

TEST_CASE("Every URL that a rewritten text got is a link, and a second run adds none",
          "[integration][engagement]") {
  Told told;
  Links links;
  const std::string once = links.rewrite(
      "<html><body><a href='https://shop.test/'>a</a><a data-msys-unsubscribe=1 "
      "href='https://shop.test/bye'>b</a><a href='mailto:x@y.test'>c</a></body></html>");
  CHECK(links.rewrite(once) == once);
  size_t count = 0;
  for (size_t at = 0; (at = once.find(kUrl, at)) != std::string::npos; ++count) {
    const size_t end = once.find('"', at);
    CHECK(links.status(told.host, once.substr(at, end - at)) < 400);
    at = end;
  }
  CHECK(count == 4);
  for (const char* type : {"open", "initial_open", "click", "link_unsubscribe"}) {
    CAPTURE(type);
    CHECK(told.count(type) == 1);
  }
  CHECK(count_of(told.all(), R"("click_tracking":true)") == 4);
}

TEST_CASE("A context that makes links too long is cut to what names message and recipient",
          "[integration][engagement]") {
  Told told;
  Links links(kKey, "600");
  std::string context = R"({"message_id":"m1","rcpt_to":"a@b.test","rcpt_meta":{"x":")";
  context += noise() + "\"}}";
  const std::string url = links.url(POSTHASTE_LINK_OPEN, nullptr, context.c_str());
  CHECK(url.size() <= 600);
  CHECK(links.status(told.host, url) == 200);
  CHECK(told.all().find(R"("message_id":"m1")") != std::string::npos);
  CHECK(told.all().find("rcpt_meta") == std::string::npos);
  const std::string target = "https://shop.test/" + noise();
  CHECK(links.try_url(POSTHASTE_LINK_CLICK, kContext, target.c_str()) == POSTHASTE_E_TOO_LARGE);
  const std::string html = "<a href=\"" + target + "\">";
  CHECK(links.rewrite(html, POSTHASTE_REWRITE_LINKS) == html);
}

TEST_CASE("What cannot be a link is refused with what is wrong", "[integration][engagement]") {
  Links links;
  for (const int32_t kind : {0, -1, 6, INT32_MAX}) {
    CHECK(links.try_url(kind, kContext) == POSTHASTE_E_INVALID);
  }
  CHECK(links.try_url(POSTHASTE_LINK_OPEN, "x") == POSTHASTE_E_BAD_JSON);
  CHECK(links.try_url(POSTHASTE_LINK_OPEN, "[]") == POSTHASTE_E_BAD_JSON);
  CHECK(std::string(links.message()) == "context: not a JSON object");
  CHECK(links.try_url(POSTHASTE_LINK_OPEN, R"({"message_id":{}})") == POSTHASTE_E_BAD_FIELD);
  CHECK_THROWS(links.rewrite("x", 8));
  CHECK(links.rewrite("", 0).empty());
}

TEST_CASE("A forked child goes on with the same links", "[integration][engagement]") {
  Links links;
  const std::string url = links.url(POSTHASTE_LINK_OPEN);
  const pid_t child = fork();
  if (child == 0) {
    Receiver receiver;
    Host host;
    host.put("w", receiver.url()).start();
    const bool is_same = links.url(POSTHASTE_LINK_OPEN) == url;
    const bool is_answered = links.status(host, url) == 200;
    host.must(host.flush());
    _exit(is_same && is_answered && receiver.log().requests().size() == 1 ? 0 : 1);
  }
  int status = -1;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(status == 0);
}
