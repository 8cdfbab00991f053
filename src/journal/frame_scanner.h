// Walks the frames of one file, over damage if need be. Recovery, the readers of batches and, for
// the files of producers, the deliverer use it; what damage means is theirs to judge.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/result.h"
#include "core/stream.h"
#include "journal/file_system.h"
#include "journal/frame.h"

namespace posthaste::journal {

// Purpose: finds frames in order and checks them. Ownership: owns the open file and a buffer of one
// frame or one chunk. Threads: one at a time. Invariants: only bytes with a right checksum are
// given out; each call gets further in the file; memory does not grow with the file.
class FrameScanner {
 public:
  // Begins at `offset`, where a frame should be. What is read at one time is `chunk_size`, or a
  // frame.
  FrameScanner(std::unique_ptr<File> file, uint64_t size_bytes, uint64_t salt, uint64_t offset,
               size_t chunk_size);

  // Goes to the next frame with an intact header, `lowest` <= position < `limit`: where the last
  // one ends if there is one, else further behind. False: none in this file.
  bool find(core::StreamPosition lowest, core::StreamPosition limit);
  // Of the frame found.
  const FrameHeader& header() const { return header_; }
  uint64_t offset() const { return offset_; }

  // Reads and checks its contents. False: damaged; the next find() looks inside it, too.
  bool load();
  // Until the next call of find(); after load().
  std::string_view wire() const;
  IndexEntry entry(uint32_t index) const;

  // The first error that the system gave; what it kept from us counts as damaged.
  const core::Error& read_error() const { return read_error_; }

 private:
  std::string_view bytes(uint64_t offset, uint64_t size);
  bool read_buffer(uint64_t offset, uint64_t size);
  bool is_frame_at(uint64_t offset, core::StreamPosition lowest, core::StreamPosition limit);
  uint64_t next_candidate(uint64_t offset) const;
  bool is_index_right() const;

  std::unique_ptr<File> file_;
  const uint64_t size_bytes_;
  const uint64_t salt_;
  const size_t chunk_size_;
  uint64_t offset_;
  uint64_t next_offset_;
  FrameHeader header_;
  std::string_view contents_;
  std::string buffer_;
  uint64_t buffer_offset_ = 0;
  core::Error read_error_;
  size_t read_errors_count_ = 0;
};

}  // namespace posthaste::journal
