// The bytes of the journal: headers of files, and frames. docs/spool-format.md is their
// description; this is its only implementation. It reads and writes no file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/stream.h"

namespace posthaste::journal {

inline constexpr uint32_t kFormatVersion = 1;

// A file begins with two copies of its header, each at the start of a page of its own, so that one
// bad page does not make the file unreadable. Frames follow.
inline constexpr uint64_t kPageSize = 4096;
inline constexpr uint64_t kFileHeaderSize = 64;
inline constexpr uint64_t kFramesOffset = 2 * kPageSize;

inline constexpr uint64_t kFrameHeaderSize = 64;
// Frames begin at multiples of this, which is what a search for the next one steps by.
inline constexpr uint64_t kFrameAlignment = 8;
inline constexpr uint64_t kIndexEntrySize = 6;
// Record bytes of one frame: what several records are cut to, and the most that one record may
// have.
inline constexpr uint32_t kFrameWireUsual = 256u << 10;
inline constexpr uint32_t kFrameWireMax = 17u << 20;

struct FileHeader {
  uint32_t version = kFormatVersion;
  uint64_t number = 0;  // as in the file's name
  uint64_t salt = 0;    // random, of this use of the file
  core::StreamPosition first = 0;
  // Where the journal ended when the file was taken into use: frames from there on in files with
  // lower numbers are void, and positions from there to `first` were never given out.
  core::StreamPosition log_end = 0;
  core::StreamPosition synced = 0;  // known to be synced when the file was taken into use
};

// Where a frame was copied from: a file of a producer, and its place there; 0 when it was not.
struct FrameSource {
  uint32_t file = 0;
  uint64_t offset = 0;

  bool operator==(const FrameSource&) const = default;
};

// One record of a frame.
struct IndexEntry {
  uint32_t size = 0;  // bytes
  uint16_t type = 0;  // of the event, as the caller numbers them

  bool operator==(const IndexEntry&) const = default;
};

struct FrameHeader {
  core::StreamPosition position = 0;  // of the first record byte: the frame's sequence
  // The end of the frame before it. Positions from there to its own were never given out.
  core::StreamPosition follows = 0;
  core::StreamPosition synced = 0;  // known to be synced when the frame was written
  uint32_t wire_size = 0;
  uint32_t records_count = 0;
  FrameSource source;
  uint64_t contents_checksum = 0;

  core::StreamPosition end() const { return position + wire_size; }
  uint64_t contents_size() const { return wire_size + uint64_t{records_count} * kIndexEntrySize; }
  // With header and padding.
  uint64_t frame_size() const {
    const uint64_t size = kFrameHeaderSize + contents_size();
    return (size + kFrameAlignment - 1) / kFrameAlignment * kFrameAlignment;
  }
};

std::string encode_file_header(const FileHeader& header);
// None: not such a header, or a damaged one. `bytes` are kFileHeaderSize.
std::optional<FileHeader> decode_file_header(std::string_view bytes);

// Writes kFrameHeaderSize bytes.
void encode_frame_header(const FrameHeader& header, uint64_t salt, char* out);
// None: not a frame's header of this use of the file, or a damaged one; what is returned was
// written with this salt, contents aside. `bytes` are kFrameHeaderSize.
std::optional<FrameHeader> decode_frame_header(std::string_view bytes, uint64_t salt);

uint64_t contents_checksum(std::string_view contents, uint64_t salt);
// The same of contents in two parts.
uint64_t contents_checksum(std::string_view wire, std::string_view index, uint64_t salt);

void append_index_entry(std::string& out, IndexEntry entry);
IndexEntry decode_index_entry(const char* bytes);

// Whether bytes at a multiple of the alignment could begin a frame: quick, for searching.
bool begins_like_frame(const char* bytes);

}  // namespace posthaste::journal
