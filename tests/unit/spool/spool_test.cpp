// Journal and store as one spool: long waits leave the journal, and what is damaged while the spool
// is open.
#include "spool/spool.h"

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "journal/posix_file_system.h"
#include "unit/spool/store_fixture.h"

using namespace posthaste;
using namespace posthaste::spool;
using namespace posthaste::test;
using namespace std::chrono_literals;

namespace {

// One record.
class Block final : public core::RecordBlock {
 public:
  explicit Block(std::string record) : record_(std::move(record)) {
    entry_.size = static_cast<uint32_t>(record_.size());
    bytes_ = record_.data();
    entries_ = &entry_;
  }

 private:
  void on_unused() override {}

  std::string record_;
  core::RecordEntry entry_;
};

// A spool with small files, in which batches wait.
class SpoolRig {
 public:
  static constexpr uint64_t kMaxBytes = 1u << 20;
  static constexpr uint64_t kBatches = 26;

  SpoolRig() { open(core::DamagePolicy::Refuse); }

  void open(core::DamagePolicy on_damage) {
    spool.reset();
    SpoolOptions options;
    options.directory = directory.path();
    options.max_bytes = kMaxBytes;
    options.on_damage = on_damage;
    auto opened = Spool::open(
        files_, options, [this] { return ++random_; }, at(0s), remarks);
    REQUIRE((opened ? "" : opened.error().message) == "");
    spool = std::move(*opened);
    REQUIRE(spool->define_types(catalogue_));
    for (;;) {
      auto found = spool->next_recovered({});
      REQUIRE(found);
      if (!*found) return;
      (*found)->block->release();
    }
  }

  // Each a batch of one large record.
  void fill() {
    spool->store().put_webhook(make_webhook(1));
    for (uint64_t i = 1; i <= kBatches; ++i) {
      const Block block(record(i));
      const auto position = spool->append(block, {0, 1, 0});
      REQUIRE(position);
      spool->store().seal(make_batch(i, {{*position, record(i).size()}}));
    }
    REQUIRE(spool->sync_journal());
    spool->store().set_low(spool->end());
    REQUIRE(spool->commit());
    spool->set_low_written(spool->end());
  }
  static std::string record(uint64_t number) {
    return std::string(20'000, static_cast<char>('a' + number % 26)) + ',';
  }

  std::string body(uint64_t sequence) const {
    auto reader = spool->open_body(sequence);
    if (!reader) return reader.error().message;
    std::string text((*reader)->size_bytes(), '\0');
    const auto size = (*reader)->read(0, text.data(), text.size());
    text.resize(size ? *size : 0);
    return text;
  }
  uint64_t journal_bytes() const {
    uint64_t total = 0;
    for (const auto& entry : std::filesystem::directory_iterator(directory.path())) {
      const std::string name = entry.path().filename().string();
      if (name.starts_with("journal-") || name.starts_with("spare-")) total += entry.file_size();
    }
    return total;
  }
  // Garbage into a file, from `offset` on.
  void damage(const std::string& name, uint64_t offset, size_t size) const {
    std::fstream file(directory.path() + "/" + name,
                      std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(static_cast<std::streamoff>(offset));
    file << std::string(size, '\x5a');
  }

  TemporaryDirectory directory;
  std::vector<std::string> remarks;
  std::unique_ptr<Spool> spool;

 private:
  journal::PosixFileSystem files_;
  core::EventCatalogue catalogue_;
  uint64_t random_ = 1000;
};

}  // namespace

TEST_CASE("Long waits leave a journal that is over its part in one go", "[spool][spool_whole]") {
  SpoolRig rig;
  rig.fill();
  CHECK(rig.journal_bytes() > 3 * SpoolRig::kMaxBytes / 4);
  int turns = 0;
  do {
    REQUIRE(rig.spool->maintain(at(1s)));
    ++turns;
  } while (rig.spool->has_more_to_move() && turns < 10);
  CHECK(turns == 2);
  CHECK(rig.journal_bytes() <= SpoolRig::kMaxBytes / 4 + (64u << 10));
  for (uint64_t i = 1; i <= SpoolRig::kBatches; ++i) {
    REQUIRE((rig.body(i) == body_of(SpoolRig::record(i))));
  }
  CHECK(rig.spool->store().check()->empty());
}

TEST_CASE("A body that is gone keeps no file of the journal, and is the loss of one batch",
          "[spool][spool_whole]") {
  SpoolRig rig;
  rig.fill();
  // Within the first record of the oldest file.
  std::string oldest = "journal-9";
  for (const auto& entry : std::filesystem::directory_iterator(rig.directory.path())) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("journal-")) oldest = std::min(oldest, name);
  }
  rig.damage(oldest, 9000, 10);
  for (int i = 0; i < 4; ++i) REQUIRE(rig.spool->maintain(at(1s)));
  CHECK(rig.journal_bytes() <= SpoolRig::kMaxBytes / 4 + (64u << 10));
  CHECK(rig.body(1).empty());
  for (uint64_t i = 2; i <= SpoolRig::kBatches; ++i) {
    REQUIRE((rig.body(i) == body_of(SpoolRig::record(i))));
  }
}

namespace {

// Finishes batches until the database says that it is damaged.
core::Error find_damage(SpoolRig& rig) {
  for (uint64_t i = 1; i <= SpoolRig::kBatches; ++i) {
    rig.spool->store().finish(i, {});
    if (auto done = rig.spool->commit(); !done) return done.error();
  }
  return {};
}

// Bodies that are in no connection's memory.
void damage_bodies(SpoolRig& rig, core::DamagePolicy on_damage) {
  rig.fill();
  for (int i = 0; i < 3; ++i) REQUIRE(rig.spool->maintain(at(1s)));
  rig.open(on_damage);
  const uint64_t kept = uint64_t{40} * 4096;
  rig.damage("spool.db", kept, std::filesystem::file_size(rig.directory.database()) - kept);
}

}  // namespace

TEST_CASE("A database that is damaged while it is open is written no more with refuse",
          "[spool][spool_whole]") {
  SpoolRig rig;
  damage_bodies(rig, core::DamagePolicy::Refuse);
  const core::Error error = find_damage(rig);
  REQUIRE(rig.spool->is_damaged());
  CHECK(error.message.find(rig.directory.database()) != std::string::npos);
  CHECK(error.message.find("spool.on_damage=quarantine") != std::string::npos);
  CHECK(rig.spool->commit().error().message == error.message);
  CHECK(rig.spool->maintain(at(3s)).error().message == error.message);
  // The journal goes on.
  const Block block(SpoolRig::record(1));
  CHECK(rig.spool->append(block, {0, 1, 0}));
  CHECK(rig.spool->sync_journal());
}

TEST_CASE(
    "A database that is damaged while it is open is replaced by the next maintenance with "
    "quarantine",
    "[spool][spool_whole]") {
  SpoolRig rig;
  damage_bodies(rig, core::DamagePolicy::Quarantine);
  const core::Error error = find_damage(rig);
  REQUIRE(rig.spool->is_damaged());
  CHECK(rig.spool->take_remarks().empty());
  REQUIRE(rig.spool->maintain(at(3s)));
  CHECK_FALSE(rig.spool->is_damaged());
  const auto remarks = rig.spool->take_remarks();
  REQUIRE(remarks.size() == 1);
  CHECK(remarks[0].find("it is kept as") != std::string::npos);
  REQUIRE(rig.spool->commit());
  CHECK_FALSE(rig.spool->store().has_work());
  CHECK(rig.spool->store().check()->empty());
  rig.open(core::DamagePolicy::Refuse);
}
