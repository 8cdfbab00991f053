#include "transport/token_cache.h"

#include <catch2/catch.hpp>
#include <string>

using namespace posthaste::transport;
using namespace std::chrono_literals;
using posthaste::core::Instant;

namespace {

constexpr Instant kStart{1h};

bool has(const TokenCache& cache, const std::string& credentials, Instant now,
         const std::string& token) {
  const std::string* found = cache.find(credentials, now);
  return found != nullptr && *found == token;
}

}  // namespace

TEST_CASE("A token is used until shortly before it expires", "[transport][token_cache]") {
  TokenCache cache;
  CHECK(cache.find("a", kStart) == nullptr);
  cache.put("a", "one", 3600s, kStart);
  CHECK(has(cache, "a", kStart, "one"));
  CHECK(has(cache, "a", kStart + 3539s, "one"));
  CHECK(cache.find("a", kStart + 3540s) == nullptr);
  cache.put("b", "two", 100s, kStart);
  CHECK(has(cache, "b", kStart + 89s, "two"));
  CHECK(cache.find("b", kStart + 90s) == nullptr);
  cache.put("c", "three", 0s, kStart);
  CHECK(cache.find("c", kStart) == nullptr);
}

TEST_CASE("Other credentials have another token", "[transport][token_cache]") {
  TokenCache cache;
  cache.put("a", "one", 3600s, kStart);
  CHECK(cache.find("b", kStart) == nullptr);
  cache.put("a", "newer", 3600s, kStart + 1s);
  CHECK(has(cache, "a", kStart + 1s, "newer"));
  CHECK(cache.count() == 1);
}

TEST_CASE("A refused token is renewed at most once a minute", "[transport][token_cache]") {
  TokenCache cache;
  cache.put("a", "one", 3600s, kStart);
  CHECK_FALSE(cache.renew("a", "one", kStart + 59s));
  CHECK(has(cache, "a", kStart + 59s, "one"));
  CHECK(cache.renew("a", "one", kStart + 60s));
  CHECK(cache.find("a", kStart + 60s) == nullptr);
  cache.put("a", "two", 3600s, kStart + 61s);
  CHECK_FALSE(cache.renew("a", "two", kStart + 62s));
}

TEST_CASE("A refused token that is no longer the cached one costs no renewal",
          "[transport][token_cache]") {
  TokenCache cache;
  cache.put("a", "two", 3600s, kStart);
  CHECK(cache.renew("a", "one", kStart));
  CHECK(has(cache, "a", kStart, "two"));
  CHECK(cache.renew("never fetched", "one", kStart));
}

TEST_CASE("A full cache gives up what has expired, else what is oldest",
          "[transport][token_cache]") {
  TokenCache cache;
  cache.put("first", "t", 3600s, kStart);
  cache.put("short", "t", 10s, kStart + 1s);
  for (size_t i = 2; i < kTokensMax; ++i) {
    cache.put(std::to_string(i), "t", 3600s, kStart + 1s);
  }
  CHECK(cache.count() == kTokensMax);
  cache.put("more", "t", 3600s, kStart + 20s);
  CHECK(cache.count() == kTokensMax);
  CHECK(has(cache, "first", kStart + 20s, "t"));
  cache.put("most", "t", 3600s, kStart + 20s);
  CHECK(cache.count() == kTokensMax);
  CHECK(cache.find("first", kStart + 20s) == nullptr);
  CHECK(has(cache, "most", kStart + 20s, "t"));
}
