#include "journal/recovery.h"

#include <cerrno>

#include "unit/journal/journal_rig.h"

using namespace posthaste;
using namespace posthaste::journal;
using posthaste::test::FramePlace;
using posthaste::test::frames_of;
using posthaste::test::JournalRig;

namespace {

std::string letters(core::Random& random, size_t size) {
  std::string out(size, 'a');
  for (char& byte : out) byte = static_cast<char>('a' + random.below(26));
  return out;
}

// Adds a range to ascending ones, joined with the last where they touch.
void add_range(std::vector<core::StreamRange>& ranges, const core::StreamRange& range) {
  if (!ranges.empty() && ranges.back().end() == range.position) {
    ranges.back().size += range.size;
  } else {
    ranges.push_back(range);
  }
}

// A file with all frames that recovery found or would have found, in order.
struct PlacedFrame {
  std::string path;
  FramePlace place;
};

std::vector<PlacedFrame> all_frames(JournalRig& rig) {
  std::vector<PlacedFrame> frames;
  for (size_t i = 0; i < rig.journal->files().size(); ++i) {
    for (const FramePlace& place : frames_of(rig.system, rig.path(i))) {
      frames.push_back({rig.path(i), place});
    }
  }
  return frames;
}

void flip_bit(JournalRig& rig, const std::string& path, uint64_t offset, uint64_t bit) {
  const char byte = rig.system.bytes(path)[offset];
  rig.system.damage(path, offset, std::string(1, static_cast<char>(byte ^ (1 << bit))));
}

}  // namespace

TEST_CASE("The newest file is not given back before a newer one is in use", "[journal][recovery]") {
  JournalRig rig;
  rig.open();
  rig.must_append("first");
  REQUIRE(rig.journal->sync().ok());
  rig.must_append(std::string(9000, 's'));
  rig.must_append("third");
  rig.journal.reset();
  // Torn, so that this file does not go on.
  rig.system.power_cut([](const std::string&, uint64_t page) { return page > 3; });
  rig.open();
  const uint64_t newest = rig.journal->newest_file();
  CHECK_FALSE(rig.journal->release(newest));
  CHECK(rig.journal->newest_file() == newest);
  rig.must_append("fourth");
  CHECK(rig.journal->release(newest));
}

TEST_CASE("A good frame after a bad one, both unsynced, ends the journal quietly",
          "[journal][recovery]") {
  JournalRig rig;
  rig.open();
  rig.must_append("first");
  REQUIRE(rig.journal->sync().ok());
  rig.must_append(std::string(9000, 's'));
  rig.must_append("third");
  const uint64_t page_of_third =
      frames_of(rig.system, rig.path(0)).back().offset / test::FaultFileSystem::kPageSize;
  rig.journal.reset();
  // Both were written under one fdatasync that never came; the later one reached the disk.
  rig.system.power_cut([&](const std::string&, uint64_t page) { return page == page_of_third; });
  rig.open();
  CHECK_FALSE(rig.findings.is_damaged());
  CHECK(rig.findings.torn_at == 6);
  CHECK(rig.records() == std::map<core::StreamPosition, std::string>{{1, "first"}});
  // What was given up does not come back, and its positions are not used again.
  CHECK(rig.must_append("fourth") == 9011);
  REQUIRE(rig.journal->sync().ok());
  rig.open();
  CHECK_FALSE(rig.findings.is_damaged());
  CHECK(rig.records() ==
        std::map<core::StreamPosition, std::string>{{1, "first"}, {9011, "fourth"}});
}

TEST_CASE("A bad frame below the greatest synced position is corruption; what follows is salvaged",
          "[journal][recovery]") {
  JournalRig rig;
  rig.open();
  rig.must_append("first");
  rig.must_append("second");
  REQUIRE(rig.journal->sync().ok());
  rig.must_append("third");
  const std::string path = rig.path(0);
  const auto frames = frames_of(rig.system, path);
  rig.system.damage(path, frames[1].offset + kFrameHeaderSize, "S");
  rig.open();
  CHECK(rig.findings.is_damaged());
  CHECK(rig.findings.lost == std::vector<core::StreamRange>{{6, 6}});
  CHECK(rig.findings.damaged_files == std::vector<std::string>{path});
  CHECK(rig.records() == std::map<core::StreamPosition, std::string>{{1, "first"}, {12, "third"}});
  CHECK(rig.must_append("fourth") == 17);
}

