#include "journal/journal.h"

#include <cerrno>

#include "unit/journal/journal_rig.h"

using namespace posthaste;
using namespace posthaste::journal;
using posthaste::core::ErrorCode;
using posthaste::test::FaultStep;
using posthaste::test::frames_of;
using posthaste::test::JournalRig;

namespace {

std::string text(size_t size, char letter = 'x') {
  return std::string(size, letter);
}

// Appends records of one kilobyte until the journal has so many files.
void fill_files(JournalRig& rig, size_t count) {
  while (rig.journal->files().size() < count) rig.must_append(text(1000));
}

}  // namespace

TEST_CASE("Positions count record bytes, begin at 1 and go on after a restart",
          "[journal][journal_append]") {
  JournalRig rig;
  rig.open();
  CHECK(rig.journal->end() == 1);
  CHECK(rig.must_append("abc") == 1);
  const auto group = rig.append({"de", "fghi"});
  REQUIRE(group.ok());
  CHECK(*group == 4);
  CHECK(rig.journal->end() == 10);
  rig.open();
  CHECK(rig.journal->end() == 10);
  CHECK(rig.must_append("j") == 10);
  CHECK(rig.records() ==
        std::map<core::StreamPosition, std::string>{{1, "abc"}, {4, "de"}, {6, "fghi"}, {10, "j"}});
}

TEST_CASE("Positions begin behind the greatest that the caller knows",
          "[journal][journal_append]") {
  JournalRig rig;
  rig.open({0, 5000, 0});
  CHECK(rig.must_append("abc") == 5000);
  rig.open({0, 7000, 0});
  CHECK(rig.must_append("def") == 7000);
  REQUIRE(rig.journal->sync().ok());
  // The gaps are part of the journal, not a loss.
  rig.open({1, 0, 0});
  CHECK_FALSE(rig.findings.is_damaged());
  CHECK(rig.records() == std::map<core::StreamPosition, std::string>{{5000, "abc"}, {7000, "def"}});
}

TEST_CASE("A recovered frame has its records, types and source", "[journal][journal_append]") {
  JournalRig rig;
  rig.open();
  const std::string_view pieces[] = {"ab", "cdefg", "hi"};  // not cut where records end
  const IndexEntry index[] = {{4, 7}, {5, 513}};
  REQUIRE(rig.journal->append({pieces, index, {3, 12345}}).ok());
  rig.open();
  RecoveryReader reader = rig.journal->recovered();
  RecoveredFrame frame;
  auto is_found = reader.next(frame);
  REQUIRE((is_found.ok() && *is_found));
  CHECK(frame.position == 1);
  CHECK(frame.wire == "abcdefghi");
  CHECK(frame.index == std::vector<IndexEntry>{{4, 7}, {5, 513}});
  CHECK(frame.source == FrameSource{3, 12345});
  is_found = reader.next(frame);
  CHECK((is_found.ok() && !*is_found));
}

TEST_CASE("Recovery gives out records from the frame that holds low on",
          "[journal][journal_append]") {
  JournalRig rig;
  rig.open();
  fill_files(rig, 4);
  const uint64_t end = rig.journal->end();
  rig.open({end - 2500, 0, 0});
  const auto records = rig.records();
  CHECK(records.size() == 3);
  CHECK(records.begin()->first == end - 3000);
}

TEST_CASE("A large group is cut into frames of the usual size, one with a source is not",
          "[journal][journal_append]") {
  JournalRig rig;
  rig.options.file_bytes = 4u << 20;
  rig.open();
  const std::vector<std::string> records(700, text(1000));
  REQUIRE(rig.append(records).ok());
  auto frames = frames_of(rig.system, rig.path(0));
  REQUIRE(frames.size() == 3);
  CHECK(frames[0].range == core::StreamRange{1, 262000});
  CHECK(frames[1].range == core::StreamRange{262001, 262000});
  CHECK(frames[2].range == core::StreamRange{524001, 176000});
  REQUIRE(rig.append(records, {1, 8}).ok());
  frames = frames_of(rig.system, rig.path(0));
  REQUIRE(frames.size() == 4);
  CHECK(frames[3].range.size == 700000);
}

