#include "engagement/hit.h"

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include "engagement/seen_table.h"
#include "engagement/settings.h"

using namespace posthaste::engagement;

namespace {

struct Free {
  void operator()(posthaste_request_t* request) const { posthaste_request_free(request); }
};
using Request = std::unique_ptr<posthaste_request_t, Free>;
using Headers = std::vector<std::pair<const char*, const char*>>;

Request request_of(const char* method, const char* target, const Headers& headers = {}) {
  Request request(posthaste_request_new(method, target));
  for (const auto& [name, value] : headers) {
    posthaste_request_add_header(request.get(), name, value);
  }
  return request;
}

std::string token_of(const char* target) {
  const Request request = request_of("GET", target);
  return std::string(Hit(request.get()).token());
}

Hints hints_of(const Headers& headers, const char* method = "GET") {
  const Request request = request_of(method, "/", headers);
  return Hit(request.get()).hints();
}

std::string address_of(const Headers& headers, const char* peer = "10.0.0.1") {
  const Request request = request_of("GET", "/", headers);
  posthaste_request_set_peer(request.get(), peer);
  return Hit(request.get()).client_address({"10.0.0.1", "10.0.0.2"});
}

bool is_one_click(const std::string& body, const char* type = "application/x-www-form-urlencoded") {
  const Request request = request_of("POST", "/", {{"content-type", type}});
  posthaste_request_set_body(request.get(), body.data(), body.size());
  return Hit(request.get()).is_one_click();
}

constexpr char kBrowser[] =
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0";
constexpr char kPhone[] =
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148";

}  // namespace

TEST_CASE("A token is what follows /t/ at the end of the path", "[engagement][hit]") {
  CHECK(token_of("/t/abc") == "abc");
  CHECK(token_of("/mail/t/abc?x=1") == "abc");
  CHECK(token_of("/t/abc#x") == "abc");
  CHECK(token_of("http://a.test/t/abc") == "abc");
  for (const char* target :
       {"/t/", "/t", "/abc", "", "/x/abc", "/t/abc/", "/xt/abc", "/t/a/b", "*"}) {
    CAPTURE(target);
    CHECK(token_of(target).empty());
  }
}

TEST_CASE("A browser is no machine, and says whether it is mobile", "[engagement][hit]") {
  const Hints desk = hints_of({{"User-Agent", kBrowser}});
  CHECK_FALSE(desk.is_prefetched);
  CHECK_FALSE(desk.is_declared);
  CHECK_FALSE(desk.is_proxy);
  CHECK(desk.is_mobile == false);
  CHECK(hints_of({{"user-agent", kPhone}}).is_mobile == true);
  CHECK(hints_of({{"user-agent", kBrowser}, {"Sec-CH-UA-Mobile", "?1"}}).is_mobile == true);
  CHECK_FALSE(hints_of({}).is_mobile);
  const Hints rare = hints_of({{"User-Agent", "Mozilla/5.0 (Linux; Android 9; CUBOT_X19) Mobile"}});
  CHECK_FALSE(rare.is_prefetched);
}

TEST_CASE("Whoever says to be a machine is one", "[engagement][hit]") {
  CHECK(hints_of({{"User-Agent", kBrowser}}, "HEAD").is_declared);
  const Headers declared = {{"Sec-Purpose", "prefetch;prerender"},
                            {"Purpose", "prefetch"},
                            {"X-Purpose", "preview"},
                            {"X-Moz", "prefetch"},
                            {"User-Agent", "Mozilla/5.0 (compatible; Googlebot/2.1)"},
                            {"User-Agent", "Slackbot-LinkExpanding 1.0"},
                            {"User-Agent", "BarracudaCentral"},
                            {"User-Agent", "HeadlessChrome/120"},
                            {"User-Agent", "SkypeUriPreview Preview/0.5"}};
  for (const auto& header : declared) {
    CAPTURE(header.first, header.second);
    const Hints hints = hints_of({{"Accept", "*/*"}, header});
    CHECK(hints.is_declared);
    CHECK(hints.is_prefetched);
  }
}

TEST_CASE("Tools and programs without a name are machines that have not said so",
          "[engagement][hit]") {
  for (const char* agent : {"curl/7.88.1", "python-requests/2.31", "Go-http-client/1.1", ""}) {
    CAPTURE(agent);
    const Hints hints = hints_of({{"User-Agent", agent}});
    CHECK(hints.is_prefetched);
    CHECK_FALSE(hints.is_declared);
    CHECK_FALSE(hints.is_proxy);
  }
}

TEST_CASE("Image proxies are told, and which of them load before a person does",
          "[engagement][hit]") {
  const Hints google = hints_of(
      {{"User-Agent", "Mozilla/5.0 (Windows NT 5.1; rv:11.0) (via ggpht.com GoogleImageProxy)"}});
  CHECK(google.is_proxy);
  CHECK_FALSE(google.is_prefetched);
  CHECK(hints_of({{"User-Agent", "YahooMailProxy; https://help.yahoo.com"}}).is_proxy);
  const Hints apple = hints_of({{"User-Agent", "Mozilla/5.0"}});
  CHECK(apple.is_proxy);
  CHECK(apple.is_prefetched);
  CHECK_FALSE(apple.is_declared);
}

