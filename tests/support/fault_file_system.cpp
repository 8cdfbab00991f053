#include "support/fault_file_system.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "journal/posix_file_system.h"

namespace posthaste::test {

namespace {

constexpr uint64_t kSectorSize = 512;

std::string directory_of(const std::string& path) {
  return path.substr(0, path.rfind('/'));
}

void copy_range(const std::string& from, std::string& to, uint64_t offset, uint64_t size) {
  const uint64_t end = std::min<uint64_t>({offset + size, from.size(), to.size()});
  if (offset < end) to.replace(offset, end - offset, from, offset, end - offset);
}

}  // namespace

// One file, as programs see it and as it is on the disk.
struct FaultFileSystem::Contents {
  std::string bytes;
  std::string synced;
  std::set<uint64_t> unsynced_pages;
  uint64_t sync_errors_count = 0;
  const void* lock_holder = nullptr;

  void note_written(uint64_t offset, uint64_t size) {
    for (uint64_t page = offset / kPageSize; page * kPageSize < offset + size; ++page) {
      unsynced_pages.insert(page);
    }
  }
};

class FaultFileSystem::OpenedFile final : public journal::File {
 public:
  OpenedFile(FaultFileSystem& system, std::string path, std::shared_ptr<Contents> contents,
             bool is_writable)
      : system_(system),
        path_(std::move(path)),
        contents_(std::move(contents)),
        is_writable_(is_writable),
        power_cuts_count_(system.power_cuts_count_),
        sync_errors_seen_(contents_->sync_errors_count) {}
  ~OpenedFile() override { OpenedFile::unlock(); }

  core::Result<size_t> read_at(uint64_t offset, char* out, size_t size) const override {
    if (is_stale()) return journal::io_error(EIO, "read", path_);
    const std::string& bytes = contents_->bytes;
    if (offset >= bytes.size()) return size_t{0};
    const size_t count = std::min<uint64_t>(size, bytes.size() - offset);
    for (uint64_t page = offset / kPageSize; page * kPageSize < offset + count; ++page) {
      if (system_.unreadable_pages_.contains({path_, page})) {
        return journal::io_error(EIO, "read", path_);
      }
    }
    bytes.copy(out, count, offset);
    return count;
  }

  core::Result<> write_at(uint64_t offset, std::string_view bytes) override {
    int error = begin(FaultStep::Write);
    // A failed write may have done any part of its work, but not of a sector's.
    if (error != 0) {
      const bool is_in_sector = offset / kSectorSize == (offset + bytes.size()) / kSectorSize;
      bytes = bytes.substr(0, is_in_sector ? 0 : system_.random_.below(bytes.size() + 1));
    }
    if (const int full = system_.grow(*contents_, offset + bytes.size()); full != 0) {
      error = full;
      bytes = bytes.substr(
          0, contents_->bytes.size() - std::min<uint64_t>(offset, contents_->bytes.size()));
    }
    if (!is_stale() && !bytes.empty()) {
      contents_->bytes.replace(offset, bytes.size(), bytes);
      contents_->note_written(offset, bytes.size());
    }
    return result(error, "write");
  }

  core::Result<> allocate(uint64_t size_bytes) override {
    int error = begin(FaultStep::Allocate);
    if (error == 0) error = system_.grow(*contents_, size_bytes);
    return result(error, "reserve space for");
  }

  core::Result<> truncate(uint64_t size_bytes) override {
    const int error = begin(FaultStep::Truncate);
    if (error == 0) contents_->bytes.resize(size_bytes);
    return result(error, "truncate");
  }

  core::Result<> sync() override {
    if (is_stale()) return result(EIO, "sync");
    int error = begin(FaultStep::Sync);
    Contents& contents = *contents_;
    if (error != 0) ++contents.sync_errors_count;
    if (error == 0) contents.synced.resize(contents.bytes.size());
    for (const uint64_t page : contents.unsynced_pages) {
      const uint64_t fate = error == 0 ? 0 : system_.random_.below(3);
      if (fate == 0) copy_range(contents.bytes, contents.synced, page * kPageSize, kPageSize);
      if (fate == 1) {
        std::string former = contents.synced;
        former.resize(contents.bytes.size());
        copy_range(former, contents.bytes, page * kPageSize, kPageSize);
      }
    }
    contents.unsynced_pages.clear();
    // As on Linux, each that had the file open hears of an error once.
    const uint64_t seen = std::exchange(sync_errors_seen_, contents.sync_errors_count);
    if (error == 0 && seen != contents.sync_errors_count) error = EIO;
    return result(error, "sync");
  }