TEST_CASE("A record larger than a file gets a file of its own, up to 17 MiB",
          "[journal][journal_append]") {
  JournalRig rig;
  rig.open();
  CHECK(rig.must_append("small") == 1);
  const std::string large = text(100'000, 'L');
  CHECK(rig.must_append(large) == 6);
  CHECK(rig.must_append("after") == 100'006);
  const auto too_large = rig.append({text(kFrameWireMax + 1)});
  CHECK(too_large.code() == ErrorCode::TooLarge);
  REQUIRE(rig.append({text(kFrameWireMax, 'M')}).ok());
  rig.open();
  CHECK(rig.records().at(6) == large);
  const auto body = rig.read({{100'011, kFrameWireMax}});
  REQUIRE(body.ok());
  CHECK(*body == text(kFrameWireMax, 'M'));
}

TEST_CASE("Each file is reserved in full when it is created", "[journal][journal_append]") {
  JournalRig rig;
  rig.open();
  rig.must_append("abc");
  CHECK(rig.system.bytes(rig.path(0)).size() == rig.options.file_bytes);
  CHECK(rig.journal->disk_bytes() == rig.options.file_bytes);
}

TEST_CASE("A journal goes on in its last file after a restart", "[journal][journal_append]") {
  JournalRig rig;
  for (int i = 0; i < 5; ++i) {
    rig.open();
    rig.must_append("abc");
    REQUIRE(rig.journal->sync().ok());
    CHECK(rig.journal->files().size() == 1);
  }
  CHECK(rig.journal->disk_bytes() == rig.options.file_bytes);
}

TEST_CASE("Opening a journal changes nothing on disk", "[journal][journal_append]") {
  JournalRig rig;
  rig.open();
  fill_files(rig, 3);
  rig.journal.reset();
  const uint64_t steps_count = rig.system.steps_count();
  rig.open();
  CHECK(rig.records().size() > 40);
  CHECK(rig.system.steps_count() == steps_count);
}

TEST_CASE("Opening reads only headers of the files before low", "[journal][journal_append]") {
  JournalRig rig;
  rig.open();
  fill_files(rig, 5);
  const auto files = rig.journal->files();
  // Nothing but a header can be read of the first three.
  for (size_t i = 0; i < 3; ++i) {
    for (uint64_t page = 2; page < 8; ++page) rig.system.fail_reads(rig.path(i), page);
  }
  rig.open({files[3].first, 0, 0});
  CHECK_FALSE(rig.findings.is_damaged());
  CHECK(rig.records().begin()->first == files[3].first);
}

TEST_CASE("A spool that reached max_bytes refuses records until a file is released",
          "[journal][journal_append]") {
  JournalRig rig;
  rig.options.max_bytes = 3 * rig.options.file_bytes;
  rig.open();
  auto appended = rig.append({text(1000)});
  while (appended) appended = rig.append({text(1000)});
  CHECK(appended.code() == ErrorCode::SpoolFull);
  CHECK(rig.journal->disk_bytes() == rig.options.max_bytes);
  const core::StreamPosition end = rig.journal->end();
  REQUIRE(rig.journal->sync().ok());
  // What still fits the current file is taken.
  CHECK(rig.append({"x"}).ok());
  REQUIRE(rig.journal->release(rig.journal->files().front().number));
  CHECK(rig.must_append(text(1000)) == end + 1);
  CHECK(rig.journal->disk_bytes() == rig.options.max_bytes);
}

TEST_CASE("A full disk refuses records, loses none, and takes them when there is room again",
          "[journal][journal_append]") {
  JournalRig rig;
  rig.open();
  rig.system.set_space(2 * rig.options.file_bytes);
  auto appended = rig.append({text(1000)});
  while (appended) appended = rig.append({text(1000)});
  CHECK(appended.code() == ErrorCode::SpoolFull);
  const core::StreamPosition end = rig.journal->end();
  CHECK(rig.append({text(1000)}).code() == ErrorCode::SpoolFull);
  rig.system.set_space(3 * rig.options.file_bytes);
  CHECK(rig.must_append("after") == end);
  rig.open();
  CHECK_FALSE(rig.findings.is_damaged());
  CHECK(rig.records().rbegin()->second == "after");
}

TEST_CASE("A write that fails half-way leaves the journal usable and its records out of it",
          "[journal][journal_append]") {
  JournalRig rig(GENERATE(range(uint64_t{1}, uint64_t{30})));
  rig.open();
  CHECK(rig.must_append("before") == 1);
  rig.system.fail(FaultStep::Write, EIO);
  CHECK(rig.append({text(9000, 'f')}).code() == ErrorCode::SpoolIo);
  CHECK(rig.journal->end() == 7);
  CHECK(rig.must_append("after") == 7);
  REQUIRE(rig.journal->sync().ok());
  rig.open();
  CHECK_FALSE(rig.findings.is_damaged());
  CHECK(rig.records() == std::map<core::StreamPosition, std::string>{{1, "before"}, {7, "after"}});
}

TEST_CASE("A group that failed in its second file is not found beside what came after it",
          "[journal][journal_append]") {
  JournalRig rig;
  rig.options.file_bytes = 600u << 10;
  rig.open();
  CHECK(rig.must_append("before") == 1);
  // Two frames fit the first file; the third meets a disk that fails.
  rig.system.fail(FaultStep::Write, EIO, 1, 2);
  const std::vector<std::string> records(3, text(kFrameWireUsual));
  CHECK_FALSE(rig.append(records).ok());
  CHECK(rig.must_append("after") == 7);
  rig.open();
  CHECK_FALSE(rig.findings.is_damaged());
  CHECK(rig.records() == std::map<core::StreamPosition, std::string>{{1, "before"}, {7, "after"}});
}

TEST_CASE("Errors name the file and say what the system said", "[journal][journal_append]") {
  JournalRig rig;
  rig.open();
  rig.system.fail(FaultStep::Create, EACCES);
  const auto appended = rig.append({"abc"});
  REQUIRE_FALSE(appended.ok());
  CHECK(appended.error().message == "cannot create /spool/spare-000000000001: Permission denied");
}

TEST_CASE("A released file is recycled under a new number and salt", "[journal][journal_recycle]") {
  JournalRig rig;
  rig.open();
  fill_files(rig, 3);
  REQUIRE(rig.journal->sync().ok());
  const auto files = rig.journal->files();
  const std::string first_path = rig.path(0);
  const std::string old_bytes = rig.system.bytes(first_path);
  REQUIRE(rig.journal->release(files[0].number));
  CHECK_FALSE(rig.system.exists(first_path));
  CHECK(rig.system.exists(rig.path(FileKind::Spare, files[0].number)));
  const uint64_t disk_bytes = rig.journal->disk_bytes();
  fill_files(rig, 3);
  CHECK(rig.journal->disk_bytes() == disk_bytes);
  const std::string new_bytes = rig.system.bytes(rig.path(2));
  const auto old_header = decode_file_header(old_bytes.substr(0, kFileHeaderSize));
  const auto new_header = decode_file_header(new_bytes.substr(0, kFileHeaderSize));
  REQUIRE((old_header && new_header));
  CHECK(new_header->number > files[2].number);
  CHECK(new_header->salt != old_header->salt);
  // The rest of the former use is still there, and does not pass.
  CHECK(new_bytes.substr(20000) == old_bytes.substr(20000));
  CHECK(frames_of(rig.system, rig.path(2)).size() == 1);
}

TEST_CASE("Spare files that a killed process never reserved go", "[journal][journal_recycle]") {
  JournalRig rig;
  rig.open();
  for (const uint64_t number : {uint64_t{1}, uint64_t{2}}) {
    REQUIRE(rig.system.open(rig.path(FileKind::Spare, number), OpenMode::Create, {}).ok());
  }
  rig.open();
  rig.must_append("record");
  CHECK(rig.system.paths() == std::vector<std::string>{rig.path(0)});
}

TEST_CASE("Only a few spare files are kept, and none when the disk is full",
          "[journal][journal_recycle]") {
  JournalRig rig;
  rig.open();
  fill_files(rig, 6);
  REQUIRE(rig.journal->sync().ok());
  for (const JournalFileInfo& file : rig.journal->files()) {
    CHECK(rig.journal->release(file.number) == !file.is_current);
  }
  CHECK(rig.journal->files().size() == 1);
  CHECK(rig.system.paths().size() == 1 + rig.options.spares_max);
  rig.journal->remove_spares();
  CHECK(rig.system.paths().size() == 1);
  CHECK(rig.journal->disk_bytes() == rig.options.file_bytes);
}

TEST_CASE("A file whose records are not synced is not released", "[journal][journal_recycle]") {
  JournalRig rig;
  rig.open();
  fill_files(rig, 2);
  const uint64_t number = rig.journal->files().front().number;
  CHECK_FALSE(rig.journal->release(number));
  REQUIRE(rig.journal->sync().ok());
  CHECK(rig.journal->release(number));
  CHECK_FALSE(rig.journal->release(number));
  CHECK_FALSE(rig.journal->release(4711));
}

TEST_CASE("A steady rate with releases takes no more disk after a hundred files than after three",
          "[journal][journal_recycle]") {
  JournalRig rig;
  rig.open();
  for (int i = 0; i < 2400; ++i) {
    rig.must_append(text(1000));
    REQUIRE(rig.journal->sync().ok());
    for (const JournalFileInfo& file : rig.journal->files()) {
      if (file.end + 30000 < rig.journal->end()) rig.journal->release(file.number);
    }
    CHECK(rig.journal->disk_bytes() <= 5 * rig.options.file_bytes);
  }
  CHECK(rig.journal->files().back().number > 100);
}
