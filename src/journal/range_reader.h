// Reads records that are no longer in memory: the body of a batch that waited long, or one from
// before a restart. Made by Journal::reader; deliveries and queries use it on their own threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/result.h"
#include "core/stream.h"
#include "journal/file_system.h"
#include "journal/frame_scanner.h"
#include "journal/journal_file.h"

namespace posthaste::journal {

// In Error::key, when bytes are lost for good; other errors may pass.
inline constexpr const char* kLostKey = "lost";

// Purpose: the bytes of some ranges of the stream, one range behind the other, at any offset.
// Ownership: pins its files, so that they are not used again; refers to the file system, holds one
// file open. Threads: one at a time. Invariants: no byte is given out whose frame has a wrong
// checksum; memory is that of one frame.
class RangeReader {
 public:
  // A part of a range that lies in one file.
  struct Part {
    std::shared_ptr<JournalFile> file;
    core::StreamRange range;
    uint64_t offset = 0;  // of its first byte among all
  };

  // Parts in order, without gaps between their offsets.
  RangeReader(FileSystem& file_system, std::vector<Part> parts);

  uint64_t size_bytes() const;

  // Copies up to `room` bytes from `offset` on; less only at the end. SpoolIo when a frame is
  // damaged or gone (key `lost`), or the disk fails; the text names file and position.
  core::Result<size_t> read(uint64_t offset, char* out, size_t room);

 private:
  core::Result<> load_frame(const Part& part, core::StreamPosition position);
  core::Result<> open(const Part& part, core::StreamPosition position);
  bool has_frame(const Part& part, core::StreamPosition position) const;
  void close();

  FileSystem& file_system_;
  const std::vector<Part> parts_;
  std::unique_ptr<FrameScanner> scanner_;
  const JournalFile* open_file_ = nullptr;
  bool is_loaded_ = false;  // the scanner's frame
};

}  // namespace posthaste::journal
