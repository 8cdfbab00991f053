#include "journal/producer_writer.h"

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "core/deliberate_break.h"
#include "journal/frame_scanner.h"

namespace posthaste::journal {

using core::ErrorCode;
using core::Result;

namespace {

// Between two rounds over files that are all busy; a push holds one for microseconds.
constexpr auto kPause = std::chrono::microseconds(500);
// Of what was synced, at one time.
constexpr size_t kCheckedSize = size_t{64} << 10;

core::Error queue_full(const std::string& directory, const char* why) {
  return {ErrorCode::QueueFull, "the producer files of " + directory + " are all " + why, {}};
}

uint64_t size_of_frame(std::string_view type, size_t record_size) {
  FrameHeader header;
  header.wire_size = static_cast<uint32_t>(type.size() + record_size);
  header.records_count = kProducerEntriesCount;
  return header.frame_size();
}

}  // namespace

ProducerWriter::ProducerWriter(FileSystem& file_system, ProducerOptions options,
                               SaltSource salt_source)
    : file_system_(file_system),
      options_(std::move(options)),
      salt_source_(std::move(salt_source)) {}

Result<> ProducerWriter::append(std::string_view type, size_t record_size,
                                const std::function<void(char*)>& write) {
  const uint64_t room = options_.max_bytes / kProducerFilesMax;
  const uint64_t wire_size = type.size() + record_size;
  if (wire_size > kFrameWireMax ||
      size_of_frame(type, record_size) + kProducerFramesOffset > room) {
    return {ErrorCode::TooLarge, "a record of " + std::to_string(record_size) +
                                     " bytes does not fit into a producer file of " +
                                     std::to_string(room)};
  }
  const auto deadline = std::chrono::steady_clock::now() + options_.lock_timeout;
  std::unique_lock lock(mutex_, std::defer_lock);
  if (!lock.try_lock_until(deadline)) return queue_full(options_.directory, "busy");
  for (;;) {
    auto tried = try_files(type, record_size, write);
    if (!tried) return tried.error();
    if (*tried == Try::Written) return {};
    if (*tried == Try::Full) return queue_full(options_.directory, "full");
    if (std::chrono::steady_clock::now() >= deadline) {
      return queue_full(options_.directory, "busy");
    }
    // Others of this process may find a file meanwhile.
    lock.unlock();
    std::this_thread::sleep_for(kPause);
    if (!lock.try_lock_until(deadline)) return queue_full(options_.directory, "busy");
  }
}

// One round over the files. Busy when it is worth another: one of them was. A file that is not
// there yet is made only when all before it are taken, so there are no more than are needed.
Result<ProducerWriter::Try> ProducerWriter::try_files(std::string_view type, size_t record_size,
                                                      const std::function<void(char*)>& write) {
  Try worst = Try::Full;
  core::Error error;
  uint32_t failures_count = 0;
  const uint32_t first = preferred_;
  for (uint32_t i = 0; i <= kProducerFilesMax; ++i) {
    const uint32_t number = i == 0 ? first : i - 1;
    if (i > 0 && number == first) continue;
    is_half_written_ = false;
    auto tried = try_file(number, type, record_size, write);
    if (is_half_written_) {
      // A power cut may make the frame count after all, so no other file gets it as well.
      preferred_ = (number + 1) % kProducerFilesMax;
      return tried.error();
    }
    if (!tried) {
      // One damaged file, or one of another user, stops nobody.
      error = tried.error();
      ++failures_count;
    } else if (*tried == Try::Written) {
      preferred_ = number;
      return Try::Written;
    } else if (*tried == Try::Busy) {
      worst = Try::Busy;
    }
  }
  if (failures_count == kProducerFilesMax) return error;
  // The disk is full rather than the quota.
  if (worst == Try::Full && error.code == ErrorCode::SpoolFull) return error;
  return worst;
}

Result<ProducerWriter::Try> ProducerWriter::try_file(uint32_t number, std::string_view type,
                                                     size_t record_size,
                                                     const std::function<void(char*)>& write) {
  Slot& slot = slots_[number];
  if (auto done = open(slot, number); !done) return done.error();
  if (!slot.file->try_lock()) return Try::Busy;
  if (slot.file->is_gone()) {
    slot = Slot();
    if (auto done = open(slot, number); !done) return done.error();
    if (!slot.file->try_lock()) return Try::Busy;
  }
  auto written = write_locked(slot, type, record_size, write);
  slot.file->unlock();
  return written;
}

Result<> ProducerWriter::open(Slot& slot, uint32_t number) const {
  if (slot.file) return {};
  auto file = ProducerFile::open(file_system_, options_.directory, number,
                                 ProducerFile::Mode::Create, options_.access);
  if (!file) return file.error();
  slot.file = std::move(*file);
  return {};
}

Result<ProducerWriter::Try> ProducerWriter::write_locked(Slot& slot, std::string_view type,
                                                         size_t record_size,
                                                         const std::function<void(char*)>& write) {
  auto found = slot.file->header();
  if (!found) return found.error();
  ProducerHeader header;
  if (*found) {
    header = **found;
  } else {
    // Not zero, so that a file that was removed does not look like its next one.
    auto begun = slot.file->begin_use(static_cast<uint32_t>(salt_source_()), salt_source_());
    if (!begun) return begun.error();
    header = *begun;
  }
  const uint64_t room = options_.max_bytes / kProducerFilesMax;
  if (header.committed_end + size_of_frame(type, record_size) > room) return Try::Full;
  make_frame(header, type, record_size, write);
  if (auto done = slot.file->append(header, frame_); !done) {
    is_half_written_ = true;
    return done.error();
  }
  slot.unsynced_end = header.committed_end;
  slot.salt = header.salt;
  return Try::Written;
}

void ProducerWriter::make_frame(const ProducerHeader& header, std::string_view type,
                                size_t record_size, const std::function<void(char*)>& write) {
  FrameHeader frame;
  frame.position = frame.follows = header.committed_end;
  frame.synced = header.synced_end;
  frame.wire_size = static_cast<uint32_t>(type.size() + record_size);
  frame.records_count = kProducerEntriesCount;

  frame_.resize(kFrameHeaderSize);
  frame_ += type;
  frame_.resize(frame_.size() + record_size);
  write(frame_.data() + kFrameHeaderSize + type.size());
  append_index_entry(frame_, {static_cast<uint32_t>(type.size()), 0});
  append_index_entry(frame_, {static_cast<uint32_t>(record_size), 0});
  const std::string_view contents = std::string_view(frame_).substr(kFrameHeaderSize);
  frame.contents_checksum = contents_checksum(contents, header.salt);
  frame_.resize(frame.frame_size());
  encode_frame_header(frame, header.salt, frame_.data());
}

Result<> ProducerWriter::sync() {
  // One after the other: whoever comes second must not answer before the first is done.
  const std::lock_guard sync_lock(sync_mutex_);
  Slots taken;
  bool has_new_names = false;
  {
    const std::lock_guard lock(mutex_);
    for (size_t i = 0; i < taken.size(); ++i) {
      taken[i] = slots_[i];
      slots_[i].unsynced_end = 0;
      has_new_names |= taken[i].unsynced_end != 0 && !taken[i].has_synced_name;
    }
  }
  // From here on pushes do not wait for the disk. Who made a file may have died before it synced
  // its name, so each process sees to it.
  Result<> outcome;
  if (has_new_names) outcome = file_system_.sync_directory(options_.directory);
  if (has_new_names && outcome) note_synced_names(taken);
  for (const Slot& slot : taken) {
    if (slot.unsynced_end == 0) continue;
    const bool is_skipped = core::is_broken(core::Break::ProducerSyncSkipped);
    if (auto done = is_skipped ? Result<>() : slot.file->sync(); !done) {
      outcome = done;
    } else {
      note_synced(slot);
    }
  }
  return outcome;
}

void ProducerWriter::note_synced_names(const Slots& synced) {
  const std::lock_guard lock(mutex_);
  for (size_t i = 0; i < synced.size(); ++i) {
    if (synced[i].file && slots_[i].file == synced[i].file) slots_[i].has_synced_name = true;
  }
}

// Helps to tell damage from a torn tail; that it may fail harms nothing.
void ProducerWriter::note_synced(const Slot& slot) {
  const uint64_t end = intact_end(slot);
  const std::lock_guard lock(mutex_);
  if (!slot.file->try_lock()) return;
  if (auto header = slot.file->header(); header && *header && (*header)->salt == slot.salt) {
    static_cast<void>(slot.file->note_synced(**header, end));
  }
  slot.file->unlock();
}

// Where the frames end that are whole, of those that were synced now. What a power cut tore before
// this process came was not whole when it was synced, and is no damage.
uint64_t ProducerWriter::intact_end(const Slot& slot) const {
  auto header = slot.file->header();
  if (!header || !*header || (*header)->salt != slot.salt) return 0;
  uint64_t end = std::max((*header)->synced_end, kProducerFramesOffset);
  auto file = file_system_.open(slot.file->path(), OpenMode::Read, {});
  if (!file) return 0;
  FrameScanner frames(std::move(*file), slot.unsynced_end, slot.salt, end, kCheckedSize);
  while (frames.find(end, end + 1) && frames.load()) end += frames.header().frame_size();
  return end;
}

void ProducerWriter::abandon() {
  for (Slot& slot : slots_) {
    if (slot.file) slot.file->abandon();
  }
}

}  // namespace posthaste::journal
