#include "journal/frame_scanner.h"

#include <algorithm>

namespace posthaste::journal {

namespace {

// A disk may take seconds for each place that it cannot read: after so many the rest of the file is
// given up.
constexpr size_t kReadErrorsMax = 64;

}  // namespace

FrameScanner::FrameScanner(std::unique_ptr<File> file, uint64_t size_bytes, uint64_t salt,
                           uint64_t offset, size_t chunk_size)
    : file_(std::move(file)),
      size_bytes_(size_bytes),
      salt_(salt),
      chunk_size_(chunk_size),
      offset_(offset),
      next_offset_(offset) {}

bool FrameScanner::find(core::StreamPosition lowest, core::StreamPosition limit) {
  contents_ = {};
  while (next_offset_ + kFrameHeaderSize <= size_bytes_ && read_errors_count_ < kReadErrorsMax) {
    const uint64_t offset = next_offset_;
    if (is_frame_at(offset, lowest, limit)) {
      offset_ = offset;
      next_offset_ = offset + header_.frame_size();
      return true;
    }
    next_offset_ = next_candidate(offset);
  }
  return false;
}

// The next place behind `offset` where a frame may begin: quick where the bytes are at hand, over
// the rest of the page where they cannot be read.
uint64_t FrameScanner::next_candidate(uint64_t offset) const {
  uint64_t next = offset + kFrameAlignment;
  if (buffer_.empty()) return (offset / kPageSize + 1) * kPageSize;
  if (next < buffer_offset_) return next;
  const uint64_t end = buffer_offset_ + buffer_.size();
  while (next + kFrameAlignment <= end && !begins_like_frame(&buffer_[next - buffer_offset_])) {
    next += kFrameAlignment;
  }
  return next;
}

bool FrameScanner::is_frame_at(uint64_t offset, core::StreamPosition lowest,
                               core::StreamPosition limit) {
  const std::string_view text = bytes(offset, kFrameHeaderSize);
  if (text.empty() || !begins_like_frame(text.data())) return false;
  const auto header = decode_frame_header(text, salt_);
  if (!header || header->wire_size > kFrameWireMax) return false;
  if (header->position < lowest || header->position >= limit) return false;
  if (offset + header->frame_size() > size_bytes_) return false;
  header_ = *header;
  return true;
}

bool FrameScanner::load() {
  contents_ = bytes(offset_ + kFrameHeaderSize, header_.contents_size());
  const bool is_good = !contents_.empty() &&
                       contents_checksum(contents_, salt_) == header_.contents_checksum &&
                       is_index_right();
  // Frames may lie where its contents should be: a power cut can bring back the header of a frame
  // that never counted, over which others were written.
  if (!is_good) next_offset_ = next_candidate(offset_);
  return is_good;
}

bool FrameScanner::is_index_right() const {
  uint64_t size = 0;
  for (uint32_t i = 0; i < header_.records_count; ++i) size += entry(i).size;
  return size == header_.wire_size;
}

std::string_view FrameScanner::wire() const {
  return contents_.substr(0, header_.wire_size);
}

IndexEntry FrameScanner::entry(uint32_t index) const {
  return decode_index_entry(contents_.data() + header_.wire_size +
                            uint64_t{index} * kIndexEntrySize);
}

// The file's bytes from `offset` on; none when they cannot be read.
std::string_view FrameScanner::bytes(uint64_t offset, uint64_t size) {
  const bool is_buffered =
      offset >= buffer_offset_ && offset + size <= buffer_offset_ + buffer_.size();
  if (!is_buffered) {
    const uint64_t wanted = std::max<uint64_t>(size, chunk_size_);
    // Where a chunk cannot be read, what is needed of it perhaps can.
    if (!read_buffer(offset, wanted) && !read_buffer(offset, size)) return {};
  }
  const std::string_view text = std::string_view(buffer_).substr(offset - buffer_offset_, size);
  return text.size() == size ? text : std::string_view();
}

bool FrameScanner::read_buffer(uint64_t offset, uint64_t size) {
  buffer_.resize(std::min(size, size_bytes_ - offset));
  buffer_offset_ = offset;
  auto count = file_->read_at(offset, buffer_.data(), buffer_.size());
  buffer_.resize(count ? *count : 0);
  if (count) return true;
  if (read_errors_count_++ == 0) read_error_ = count.error();
  return false;
}

}  // namespace posthaste::journal