  core::Result<uint64_t> size() const override { return uint64_t{contents_->bytes.size()}; }

  bool try_lock() override {
    if (is_stale() || (contents_->lock_holder && contents_->lock_holder != this)) return false;
    contents_->lock_holder = this;
    return true;
  }
  void unlock() override {
    if (contents_->lock_holder == this) contents_->lock_holder = nullptr;
  }
  bool is_gone() const override {
    return std::none_of(system_.names_.begin(), system_.names_.end(),
                        [this](const auto& name) { return name.second == contents_; });
  }

 private:
  bool is_stale() const { return power_cuts_count_ != system_.power_cuts_count_; }

  int begin(FaultStep step) {
    if (is_stale()) return EIO;
    if (!is_writable_) return EBADF;
    return system_.begin(step, path_);
  }

  core::Result<> result(int error, const char* what) const {
    if (error != 0) return journal::io_error(error, what, path_);
    return {};
  }

  FaultFileSystem& system_;
  const std::string path_;
  const std::shared_ptr<Contents> contents_;
  const bool is_writable_;
  const uint64_t power_cuts_count_;
  uint64_t sync_errors_seen_;
};

FaultFileSystem::~FaultFileSystem() = default;

void FaultFileSystem::fail(FaultStep step, int error, uint64_t count, uint64_t after) {
  faults_.push_back({step, error, after, count, 0});
}

void FaultFileSystem::fail_at_random(FaultStep step, int error, uint32_t per_mille) {
  faults_.push_back({step, error, 0, 0, per_mille});
}

void FaultFileSystem::fail_reads(const std::string& path, uint64_t page) {
  unreadable_pages_.insert({path, page});
}

void FaultFileSystem::clear_faults() {
  faults_.clear();
  unreadable_pages_.clear();
}

// The error that the step is to fail with; 0: none.
int FaultFileSystem::begin(FaultStep step, const std::string& path) {
  if (before_step) before_step(step, path);
  ++steps_count_;
  for (Fault& fault : faults_) {
    if (fault.step != step) continue;
    if (fault.per_mille > 0) {
      if (random_.below(1000) < fault.per_mille) return fault.error;
    } else if (fault.after > 0) {
      --fault.after;
    } else if (fault.count > 0) {
      --fault.count;
      return fault.error;
    }
  }
  return 0;
}

int FaultFileSystem::grow(Contents& contents, uint64_t size_bytes) {
  const uint64_t size_before = contents.bytes.size();
  if (size_bytes <= size_before) return 0;
  if (used_bytes() + (size_bytes - size_before) > space_bytes_) return ENOSPC;
  contents.bytes.resize(size_bytes);
  return 0;
}

uint64_t FaultFileSystem::used_bytes() const {
  uint64_t used = 0;
  for (const auto& [path, contents] : names_) used += contents->bytes.size();
  return used;
}

void FaultFileSystem::apply(const NameChange& change, Names& names) {
  if (!change.from.empty()) {
    const auto place = names.find(change.from);
    // What came before it was lost.
    if (place == names.end() || place->second != change.contents) return;
    names.erase(place);
  }
  if (!change.to.empty()) names[change.to] = change.contents;
}

void FaultFileSystem::change_names(NameChange change) {
  apply(change, names_);
  unsynced_changes_.push_back(std::move(change));
}

void FaultFileSystem::power_cut() {
  cut(nullptr);
}

void FaultFileSystem::power_cut(const PageChoice& survives) {
  cut(&survives);
}

void FaultFileSystem::cut(const PageChoice* survives) {
  ++power_cuts_count_;
  Names names = synced_names_;
  for (const NameChange& change : unsynced_changes_) {
    if (random_.below(2) == 0) apply(change, names);
  }
  unsynced_changes_.clear();
  for (const auto& [path, contents] : names_) contents->lock_holder = nullptr;
  std::set<Contents*> done;
  for (const auto& [path, contents] : names) {
    if (done.insert(contents.get()).second) cut_contents(path, *contents, survives);
  }
  names_ = names;
  synced_names_ = std::move(names);
}

void FaultFileSystem::cut_contents(const std::string& path, Contents& contents,
                                   const PageChoice* survives) {
  std::string& synced = contents.synced;
  // Its size is either one or the other.
  if (survives || random_.below(2) == 0) synced.resize(contents.bytes.size());
  for (const uint64_t page : contents.unsynced_pages) {
    const uint64_t offset = page * kPageSize;
    const uint64_t fate = survives ? ((*survives)(path, page) ? 0 : 1) : random_.below(4);
    if (fate == 0) copy_range(contents.bytes, synced, offset, kPageSize);
    if (fate == 2) {
      for (uint64_t at = offset; at < offset + kPageSize; at += kSectorSize) {
        if (random_.below(2) == 0) copy_range(contents.bytes, synced, at, kSectorSize);
      }
    }
  }
  contents.unsynced_pages.clear();
  contents.bytes = synced;
}

std::vector<std::string> FaultFileSystem::paths() const {
  std::vector<std::string> out;
  for (const auto& [path, contents] : names_) out.push_back(path);
  return out;
}

std::string FaultFileSystem::bytes(const std::string& path) const {
  return names_.at(path)->bytes;
}

void FaultFileSystem::damage(const std::string& path, uint64_t offset, std::string_view bytes) {
  Contents& contents = *names_.at(path);
  contents.bytes.replace(offset, bytes.size(), bytes);
  if (contents.synced.size() >= offset + bytes.size()) {
    contents.synced.replace(offset, bytes.size(), bytes);
  }
}

core::Result<std::unique_ptr<journal::File>> FaultFileSystem::open(const std::string& path,
                                                                   journal::OpenMode mode,
                                                                   const journal::FileAccess&) {
  const bool is_new = mode == journal::OpenMode::Create ||
                      (mode == journal::OpenMode::Share && !names_.contains(path));
  if (is_new) {
    if (names_.contains(path)) return journal::io_error(EEXIST, "create", path);
    if (const int error = begin(FaultStep::Create, path); error != 0) {
      return journal::io_error(error, "create", path);
    }
    change_names({"", path, std::make_shared<Contents>()});
  }
  const auto place = names_.find(path);
  if (place == names_.end()) {
    core::Error error = journal::io_error(ENOENT, "open", path);
    error.key = journal::kMissingKey;
    return error;
  }
  const bool is_writable = mode != journal::OpenMode::Read;
  return std::unique_ptr<journal::File>(
      std::make_unique<OpenedFile>(*this, path, place->second, is_writable));
}

core::Result<std::vector<std::string>> FaultFileSystem::list(const std::string& directory) {
  std::vector<std::string> out;
  for (const auto& [path, contents] : names_) {
    if (directory_of(path) == directory) out.push_back(path.substr(directory.size() + 1));
  }
  return out;
}

core::Result<> FaultFileSystem::remove(const std::string& path) {
  int error = begin(FaultStep::Remove, path);
  if (error == 0 && !names_.contains(path)) error = ENOENT;
  if (error != 0) return journal::io_error(error, "remove", path);
  change_names({path, "", names_.at(path)});
  return {};
}

core::Result<> FaultFileSystem::rename(const std::string& from, const std::string& to) {
  int error = begin(FaultStep::Rename, from);
  if (error == 0 && !names_.contains(from)) error = ENOENT;
  if (error != 0) return journal::io_error(error, "rename", from);
  change_names({from, to, names_.at(from)});
  return {};
}

core::Result<> FaultFileSystem::sync_directory(const std::string& directory) {
  if (const int error = begin(FaultStep::SyncDirectory, directory); error != 0) {
    return journal::io_error(error, "sync", directory);
  }
  std::erase_if(unsynced_changes_, [&](const NameChange& change) {
    const std::string& path = change.to.empty() ? change.from : change.to;
    if (directory_of(path) != directory) return false;
    apply(change, synced_names_);
    return true;
  });
  return {};
}

core::Result<uint64_t> FaultFileSystem::free_bytes(const std::string&) {
  const uint64_t used = used_bytes();
  return used < space_bytes_ ? space_bytes_ - used : 0;
}

}  // namespace posthaste::test
