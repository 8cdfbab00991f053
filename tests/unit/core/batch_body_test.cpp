#include "core/batch_body.h"

#include <catch2/catch.hpp>
#include <memory>
#include <utility>
#include <vector>

#include "core/random.h"
#include "unit/core/fake_block.h"

using namespace posthaste::core;
using posthaste::test::FakeBlock;

namespace {

std::string read_all(const BatchBody& body) {
  std::string text(body.size_bytes() + 16, '#');
  text.resize(body.read(0, text.data(), text.size()));
  return text;
}

std::string record(int number) {
  return "{\"n\":" + std::to_string(number) + "},";
}

FakeBlock& fill(FakeBlock& block, int first, int count) {
  for (int i = first; i < first + count; ++i) block.add(0, record(i));
  return block;
}

}  // namespace

TEST_CASE("BatchBody is the array of its records, without the last comma", "[core][batch_body]") {
  FakeBlock block;
  fill(block, 1, 3);
  BatchBody body;
  body.append(block, {0, 3});
  CHECK(read_all(body) == R"([{"n":1},{"n":2},{"n":3}])");
  CHECK(body.size_bytes() == read_all(body).size());
  CHECK(body.records_bytes() == block.size_bytes());
  CHECK(body.events_count() == 3);
}

TEST_CASE("An empty BatchBody is an empty array", "[core][batch_body]") {
  const BatchBody body;
  CHECK(body.size_bytes() == 2);
  CHECK(read_all(body) == "[]");
  CHECK(body.oldest_sequence() == ~uint64_t{0});
  CHECK(body.is_detached());
}

TEST_CASE("A run of neighbouring records is one slice", "[core][batch_body]") {
  FakeBlock block;
  fill(block, 0, 10);
  BatchBody body;
  body.append(block, {0, 2});
  body.append(block, {2, 1});
  body.append(block, {3, 4});
  CHECK(block.references_count() == 1);

  body.append(block, {8, 2});
  CHECK(block.references_count() == 2);
  CHECK(body.owned_bytes() == 0);
}

TEST_CASE("BatchBody reads the same at every offset and in pieces of every size",
          "[core][batch_body]") {
  FakeBlock first(1);
  FakeBlock second(2);
  fill(first, 0, 4);
  fill(second, 10, 3);
  BatchBody body;
  body.append(first, {0, 1});
  body.append(first, {2, 2});
  body.append(second, {0, 3});
  const std::string whole = read_all(body);
  for (size_t offset = 0; offset <= whole.size() + 2; ++offset) {
    for (size_t room = 0; room <= whole.size() + 1; ++room) {
      std::string part(room, '#');
      const size_t size = body.read(offset, part.data(), room);
      const std::string expected = offset < whole.size() ? whole.substr(offset, room) : "";
      REQUIRE(size == expected.size());
      REQUIRE(part.substr(0, size) == expected);
    }
  }
}

TEST_CASE("BatchBody lets go of one block and keeps the others", "[core][batch_body]") {
  FakeBlock first(7);
  FakeBlock second(8);
  fill(first, 0, 5);
  fill(second, 5, 5);
  BatchBody body;
  body.append(first, {0, 2});
  body.append(first, {3, 2});
  body.append(second, {0, 4});
  const std::string whole = read_all(body);
  CHECK(body.oldest_sequence() == 7);
  CHECK(body.shared_bytes(first) == 4 * record(0).size());

  body.detach(first);
  CHECK_FALSE(first.is_used());
  CHECK(second.is_used());
  CHECK(body.owned_bytes() == 4 * record(0).size());
  CHECK(body.shared_bytes(first) == 0);
  CHECK(body.oldest_sequence() == 8);
  CHECK_FALSE(body.is_detached());
  CHECK(read_all(body) == whole);

  body.detach();
  CHECK_FALSE(second.is_used());
  CHECK(body.is_detached());
  CHECK(body.owned_bytes() == body.records_bytes());
  CHECK(body.oldest_sequence() == ~uint64_t{0});
  CHECK(read_all(body) == whole);
}

