#include "journal/recovery_reader.h"

#include <algorithm>
#include <utility>

namespace posthaste::journal {

namespace {

constexpr size_t kChunkSize = 256u << 10;

}  // namespace

RecoveryReader::RecoveryReader(FileSystem& file_system, std::vector<Part> parts,
                               core::StreamPosition from)
    : file_system_(&file_system), parts_(std::move(parts)), from_(from) {
  std::erase_if(parts_, [&](const Part& part) { return part.end <= from_; });
}

core::Result<bool> RecoveryReader::next(RecoveredFrame& out) {
  while (part_index_ < parts_.size()) {
    const Part& part = parts_[part_index_];
    if (!scanner_) {
      if (auto result = open_part(); !result) return result.error();
    }
    while (expected_ < part.end && scanner_->find(expected_, part.end)) {
      if (scanner_->header().end() <= from_ || !scanner_->load()) continue;
      expected_ = scanner_->header().end();
      copy_frame(out);
      return true;
    }
    // What recovery could not read either was reported then.
    const bool is_news =
        scanner_->read_error().code != core::ErrorCode::Ok && !part.file->is_damaged;
    if (is_news) return scanner_->read_error();
    skip_part();
  }
  return false;
}

void RecoveryReader::skip_part() {
  scanner_.reset();
  ++part_index_;
}

core::Result<> RecoveryReader::open_part() {
  const JournalFile& file = *parts_[part_index_].file;
  auto handle = file_system_->open(file.path, OpenMode::Read, {});
  if (!handle) return handle.error();
  const Checkpoint start = file.checkpoint_before(std::max(from_, file.first));
  scanner_ = std::make_unique<FrameScanner>(std::move(*handle), file.size_bytes, file.salt,
                                            start.offset, kChunkSize);
  expected_ = std::max(expected_, start.position);
  return {};
}

void RecoveryReader::copy_frame(RecoveredFrame& out) const {
  const FrameHeader& header = scanner_->header();
  out.position = header.position;
  out.wire = scanner_->wire();
  out.source = header.source;
  out.file_number = parts_[part_index_].file->number;
  out.offset = scanner_->offset();
  out.header = header;
  out.index.clear();
  for (uint32_t i = 0; i < header.records_count; ++i) out.index.push_back(scanner_->entry(i));
}

}  // namespace posthaste::journal