TEST_CASE("What the caller knows to be synced is missed, though no frame says it was synced",
          "[journal][recovery]") {
  JournalRig rig;
  rig.open();
  rig.must_append("first");
  rig.must_append("second");
  REQUIRE(rig.journal->sync().ok());
  const std::string path = rig.path(0);
  rig.system.damage(path, frames_of(rig.system, path)[1].offset, "bad");
  rig.open();
  CHECK_FALSE(rig.findings.is_damaged());
  rig.open({0, 12, 12});
  CHECK(rig.findings.lost == std::vector<core::StreamRange>{{6, 6}});
  CHECK(rig.journal->end() == 12);
}

TEST_CASE("Damage before low is not missed", "[journal][recovery]") {
  JournalRig rig;
  rig.open();
  for (int i = 0; i < 10; ++i) rig.must_append("0123456789");
  REQUIRE(rig.journal->sync().ok());
  rig.must_append("last");
  const std::string path = rig.path(0);
  const auto frames = frames_of(rig.system, path);
  rig.system.damage(path, frames[4].offset, "bad");
  rig.open({51, 0, 0});
  CHECK_FALSE(rig.findings.is_damaged());
  rig.open({45, 0, 0});
  CHECK(rig.findings.lost == std::vector<core::StreamRange>{{45, 6}});
}

TEST_CASE("Flipped bits in synced frames are reported with the exact ranges, the rest is salvaged",
          "[journal][recovery]") {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    INFO("seed " << seed);
    JournalRig rig(seed);
    core::Random random(seed);
    rig.options.file_bytes = 16384;
    rig.open();
    for (int i = 0; i < 40; ++i) {
      rig.must_append(letters(random, 1 + random.below(900)));
      REQUIRE(rig.journal->sync().ok());
    }
    auto expected = rig.records();
    auto frames = all_frames(rig);
    frames.pop_back();  // nothing says that the last one was synced
    std::vector<core::StreamRange> lost;
    for (const PlacedFrame& frame : frames) {
      if (random.below(8) != 0) continue;
      const uint64_t size = kFrameHeaderSize + frame.place.range.size + kIndexEntrySize;
      flip_bit(rig, frame.path, frame.place.offset + random.below(size), random.below(8));
      expected.erase(frame.place.range.position);
      add_range(lost, frame.place.range);
    }
    rig.open();
    // Neighbours are one range also where a file ends between them.
    std::vector<core::StreamRange> found;
    for (const core::StreamRange& range : rig.findings.lost) add_range(found, range);
    CHECK(found == lost);
    CHECK(rig.findings.damaged_files.empty() == lost.empty());
    CHECK(rig.records() == expected);
    CHECK(rig.findings.torn_at == 0);
  }
}

TEST_CASE("A file header has a copy: one damaged loses nothing, both lose the file's records",
          "[journal][recovery]") {
  JournalRig rig;
  rig.open();
  while (rig.journal->files().size() < 4) rig.must_append(std::string(1000, 'x'));
  REQUIRE(rig.journal->sync().ok());
  rig.must_append("last");
  const auto all = rig.records();
  const auto files = rig.journal->files();
  const std::string path = rig.path(1);
  rig.system.damage(path, GENERATE(0u, 4096u) + 20, "damage");
  rig.open();
  CHECK(rig.findings.damaged_files == std::vector<std::string>{path});
  CHECK(rig.findings.lost.empty());
  CHECK(rig.records() == all);

  rig.system.damage(path, 20, "damage");
  rig.system.damage(path, 4096 + 20, "damage");
  rig.open();
  CHECK(rig.findings.lost ==
        std::vector<core::StreamRange>{{files[1].first, files[1].end - files[1].first}});
  CHECK(std::count(rig.findings.damaged_files.begin(), rig.findings.damaged_files.end(), path) ==
        1);
  CHECK(rig.journal->end() == files.back().end);
  // The file is kept under a name that nobody touches.
  rig.must_append("next");
  CHECK(rig.system.exists(rig.path(FileKind::Damaged, files[1].number)));
}