TEST_CASE("Body bytes do not change when the body is detached in the middle of being read",
          "[core][batch_body]") {
  FakeBlock first(1);
  FakeBlock second(2);
  fill(first, 0, 6);
  fill(second, 6, 6);
  const auto make = [&] {
    BatchBody body;
    body.append(first, {0, 2});
    body.append(second, {1, 2});
    body.append(second, {4, 2});
    return body;
  };
  const std::string whole = read_all(make());
  for (size_t cut = 0; cut <= whole.size(); ++cut) {
    BatchBody body = make();
    std::string text(whole.size(), '#');
    size_t done = body.read(0, text.data(), cut);
    if (cut % 2 == 0) {
      body.detach(first);
    } else {
      body.detach();
    }
    done += body.read(done, text.data() + done, text.size() - done);
    REQUIRE(done == whole.size());
    REQUIRE(text == whole);
  }
}

TEST_CASE("A moved BatchBody takes its references along", "[core][batch_body]") {
  FakeBlock block;
  fill(block, 0, 3);
  {
    BatchBody body;
    body.append(block, {0, 3});
    BatchBody other = std::exchange(body, {});
    CHECK(body.events_count() == 0);
    CHECK(read_all(body) == "[]");
    CHECK(other.events_count() == 3);
    CHECK(block.references_count() == 1);
    body = std::move(other);
    CHECK(block.references_count() == 1);
  }
  CHECK_FALSE(block.is_used());
}

TEST_CASE("BatchBody reads like a flat string whatever is appended and copied out",
          "[core][batch_body]") {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    INFO("seed " << seed);
    Random random(seed);
    std::vector<std::unique_ptr<FakeBlock>> blocks;
    std::string records;
    {
      BatchBody body;
      for (uint64_t step = 0; step < 120; ++step) {
        const uint64_t choice = random.below(10);
        if (blocks.empty() || choice == 0) {
          blocks.push_back(std::make_unique<FakeBlock>(blocks.size() + 1, 200, 8192));
        }
        FakeBlock& block = *blocks.back();
        if (choice < 6 && block.count() < 180) {
          const uint32_t skipped = static_cast<uint32_t>(random.below(2));
          const uint32_t count = static_cast<uint32_t>(1 + random.below(4));
          for (uint32_t i = 0; i < skipped + count; ++i) {
            block.add(0,
                      std::string(1 + random.below(30), static_cast<char>('a' + step % 26)) + ",");
          }
          const RecordRun run{block.count() - count, count};
          body.append(block, run);
          records += block.text(run);
        } else if (choice == 6) {
          body.detach(*blocks[random.below(blocks.size())]);
        } else if (choice == 7) {
          body.detach();
        }
        const std::string whole =
            records.empty() ? "[]" : "[" + records.substr(0, records.size() - 1) + "]";
        REQUIRE(body.size_bytes() == whole.size());
        const uint64_t offset = random.below(whole.size() + 1);
        const size_t room = random.below(64);
        std::string part(room, '#');
        part.resize(body.read(offset, part.data(), room));
        REQUIRE(part == whole.substr(offset, room));
        uint64_t shared = 0;
        for (const auto& each : blocks) shared += body.shared_bytes(*each);
        REQUIRE(shared + body.owned_bytes() == body.records_bytes());
      }
      REQUIRE(read_all(body) == "[" + records.substr(0, records.size() - 1) + "]");
    }
    for (const auto& block : blocks) REQUIRE_FALSE(block->is_used());
  }
}

TEST_CASE("A part of a BatchBody is the array of some of its records, shared or copied",
          "[core][batch_body]") {
  FakeBlock first(1);
  FakeBlock second(2);
  fill(first, 0, 4);
  fill(second, 4, 4);
  const size_t size = record(0).size();
  for (const bool is_copied : {false, true}) {
    BatchBody body;
    body.append(first, {0, 4});
    body.append(second, {0, 4});
    if (is_copied) body.detach(first);
    for (size_t from = 0; from < 8; ++from) {
      for (size_t count = 1; from + count <= 8; ++count) {
        const BatchBody part = body.part(from * size, count * size, static_cast<uint32_t>(count));
        std::string expected = "[";
        for (size_t i = from; i < from + count; ++i) expected += record(static_cast<int>(i));
        expected.back() = ']';
        CHECK(read_all(part) == expected);
        CHECK(part.events_count() == count);
        const size_t copied = is_copied ? std::min<size_t>(count, from < 4 ? 4 - from : 0) : 0;
        CHECK(part.owned_bytes() == copied * size);
      }
    }
  }
  CHECK_FALSE(first.is_used());
  CHECK_FALSE(second.is_used());
}
