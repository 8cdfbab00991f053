// The records that a journal had when it was opened, for those who route them again.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "core/stream.h"
#include "journal/file_system.h"
#include "journal/frame_scanner.h"
#include "journal/journal_file.h"

namespace posthaste::journal {

// One frame. The text is valid until the next call.
struct RecoveredFrame {
  core::StreamPosition position = 0;
  std::string_view wire;
  std::vector<IndexEntry> index;
  FrameSource source;
  // Where it lies, and what its header says besides.
  uint64_t file_number = 0;
  uint64_t offset = 0;
  FrameHeader header;
};

// Purpose: gives out what recovery found, frame by frame. Ownership: pins the files; refers to the
// file system. Threads: one. Invariants: positions ascend; what is missing between them is what the
// findings report, or was never given out; memory is that of one frame.
class RecoveryReader {
 public:
  struct Part {
    std::shared_ptr<JournalFile> file;
    core::StreamPosition end = 0;
  };

  // Frames that end behind `from`. Parts ascend.
  RecoveryReader(FileSystem& file_system, std::vector<Part> parts, core::StreamPosition from);

  // False at the end. SpoolIo when a file cannot be opened or read any more.
  core::Result<bool> next(RecoveredFrame& out);
  // After an error that does not pass: goes on with the next file.
  void skip_part();

 private:
  core::Result<> open_part();
  void copy_frame(RecoveredFrame& out) const;

  FileSystem* file_system_;
  std::vector<Part> parts_;
  size_t part_index_ = 0;
  core::StreamPosition from_;
  core::StreamPosition expected_ = 0;
  std::unique_ptr<FrameScanner> scanner_;
};

}  // namespace posthaste::journal