TEST_CASE("Whoever goes on with a damaged header copy finds it whole at the next start",
          "[journal][recovery]") {
  JournalRig rig;
  rig.open();
  while (rig.journal->files().size() < 3) rig.must_append(std::string(1000, 'x'));
  REQUIRE(rig.journal->sync().ok());
  rig.system.damage(rig.path(1), GENERATE(0u, 4096u) + 20, "damage");
  rig.open();
  CHECK(rig.findings.is_damaged());
  // Opening changed nothing.
  rig.open();
  CHECK(rig.findings.is_damaged());
  rig.must_append("next");
  REQUIRE(rig.journal->sync().ok());
  rig.open();
  CHECK_FALSE(rig.findings.is_damaged());
}

TEST_CASE("The newest file is missed when its number is known", "[journal][recovery]") {
  JournalRig rig;
  rig.open();
  while (rig.journal->files().size() < 3) rig.must_append(std::string(1000, 'x'));
  REQUIRE(rig.journal->sync().ok());
  JournalKnown known;
  known.newest_file = rig.journal->newest_file();
  rig.open(known);
  CHECK_FALSE(rig.findings.is_damaged());
  const std::string path = rig.path(2);
  REQUIRE(rig.system.remove(path).ok());
  rig.open(known);
  CHECK(rig.findings.damaged_files == std::vector<std::string>{path});
  // Its number is not given again.
  rig.must_append("next");
  CHECK(rig.journal->newest_file() > known.newest_file);
}

TEST_CASE("Damage that an earlier start accepted is not reported again", "[journal][recovery]") {
  JournalRig rig;
  rig.open();
  for (int i = 0; i < 10; ++i) {
    rig.must_append(std::string(100, 'x'));
    REQUIRE(rig.journal->sync().ok());
  }
  const auto frames = frames_of(rig.system, rig.path(0));
  rig.system.damage(rig.path(0), frames.at(3).offset + 70, "damage");
  rig.open();
  REQUIRE(rig.findings.is_damaged());
  JournalKnown known;
  known.accepted = rig.journal->end();
  rig.open(known);
  CHECK_FALSE(rig.findings.is_damaged());
  const core::StreamPosition next = rig.must_append("next");
  REQUIRE(rig.journal->sync().ok());
  rig.must_append("one more");
  // What is damaged later is news.
  rig.system.damage(rig.path(1), frames_of(rig.system, rig.path(1)).at(0).offset + 66, "da");
  rig.open(known);
  CHECK(rig.findings.lost == std::vector<core::StreamRange>{{next, 4}});
}

TEST_CASE("A file with damaged frames is set aside as it was, and of those the newest are kept",
          "[journal][recovery]") {
  JournalRig rig;
  rig.open();
  while (rig.journal->files().size() < 12) rig.must_append(std::string(1000, 'x'));
  REQUIRE(rig.journal->sync().ok());
  rig.must_append("last");
  const auto files = rig.journal->files();
  std::vector<std::string> contents;
  for (size_t i = 0; i < 10; ++i) {
    rig.system.damage(rig.path(i), kFramesOffset + 200, "damage");
    contents.push_back(rig.system.bytes(rig.path(i)));
  }
  rig.open();
  REQUIRE(rig.findings.damaged_files.size() == 10);
  const uint64_t disk_bytes = rig.journal->disk_bytes();
  for (size_t i = 0; i < 10; ++i) REQUIRE(rig.journal->release(files[i].number));
  CHECK(rig.journal->disk_bytes() == disk_bytes - 10 * rig.options.file_bytes);
  for (size_t i = 0; i < 10; ++i) {
    const std::string path = rig.path(FileKind::Damaged, files[i].number);
    CHECK(rig.system.exists(path) == (i >= 2));
    if (i >= 2) CHECK((rig.system.bytes(path) == contents[i]));
  }
}

TEST_CASE("Records behind a place that the disk cannot read are given out", "[journal][recovery]") {
  JournalRig rig;
  rig.open();
  for (int i = 0; i < 20; ++i) {
    rig.must_append(std::string(1000, 'x'));
    REQUIRE(rig.journal->sync().ok());
  }
  const auto all = rig.records();
  rig.system.fail_reads(rig.path(0), 4);
  rig.open();
  REQUIRE(rig.findings.is_damaged());
  const auto readable = rig.records();
  CHECK(readable.size() >= all.size() - 6);
  CHECK(readable.rbegin()->first == all.rbegin()->first);
}

