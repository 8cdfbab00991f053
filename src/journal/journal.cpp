#include "journal/journal.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "core/crash_point.h"
#include "core/deliberate_break.h"

namespace posthaste::journal {

namespace {

// How many of the records make one frame: as many as the usual size has room for, but at least one.
size_t count_for_frame(std::span<const IndexEntry> index, const FrameSource& source) {
  if (source != FrameSource{}) return index.size();
  uint64_t size = 0;
  size_t count = 0;
  while (count < index.size() && (count == 0 || size + index[count].size <= kFrameWireUsual)) {
    size += index[count++].size;
  }
  return count;
}

uint64_t wire_size_of(std::span<const IndexEntry> index) {
  uint64_t size = 0;
  for (const IndexEntry& entry : index) size += entry.size;
  return size;
}

}  // namespace

// Purpose: takes bytes from the front of some pieces. Ownership: refers to the pieces. Threads:
// one. Invariants: every byte is taken once.
class Journal::PieceCursor {
 public:
  explicit PieceCursor(std::span<const std::string_view> pieces) : pieces_(pieces) {}

  // What lies in one piece is only referred to.
  std::string_view take_lent(uint64_t size) {
    if (pieces_.empty() || pieces_.front().size() - offset_ < size) return {};
    const std::string_view part = pieces_.front().substr(offset_, size);
    offset_ += size;
    if (offset_ == pieces_.front().size()) next_piece();
    return part;
  }

  void take(uint64_t size, std::string& out) {
    out.reserve(size);
    while (size > 0) {
      assert(!pieces_.empty());
      const std::string_view rest = pieces_.front().substr(offset_);
      const std::string_view part = rest.substr(0, size);
      out.append(part);
      size -= part.size();
      offset_ += part.size();
      if (part.size() == rest.size()) next_piece();
    }
  }

 private:
  void next_piece() {
    pieces_ = pieces_.subspan(1);
    offset_ = 0;
  }

