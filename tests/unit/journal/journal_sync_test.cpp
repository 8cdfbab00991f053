// Sync, and what a failed one leads to.
#include <cerrno>

#include "unit/journal/journal_rig.h"

using namespace posthaste;
using namespace posthaste::journal;
using posthaste::core::ErrorCode;
using posthaste::test::FaultStep;
using posthaste::test::JournalRig;

namespace {

bool lose_all(const std::string&, uint64_t) {
  return false;
}

}  // namespace

TEST_CASE("What a sync covered survives a power cut, and synced_end says how far that is",
          "[journal][journal_sync]") {
  JournalRig rig;
  rig.open();
  CHECK(rig.journal->synced_end() == 0);
  rig.must_append("abc");
  CHECK(rig.journal->synced_end() == 0);
  CHECK(rig.journal->unsynced_bytes() > 0);
  REQUIRE(rig.journal->sync().ok());
  CHECK(rig.journal->synced_end() == 4);
  CHECK(rig.journal->unsynced_bytes() == 0);
  rig.must_append("def");
  rig.journal.reset();
  rig.system.power_cut(lose_all);
  rig.open();
  CHECK(rig.records() == std::map<core::StreamPosition, std::string>{{1, "abc"}});
}

TEST_CASE("One sync covers all files written since the last one", "[journal][journal_sync]") {
  JournalRig rig;
  rig.open();
  while (rig.journal->files().size() < 3) rig.must_append(std::string(1000, 'x'));
  REQUIRE(rig.journal->sync().ok());
  const core::StreamPosition end = rig.journal->end();
  rig.journal.reset();
  rig.system.power_cut(lose_all);
  rig.open();
  CHECK_FALSE(rig.findings.is_damaged());
  CHECK(rig.journal->end() == end);
}

TEST_CASE("After a failed fdatasync the unsynced frames are written elsewhere from memory",
          "[journal][journal_sync]") {
  JournalRig rig(GENERATE(range(uint64_t{1}, uint64_t{20})));
  rig.open();
  rig.must_append("first");
  REQUIRE(rig.journal->sync().ok());
  const uint64_t abandoned = rig.journal->files().back().number;
  rig.must_append("second");
  rig.must_append("third");
  rig.system.fail(FaultStep::Sync, EIO);
  const auto failed = rig.journal->sync();
  CHECK(failed.code() == ErrorCode::SpoolIo);
  CHECK(rig.journal->synced_end() == 6);
  REQUIRE(rig.journal->sync().ok());
  CHECK(rig.journal->synced_end() == 17);
  CHECK(rig.journal->files().back().number > abandoned);
  CHECK(*rig.read({{1, 16}}) == "firstsecondthird");
  rig.must_append("fourth");
  REQUIRE(rig.journal->sync().ok());
  rig.journal.reset();
  rig.system.power_cut(lose_all);
  rig.open();
  CHECK_FALSE(rig.findings.is_damaged());
  CHECK(rig.records() == std::map<core::StreamPosition, std::string>{
                             {1, "first"}, {6, "second"}, {12, "third"}, {17, "fourth"}});
}

TEST_CASE("Records appended after a failed fdatasync come behind those that it concerned",
          "[journal][journal_sync]") {
  JournalRig rig;
  rig.open();
  rig.must_append("first");
  rig.system.fail(FaultStep::Sync, EIO, 3);
  CHECK_FALSE(rig.journal->sync().ok());
  CHECK_FALSE(rig.journal->sync().ok());
  CHECK_FALSE(rig.append({"refused"}).ok());
  CHECK(rig.must_append("second") == 6);
  REQUIRE(rig.journal->sync().ok());
  rig.journal.reset();
  rig.system.power_cut(lose_all);
  rig.open();
  CHECK(rig.records() == std::map<core::StreamPosition, std::string>{{1, "first"}, {6, "second"}});
}

TEST_CASE(
    "What was lent is written elsewhere after a failed fdatasync, also when it was taken back",
    "[journal][journal_sync]") {
  const bool is_taken_back = GENERATE(false, true);
  JournalRig rig;
  rig.open();
  // Of two frames, one record behind the other in one piece.
  std::string lent = std::string(kFrameWireUsual, 'a') + std::string(1000, 'b');
  const std::string before = lent;
  const std::string_view piece = lent;
  const IndexEntry index[] = {{kFrameWireUsual, 7}, {1000, 7}};
  rig.options.file_bytes = 1u << 20;
  rig.open();
  REQUIRE(rig.journal->append({{&piece, 1}, index, {}, true}).ok());
  rig.system.fail(FaultStep::Sync, EIO);
  CHECK_FALSE(rig.journal->sync().ok());
  if (is_taken_back) {
    rig.journal->keep_unsynced();
    std::fill(lent.begin(), lent.end(), 'x');
  }
  REQUIRE(rig.journal->sync().ok());
  rig.journal.reset();
  rig.system.power_cut(lose_all);
  rig.open();
  CHECK_FALSE(rig.findings.is_damaged());
  const auto read = rig.read({{1, before.size()}});
  REQUIRE(read.ok());
  CHECK(*read == before);
}

TEST_CASE("A file that failed a sync is removed, not recycled", "[journal][journal_sync]") {
  JournalRig rig;
  rig.open();
  rig.must_append("first");
  REQUIRE(rig.journal->sync().ok());
  rig.must_append("second");
  rig.system.fail(FaultStep::Sync, EIO);
  CHECK_FALSE(rig.journal->sync().ok());
  REQUIRE(rig.journal->sync().ok());
  const uint64_t abandoned = rig.journal->files().front().number;
  REQUIRE(rig.journal->release(abandoned));
  CHECK_FALSE(rig.system.exists(rig.path(FileKind::InUse, abandoned)));
  CHECK_FALSE(rig.system.exists(rig.path(FileKind::Spare, abandoned)));
}

TEST_CASE("What a restart found is synced with the first sync, even if a former one had failed",
          "[journal][journal_sync]") {
  JournalRig rig(GENERATE(range(uint64_t{1}, uint64_t{20})));
  rig.open();
  rig.must_append("first");
  REQUIRE(rig.journal->sync().ok());
  rig.must_append("second");
  rig.system.fail(FaultStep::Sync, EIO);
  CHECK_FALSE(rig.journal->sync().ok());
  // Killed here. Pages of the file may be gone, or in memory only and taken for written.
  rig.open();
  const auto found = rig.records();
  CHECK(found.at(1) == "first");
  REQUIRE(rig.journal->sync().ok());
  rig.journal.reset();
  rig.system.power_cut(lose_all);
  rig.open();
  CHECK(rig.records() == found);
}

TEST_CASE("Without sync a file is synced when it is full, so damage to it is not taken for a tail",
          "[journal][journal_sync]") {
  JournalRig rig;
  rig.options.syncs = false;
  rig.open();
  while (rig.journal->files().size() < 3) rig.must_append(std::string(1000, 'x'));
  CHECK(rig.journal->unsynced_bytes() == 0);
  CHECK(rig.journal->synced_end() == rig.journal->end());
  const core::StreamPosition full_end = rig.journal->files()[1].end;
  const std::string path = rig.path(0);
  rig.journal.reset();
  rig.system.power_cut(lose_all);
  rig.open();
  CHECK_FALSE(rig.findings.is_damaged());
  CHECK(rig.journal->synced_end() == full_end);
  rig.journal.reset();
  rig.system.damage(path, kFramesOffset + 100, "damage");
  rig.open();
  CHECK(rig.findings.lost == std::vector<core::StreamRange>{{1, 1000}});
}
