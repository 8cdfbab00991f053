#include "journal/range_reader.h"

#include <atomic>
#include <cerrno>
#include <thread>

#include "unit/journal/journal_rig.h"

using namespace posthaste;
using namespace posthaste::journal;
using posthaste::core::StreamRange;
using posthaste::test::frames_of;
using posthaste::test::JournalRig;

namespace {

// Byte `position` of the stream these tests write.
char byte_at(core::StreamPosition position) {
  return static_cast<char>('a' + position * 7 % 26);
}

std::string stream(const StreamRange& range) {
  std::string out;
  for (uint64_t i = 0; i < range.size; ++i) out += byte_at(range.position + i);
  return out;
}

void append_stream(JournalRig& rig, uint64_t size) {
  rig.must_append(stream({rig.journal->end(), size}));
}

}  // namespace

TEST_CASE("A reader gives out any bytes of its ranges, over frames and files, in any order",
          "[journal][range_reader]") {
  JournalRig rig;
  core::Random random(1);
  rig.open();
  while (rig.journal->files().size() < 4) append_stream(rig, 1 + random.below(3000));
  const uint64_t end = rig.journal->end();
  std::vector<StreamRange> ranges;
  std::string expected;
  for (core::StreamPosition position = 1; position + 4000 < end; position += 4000) {
    ranges.push_back({position + random.below(500), random.below(3500)});
    expected += stream(ranges.back());
  }
  ranges.push_back({1, end - 1});  // the whole stream, backwards from where they were
  expected += stream(ranges.back());
  const auto reader = rig.journal->reader(ranges);
  REQUIRE(reader.ok());
  REQUIRE((*reader)->size_bytes() == expected.size());
  for (int i = 0; i < 500; ++i) {
    const uint64_t offset = random.below(expected.size());
    std::string out(random.below(5000), '\0');
    const auto count = (*reader)->read(offset, out.data(), out.size());
    REQUIRE(count.ok());
    out.resize(*count);
    REQUIRE(out == expected.substr(offset, out.size()));
    REQUIRE((*count == 0 || offset + *count <= expected.size()));
  }
  std::string out(100, '\0');
  CHECK(*(*reader)->read(expected.size() - 10, out.data(), out.size()) == 10);
  CHECK(*(*reader)->read(expected.size(), out.data(), out.size()) == 0);
  CHECK(*(*reader)->read(expected.size() + 10, out.data(), out.size()) == 0);
}

TEST_CASE("Ranges are read after a restart from files that recovery did not read",
          "[journal][range_reader]") {
  JournalRig rig;
  rig.options.file_bytes = 4u << 20;
  rig.open();
  while (rig.journal->files().size() < 2) append_stream(rig, 60'000);
  REQUIRE(rig.journal->sync().ok());
  const uint64_t end = rig.journal->end();
  rig.open({end, 0, 0});
  for (const StreamRange range :
       {StreamRange{3'000'000, 70'000}, StreamRange{1, 10}, StreamRange{2'000'000, 1}}) {
    const auto bytes = rig.read({range});
    REQUIRE(bytes.ok());
    CHECK(*bytes == stream(range));
  }
}

TEST_CASE("A range that is in no file is refused as lost", "[journal][range_reader]") {
  JournalRig rig;
  rig.open({0, 100, 0});
  append_stream(rig, 50);
  for (const StreamRange range :
       {StreamRange{1, 10}, StreamRange{99, 2}, StreamRange{149, 2}, StreamRange{1000, 1}}) {
    const auto reader = rig.journal->reader({{range}});
    REQUIRE_FALSE(reader.ok());
    CHECK(reader.code() == core::ErrorCode::SpoolIo);
    CHECK(reader.error().key == kLostKey);
  }
  CHECK(rig.journal->reader({{StreamRange{100, 50}}}).ok());
}

TEST_CASE("A damaged frame is reported as lost with file and position, its neighbours are read",
          "[journal][range_reader]") {
  JournalRig rig;
  rig.open();
  for (int i = 0; i < 3; ++i) append_stream(rig, 100);
  REQUIRE(rig.journal->sync().ok());
  const std::string path = rig.path(0);
  const bool hits_header = GENERATE(true, false);
  const uint64_t offset = frames_of(rig.system, path)[1].offset;
  rig.system.damage(path, offset + (hits_header ? 10 : 80), "#");
  CHECK(*rig.read({{1, 100}}) == stream({1, 100}));
  CHECK(*rig.read({{201, 100}}) == stream({201, 100}));
  const auto bytes = rig.read({{50, 200}});
  REQUIRE_FALSE(bytes.ok());
  CHECK(bytes.code() == core::ErrorCode::SpoolIo);
  CHECK(bytes.error().key == kLostKey);
  CHECK(bytes.error().message == "the journal has lost position 101, which was in " + path);
}

TEST_CASE("A disk that cannot be read at the moment is not a loss", "[journal][range_reader]") {
  JournalRig rig;
  rig.open();
  append_stream(rig, 100);
  REQUIRE(rig.journal->sync().ok());
  rig.system.fail_reads(rig.path(0), 2);
  const auto reader = rig.journal->reader({{StreamRange{1, 100}}});
  REQUIRE(reader.ok());
  std::string out(100, '\0');
  const auto failed = (*reader)->read(0, out.data(), out.size());
  REQUIRE_FALSE(failed.ok());
  CHECK(failed.code() == core::ErrorCode::SpoolIo);
  CHECK(failed.error().key.empty());
  rig.system.clear_faults();
  REQUIRE((*reader)->read(0, out.data(), out.size()).ok());
  CHECK(out == stream({1, 100}));
}

TEST_CASE("A file is recycled only once its last reader is gone", "[journal][range_reader]") {
  JournalRig rig;
  rig.open();
  while (rig.journal->files().size() < 2) append_stream(rig, 1000);
  REQUIRE(rig.journal->sync().ok());
  const uint64_t number = rig.journal->files()[0].number;
  const std::string path = rig.path(0);
  auto reader = rig.journal->reader({{StreamRange{1, 5000}}});
  REQUIRE(reader.ok());
  REQUIRE(rig.journal->release(number));
  CHECK_FALSE(rig.journal->reader({{StreamRange{1, 10}}}).ok());
  while (rig.journal->files().size() < 3) append_stream(rig, 1000);
  CHECK(rig.system.exists(path));
  std::string out(5000, '\0');
  REQUIRE((*reader)->read(0, out.data(), out.size()).ok());
  CHECK(out == stream({1, 5000}));
  reader->reset();
  while (rig.journal->files().size() < 4) append_stream(rig, 1000);
  CHECK_FALSE(rig.system.exists(path));
}
