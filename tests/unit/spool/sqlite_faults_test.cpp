#include <atomic>
#include <catch2/catch.hpp>
#include <filesystem>
#include <thread>

#include "support/fault_vfs.h"
#include "unit/spool/store_fixture.h"

using namespace posthaste;
using namespace posthaste::spool;
using namespace posthaste::test;
using namespace std::chrono_literals;

namespace {

using Kind = DiskAccess::Kind;

struct Fixture {
  TemporaryDirectory directory;
  FaultVfs vfs;
  SqliteStoreOptions options;
  SimRecords records;
  std::unique_ptr<SqliteStore> store;

  explicit Fixture(SyncLevel sync = SyncLevel::Full) {
    options.directory = directory.path();
    options.sync = sync;
    options.vfs = vfs.name();
    reopen();
    store->put_webhook(make_webhook(1));
    REQUIRE(store->commit(records));
  }
  ~Fixture() { vfs.set_hook(nullptr); }
  void reopen() {
    store.reset();
    auto opened = SqliteStore::open(options);
    REQUIRE(opened);
    store = std::move(*opened);
  }
  // Fails everything of one kind.
  void fail(Kind kind, DiskFault fault) {
    vfs.set_hook([kind, fault](const DiskAccess& access) {
      return access.kind == kind ? fault : DiskFault::None;
    });
  }
  void heal() { vfs.set_hook(nullptr); }
};

// A store in copied files.
std::unique_ptr<SqliteStore> open_copy(const std::string& directory) {
  SqliteStoreOptions options;
  options.directory = directory;
  auto opened = SqliteStore::open(options);
  REQUIRE((opened ? "" : opened.error().message) == "");
  return std::move(*opened);
}

// The files as a process leaves them that is killed now.
void copy_files(const TemporaryDirectory& from, const std::string& to) {
  for (const char* suffix : {"", "-wal"}) {
    const std::string path = from.database() + suffix;
    if (!std::filesystem::exists(path)) continue;
    std::filesystem::copy_file(path, to + "/" + kDatabaseName + suffix,
                               std::filesystem::copy_options::overwrite_existing);
  }
}

}  // namespace

TEST_CASE("After a commit that failed nothing is lost or in another order",
          "[spool][sqlite_faults]") {
  Fixture fixture;
  const auto [kind, fault, code] = GENERATE(table<Kind, DiskFault, core::ErrorCode>(
      {{Kind::Write, DiskFault::NoSpace, core::ErrorCode::SpoolFull},
       {Kind::Write, DiskFault::IoError, core::ErrorCode::SpoolIo},
       {Kind::Write, DiskFault::TornWrite, core::ErrorCode::SpoolIo},
       {Kind::Sync, DiskFault::IoError, core::ErrorCode::SpoolIo}}));
  AttemptRecord attempt;
  attempt.webhook_id = "webhook-1";
  attempt.batch_id = batch_id(1);
  attempt.time = at(1s);
  const uint64_t committed = fixture.store->committed();

  fixture.store->seal(make_batch(1, {{100, 50}}));
  fixture.store->log_attempt(attempt);
  fixture.fail(kind, fault);
  auto failed = fixture.store->commit(fixture.records);
  REQUIRE_FALSE(failed);
  CHECK(failed.code() == code);
  CHECK_FALSE(is_damage(failed.error()));
  CHECK(failed.error().message.find(fixture.directory.database()) != std::string::npos);
  CHECK(fixture.store->committed() == committed);
  CHECK(fixture.store->has_work());
  CHECK(fixture.store->is_urgent());
  fixture.store->finish(1, dead_lettered(at(2s)));
  CHECK_FALSE(fixture.store->commit(fixture.records));
  const uint64_t last = fixture.store->replay_dead_letter(1, 1, 1);

  fixture.heal();
  REQUIRE(fixture.store->commit(fixture.records));
  CHECK(fixture.store->committed() == last);
  CHECK_FALSE(fixture.store->has_work());
  CHECK(fixture.store->queued_bytes() == 0);
  CHECK(live_sequences(*fixture.store) == std::vector<uint64_t>{1});
  CHECK(fixture.store->dead_letter_sums({})->batches_count == 0);
  CHECK(fixture.store->batch_status("webhook-1", 5, StatusFilter::All, at(2s)).size() == 1);
  CHECK(fixture.store->check()->empty());
}

