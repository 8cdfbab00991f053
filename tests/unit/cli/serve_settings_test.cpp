#include "cli/serve_settings.h"

#include <catch2/catch.hpp>

#include "cli/key_file.h"
#include "cli/listen_address.h"
#include "cli/tracking_links.h"
#include "posthaste/posthaste.h"
#include "support/temporary_directory.h"

using namespace posthaste;
using namespace posthaste::cli;

TEST_CASE("Flags of serve go before its file and keys find their part", "[cli][serve_settings]") {
  const testing::TemporaryDirectory folder;
  ServeOptions options;
  options.config_file = folder.write("conf",
                                     "listen = 127.0.0.1:1\nspool.dir = /a\nbatch.max_age = 1s\n"
                                     "admin.gzip = off\ningest = unix:/s\nwebhooks = /w\n");
  options.listen = "127.0.0.1:2";
  options.settings = {{"batch.max_age", "2s"}, {"admin.page", "off"}};
  const auto settings = read_serve_settings(options);
  REQUIRE(settings);
  CHECK(settings->listen == "127.0.0.1:2");
  CHECK(settings->spool_dir == "/a");
  CHECK(settings->webhooks_file == "/w");
  CHECK(settings->ingest == std::vector<std::string>{"unix:/s"});
  REQUIRE(settings->engine.size() == 2);
  CHECK(settings->engine.back().value == "2s");
  REQUIRE(settings->admin.size() == 2);
  CHECK(settings->admin.front().key == "gzip");
}

TEST_CASE("Keys of tracking links come from file, flags and a file of their own",
          "[cli][serve_settings]") {
  const testing::TemporaryDirectory folder;
  ServeOptions options;
  options.config_file = folder.write("conf", "engagement.url = https://a.test\n");
  options.settings = {{"engagement.proxies", "::1"}};
  options.link_url = "https://b.test";
  options.link_key_file =
      folder.write("keys", "# first\n  the-first-key-of-two \r\n\nthe-second-key-of-two\n");
  const auto settings = read_serve_settings(options);
  REQUIRE(settings);
  CHECK(settings->links == SettingsList{{"url", "https://a.test"},
                                        {"proxies", "::1"},
                                        {"url", "https://b.test"},
                                        {"keys", "the-first-key-of-two,the-second-key-of-two"}});
  options.link_key_file = folder.write("keys", "# none\n");
  CHECK(read_serve_settings(options).code() == core::ErrorCode::BadFile);
  options.link_key_file = folder.write("keys", "the-first-key-of-two\nshort-secret\n");
  const std::string refused = read_serve_settings(options).error().message;
  CHECK(refused.starts_with(options.link_key_file + " line 2: "));
  CHECK(refused.find("secret") == std::string::npos);
  options.link_key_file += ".not-there";
  CHECK(read_serve_settings(options).code() == core::ErrorCode::BadFile);
}

TEST_CASE("Paths of tracking links are those of their URL, with and without its own path",
          "[cli][tracking_links]") {
  TrackingLinks links;
  const std::string key = "a-key-of-this-test-only";
  CHECK(links.prefixes().empty());
  REQUIRE(links.set({{"url", "https://a.test"}, {"keys", key}}));
  CHECK(links.prefixes() == std::vector<std::string>{"/t/"});
  REQUIRE(links.set({{"url", "https://a.test:8443/mail/x//"}, {"keys", key}}));
  CHECK(links.prefixes() == std::vector<std::string>{"/t/", "/mail/x/t/"});
  const auto refused = links.set({{"url", "https://a.test"}, {"keys", "short"}});
  CHECK(refused.error().message.starts_with("engagement.keys: "));
  CHECK(links.set({{"url", "https://a.test"}}).error().message ==
        "engagement.keys is needed for tracking links");
  CHECK(links.set({{"no.such", "1"}}).code() == core::ErrorCode::UnknownKey);
  CHECK(links.prefixes().size() == 2);
}

TEST_CASE("Memory mode of serve must be asked for and excludes a spool", "[cli][serve_settings]") {
  ServeOptions options;
  CHECK_FALSE(read_serve_settings(options)->spool_dir.empty());
  options.is_memory = true;
  CHECK(read_serve_settings(options)->spool_dir.empty());
  options.settings = {{"spool.dir", "/a"}};
  CHECK_FALSE(read_serve_settings(options));
  options.settings = {{"memory", "perhaps"}};
  CHECK_FALSE(read_serve_settings(options));
}

TEST_CASE("An ingest is stdin, http or a unix socket with a path", "[cli][serve_settings]") {
  for (const char* text : {"stdin", "http", "unix:/run/x"}) CHECK(parse_ingest(text));
  for (const char* text : {"", "unix:", "unix", "http:x", "pigeon"})
    CHECK_FALSE(parse_ingest(text));
}

TEST_CASE("A line of a key file is a key, a grant and a subaccount", "[cli][key_file]") {
  const testing::TemporaryDirectory folder;
  const std::string key(20, 'k');
  const auto keys = read_key_file(folder.write(
      "keys", "# remark\n\n" + key + "\n  " + key + " view 7\r\n" + key + "\tmodify\n"));
  REQUIRE(keys);
  REQUIRE(keys->size() == 3);
  CHECK(keys->at(0).grant == POSTHASTE_GRANT_MODIFY);
  CHECK(keys->at(0).subaccount == -1);
  CHECK(keys->at(1).key == key);
  CHECK(keys->at(1).grant == POSTHASTE_GRANT_VIEW);
  CHECK(keys->at(1).subaccount == 7);
}

TEST_CASE("A bad line of a key file is named without its key", "[cli][key_file]") {
  const testing::TemporaryDirectory folder;
  const std::string key(20, 'k');
  for (const std::string& line : {std::string(19, 'k'), std::string(257, 'k'), key + " all",
                                  key + " view -1", key + " 2147483648", key + "\xff"}) {
    CAPTURE(line);
    const auto keys = read_key_file(folder.write("keys", key + "\n" + line + "\n"));
    REQUIRE_FALSE(keys);
    CHECK_THAT(keys.error().message, Catch::Contains("line 2"));
    CHECK_THAT(keys.error().message, !Catch::Contains("kkkk"));
  }
}

TEST_CASE("A listen address is a numeric host and a port", "[cli][listen_address]") {
  CHECK(parse_listen_address("127.0.0.1:0")->url(80) == "http://127.0.0.1:80");
  CHECK(parse_listen_address("[::1]:8080")->url(8080) == "http://[::1]:8080");
  CHECK(parse_listen_address("localhost:1"));
  for (const char* text : {"", ":", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1",
                           "host.invalid:1", "[::1:1", "::1:1"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_listen_address(text));
  }
}
