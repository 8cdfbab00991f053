#include "journal/range_reader.h"

#include <algorithm>
#include <limits>

namespace posthaste::journal {

namespace {

// Headers of frames are read on the way to the one wanted: not much of what lies between them.
constexpr size_t kChunkSize = 16u << 10;

constexpr core::StreamPosition kNoLimit = std::numeric_limits<core::StreamPosition>::max();

core::Error lost(const JournalFile& file, core::StreamPosition position) {
  return {
      core::ErrorCode::SpoolIo,
      "the journal has lost position " + std::to_string(position) + ", which was in " + file.path,
      kLostKey};
}

}  // namespace

RangeReader::RangeReader(FileSystem& file_system, std::vector<Part> parts)
    : file_system_(file_system), parts_(std::move(parts)) {}

uint64_t RangeReader::size_bytes() const {
  return parts_.empty() ? 0 : parts_.back().offset + parts_.back().range.size;
}

core::Result<size_t> RangeReader::read(uint64_t offset, char* out, size_t room) {
  auto part =
      std::upper_bound(parts_.begin(), parts_.end(), offset,
                       [](uint64_t wanted, const Part& other) { return wanted < other.offset; });
  if (part == parts_.begin()) return size_t{0};
  --part;
  size_t done = 0;
  while (done < room && part != parts_.end()) {
    const uint64_t in_part = offset + done - part->offset;
    if (in_part >= part->range.size) {
      ++part;
      continue;
    }
    const core::StreamPosition position = part->range.position + in_part;
    if (auto result = load_frame(*part, position); !result) return result.error();
    const FrameHeader& header = scanner_->header();
    const uint64_t in_frame = position - header.position;
    const uint64_t size =
        std::min({uint64_t{room - done}, part->range.size - in_part, header.wire_size - in_frame});
    scanner_->wire().copy(out + done, static_cast<size_t>(size), static_cast<size_t>(in_frame));
    done += static_cast<size_t>(size);
  }
  return done;
}

bool RangeReader::has_frame(const Part& part, core::StreamPosition position) const {
  return is_loaded_ && open_file_ == part.file.get() && scanner_->header().position <= position &&
         position < scanner_->header().end();
}

// Goes to the frame that holds the position: on from the present one, else from a checkpoint.
core::Result<> RangeReader::load_frame(const Part& part, core::StreamPosition position) {
  if (has_frame(part, position)) return {};
  const bool goes_on = is_loaded_ && open_file_ == part.file.get() &&
                       scanner_->header().end() <= position &&
                       part.file->checkpoint_before(position).offset <= scanner_->offset();
  is_loaded_ = false;
  if (!goes_on) {
    if (auto result = open(part, position); !result) return result;
  }
  bool is_found = false;
  do {
    is_found = scanner_->find(part.file->first, kNoLimit);
    if (is_found) part.file->note_frame({scanner_->header().position, scanner_->offset()});
  } while (is_found && scanner_->header().end() <= position);
  if (is_found && scanner_->header().position <= position && scanner_->load()) {
    is_loaded_ = true;
    return {};
  }
  const core::Error read_error = scanner_->read_error();
  close();
  return read_error.code == core::ErrorCode::Ok ? lost(*part.file, position) : read_error;
}

core::Result<> RangeReader::open(const Part& part, core::StreamPosition position) {
  close();
  const JournalFile& file = *part.file;
  auto handle = file_system_.open(file.path, OpenMode::Read, {});
  if (!handle) return handle.error();
  const uint64_t offset = file.checkpoint_before(position).offset;
  scanner_ = std::make_unique<FrameScanner>(std::move(*handle), file.size_bytes, file.salt, offset,
                                            kChunkSize);
  open_file_ = &file;
  return {};
}

void RangeReader::close() {
  scanner_.reset();
  open_file_ = nullptr;
  is_loaded_ = false;
}

}  // namespace posthaste::journal