TEST_CASE("What a start finds in the log of a killed process is there after a power cut",
          "[spool][sqlite_faults]") {
  Fixture fixture;
  fixture.store->seal(make_batch(1, {{100, 50}}));
  REQUIRE(fixture.store->commit(fixture.records));
  fixture.store->seal(make_batch(2, {{200, 50}}));
  // The kernel remembers what was written, and the disk does not have it.
  fixture.fail(Kind::Sync, DiskFault::IoError);
  REQUIRE_FALSE(fixture.store->commit(fixture.records));
  fixture.heal();
  fixture.vfs.freeze();
  fixture.store.reset();
  fixture.vfs.thaw();
  fixture.reopen();
  REQUIRE(fixture.store->recover());
  REQUIRE(live_sequences(*fixture.store) == std::vector<uint64_t>{1, 2});
  core::Random random(1);
  for (int i = 0; i < 20; ++i) {
    TemporaryDirectory cut;
    fixture.vfs.copy_after_power_cut(cut.path(), random);
    CHECK(live_sequences(*open_copy(cut.path())) == std::vector<uint64_t>{1, 2});
  }
}

TEST_CASE("A start needs a disk that takes the log of a killed process once more, but no room",
          "[spool][sqlite_faults]") {
  Fixture killed;
  killed.store->seal(make_batch(1, {{100, 50}}));
  REQUIRE(killed.store->commit(killed.records));
  Fixture fixture;
  fixture.store.reset();
  copy_files(killed.directory, fixture.directory.path());
  for (const Kind kind : {Kind::Read, Kind::Write, Kind::Sync}) {
    fixture.fail(kind, DiskFault::IoError);
    const auto refused = SqliteStore::open(fixture.options);
    REQUIRE_FALSE(refused);
    CHECK(refused.code() == core::ErrorCode::SpoolIo);
    CHECK_FALSE(is_damage(refused.error()));
    CHECK_THAT(refused.error().message, Catch::Contains(fixture.directory.database()));
  }
  fixture.vfs.set_hook([](const DiskAccess& access) {
    std::error_code ignored;
    const auto size = static_cast<int64_t>(std::filesystem::file_size(access.path, ignored));
    const bool grows = access.kind == Kind::Write && access.offset + access.size > size;
    return grows ? DiskFault::NoSpace : DiskFault::None;
  });
  fixture.reopen();
  REQUIRE(fixture.store->recover());
  CHECK(live_sequences(*fixture.store) == std::vector<uint64_t>{1});
}

