// A journal on a file system of the test, and short ways to fill and read it.
#pragma once

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "journal/journal.h"
#include "support/fault_file_system.h"

namespace posthaste::test {

inline const std::string kJournalDirectory = "/spool";

// Purpose: opens, closes and crashes one journal. Ownership: owns the file system and the journal.
// Threads: one. Invariants: none; it is a test's tool.
class JournalRig {
 public:
  explicit JournalRig(uint64_t seed = 1) : system(seed), salts(~seed) {
    options.directory = kJournalDirectory;
    options.file_bytes = 32u << 10;
  }

  // Whatever was open is gone, as after a crash.
  void open(const journal::JournalKnown& known = {}) {
    journal.reset();
    findings = {};
    auto opened = journal::Journal::open(
        system, options, known, [this] { return salts.next(); }, findings);
    REQUIRE(opened.ok());
    journal = std::move(*opened);
  }

  // One group of records, each of type 7.
  core::Result<core::StreamPosition> append(const std::vector<std::string>& records,
                                            const journal::FrameSource& source = {}) {
    std::vector<std::string_view> pieces(records.begin(), records.end());
    std::vector<journal::IndexEntry> index;
    for (const std::string& record : records) {
      index.push_back({static_cast<uint32_t>(record.size()), 7});
    }
    return journal->append({pieces, index, source});
  }
  core::StreamPosition must_append(const std::string& record) {
    auto position = append({record});
    REQUIRE(position.ok());
    return *position;
  }

  // What the journal has from `low` of the last open() on.
  std::map<core::StreamPosition, std::string> records() const {
    std::map<core::StreamPosition, std::string> out;
    journal::RecoveryReader reader = journal->recovered();
    journal::RecoveredFrame frame;
    for (;;) {
      auto is_found = reader.next(frame);
      REQUIRE(is_found.ok());
      if (!*is_found) return out;
      size_t offset = 0;
      for (const journal::IndexEntry& entry : frame.index) {
        out[frame.position + offset] = std::string(frame.wire.substr(offset, entry.size));
        offset += entry.size;
      }
    }
  }

  core::Result<std::string> read(const std::vector<core::StreamRange>& ranges) const {
    auto reader = journal->reader(ranges);
    if (!reader) return reader.error();
    std::string out(static_cast<size_t>((*reader)->size_bytes()), '\0');
    auto count = (*reader)->read(0, out.data(), out.size());
    if (!count) return count.error();
    REQUIRE(*count == out.size());
    return out;
  }

  std::string path(journal::FileKind kind, uint64_t number) const {
    return kJournalDirectory + "/" + journal::file_name({kind, number});
  }
  // Of the journal's i-th file.
  std::string path(size_t index) const {
    return path(journal::FileKind::InUse, journal->files().at(index).number);
  }

  FaultFileSystem system;
  core::Random salts;
  journal::JournalOptions options;
  journal::JournalFindings findings;
  std::unique_ptr<journal::Journal> journal;
};

// The frames of a file, as they lie there.
struct FramePlace {
  core::StreamRange range;
  uint64_t offset = 0;
  uint64_t size_bytes = 0;
};

inline std::vector<FramePlace> frames_of(FaultFileSystem& system, const std::string& path) {
  const std::string bytes = system.bytes(path);
  const auto header =
      journal::decode_file_header(std::string_view(bytes).substr(0, journal::kFileHeaderSize));
  REQUIRE(header.has_value());
  auto file = system.open(path, journal::OpenMode::Read, {});
  REQUIRE(file.ok());
  journal::FrameScanner scanner(std::move(*file), bytes.size(), header->salt,
                                journal::kFramesOffset, 4096);
  std::vector<FramePlace> frames;
  while (scanner.find(0, ~uint64_t{0})) {
    const journal::FrameHeader& frame = scanner.header();
    frames.push_back({{frame.position, frame.wire_size}, scanner.offset(), frame.frame_size()});
  }
  return frames;
}

}  // namespace posthaste::test
