#include "spool/sqlite_quarantine.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "core/random.h"
#include "support/fault_vfs.h"
#include "unit/spool/store_fixture.h"

using namespace posthaste;
using namespace posthaste::spool;
using namespace posthaste::test;
using namespace std::chrono_literals;

namespace {

constexpr uint64_t kBatches = 300;
constexpr uint64_t kLetters = 20;

SqliteStoreOptions options_for(const TemporaryDirectory& directory) {
  SqliteStoreOptions options;
  options.directory = directory.path();
  options.sync = SyncLevel::Normal;
  return options;
}

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write_file(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

// Two webhooks, waiting batches of which some are in the database, dead letters, a loss.
void fill(const TemporaryDirectory& directory) {
  auto store = SqliteStore::open(options_for(directory));
  REQUIRE(store);
  SimRecords records;
  REQUIRE((*store)->define_type("host_event", "host_class"));
  (*store)->put_webhook(make_webhook(1));
  (*store)->put_webhook(make_webhook(2));
  for (uint64_t i = 1; i <= kBatches; ++i) {
    (*store)->seal(make_batch(i, {{i * 10'000, 100}, {i * 10'000 + 500, 700}}, 1 + i % 2));
    if (i % 10 == 0) {
      RetryState retry;
      retry.attempts_count = 3;
      (*store)->attempted(i, retry);
    }
  }
  REQUIRE((*store)->commit(records));
  REQUIRE((*store)->move_to_blob(0, 1'000'000, records));
  for (uint64_t i = 1; i <= kLetters; ++i) (*store)->finish(i * 10, dead_lettered(at(i * 1s)));
  (*store)->set_low(2'000'000);
  (*store)->add_loss({"webhook-1", 2, 11, 1});
  REQUIRE((*store)->commit(records));
}

std::vector<std::string> names_in(const std::string& directory) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    // A log without contents tells nothing.
    if (entry.file_size() > 0) names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

// Whatever is in it is whole.
void check_sound(const TemporaryDirectory& directory) {
  auto store = SqliteStore::open(options_for(directory));
  REQUIRE((store ? "" : store.error().message) == "");
  CHECK(*(*store)->check() == Findings{});
  for (const uint64_t sequence : live_sequences(**store)) {
    const std::string expected =
        body_of(records_of({{sequence * 10'000, 100}, {sequence * 10'000 + 500, 700}}));
    REQUIRE((read_body(**store, sequence) == expected));
  }
  SimRecords records;
  (*store)->put_webhook(make_webhook(9));
  (*store)->seal(make_batch(1000, {{9'000'000, 10}}, 9));
  CHECK((*store)->commit(records));
}

}  // namespace

TEST_CASE("A sound database is salvaged whole", "[spool][sqlite_quarantine]") {
  TemporaryDirectory directory;
  fill(directory);
  const auto salvage = quarantine(options_for(directory), at(0s));
  REQUIRE(salvage);
  CHECK(salvage->webhooks_count == 2);
  CHECK(salvage->batches_count == kBatches - kLetters);
  CHECK(salvage->dead_letters_count == kLetters);
  CHECK(salvage->losses.empty());
  CHECK(salvage->damaged_tables.empty());
  CHECK(salvage->moved_to.find("spool.db.damaged-20270115T080000Z") != std::string::npos);
  CHECK(names_in(directory.path()) ==
        std::vector<std::string>{"spool.db", "spool.db.damaged-20270115T080000Z"});

  auto store = SqliteStore::open(options_for(directory));
  REQUIRE(store);
  const auto state = (*store)->recover();
  REQUIRE(state);
  CHECK(state->low == 2'000'000);
  CHECK(state->greatest_sequence == kBatches);
  CHECK(state->greatest_generation == 2);
  CHECK(state->losses == std::vector<Loss>{{"webhook-1", 2, 11, 1}});
  REQUIRE(state->webhooks.size() == 2);
  CHECK(state->webhooks[0].sealed_to == kBatches * 10'000 + 1200);
  CHECK((*store)->event_types().size() == 1);
  CHECK((*store)->find_batch(batch_id(210))->retry.attempts_count == 3);
  store->reset();
  check_sound(directory);
}

TEST_CASE("A damaged page costs its own rows and no others", "[spool][sqlite_quarantine]") {
  TemporaryDirectory directory;
  fill(directory);
  std::string bytes = read_file(directory.database());
  // A page of `batches` is one that holds ids of batches in the journal.
  const size_t page = bytes.find(batch_id(220)) / 4096;
  const size_t in_page = std::min<size_t>(bytes.size(), (page + 1) * 4096);
  std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(page * 4096),
            bytes.begin() + static_cast<std::ptrdiff_t>(in_page), '\x5a');
  write_file(directory.database(), bytes);
  {
    auto store = SqliteStore::open(options_for(directory));
    REQUIRE(store);
    const auto read = (*store)->for_each_live([](const LiveBatch&) {});
    REQUIRE_FALSE(read);
    CHECK(is_damage(read.error()));
    CHECK(read.error().message.find(directory.database()) != std::string::npos);
    CHECK_FALSE((*store)->check()->empty());
  }
  const auto salvage = quarantine(options_for(directory), at(0s));
  REQUIRE(salvage);
  CHECK(salvage->damaged_tables == std::vector<std::string>{"batches"});
  CHECK(salvage->batches_count >= kBatches - kLetters - 60);
  CHECK(salvage->batches_count < kBatches - kLetters);
  CHECK(salvage->dead_letters_count == kLetters);
  CHECK(salvage->webhooks_count == 2);
  check_sound(directory);
}

TEST_CASE("A batch whose body cannot be read is a loss", "[spool][sqlite_quarantine]") {
  TemporaryDirectory directory;
  {
    auto store = SqliteStore::open(options_for(directory));
    REQUIRE(store);
    SimRecords records;
    (*store)->put_webhook(make_webhook(1));
    for (uint64_t i = 1; i <= 3; ++i) {
      (*store)->seal(make_batch(i, {{i * 1'000'000, 200'000}}));
    }
    REQUIRE((*store)->commit(records));
    REQUIRE((*store)->move_to_blob(0, 10'000'000, records));
  }
  Database database;
  REQUIRE(database.open(directory.database(), Access::ReadWrite, nullptr, 100));
  REQUIRE(database.exec("DELETE FROM bodies WHERE sequence = 2 AND piece = 1"));
  database.close();
  {
    auto store = SqliteStore::open(options_for(directory));
    REQUIRE(store);
    const Findings findings = *(*store)->check();
    REQUIRE(findings.size() == 1);
    CHECK(findings[0] == "the body of batch 2 is not whole");
  }
  const auto salvage = quarantine(options_for(directory), at(0s));
  REQUIRE(salvage);
  CHECK(salvage->batches_count == 2);
  CHECK(salvage->losses == std::vector<Loss>{{"webhook-1", kLossSalvaged, 1, 1}});
  auto store = SqliteStore::open(options_for(directory));
  REQUIRE(store);
  CHECK((*store)->recover()->losses == std::vector<Loss>{{"webhook-1", kLossSalvaged, 1, 1}});
  CHECK(live_sequences(**store) == std::vector<uint64_t>{1, 3});
  CHECK((*store)->check()->empty());
}

TEST_CASE("One damaged row is the loss of one batch and holds up no other",
          "[spool][sqlite_quarantine]") {
  TemporaryDirectory directory;
  fill(directory);
  Database database;
  REQUIRE(database.open(directory.database(), Access::ReadWrite, nullptr, 100));
  REQUIRE(database.exec("UPDATE batches SET ranges = x'00112233' WHERE sequence IN (205, 206)"));
  // A piece under another's name.
  REQUIRE(
      database.exec("UPDATE bodies SET checksum = other.checksum, bytes = other.bytes "
                    "FROM bodies AS other WHERE other.sequence = 12 AND other.piece = 0 "
                    "AND bodies.sequence = 14 AND bodies.piece = 0"));
  database.close();
  auto store = SqliteStore::open(options_for(directory));
  REQUIRE(store);
  SimRecords records;
  CHECK((*store)->check()->size() == 4);
  CHECK(is_damage((*store)->open_body(205).error()));
  CHECK(read_body(**store, 14).find("is damaged") != std::string::npos);
  CHECK((*store)->move_to_blob(2'000'000, 2'100'000, records)->unreadable ==
        std::vector<uint64_t>{205, 206});
  (*store)->finish(205, dead_lettered(at(1s)));
  (*store)->finish(206, {});
  (*store)->finish(14, {});
  const auto committed = (*store)->commit(records);
  REQUIRE(committed);
  CHECK(committed->losses == std::vector<Loss>{{"webhook-2", kLossUnreadable, 2, 1}});
  CHECK((*store)->check()->empty());
}

TEST_CASE("Any damage ends in a database that works or in a clear error",
          "[spool][sqlite_quarantine]") {
  TemporaryDirectory original;
  fill(original);
  const std::string good = read_file(original.database());
  core::Random random(17);
  int found_damage = 0;
  for (int round = 0; round < 60; ++round) {
    std::string bytes = good;
    const size_t place = static_cast<size_t>(random.below(bytes.size()));
    switch (round % 5) {
      case 0:
        bytes.resize(place);
        break;
      case 1:
        bytes[place] = static_cast<char>(bytes[place] ^ (1 << random.below(8)));
        break;
      case 2:
        std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(place / 4096 * 4096), 4096, '\0');
        break;
      case 3:
        std::fill_n(bytes.begin(), std::min<size_t>(bytes.size(), 1 + place % 4096), '\xff');
        break;
      default:
        for (int i = 0; i < 200; ++i) {
          bytes[static_cast<size_t>(random.below(bytes.size()))] ^= 0x11;
        }
    }
    TemporaryDirectory directory;
    write_file(directory.database(), bytes);
    CAPTURE(round);
    core::Error error;
    {
      auto store = SqliteStore::open(options_for(directory));
      if (!store) {
        error = store.error();
      } else if (auto state = (*store)->recover(); !state) {
        error = state.error();
      } else if (auto read = (*store)->for_each_live([](const LiveBatch&) {}); !read) {
        error = read.error();
      } else if (!(*store)->check()->empty()) {
        error.code = core::ErrorCode::SpoolIo;
      }
    }
    if (error.code == core::ErrorCode::Ok) continue;
    ++found_damage;
    const auto salvage = quarantine(options_for(directory), at(0s));
    REQUIRE((salvage ? "" : salvage.error().message) == "");
    CHECK(std::filesystem::exists(salvage->moved_to));
    check_sound(directory);
  }
  CHECK(found_damage > 30);
}

TEST_CASE("An empty file and a lost log are no damage", "[spool][sqlite_quarantine]") {
  TemporaryDirectory directory;
  write_file(directory.database(), "");
  check_sound(directory);
  std::filesystem::remove(directory.database() + "-wal");
  auto store = SqliteStore::open(options_for(directory));
  CHECK(store);
}

TEST_CASE("A file that is no database is damage, and says what to look at",
          "[spool][sqlite_quarantine]") {
  TemporaryDirectory directory;
  write_file(directory.database(), std::string(20'000, 'x'));
  const auto opened = SqliteStore::open(options_for(directory));
  REQUIRE_FALSE(opened);
  CHECK(is_damage(opened.error()));
  CHECK(opened.error().message.find(directory.database()) != std::string::npos);
  // Refused, it stays as it was.
  CHECK(read_file(directory.database()) == std::string(20'000, 'x'));
  const auto salvage = quarantine(options_for(directory), at(0s));
  REQUIRE(salvage);
  CHECK_FALSE(salvage->damaged_tables.empty());
  CHECK(read_file(salvage->moved_to) == std::string(20'000, 'x'));
  check_sound(directory);
}

TEST_CASE("A quarantine that was interrupted between its renamings is completed",
          "[spool][sqlite_quarantine]") {
  TemporaryDirectory directory;
  fill(directory);
  {
    // A log is left over, as after a kill.
    auto store = SqliteStore::open(options_for(directory));
    REQUIRE(store);
    SimRecords records;
    (*store)->finish(1, {});
    REQUIRE((*store)->commit(records));
    std::filesystem::copy_file(directory.database() + "-wal", directory.path() + "/log");
  }
  REQUIRE(quarantine(options_for(directory), at(0s)));
  // Back to after the first renaming.
  std::filesystem::rename(directory.database(), directory.database() + ".fresh");
  std::filesystem::rename(directory.path() + "/log", directory.database() + "-wal");
  check_sound(directory);
  auto store = SqliteStore::open(options_for(directory));
  REQUIRE(store);
  CHECK(live_sequences(**store).size() == kBatches - kLetters);
  CHECK_FALSE(std::filesystem::exists(directory.database() + ".fresh"));
}

TEST_CASE("A fresh database that was not completed is thrown away", "[spool][sqlite_quarantine]") {
  TemporaryDirectory directory;
  fill(directory);
  write_file(directory.database() + ".fresh", "half");
  auto store = SqliteStore::open(options_for(directory));
  REQUIRE(store);
  CHECK(live_sequences(**store).size() == kBatches - kLetters);
  CHECK_FALSE(std::filesystem::exists(directory.database() + ".fresh"));
}

TEST_CASE("A quarantine that finds no room leaves everything as it was",
          "[spool][sqlite_quarantine]") {
  TemporaryDirectory directory;
  fill(directory);
  const auto before = names_in(directory.path());
  FaultVfs vfs;
  vfs.set_hook([](const DiskAccess& access) {
    const bool is_fresh = access.path.find(".fresh") != std::string::npos;
    return is_fresh && access.kind == DiskAccess::Kind::Write && access.offset > 40'000
               ? DiskFault::NoSpace
               : DiskFault::None;
  });
  SqliteStoreOptions options = options_for(directory);
  options.vfs = vfs.name();
  const auto salvage = quarantine(options, at(0s));
  vfs.set_hook(nullptr);
  REQUIRE_FALSE(salvage);
  CHECK(salvage.code() == core::ErrorCode::SpoolFull);
  CHECK(names_in(directory.path()) == before);
  auto store = SqliteStore::open(options_for(directory));
  REQUIRE(store);
  CHECK(live_sequences(**store).size() == kBatches - kLetters);
}
