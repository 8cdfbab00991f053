#include "core/batcher.h"

#include <catch2/catch.hpp>
#include <deque>
#include <memory>
#include <set>

#include "core/limits.h"
#include "core/random.h"
#include "unit/core/fake_block.h"

using namespace posthaste::core;
using namespace std::chrono_literals;
using posthaste::test::FakeBlock;

namespace {

constexpr Instant kNow{1000s};

std::string text_of(const BatchBody& body) {
  std::string text(body.size_bytes(), '#');
  text.resize(body.read(0, text.data(), text.size()));
  return text;
}

TypeSet types(std::initializer_list<size_t> ids) {
  TypeSet set;
  for (const size_t id : ids) set.set(id);
  return set;
}

// A batcher with subscribers that share one set of limits.
struct Harness {
  std::deque<FakeBlock> blocks;  // outlive what refers to them
  DeliverySettings settings;
  Batcher batcher;
  std::deque<Subscriber> subscribers;

  Subscriber& add(const TypeSet& wanted, const SubaccountFilter& subaccounts = {}) {
    Subscriber& subscriber = subscribers.emplace_back();
    subscriber.settings = &settings;
    batcher.subscribe(subscriber, wanted, subaccounts);
    return subscriber;
  }
  FakeBlock& block() { return blocks.emplace_back(blocks.size() + 1, 30'000, 1 << 18); }
};

void add_records(FakeBlock& block, size_t count, EventTypeId type = 0, Instant pushed = kNow) {
  for (size_t i = 0; i < count; ++i) block.add(type, "{\"m\":1},", pushed);
}

}  // namespace

TEST_CASE("Batcher seals when a batch has the greatest number of events", "[core][batcher]") {
  Harness harness;
  Subscriber& subscriber = harness.add(types({0}));
  FakeBlock& block = harness.block();
  add_records(block, 25'000);
  harness.batcher.route(block, block.all());
  const auto sealed = harness.batcher.take_sealed();
  REQUIRE(sealed.size() == 2);
  CHECK(sealed[0].body.events_count() == 10'000);
  CHECK(sealed[1].body.events_count() == 10'000);
  CHECK(sealed[0].subscriber == &subscriber);
  CHECK(subscriber.open.events_count() == 5000);
  CHECK(subscriber.sealed_events_count == 20'000);
}

TEST_CASE("Batcher seals at the last event of the greatest number, not at the next one",
          "[core][batcher]") {
  Harness harness;
  harness.settings.batch_max_events = 3;
  harness.add(types({0}));
  FakeBlock& block = harness.block();
  add_records(block, 2);
  harness.batcher.route(block, {0, 2});
  CHECK(harness.batcher.take_sealed().empty());
  add_records(block, 1);
  harness.batcher.route(block, {2, 1});
  CHECK(harness.batcher.take_sealed().size() == 1);
  CHECK(harness.batcher.next_deadline() == kNever);
}

TEST_CASE("Batcher seals when the oldest event reaches max age", "[core][batcher]") {
  Harness harness;
  Subscriber& subscriber = harness.add(types({0}));
  FakeBlock& block = harness.block();
  block.add(0, "{\"a\":1},", kNow);
  block.add(0, "{\"b\":1},", kNow + 20s);
  harness.batcher.route(block, block.all());
  CHECK(harness.batcher.next_deadline() == kNow + 30s);
  harness.batcher.seal_due(kNow + 30s - 1ms);
  CHECK(subscriber.open.events_count() == 2);
  harness.batcher.seal_due(kNow + 30s);
  const auto sealed = harness.batcher.take_sealed();
  REQUIRE(sealed.size() == 1);
  CHECK(sealed[0].first_event == kNow);
  CHECK(text_of(sealed[0].body) == R"([{"a":1},{"b":1}])");
  CHECK(harness.batcher.next_deadline() == kNever);
}

TEST_CASE("An event pushed max age after the first one begins the next batch", "[core][batcher]") {
  Harness harness;
  Subscriber& subscriber = harness.add(types({0}));
  FakeBlock& block = harness.block();
  block.add(0, "{\"a\":1},", kNow);
  harness.batcher.route(block, {0, 1});
  block.add(0, "{\"b\":1},", kNow + 30s - 1ns);
  harness.batcher.route(block, {1, 1});
  CHECK(harness.batcher.take_sealed().empty());
  block.add(0, "{\"c\":1},", kNow + 30s);
  harness.batcher.route(block, {2, 1});
  CHECK(harness.batcher.take_sealed().size() == 1);
  CHECK(subscriber.first_event == kNow + 30s);
  CHECK(harness.batcher.next_deadline() == kNow + 60s);
}

TEST_CASE("A batch never exceeds max bytes, and comes as close as its events allow",
          "[core][batcher]") {
  Harness harness;
  harness.settings.batch_max_bytes = 101;  // ten records of ten bytes and the opening bracket
  Subscriber& subscriber = harness.add(types({0}));
  FakeBlock& block = harness.block();
  for (int i = 0; i < 25; ++i) block.add(0, "{\"n\":123},", kNow);
  harness.batcher.route(block, block.all());
  const auto sealed = harness.batcher.take_sealed();
  REQUIRE(sealed.size() == 2);
  for (const Sealed& batch : sealed) {
    CHECK(batch.body.size_bytes() == 101);
    CHECK(batch.body.events_count() == 10);
  }
  CHECK(subscriber.open.events_count() == 5);
}

TEST_CASE("An event larger than max bytes travels alone", "[core][batcher]") {
  Harness harness;
  harness.settings.batch_max_bytes = 50;
  Subscriber& subscriber = harness.add(types({0}));
  FakeBlock& block = harness.block();
  block.add(0, "{\"a\":1},", kNow);
  block.add(0, std::string(99, 'x') + ",", kNow);
  block.add(0, "{\"b\":1},", kNow);
  harness.batcher.route(block, block.all());
  const auto sealed = harness.batcher.take_sealed();
  REQUIRE(sealed.size() == 2);
  CHECK(sealed[0].body.events_count() == 1);
  CHECK(sealed[1].body.size_bytes() == 101);
  CHECK(text_of(subscriber.open) == R"([{"b":1}])");
}

TEST_CASE("Events reach the webhooks that want their type and no other", "[core][batcher]") {
  Harness harness;
  Subscriber& one = harness.add(types({1}));
  Subscriber& two = harness.add(types({1, 2}));
  Subscriber& all = harness.add(TypeSet().set());
  FakeBlock& block = harness.block();
  block.add(1, "{\"a\":1},", kNow);
  block.add(2, "{\"b\":1},", kNow);
  block.add(3, "{\"c\":1},", kNow);
  block.add(1, "{\"d\":1},", kNow);
  harness.batcher.route(block, block.all());
  CHECK(text_of(one.open) == R"([{"a":1},{"d":1}])");
  CHECK(text_of(two.open) == R"([{"a":1},{"b":1},{"d":1}])");
  CHECK(text_of(all.open) == R"([{"a":1},{"b":1},{"c":1},{"d":1}])");
}

TEST_CASE("Events that nobody wants are counted", "[core][batcher]") {
  Harness harness;
  harness.add(types({1}));
  FakeBlock& block = harness.block();
  add_records(block, 3, 1);
  add_records(block, 4, 2);
  harness.batcher.route(block, block.all());
  CHECK(harness.batcher.unwanted_count() == 4);
  CHECK(harness.batcher.routed_bytes() == 3 * block.entry(0).size);
}

TEST_CASE("Webhooks with equal filters are routed once", "[core][batcher]") {
  Harness harness;
  for (int i = 0; i < 30; ++i) harness.add(types({1, 2}));
  for (int i = 0; i < 20; ++i) harness.add(types({2, 3}));
  std::set<RouteClass*> classes;
  for (const Subscriber& subscriber : harness.subscribers) classes.insert(subscriber.route_class);
  REQUIRE(classes.size() == 2);
  CHECK((*classes.begin())->subscribers.size() + (*classes.rbegin())->subscribers.size() == 50);

  FakeBlock& block = harness.block();
  add_records(block, 10, 2);
  harness.batcher.route(block, block.all());
  for (const Subscriber& subscriber : harness.subscribers) {
    CHECK(subscriber.open.events_count() == 10);
  }
}

TEST_CASE("A class ends with its last webhook and can be made again", "[core][batcher]") {
  Harness harness;
  Subscriber& one = harness.add(types({1}));
  Subscriber& two = harness.add(types({1}));
  FakeBlock& block = harness.block();
  add_records(block, 1, 1);
  harness.batcher.unsubscribe(one);
  CHECK(one.route_class == nullptr);
  harness.batcher.unsubscribe(two);
  harness.batcher.route(block, {0, 1});
  CHECK(harness.batcher.unwanted_count() == 1);
  harness.batcher.subscribe(two, types({1}));
  harness.batcher.route(block, {0, 1});
  CHECK(one.open.events_count() == 0);
  CHECK(two.open.events_count() == 1);
}

TEST_CASE("Subscribing again replaces the filter", "[core][batcher]") {
  Harness harness;
  Subscriber& subscriber = harness.add(types({1}));
  harness.batcher.subscribe(subscriber, types({2}));
  FakeBlock& block = harness.block();
  add_records(block, 5, 1);
  add_records(block, 2, 2);
  harness.batcher.route(block, block.all());
  CHECK(subscriber.open.events_count() == 2);
}

TEST_CASE("An open batch stays after unsubscribing until it is sealed", "[core][batcher]") {
  Harness harness;
  Subscriber& subscriber = harness.add(types({0}));
  FakeBlock& block = harness.block();
  add_records(block, 2);
  harness.batcher.route(block, block.all());
  harness.batcher.unsubscribe(subscriber);
  CHECK(subscriber.open.events_count() == 2);
  harness.batcher.seal_due(kNow + 30s);
  CHECK(harness.batcher.take_sealed().size() == 1);
}

TEST_CASE("Sealing an empty batch makes none", "[core][batcher]") {
  Harness harness;
  Subscriber& subscriber = harness.add(types({0}));
  harness.batcher.seal(subscriber);
  harness.batcher.seal_due(kNever);
  CHECK(harness.batcher.take_sealed().empty());
}

TEST_CASE("A change of max age holds for the open batch", "[core][batcher]") {
  Harness harness;
  Subscriber& subscriber = harness.add(types({0}));
  FakeBlock& block = harness.block();
  add_records(block, 1);
  harness.batcher.route(block, block.all());
  DeliverySettings shorter = harness.settings;
  shorter.batch_max_age = 5s;
  subscriber.settings = &shorter;
  harness.batcher.settings_changed(subscriber);
  CHECK(harness.batcher.next_deadline() == kNow + 5s);
  harness.batcher.seal_due(kNow + 5s);
  CHECK(harness.batcher.take_sealed().size() == 1);
  harness.batcher.settings_changed(subscriber);
  CHECK(harness.batcher.next_deadline() == kNever);
}

TEST_CASE("A lower limit of events holds for the open batch", "[core][batcher]") {
  Harness harness;
  Subscriber& subscriber = harness.add(types({0}));
  FakeBlock& block = harness.block();
  add_records(block, 8);
  harness.batcher.route(block, {0, 6});
  DeliverySettings smaller = harness.settings;
  smaller.batch_max_events = 4;
  subscriber.settings = &smaller;
  harness.batcher.settings_changed(subscriber);
  harness.batcher.route(block, {6, 2});
  CHECK(harness.batcher.take_sealed().size() == 1);
  CHECK(subscriber.open.events_count() == 2);
}

TEST_CASE("A forgotten webhook leaves nothing behind", "[core][batcher]") {
  Harness harness;
  Subscriber& subscriber = harness.add(types({0}));
  FakeBlock& block = harness.block();
  add_records(block, 5);
  harness.batcher.route(block, block.all());
  harness.batcher.detach(subscriber);
  CHECK(harness.batcher.owned_bytes() == block.size_bytes());
  harness.batcher.forget(subscriber);
  harness.subscribers.clear();
  CHECK(harness.batcher.owned_bytes() == 0);
  CHECK(harness.batcher.next_deadline() == kNever);
  CHECK(harness.batcher.take_changed().empty());
  harness.batcher.block_ended(block, block.size_bytes());
  CHECK_FALSE(block.is_used());
}

TEST_CASE("Webhooks whose open batch changed are told once", "[core][batcher]") {
  Harness harness;
  Subscriber& one = harness.add(types({0}));
  harness.add(types({5}));
  FakeBlock& block = harness.block();
  add_records(block, 4);
  harness.batcher.route(block, {0, 2});
  harness.batcher.route(block, {2, 2});
  CHECK(harness.batcher.take_changed() == std::vector<Subscriber*>{&one});
  CHECK(harness.batcher.take_changed().empty());
  harness.batcher.seal(one);
  CHECK(harness.batcher.take_changed() == std::vector<Subscriber*>{&one});
}

TEST_CASE("Every webhook gets its events once and in order, whatever the limits",
          "[core][batcher]") {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    INFO("seed " << seed);
    Random random(seed);
    Harness harness;
    harness.settings.batch_max_events = static_cast<uint32_t>(1 + random.below(50));
    harness.settings.batch_max_bytes = 60 + random.below(2000);
    harness.settings.batch_max_age = std::chrono::seconds(1 + random.below(20));
    std::vector<TypeSet> wanted;
    for (int i = 0; i < 6; ++i) {
      wanted.push_back(TypeSet(random.below(16)));
      harness.add(wanted.back());
    }
    std::vector<std::string> expected(6);
    std::vector<std::string> received(6);
    const auto collect = [&] {
      for (const Sealed& sealed : harness.batcher.take_sealed()) {
        const std::string text = text_of(sealed.body);
        REQUIRE(sealed.body.events_count() <= harness.settings.batch_max_events);
        REQUIRE(
            (text.size() <= harness.settings.batch_max_bytes || sealed.body.events_count() == 1));
        for (size_t i = 0; i < 6; ++i) {
          if (sealed.subscriber != &harness.subscribers[i]) continue;
          received[i] += text.substr(1, text.size() - 2) + ",";
        }
      }
    };
    Instant now = kNow;
    for (int number = 0; number < 600;) {
      FakeBlock& block = harness.block();
      const int end = number + static_cast<int>(1 + random.below(60));
      for (; number < end; ++number) {
        now += std::chrono::milliseconds(random.below(400));
        const auto type = static_cast<EventTypeId>(random.below(4));
        const std::string record =
            "{\"n\":" + std::to_string(number) + std::string(random.below(60), ' ') + "},";
        for (size_t i = 0; i < 6; ++i) {
          if (wanted[i][type]) expected[i] += record;
        }
        block.add(type, record, now);
        harness.batcher.route(block, {block.count() - 1, 1});
        if (random.below(5) == 0) harness.batcher.seal_due(now);
        if (random.below(40) == 0) harness.batcher.detach(harness.subscribers[random.below(6)]);
        if (random.below(10) == 0) collect();
      }
      harness.batcher.block_ended(block, block.size_bytes());
      uint64_t owned = 0;
      for (const Subscriber& subscriber : harness.subscribers) {
        owned += subscriber.open.owned_bytes();
      }
      REQUIRE(harness.batcher.owned_bytes() == owned);
    }
    harness.batcher.seal_due(kNever);
    collect();
    CHECK(received == expected);
    CHECK(harness.batcher.owned_bytes() == 0);
    for (FakeBlock& block : harness.blocks) REQUIRE_FALSE(block.is_used());
  }
}

TEST_CASE("Batches are sealed to what their endpoint was seen to take", "[core][batcher]") {
  Harness harness;
  Subscriber& subscriber = harness.add(types({0}));
  FakeBlock& block = harness.block();
  add_records(block, 1000);
  harness.batcher.route(block, {0, 10});
  subscriber.learned_events_max = 7;
  subscriber.learned_bytes_max = 1 << 20;
  harness.batcher.route(block, {10, 20});
  std::vector<uint32_t> counts;
  for (const Sealed& sealed : harness.batcher.take_sealed()) {
    counts.push_back(sealed.body.events_count());
  }
  CHECK(counts == std::vector<uint32_t>{10, 7, 7});
  subscriber.learned_events_max = 100;
  subscriber.learned_bytes_max = 80;
  harness.batcher.route(block, {30, 20});
  for (const Sealed& sealed : harness.batcher.take_sealed()) {
    CHECK(sealed.body.size_bytes() <= 80);
  }
}

TEST_CASE("A subscriber gets the events of the subaccounts that its filter takes",
          "[core][batcher]") {
  Harness harness;
  Subscriber& all = harness.add(types({0}));
  Subscriber& primary = harness.add(types({0}), parse_subaccounts("0", ""));
  Subscriber& seven = harness.add(types({0}), parse_subaccounts("7", ""));
  Subscriber& but_seven = harness.add(types({0}), parse_subaccounts("all", "7"));
  FakeBlock& block = harness.block();
  for (const char* id : {"", "7", "8", "7"}) {
    block.add(0, std::string(R"({"msys":{"message_event":{"subaccount_id":")") + id + R"("}}},)",
              kNow);
  }
  harness.batcher.route(block, block.all());
  CHECK(all.open.events_count() == 4);
  CHECK(primary.open.events_count() == 1);
  CHECK(seven.open.events_count() == 2);
  CHECK(but_seven.open.events_count() == 2);
  CHECK(text_of(seven.open).find("\"8\"") == std::string::npos);
}

TEST_CASE("An event whose subaccount nobody takes is unwanted", "[core][batcher]") {
  Harness harness;
  harness.add(types({0}), parse_subaccounts("7", ""));
  FakeBlock& block = harness.block();
  block.add(0, R"({"msys":{"message_event":{"subaccount_id":"8"}}},)", kNow);
  block.add(0, R"({"msys":{"message_event":{"subaccount_id":"7"}}},)", kNow);
  harness.batcher.route(block, block.all());
  CHECK(harness.batcher.unwanted_count() == 1);
}

TEST_CASE("Equal types with unequal subaccounts are two route classes, equal ones are one",
          "[core][batcher]") {
  Harness harness;
  const Subscriber& one = harness.add(types({0}), parse_subaccounts("7", ""));
  const Subscriber& same = harness.add(types({0}), parse_subaccounts("7", ""));
  const Subscriber& other = harness.add(types({0}), parse_subaccounts("8", ""));
  CHECK(one.route_class == same.route_class);
  CHECK(one.route_class != other.route_class);
}