TEST_CASE("Rows that cannot be written do not keep rows from being read",
          "[spool][sqlite_faults]") {
  Fixture fixture;
  fixture.store->seal(make_batch(1, {{100, 100'000}}));
  REQUIRE(fixture.store->commit(fixture.records));
  REQUIRE(fixture.store->move_to_blob(0, 1'000'000, fixture.records));
  fixture.fail(Kind::Write, DiskFault::NoSpace);
  fixture.store->seal(make_batch(2, {{1000, 100}}));
  CHECK_FALSE(fixture.store->commit(fixture.records));
  CHECK((read_body(*fixture.store, 1) == body_of(records_of({{100, 100'000}}))));
  CHECK(fixture.store->find_batch(batch_id(1)));
  CHECK(fixture.store->recover());
}

TEST_CASE("A body that the disk does not give is an error of the disk, not damage",
          "[spool][sqlite_faults]") {
  Fixture fixture;
  fixture.store->seal(make_batch(1, {{100, 1'000'000}}));
  REQUIRE(fixture.store->commit(fixture.records));
  REQUIRE(fixture.store->move_to_blob(0, 2'000'000, fixture.records));
  fixture.fail(Kind::Read, DiskFault::IoError);
  char byte;
  const auto read = fixture.store->read_blob(1, 500'000, &byte, 1);
  REQUIRE_FALSE(read);
  CHECK(read.code() == core::ErrorCode::SpoolIo);
  CHECK_FALSE(is_damage(read.error()));
  fixture.heal();
  CHECK(*fixture.store->read_blob(1, 500'000, &byte, 1) == 1);
}

TEST_CASE("Moving bodies is all or nothing", "[spool][sqlite_faults]") {
  Fixture fixture;
  for (uint64_t i = 1; i <= 10; ++i) fixture.store->seal(make_batch(i, {{i << 20, 900'000}}));
  REQUIRE(fixture.store->commit(fixture.records));
  int writes = 0;
  fixture.vfs.set_hook([&](const DiskAccess& access) {
    return access.kind == Kind::Write && ++writes > 1500 ? DiskFault::NoSpace : DiskFault::None;
  });
  const auto moved = fixture.store->move_to_blob(0, 100 << 20, fixture.records);
  REQUIRE_FALSE(moved);
  CHECK(moved.code() == core::ErrorCode::SpoolFull);
  fixture.heal();
  const auto batches = fixture.store->list_batches({}, 0, 100);
  REQUIRE(batches);
  for (const LiveBatch& batch : *batches) {
    CHECK(batch.body_kind == BodyKind::Journal);
  }
  CHECK(fixture.store->check()->empty());
  CHECK(fixture.store->move_to_blob(0, 100 << 20, fixture.records)->batches_count == 10);
  CHECK(fixture.store->check()->empty());
}

TEST_CASE("What is committed is safe although the log cannot be moved into the database",
          "[spool][sqlite_faults]") {
  Fixture fixture(SyncLevel::Normal);
  fixture.vfs.set_hook([&](const DiskAccess& access) {
    const bool is_main = access.path == std::filesystem::canonical(fixture.directory.database());
    return is_main && access.kind == Kind::Write ? DiskFault::NoSpace : DiskFault::None;
  });
  bool has_failed = false;
  uint64_t sequence = 0;
  while (!has_failed && sequence < 3000) {
    ++sequence;
    fixture.store->seal(make_batch(sequence, {{sequence * 100, 100}}));
    const auto outcome = fixture.store->commit(fixture.records);
    REQUIRE(outcome);
    has_failed = outcome->checkpoint.code == core::ErrorCode::SpoolFull;
  }
  CHECK(has_failed);
  CHECK(live_sequences(*fixture.store).size() == sequence);
  fixture.heal();
  fixture.store->seal(make_batch(sequence + 1, {{sequence * 100 + 100, 100}}));
  CHECK(fixture.store->commit(fixture.records)->checkpoint.code == core::ErrorCode::Ok);
  CHECK(fixture.store->check()->empty());
}

TEST_CASE("With full sync a commit survives a power cut", "[spool][sqlite_faults]") {
  Fixture fixture;
  core::Random random(3);
  for (uint64_t sequence = 1; sequence <= 40; ++sequence) {
    fixture.store->seal(make_batch(sequence, {{sequence * 100, 100}}));
    if (sequence > 3) fixture.store->finish(sequence - 3, {});
    // A cut in the midst of the commit leaves the state before or after it.
    TemporaryDirectory midst;
    uint64_t left = random.below(6);
    fixture.vfs.set_hook([&](const DiskAccess& access) {
      if (access.kind != Kind::Read && left-- == 0) {
        fixture.vfs.copy_after_power_cut(midst.path(), random);
      }
      return DiskFault::None;
    });
    const auto before = live_sequences(*fixture.store);
    REQUIRE(fixture.store->commit(fixture.records));
    fixture.heal();
    const auto after = live_sequences(*fixture.store);
    if (std::filesystem::exists(midst.database())) {
      const auto found = live_sequences(*open_copy(midst.path()));
      CHECK((found == before || found == after));
    }
    TemporaryDirectory cut;
    fixture.vfs.copy_after_power_cut(cut.path(), random);
    const auto copy = open_copy(cut.path());
    REQUIRE(live_sequences(*copy) == after);
    REQUIRE(copy->check()->empty());
  }
}

TEST_CASE("With normal sync what is committed survives a power cut once it is synced",
          "[spool][sqlite_faults]") {
  Fixture fixture(SyncLevel::Normal);
  core::Random random(5);
  REQUIRE(fixture.store->sync());
  int lost = 0;
  for (uint64_t sequence = 1; sequence <= 30; ++sequence) {
    fixture.store->seal(make_batch(sequence, {{sequence * 100, 100}}));
    REQUIRE(fixture.store->commit(fixture.records));
    CHECK(fixture.store->synced() < fixture.store->committed());
    TemporaryDirectory early;
    fixture.vfs.copy_after_power_cut(early.path(), random);
    if (live_sequences(*open_copy(early.path())).size() < sequence) ++lost;
    REQUIRE(fixture.store->sync());
    CHECK(fixture.store->synced() == fixture.store->committed());
    TemporaryDirectory cut;
    fixture.vfs.copy_after_power_cut(cut.path(), random);
    REQUIRE(live_sequences(*open_copy(cut.path())).size() == sequence);
  }
  // Else this shows nothing.
  CHECK(lost > 5);
}

TEST_CASE("A move of bodies survives a power cut at every level of sync",
          "[spool][sqlite_faults]") {
  Fixture fixture(SyncLevel::Normal);
  core::Random random(6);
  fixture.store->seal(make_batch(1, {{100, 200'000}}));
  REQUIRE(fixture.store->commit(fixture.records));
  REQUIRE(fixture.store->move_to_blob(0, 1'000'000, fixture.records));
  TemporaryDirectory cut;
  fixture.vfs.copy_after_power_cut(cut.path(), random);
  const auto copy = open_copy(cut.path());
  CHECK((read_body(*copy, 1) == body_of(records_of({{100, 200'000}}))));
}

TEST_CASE("A process that is killed at any write leaves a state between two commits",
          "[spool][sqlite_faults]") {
  Fixture fixture(SyncLevel::Normal);
  core::Random random(11);
  int crashes = 0;
  uint64_t sequence = 0;
  for (int round = 0; round < 60; ++round) {
    for (uint64_t i = 0; i < 20; ++i) {
      ++sequence;
      fixture.store->seal(make_batch(sequence, {{sequence * 1000, 999}}));
      if (sequence > 50) fixture.store->finish(sequence - 50, {});
    }
    const auto before = live_sequences(*fixture.store);
    TemporaryDirectory copy;
    uint64_t left = random.below(40);
    bool is_copied = false;
    fixture.vfs.set_hook([&](const DiskAccess& access) {
      if (access.kind != Kind::Read && left-- == 0) {
        copy_files(fixture.directory, copy.path());
        is_copied = true;
      }
      return DiskFault::None;
    });
    REQUIRE(fixture.store->commit(fixture.records));
    if (round % 3 == 0) {
      REQUIRE(fixture.store->move_to_blob(0, sequence * 1000, fixture.records));
    }
    fixture.heal();
    if (!is_copied) continue;
    ++crashes;
    const auto store = open_copy(copy.path());
    const auto found = live_sequences(*store);
    CHECK((found == before || found == live_sequences(*fixture.store)));
    CHECK(store->check()->empty());
  }
  CHECK(crashes > 20);
}

TEST_CASE("Threads queue, read and commit at once", "[spool][sqlite_faults]") {
  TemporaryDirectory directory;
  SqliteStoreOptions options;
  options.directory = directory.path();
  options.sync = SyncLevel::Normal;
  auto store = SqliteStore::open(options);
  REQUIRE(store);
  SimRecords records;
  constexpr uint64_t kBatches = 2000;
  (*store)->put_webhook(make_webhook(1));
  std::atomic<bool> is_done{false};
  std::thread delivery([&] {
    for (uint64_t i = 1; i <= kBatches; ++i) {
      (*store)->seal(make_batch(i, {{i * 100, 100}}));
      (*store)->attempted(i, {});
      AttemptRecord attempt;
      attempt.webhook_id = "webhook-1";
      attempt.batch_id = batch_id(i);
      attempt.time = at(1s);
      (*store)->log_attempt(attempt);
      if (i > 100) (*store)->finish(i - 100, {});
    }
    is_done = true;
  });
  uint64_t failures_count = 0;
  std::thread host([&] {
    while (!is_done) {
      const auto body = (*store)->open_body(1);
      const bool is_answer = body.ok() || body.code() == core::ErrorCode::NotFound;
      const bool is_list = (*store)->list_batches({}, 0, 10).ok();
      (*store)->batch_status("webhook-1", 5, StatusFilter::All, at(1s));
      (*store)->history("webhook-1");
      if (!is_answer || !is_list) ++failures_count;
    }
  });
  while (!is_done || (*store)->has_work()) {
    REQUIRE((*store)->commit(records));
    REQUIRE((*store)->maintain(at(1s)));
  }
  delivery.join();
  host.join();
  CHECK(failures_count == 0);
  CHECK(live_sequences(**store).size() == 100);
  CHECK((*store)->check()->empty());
}