  std::span<const std::string_view> pieces_;
  size_t offset_ = 0;  // in the first one
};

Journal::Journal(FileSystem& file_system, JournalOptions options, core::StreamPosition low,
                 SaltSource salt_source)
    : file_system_(file_system),
      options_(std::move(options)),
      low_(low),
      pool_(file_system, options_, std::move(salt_source)) {}

core::Result<std::unique_ptr<Journal>> Journal::open(FileSystem& file_system,
                                                     JournalOptions options,
                                                     const JournalKnown& known,
                                                     SaltSource salt_source,
                                                     JournalFindings& findings) {
  auto recovered = recover_journal(file_system, options.directory, known, findings);
  if (!recovered) return recovered.error();
  std::unique_ptr<Journal> journal(
      new Journal(file_system, std::move(options), known.low, std::move(salt_source)));
  journal->recovered_ = std::move(*recovered);
  const RecoveredJournal& found = journal->recovered_;
  for (const auto& file : found.files) journal->pool_.count(file->size_bytes);
  for (const auto& file : found.void_files) journal->pool_.count(file->size_bytes);
  journal->pool_.adopt_spares(found.spares, found.last_number);
  journal->files_ = found.files;
  journal->log_end_ = found.log_end;
  journal->next_ = found.next;
  journal->synced_ = std::min(found.synced, found.log_end);
  return journal;
}

RecoveryReader Journal::recovered() const {
  std::vector<RecoveryReader::Part> parts;
  const std::lock_guard lock(mutex_);
  for (const auto& file : files_) parts.push_back({file, std::min(file->end, log_end_)});
  return {file_system_, std::move(parts), low_};
}

// What open() left undone, because it changes files.
core::Result<> Journal::prepare() {
  if (is_prepared_) return {};
  if (auto result = open_unsynced_files(); !result) return result;
  if (auto result = load_unsynced_frames(); !result) return result;
  if (auto result = complete_headers(); !result) return result;
  for (const SpareFile& file : recovered_.unreadable) pool_.set_aside(file.path, file.number);
  void_files_ = std::move(recovered_.void_files);
  recovered_ = {};
  is_prepared_ = true;
  return {};
}

// Whatever an earlier process did not sync for certain is synced with the next records, and the
// last file goes on where it ended.
core::Result<> Journal::open_unsynced_files() {
  if (recovered_.resume_offset != 0) {
    // A newer file that is gone must not come back and make void what follows.
    if (auto result = file_system_.sync_directory(options_.directory); !result) return result;
  }
  unsynced_files_.clear();
  current_.reset();
  for (const auto& file : recovered_.files) {
    const bool is_resumed = recovered_.resume_offset != 0 && file == recovered_.files.back();
    if (file->end <= synced_ && !is_resumed) continue;
    auto handle = file_system_.open(file->path, OpenMode::Write, {});
    if (!handle) return handle.error();
    auto open = std::make_shared<OpenFile>();
    open->file = file;
    open->handle = std::move(*handle);
    open->end = file->end;
    open->offset = recovered_.resume_offset;
    if (file->end > synced_) unsynced_files_.push_back(open);
    if (is_resumed) current_ = std::move(open);
  }
  return {};
}

// Whoever went on with such a file knows of it; the next start need not hear of it again.
core::Result<> Journal::complete_headers() {
  for (const HalfHeader& half : recovered_.half_headers) {
    auto handle = file_system_.open(half.path, OpenMode::Write, {});
    if (!handle) return handle.error();
    const std::string bytes = encode_file_header(half.header);
    for (const uint64_t offset : {uint64_t{0}, kPageSize}) {
      if (auto result = (*handle)->write_at(offset, bytes); !result) return result;
    }
    if (auto result = (*handle)->sync(); !result) return result;
  }
  return {};
}

core::Result<> Journal::load_unsynced_frames() {
  while (!unsynced_frames_.empty()) drop_last_frame();
  if (!options_.syncs || synced_ == log_end_) return {};
  std::vector<RecoveryReader::Part> parts;
  for (const auto& open : unsynced_files_) parts.push_back({open->file, open->end});
  RecoveryReader reader(file_system_, std::move(parts), synced_);
  RecoveredFrame frame;
  for (;;) {
    auto is_found = reader.next(frame);
    if (!is_found) return is_found.error();
    if (!*is_found) return {};
    if (auto result = write_again(frame); !result) return result;
  }
}

// Byte for byte in its place: the process before may have failed to sync it, after which the
// kernel has pages that it takes for written.
core::Result<> Journal::write_again(const RecoveredFrame& recovered) {
  Frame& frame = add_frame(recovered.position, recovered.index, recovered.source);
  frame.own = recovered.wire;
  const auto open =
      std::find_if(unsynced_files_.begin(), unsynced_files_.end(),
                   [&](const auto& file) { return file->file->number == recovered.file_number; });
  frame.header = recovered.header;
  core::crash_point("journal: before a frame is written again");
  return write_parts(*(*open)->handle, recovered.offset, frame, (*open)->file->salt);
}

core::Result<core::StreamPosition> Journal::append(const RecordGroup& group) {
  const uint64_t wire_size = wire_size_of(group.index);
  uint64_t largest = group.source == FrameSource{} ? 0 : wire_size;
  for (const IndexEntry& entry : group.index) largest = std::max<uint64_t>(largest, entry.size);
  if (largest > kFrameWireMax) {
    return {core::ErrorCode::TooLarge,
            "a record of " + std::to_string(largest) + " bytes does not fit the journal"};
  }
  if (auto result = prepare(); !result) return result.error();
  if (must_rewrite_) {
    if (auto result = rewrite(); !result) return result.error();
  }
  if (auto result = provide_for(group); !result) return result.error();
  const core::StreamPosition position = next_;
  const core::StreamPosition log_end = log_end_;
  if (auto result = append_frames(group); !result) {
    while (!unsynced_frames_.empty() && unsynced_frames_.back().header.position >= position) {
      drop_last_frame();
    }
    give_up_files_from(position);
    log_end_ = log_end;
    return result.error();
  }
  if (wire_size > 0) next_ = log_end_;
  return position;
}

// Most failures come from here, while the current file can still be used.
core::Result<> Journal::provide_for(const RecordGroup& group) {
  uint64_t frames_bytes = 0;
  uint64_t largest = 0;
  for (auto index = group.index; !index.empty();) {
    const size_t count = count_for_frame(index, group.source);
    FrameHeader header;
    header.wire_size = static_cast<uint32_t>(wire_size_of(index.first(count)));
    header.records_count = static_cast<uint32_t>(count);
    frames_bytes += header.frame_size();
    largest = std::max(largest, header.frame_size());
    index = index.subspan(count);
  }
  if (frames_bytes == 0 || fits_current(frames_bytes)) return {};
  return pool_.provide(largest, limit());
}

core::Result<> Journal::append_frames(const RecordGroup& group) {
  PieceCursor pieces(group.pieces);
  core::StreamPosition position = next_;
  auto index = group.index;
  while (!index.empty()) {
    const size_t count = count_for_frame(index, group.source);
    Frame& frame = add_frame(position, index.first(count), group.source);
    const uint32_t wire_size = frame.header.wire_size;
    if (group.is_lent) frame.lent = pieces.take_lent(wire_size);
    if (frame.lent.empty()) pieces.take(wire_size, frame.own);
    position = frame.header.end();
    if (auto result = write_frame(frame); !result) return result;
    if (!options_.syncs) drop_last_frame();
    index = index.subspan(count);
  }
  return {};
}

Journal::Frame& Journal::add_frame(core::StreamPosition position, std::span<const IndexEntry> index,
                                   const FrameSource& source) {
  Frame frame;
  frame.header.position = position;
  frame.header.wire_size = static_cast<uint32_t>(wire_size_of(index));
  frame.header.records_count = static_cast<uint32_t>(index.size());
  frame.header.source = source;
  const uint64_t index_size = frame.header.frame_size() - kFrameHeaderSize - frame.header.wire_size;
  frame.index.reserve(index_size);
  for (const IndexEntry& entry : index) append_index_entry(frame.index, entry);
  frame.index.resize(index_size);
  unsynced_bytes_ += frame.header.frame_size();
  unsynced_frames_.push_back(std::move(frame));
  return unsynced_frames_.back();
}

bool Journal::fits_current(uint64_t frames_bytes) const {
  return current_ && current_->offset + frames_bytes <= current_->file->size_bytes;
}

core::Result<> Journal::write_frame(Frame& frame) {
  FrameHeader& header = frame.header;
  header.follows = log_end_;
  if (!fits_current(header.frame_size())) {
    if (auto result = change_file(header); !result) return result;
  }
  if (auto result = write_to(*current_, frame); !result) return result;
  if (unsynced_files_.empty() || unsynced_files_.back() != current_) {
    unsynced_files_.push_back(current_);
  }
  log_end_ = header.end();
  const std::lock_guard lock(mutex_);
  current_->file->end = log_end_;
  return {};
}

core::Result<> Journal::write_to(OpenFile& file, Frame& frame) const {
  FrameHeader& header = frame.header;
  header.synced = synced_;
  header.contents_checksum =
      contents_checksum(frame.wire(), frame.index_entries(), file.file->salt);
  core::crash_point("journal: before a frame is written");
  if (auto result = write_parts(*file.handle, file.offset, frame, file.file->salt); !result) {
    return result;
  }
  core::crash_point("journal: frame written");
  file.file->note_frame({header.position, file.offset});
  file.offset += header.frame_size();
  file.end = header.end();
  return {};
}

// The records go straight from where they are. The header comes last: a process that is killed
// before leaves no frame.
core::Result<> Journal::write_parts(File& file, uint64_t offset, const Frame& frame,
                                    uint64_t salt) {
  const std::string_view wire = frame.wire();
  const uint64_t contents = offset + kFrameHeaderSize;
  if (auto result = file.write_at(contents, wire); !result) return result;
  if (auto result = file.write_at(contents + wire.size(), frame.index); !result) return result;
  char header[kFrameHeaderSize];
  encode_frame_header(frame.header, salt, header);
  return file.write_at(offset, {header, sizeof header});
}

// The next file is what void ones, and the newest one when nobody needs it, are given back for: if
// they kept it from being taken, nothing would ever get out of their way.
FilePool::Limit Journal::limit() const {
  const bool frees_others = !void_files_.empty() || files_.size() <= 1;
  return frees_others ? FilePool::Limit::Ignored : FilePool::Limit::Enforced;
}

core::Result<> Journal::change_file(const FrameHeader& next) {
  if (!options_.syncs) {
    if (auto result = sync_files(); !result) return result;
  }
  const FileHeader header{.first = next.position, .log_end = log_end_, .synced = synced_};
  auto taken = pool_.take(header, next.frame_size(), limit(), nullptr);
  if (!taken) return taken.error();
  adopt(std::move(*taken));
  return {};
}

void Journal::adopt(std::shared_ptr<OpenFile> file) {
  current_ = std::move(file);
  {
    const std::lock_guard lock(mutex_);
    files_.push_back(current_->file);
  }
  // Its header says what theirs said: what is void in older files.
  for (auto& void_file : std::exchange(void_files_, {})) pool_.retire(std::move(void_file));
}

core::Result<> Journal::sync() {
  if (auto result = prepare(); !result) return result;
  if (!options_.syncs) return {};
  return must_rewrite_ ? rewrite() : sync_files();
}

core::Result<> Journal::sync_files() {
  while (!unsynced_files_.empty()) {
    const auto open = unsynced_files_.front();
    const bool is_skipped = core::is_broken(core::Break::SkipFdatasync);
    core::crash_point("journal: before a file is synced");
    if (auto result = is_skipped ? core::Result<>() : open->handle->sync(); !result) {
      // The kernel may have dropped the pages, and would call the next attempt a success.
      open->file->is_suspect = true;
      current_.reset();
      unsynced_files_.pop_front();
      must_rewrite_ = !unsynced_frames_.empty();
      if (must_rewrite_) unsynced_files_.clear();
      return result;
    }
    core::crash_point("journal: file synced");
    unsynced_files_.pop_front();
    note_synced(open->end);
  }
  return {};
}

void Journal::note_synced(core::StreamPosition end) {
  synced_ = end;
  while (!unsynced_frames_.empty() && unsynced_frames_.front().header.end() <= synced_) {
    drop_first_frame();
  }
}

// Writes and syncs what is only in memory for certain. Until a new file has all of it the old ones
// count: what an earlier process synced may be among it.
core::Result<> Journal::rewrite() {
  const FrameHeader& first = unsynced_frames_.front().header;
  const FileHeader header{.first = first.position, .log_end = first.follows, .synced = synced_};
  // A limit must not keep what was accepted from being made safe.
  auto taken = pool_.take(header, unsynced_bytes_, FilePool::Limit::Ignored, [&](OpenFile& file) {
    core::Result<> result;
    for (Frame& frame : unsynced_frames_) {
      if (result) result = write_to(file, frame);
    }
    return result;
  });
  if (!taken) return taken.error();
  (*taken)->file->end = log_end_;
  give_up_files_from(header.first);
  adopt(std::move(*taken));
  note_synced(log_end_);
  must_rewrite_ = false;
  return {};
}

// What the files hold from there on is void, which the header of the next file will say.
void Journal::give_up_files_from(core::StreamPosition position) {
  current_.reset();
  synced_ = std::min(synced_, position);
  std::erase_if(unsynced_files_, [&](const auto& open) { return open->file->first >= position; });
  for (const auto& open : unsynced_files_) open->end = std::min(open->end, position);
  const std::lock_guard lock(mutex_);
  while (!files_.empty() && files_.back()->first >= position) {
    void_files_.push_back(std::move(files_.back()));
    files_.pop_back();
  }
  for (const auto& file : files_) file->end = std::min(file->end, position);
}

void Journal::drop_last_frame() {
  unsynced_bytes_ -= unsynced_frames_.back().header.frame_size();
  unsynced_frames_.pop_back();
}

void Journal::drop_first_frame() {
  unsynced_bytes_ -= unsynced_frames_.front().header.frame_size();
  unsynced_frames_.pop_front();
}

void Journal::keep_unsynced() {
  for (Frame& frame : unsynced_frames_) {
    if (!frame.lent.empty()) frame.own = std::exchange(frame.lent, {});
  }
}

core::StreamPosition Journal::synced_end() const {
  return options_.syncs ? synced_ : log_end_;
}

uint64_t Journal::newest_file() const {
  const std::lock_guard lock(mutex_);
  return files_.empty() ? 0 : files_.back()->number;
}

std::vector<JournalFileInfo> Journal::files() const {
  std::vector<JournalFileInfo> infos;
  const std::lock_guard lock(mutex_);
  for (const auto& file : files_) {
    const bool is_current = current_ && current_->file == file;
    infos.push_back({file->number, file->first, file->end, file->size_bytes, is_current});
  }
  return infos;
}

bool Journal::release(uint64_t number) {
  if (!prepare()) return false;
  const auto is_it = [&](const auto& open) { return open && open->file->number == number; };
  if (is_it(current_)) return false;
  const auto unsynced = std::find_if(unsynced_files_.begin(), unsynced_files_.end(), is_it);
  if (unsynced != unsynced_files_.end()) {
    if (options_.syncs) return false;
    unsynced_files_.erase(unsynced);
  }
  std::shared_ptr<JournalFile> released;
  {
    const std::lock_guard lock(mutex_);
    const auto place = std::find_if(files_.begin(), files_.end(),
                                    [&](const auto& file) { return file->number == number; });
    if (place == files_.end()) return false;
    // Its header says where the journal ends until that of a newer one does.
    if (!current_ && std::next(place) == files_.end()) return false;
    released = std::move(*place);
    files_.erase(place);
  }
  pool_.retire(std::move(released));
  return true;
}

core::Result<std::unique_ptr<RangeReader>> Journal::reader(
    std::span<const core::StreamRange> ranges) const {
  std::vector<RangeReader::Part> parts;
  uint64_t offset = 0;
  const std::lock_guard lock(mutex_);
  for (core::StreamRange range : ranges) {
    while (range.size > 0) {
      // The newest file that begins before it: an older one may have a void copy.
      const auto behind = std::upper_bound(
          files_.begin(), files_.end(), range.position,
          [](core::StreamPosition wanted, const auto& file) { return wanted < file->first; });
      if (behind == files_.begin() || range.position >= (*std::prev(behind))->end) {
        return {core::ErrorCode::SpoolIo,
                "no file of the journal in " + options_.directory + " has position " +
                    std::to_string(range.position),
                kLostKey};
      }
      const auto& file = *std::prev(behind);
      const uint64_t size = std::min(range.size, file->end - range.position);
      parts.push_back({file, {range.position, size}, offset});
      offset += size;
      range = {range.position + size, range.size - size};
    }
  }
  return std::make_unique<RangeReader>(file_system_, std::move(parts));
}

}  // namespace posthaste::journal
