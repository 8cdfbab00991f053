#include "journal/file_pool.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "core/crash_point.h"
#include "core/deliberate_break.h"

namespace posthaste::journal {

namespace {

// Files that are kept for people to look at: beyond max_bytes, so not many.
constexpr size_t kSetAsideMax = 8;

}  // namespace

FilePool::FilePool(FileSystem& file_system, const JournalOptions& options, SaltSource salt_source)
    : file_system_(file_system), options_(options), salt_source_(std::move(salt_source)) {}

void FilePool::adopt_spares(std::vector<SpareFile> spares, uint64_t last_number) {
  spares_ = std::move(spares);
  for (const SpareFile& spare : spares_) count(spare.size_bytes);
  // An earlier process may have renamed them just before it ended.
  has_unsynced_spares_ = !spares_.empty();
  last_number_ = last_number;
}

bool FilePool::set_aside(const std::string& path, uint64_t number) {
  if (!file_system_.rename(path, path_of(FileKind::Damaged, number))) return false;
  limit_set_aside();
  return true;
}

void FilePool::limit_set_aside() {
  auto names = file_system_.list(options_.directory);
  if (!names) return;
  std::vector<uint64_t> numbers;
  for (const std::string& text : *names) {
    const auto name = parse_file_name(text);
    if (name && name->kind == FileKind::Damaged) numbers.push_back(name->number);
  }
  std::sort(numbers.begin(), numbers.end(), std::greater<>());
  for (size_t i = kSetAsideMax; i < numbers.size(); ++i) {
    (void)file_system_.remove(path_of(FileKind::Damaged, numbers[i]));
  }
}

std::string FilePool::path_of(FileKind kind, uint64_t number) const {
  return options_.directory + "/" + file_name({kind, number});
}

bool FilePool::is_over_limit(uint64_t size_bytes) const {
  return disk_bytes() + size_bytes > options_.max_bytes;
}

core::Result<> FilePool::provide(uint64_t frames_bytes, Limit limit) {
  recycle();
  const uint64_t needed = kFramesOffset + frames_bytes;
  for (const SpareFile& spare : spares_) {
    if (spare.size_bytes >= needed) return {};
  }
  // Of another size than wanted, or never reserved by a process that was killed: they would only
  // take the places of others.
  std::erase_if(spares_, [&](const SpareFile& spare) {
    return spare.size_bytes < options_.file_bytes && remove(spare.path, spare.size_bytes);
  });
  const uint64_t size_bytes = std::max(needed, options_.file_bytes);
  if (limit == Limit::Enforced && is_over_limit(size_bytes)) {
    remove_spares();
    if (is_over_limit(size_bytes)) {
      return {core::ErrorCode::SpoolFull, "the journal in " + options_.directory +
                                              " has reached its limit of " +
                                              std::to_string(options_.max_bytes) + " bytes"};
    }
  }
  return create_spare(size_bytes);
}

core::Result<> FilePool::create_spare(uint64_t size_bytes) {
  const uint64_t number = ++last_number_;
  const std::string path = path_of(FileKind::Spare, number);
  auto file = file_system_.open(path, OpenMode::Create, options_.access);
  if (!file) return file.error();
  core::crash_point("journal: spare file made");
  if (auto result = (*file)->allocate(size_bytes); !result) {
    // Left behind, it is found as a spare file after the next start.
    (void)file_system_.remove(path);
    return result;
  }
  count(size_bytes);
  spares_.push_back({number, path, size_bytes});
  return {};
}

core::Result<std::shared_ptr<OpenFile>> FilePool::take(FileHeader header, uint64_t frames_bytes,
                                                       Limit limit, const Fill& fill) {
  if (auto result = provide(frames_bytes, limit); !result) return result.error();
  const auto place = std::find_if(spares_.begin(), spares_.end(), [&](const SpareFile& spare) {
    return spare.size_bytes >= kFramesOffset + frames_bytes;
  });
  const SpareFile spare = *place;
  spares_.erase(place);
  header.number = ++last_number_;
  header.salt = core::is_broken(core::Break::NoSalt) ? 0 : salt_source_();
  const std::string path = path_of(FileKind::InUse, header.number);
  auto open = std::make_shared<OpenFile>();
  open->file = std::make_shared<JournalFile>(header.number, path, spare.size_bytes, header.salt,
                                             header.first);
  open->end = header.first;
  if (auto result = start(spare, header, fill, *open); !result) {
    // It may have either name, and after a failed sync nobody knows what it holds.
    if (!remove(path, spare.size_bytes) && !remove(spare.path, spare.size_bytes)) {
      spares_.push_back(spare);
    }
    return result.error();
  }
  return open;
}

// Each step is safe on disk before the next one, at every spool.sync level: it happens once in
// many megabytes, and without it a power cut would look like damage.
core::Result<> FilePool::start(const SpareFile& spare, const FileHeader& header, const Fill& fill,
                               OpenFile& file) {
  if (has_unsynced_spares_) {
    if (auto result = file_system_.sync_directory(options_.directory); !result) return result;
    has_unsynced_spares_ = false;
  }
  auto handle = file_system_.open(spare.path, OpenMode::Write, {});
  if (!handle) return handle.error();
  file.handle = std::move(*handle);
  const std::string bytes = encode_file_header(header);
  for (const uint64_t offset : {uint64_t{0}, kPageSize}) {
    if (auto result = file.handle->write_at(offset, bytes); !result) return result;
    core::crash_point("journal: header written");
  }
  if (fill) {
    if (auto result = fill(file); !result) return result;
  }
  if (auto result = file.handle->sync(); !result) return result;
  core::crash_point("journal: header synced");
  if (auto result = file_system_.rename(spare.path, file.file->path); !result) return result;
  core::crash_point("journal: file taken into use");
  return file_system_.sync_directory(options_.directory);
}

void FilePool::retire(std::shared_ptr<JournalFile> file) {
  retired_.push_back(std::move(file));
  recycle();
}

// What only the pool still holds is used again, or removed.
void FilePool::recycle() {
  std::vector<std::shared_ptr<JournalFile>> waiting;
  for (auto& file : std::exchange(retired_, {})) {
    if (file.use_count() > 1) {
      waiting.push_back(std::move(file));
    } else {
      make_spare(*file);
    }
  }
  retired_ = std::move(waiting);
}

void FilePool::make_spare(const JournalFile& file) {
  if (file.is_damaged && set_aside(file.path, file.number)) {
    disk_bytes_ -= file.size_bytes;
    return;
  }
  const bool is_wanted = !file.is_suspect && file.size_bytes == options_.file_bytes &&
                         spares_.size() < options_.spares_max;
  const std::string path = path_of(FileKind::Spare, file.number);
  if (!is_wanted || !file_system_.rename(file.path, path)) {
    remove(file.path, file.size_bytes);
    return;
  }
  core::crash_point("journal: file given back");
  has_unsynced_spares_ = true;
  spares_.push_back({file.number, path, file.size_bytes});
}

void FilePool::remove_spares() {
  recycle();
  std::erase_if(spares_,
                [&](const SpareFile& spare) { return remove(spare.path, spare.size_bytes); });
}

// False: the file is still there, and counted.
bool FilePool::remove(const std::string& path, uint64_t size_bytes) {
  if (!file_system_.remove(path)) return false;
  disk_bytes_ -= size_bytes;
  return true;
}

}  // namespace posthaste::journal