TEST_CASE("Only proxies of the list are believed about the client's address", "[engagement][hit]") {
  CHECK(address_of({}) == "10.0.0.1");
  CHECK(address_of({{"X-Forwarded-For", "192.0.2.7"}}) == "192.0.2.7");
  CHECK(address_of({{"X-Forwarded-For", "198.51.100.1, 192.0.2.7"}}) == "192.0.2.7");
  CHECK(address_of({{"X-Forwarded-For", "192.0.2.7, 10.0.0.2"}}) == "192.0.2.7");
  CHECK(address_of({{"x-forwarded-for", "192.0.2.7"}, {"X-Forwarded-For", "10.0.0.2"}}) ==
        "192.0.2.7");
  CHECK(address_of({{"X-Forwarded-For", "2001:db8::1"}}) == "2001:db8::1");
  CHECK(address_of({{"X-Forwarded-For", "192.0.2.7, <script>"}}) == "10.0.0.1");
  CHECK(address_of({{"X-Forwarded-For", ""}}) == "10.0.0.1");
  CHECK(address_of({{"X-Forwarded-For", ",,"}}) == "10.0.0.1");
  CHECK(address_of({{"X-Forwarded-For", "192.0.2.7"}}, "203.0.113.5") == "203.0.113.5");
  CHECK(address_of({{"X-Forwarded-For", "192.0.2.7"}}, "") == "");
  CHECK(address_of({{"X-Forwarded-For", "192.0.2.7"}}, "unix:/run/web") == "unix:/run/web");
}

TEST_CASE("One address is known in all its forms", "[engagement][hit]") {
  CHECK(address_of({{"X-Forwarded-For", "2001:DB8:0::0:1"}}, "::ffff:10.0.0.1") == "2001:db8::1");
  CHECK(address_of({{"X-Forwarded-For", "::ffff:192.0.2.7, ::FFFF:a00:2"}}) == "192.0.2.7");
  CHECK(usual_address("0:0:0:0:0:0:0:1") == "::1");
  for (const char* text : {"", "1.2.3", "1.2.3.4:80", "[::1]", "localhost", "01.2.3.4"}) {
    CAPTURE(text);
    CHECK(usual_address(text).empty());
  }
}

TEST_CASE("One-click unsubscription is the form field of RFC 8058", "[engagement][hit]") {
  CHECK(is_one_click("List-Unsubscribe=One-Click"));
  CHECK(is_one_click("list-unsubscribe=one-click\r\n", ""));
  CHECK(is_one_click("a=b&List-Unsubscribe=One-Click"));
  const std::string form =
      "--b\r\nContent-Disposition: form-data; name=\"List-Unsubscribe\"\r\n\r\nOne-Click\r\n--b--";
  CHECK(is_one_click(form, "multipart/form-data; boundary=b"));
  for (const char* body : {"", "x", "List-Unsubscribe=", "List-Unsubscribe=No",
                           "xList-Unsubscribe=One-Click", "List-Unsubscribe=One-Clicks"}) {
    CAPTURE(body);
    CHECK_FALSE(is_one_click(body));
  }
  CHECK_FALSE(is_one_click("List-Unsubscribe=One-Click", "multipart/form-data; boundary=b"));
  CHECK_FALSE(is_one_click(std::string(5000, 'x') + "&List-Unsubscribe=One-Click"));
}

TEST_CASE("A visit is the first one until it was noted", "[engagement][seen]") {
  SeenTable seen(16);
  CHECK_FALSE(seen.note(5));
  CHECK(seen.note(5));
  CHECK_FALSE(seen.note(6));
  CHECK(seen.note(5));
  CHECK_FALSE(seen.note(0));
  CHECK(seen.note(0));
}

TEST_CASE("A visit that was forgotten is a first one again, and no other is",
          "[engagement][seen]") {
  SeenTable seen(3);
  seen.note(5);
  seen.note(6);
  seen.forget(5);
  seen.forget(7);
  CHECK(seen.note(6));
  CHECK_FALSE(seen.note(5));
  CHECK(seen.note(5));
}

TEST_CASE("A newer visit takes the place of the oldest one that it meets, and memory stays",
          "[engagement][seen]") {
  SeenTable seen(3);
  for (uint64_t id = 1; id <= 7; ++id) CHECK_FALSE(seen.note(id));
  for (uint64_t id = 1; id <= 7; ++id) CHECK(seen.note(id));
  CHECK_FALSE(seen.note(8));
  for (uint64_t id = 2; id <= 8; ++id) CHECK(seen.note(id));
  CHECK_FALSE(seen.note(1));
  CHECK_FALSE(seen.note(2));
}

TEST_CASE("A table that is half full forgets nearly nothing", "[engagement][seen]") {
  SeenTable seen(10'000);
  std::mt19937_64 random;
  std::vector<uint64_t> ids;
  for (int i = 0; i < 5'000; ++i) ids.push_back(random());
  for (const uint64_t id : ids) seen.note(id);
  const auto forgotten =
      std::count_if(ids.begin(), ids.end(), [&](uint64_t id) { return !seen.note(id); });
  CHECK(forgotten < 20);
}

TEST_CASE("Of first visits in many threads exactly one is first", "[engagement][seen]") {
  constexpr uint64_t kIds = 2'000;
  SeenTable seen(kIds * 4);
  std::atomic<uint64_t> first_count{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (uint64_t id = 1; id <= kIds; ++id) first_count += seen.note(id) ? 0 : 1;
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(first_count == kIds);
}
