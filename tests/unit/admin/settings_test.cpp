#include "admin/settings.h"

#include <catch2/catch.hpp>

#include "admin/gzip.h"
#include "admin/host_rules.h"

using namespace posthaste::admin;
using posthaste::core::ErrorCode;

TEST_CASE("A listener's defaults are loopback and a port of the system's choice",
          "[admin][settings]") {
  const auto settings = Conf().finalize();
  REQUIRE(settings);
  CHECK(settings->listen.host == "127.0.0.1");
  CHECK(settings->listen.port == 0);
  CHECK(settings->body_bytes_max == 1u << 20);
  CHECK(settings->request_timeout_ms == 30'000);
  CHECK_FALSE(settings->has_tls());
}

TEST_CASE("Addresses are numeric, with IPv6 in brackets", "[admin][settings]") {
  for (const char* good : {"127.0.0.1:80", "localhost:0", "[::1]:65535", "0.0.0.0:1", "[::]:1"}) {
    CAPTURE(good);
    CHECK(parse_address(good));
  }
  for (const char* bad :
       {"", "80", ":80", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "::1:80", "[127.0.0.1]:80",
        "example.com:80", "127.0.0.1:8 0", "[::1:80", "1:2:3"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_address(bad));
  }
}

TEST_CASE("Bad values of a listener name the key and what is allowed", "[admin][settings]") {
  Conf conf;
  CHECK(conf.set("no.such", "1").code() == ErrorCode::UnknownKey);
  const auto refused = conf.set("connections.max", "0");
  CHECK(refused.code() == ErrorCode::BadValue);
  CHECK(refused.error().key == "connections.max");
  CHECK(refused.error().message == "connections.max: \"0\" is not 1 to 10000");
  REQUIRE(conf.set("connections.max", "7"));
  CHECK(std::string(conf.get("connections.max")) == "7");
  REQUIRE(conf.set("connections.max", std::nullopt));
  CHECK(std::string(conf.get("connections.max")) == "512");
  CHECK(conf.get("no.such") == nullptr);
  REQUIRE(conf.set("tls.key", "/key"));
  CHECK(conf.finalize().error().key == "tls.certificate");
}

TEST_CASE("What is mounted has a prefix between slashes that is not the listener's own",
          "[admin][mounts]") {
  const posthaste_admin_handler_fn handler = [](posthaste_t*, const posthaste_request_t*, int32_t,
                                                posthaste_response_t**,
                                                void*) -> int32_t { return 0; };
  Conf conf;
  for (const char* bad : {"", "/", "//", "t/", "/t", "/api/", "/api/v1/", "/assets/x/", "/a b/",
                          "/a?b/", "/a#b/", "/\xc3\xa9/", "/a\n/"}) {
    CAPTURE(bad);
    const auto refused = conf.mount({bad, handler, nullptr});
    CHECK(refused.code() == ErrorCode::BadValue);
    CHECK(refused.error().key == "prefix");
  }
  CHECK_FALSE(conf.mount({"/" + std::string(254, 'x') + "/", handler, nullptr}));
  for (int i = 0; i < 16; ++i) {
    REQUIRE(conf.mount({"/" + std::string(static_cast<size_t>(i + 1), 'x') + "/", handler, &conf}));
  }
  CHECK_FALSE(conf.mount({"/seventeen/", handler, nullptr}));
  REQUIRE(conf.mount({"/x/", handler, nullptr}));
  const auto settings = conf.finalize();
  REQUIRE(settings->mounts.size() == 16);
  CHECK(settings->mounts.front().prefix == "/xxxxxxxxxxxxxxxx/");
  CHECK(settings->mounts.front().user_data == &conf);
  CHECK(settings->mounts.back().prefix == "/x/");
  CHECK(settings->mounts.back().user_data == nullptr);
}

TEST_CASE("Only names of the server itself are taken for its host", "[admin][hosts]") {
  const HostRules rules({"Mail.Example.com", "other.example:8443"}, {"https://console.example"});
  for (const char* own : {"127.0.0.1:80", "127.0.0.1", "localhost:1", "LOCALHOST", "[::1]:2",
                          "mail.example.com", "mail.example.com:9", "other.example:8443"}) {
    CAPTURE(own);
    CHECK(rules.accepts_host(own, "127.0.0.1"));
  }
  for (const char* foreign :
       {"", "evil.example", "other.example", "localhost:x", "localhost:123456",
        "127.0.0.1.evil.example", "[::1", "user@localhost", "127.0.0.2"}) {
    CAPTURE(foreign);
    CHECK_FALSE(rules.accepts_host(foreign, "127.0.0.1"));
  }
  // On another address loopback's names are foreign.
  CHECK_FALSE(rules.accepts_host("localhost", "192.0.2.1"));
  CHECK(rules.accepts_host("192.0.2.1:80", "192.0.2.1"));
  CHECK(rules.accepts_host("[2001:db8::1]:80", "2001:db8::1"));
}

TEST_CASE("An origin is the server's own only with the same host and port", "[admin][hosts]") {
  CHECK(HostRules::is_own_origin("http://localhost:80", "localhost:80"));
  CHECK(HostRules::is_own_origin("HTTPS://Mail.example", "mail.example"));
  for (const char* foreign : {"", "null", "http://localhost", "http://localhost:81", "localhost:80",
                              "ftp://localhost:80", "http://localhost:80/"}) {
    CAPTURE(foreign);
    CHECK_FALSE(HostRules::is_own_origin(foreign, "localhost:80"));
  }
  const HostRules rules({}, {"https://console.example"});
  CHECK(rules.is_listed_origin("https://Console.example"));
  CHECK_FALSE(rules.is_listed_origin("http://console.example"));
}

TEST_CASE("gzip is used where Accept-Encoding names it and does not refuse it", "[admin][gzip]") {
  for (const char* allowed : {"gzip", "deflate, gzip;q=0.5", "GZIP", "br;q=1.0, gzip ; q=0.001"}) {
    CAPTURE(allowed);
    CHECK(allows_gzip(allowed));
  }
  for (const char* refused : {"", "br", "gzip;q=0", "gzip; q=0.00", "xgzip", "*"}) {
    CAPTURE(refused);
    CHECK_FALSE(allows_gzip(refused));
  }
  CHECK(gzip(std::string(100'000, 'a'))->size() < 1000);
}
