#include "envelope/event_ids.h"

#include <catch2/catch.hpp>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace posthaste::envelope {

namespace {

std::string make(EventIds& ids) {
  std::string text(EventIds::kTextSize, '?');
  ids.write(text.data());
  return text;
}

}  // namespace

TEST_CASE("Event ids are UUIDs of version 8", "[envelope][event_ids]") {
  EventIds ids(0xffffffffffffffffu, 0xffffffffffffffffu);
  for (int i = 0; i < 3; ++i) {
    const std::string id = make(ids);
    REQUIRE(id.find_first_not_of("0123456789abcdef-") == std::string::npos);
    for (const size_t at : {8u, 13u, 18u, 23u}) REQUIRE(id[at] == '-');
    REQUIRE(id[14] == '8');
    REQUIRE(std::string("89ab").find(id[19]) != std::string::npos);
  }
  EventIds known(0x0123456789abcdefu, 0x0fedcba987654321u);
  REQUIRE(make(known) == "01234567-89ab-8def-8fed-cba987654321");
  REQUIRE(make(known) == "01234567-89ab-8def-8fed-cba987654322");
}

TEST_CASE("Event ids of many threads never repeat", "[envelope][event_ids]") {
  EventIds ids(1, 2);
  std::vector<std::vector<std::string>> made(4);
  std::vector<std::thread> threads;
  for (auto& list : made) {
    threads.emplace_back([&ids, &list] {
      for (int i = 0; i < 5000; ++i) list.push_back(make(ids));
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::set<std::string> all;
  for (const auto& list : made) all.insert(list.begin(), list.end());
  REQUIRE(all.size() == 20000);
}

TEST_CASE("Processes with different seeds make different ids, and a child that reseeds too",
          "[envelope][event_ids]") {
  EventIds parent(1, 2);
  EventIds other(3, 2);
  const std::string first = make(parent);
  REQUIRE(make(other) != first);
  EventIds child(1, 2);
  child.reseed(5, 2);
  REQUIRE(make(child) != first);
}

}  // namespace posthaste::envelope