TEST_CASE("A file that is missing is reported as a lost range", "[journal][recovery]") {
  JournalRig rig;
  rig.open();
  while (rig.journal->files().size() < 4) rig.must_append(std::string(1000, 'x'));
  REQUIRE(rig.journal->sync().ok());
  rig.must_append("last");
  const auto files = rig.journal->files();
  REQUIRE(rig.system.remove(rig.path(2)).ok());
  rig.open();
  CHECK(rig.findings.lost ==
        std::vector<core::StreamRange>{{files[2].first, files[2].end - files[2].first}});
}

TEST_CASE("A disk that cannot be read is damage, never an end", "[journal][recovery]") {
  JournalRig rig;
  rig.open();
  rig.must_append("first");
  REQUIRE(rig.journal->sync().ok());
  const std::string path = rig.path(0);
  rig.system.fail_reads(path, 2);
  rig.open();
  CHECK(rig.findings.damaged_files == std::vector<std::string>{path});
}

TEST_CASE("A journal of a newer version is refused", "[journal][recovery]") {
  JournalRig rig;
  rig.open();
  rig.must_append("first");
  const std::string path = rig.path(0);
  auto header = decode_file_header(rig.system.bytes(path).substr(0, kFileHeaderSize));
  REQUIRE(header.has_value());
  header->version = kFormatVersion + 1;
  rig.system.damage(path, 0, encode_file_header(*header));
  rig.system.damage(path, kPageSize, encode_file_header(*header));
  JournalFindings findings;
  const auto opened = Journal::open(
      rig.system, rig.options, {}, [] { return uint64_t{1}; }, findings);
  REQUIRE_FALSE(opened.ok());
  CHECK(opened.code() == core::ErrorCode::Unsupported);
  CHECK(opened.error().message ==
        path + " was written by a newer version, format 2; use the library that wrote it");
}

TEST_CASE("Frame-like bytes inside payloads never pass, wherever damage makes recovery look",
          "[journal][recovery][salt]") {
  JournalRig rig;
  rig.open();
  rig.must_append("first");
  // A whole frame that would be right but for the salt, which its maker cannot know: it claims
  // that far more was synced than ever was written.
  const std::string contents = std::string("invented") + std::string("\x08\0\0\0\x07\0", 6);
  FrameHeader forged;
  forged.position = 500;
  forged.follows = 500;
  forged.synced = 1'000'000;
  forged.wire_size = 8;
  forged.records_count = 1;
  forged.contents_checksum = contents_checksum(contents, 0);
  std::string payload(kFrameHeaderSize, '\0');
  encode_frame_header(forged, 0, payload.data());
  payload += contents;
  rig.must_append(payload);
  const std::string path = rig.path(0);
  // The header of the frame around it is torn.
  rig.system.damage(path, kFramesOffset + 80 + 20, "torn");
  rig.open();
  CHECK_FALSE(rig.findings.is_damaged());
  CHECK(rig.findings.torn_at == 0);
  CHECK(rig.records() == std::map<core::StreamPosition, std::string>{{1, "first"}});
}

TEST_CASE("Frames of an earlier use of a file never pass", "[journal][recovery][salt]") {
  JournalRig rig;
  rig.options.spares_max = 1;
  rig.open();
  const auto fill = [&](char letter) {
    const size_t count = rig.journal->files().size();
    while (rig.journal->files().size() == count) rig.must_append(std::string(1000, letter));
    REQUIRE(rig.journal->sync().ok());
  };
  fill('a');
  fill('a');
  fill('b');
  const core::StreamPosition low = rig.journal->files()[1].first;
  REQUIRE(rig.journal->release(rig.journal->files()[0].number));
  fill('c');
  // The file of 'a' is in use again, and its first frame is damaged: the search goes over all
  // that its earlier use left behind.
  const std::string path = rig.path(2);
  rig.must_append("last");
  REQUIRE(rig.journal->sync().ok());
  const core::StreamPosition first = rig.journal->files()[2].first;
  rig.system.damage(path, kFramesOffset + 3, "damage");
  rig.open({low, 0, 0});
  CHECK(rig.findings.lost == std::vector<core::StreamRange>{{first, 1000}});
  for (const auto& [position, record] : rig.records()) {
    CHECK(position >= low);
    // One of them was the first in the next file.
    CHECK((record[0] != 'a' || position == low));
  }
}
