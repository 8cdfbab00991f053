#include "support/fault_vfs.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <fstream>
#include <iterator>
#include <utility>

namespace posthaste::test {
namespace {

constexpr int64_t kSectorSize = 512;

std::string read_whole(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string base_name(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

void apply_to(std::string& image, int64_t offset, std::string_view bytes) {
  const auto begin = static_cast<size_t>(offset);
  if (image.size() < begin + bytes.size()) image.resize(begin + bytes.size());
  std::copy(bytes.begin(), bytes.end(), image.begin() + offset);
}

}  // namespace

// What SQLite allocates for an open file: ours, and the system's behind it.
struct FaultVfs::File {
  sqlite3_file base;
  FaultVfs* owner;
  std::string* path;

  static File& of(sqlite3_file* file) { return *reinterpret_cast<File*>(file); }
  sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }

  DiskFault ask(DiskAccess::Kind kind, int64_t offset = 0, int size = 0) {
    return owner->ask({kind, *path, offset, size});
  }

  static int close(sqlite3_file* file) {
    File& self = of(file);
    const int code = self.real()->pMethods ? self.real()->pMethods->xClose(self.real()) : SQLITE_OK;
    delete self.path;
    return code;
  }
  static int read(sqlite3_file* file, void* out, int size, sqlite3_int64 offset) {
    File& self = of(file);
    const DiskFault fault = self.ask(DiskAccess::Kind::Read, offset, size);
    if (fault != DiskFault::None) return SQLITE_IOERR_READ;
    return self.real()->pMethods->xRead(self.real(), out, size, offset);
  }
  static int write(sqlite3_file* file, const void* bytes, int size, sqlite3_int64 offset) {
    File& self = of(file);
    const DiskFault fault = self.ask(DiskAccess::Kind::Write, offset, size);
    if (fault == DiskFault::IoError) return SQLITE_IOERR_WRITE;
    if (fault == DiskFault::NoSpace) return SQLITE_FULL;
    const int written = fault == DiskFault::TornWrite ? size / 2 : size;
    self.owner->remember(
        *self.path, {false, offset,
                     std::string(static_cast<const char*>(bytes), static_cast<size_t>(written))});
    const int code = self.real()->pMethods->xWrite(self.real(), bytes, written, offset);
    return fault == DiskFault::TornWrite ? SQLITE_IOERR_WRITE : code;
  }
  static int truncate(sqlite3_file* file, sqlite3_int64 size) {
    File& self = of(file);
    if (self.ask(DiskAccess::Kind::Truncate, size) != DiskFault::None) {
      return SQLITE_IOERR_TRUNCATE;
    }
    self.owner->remember(*self.path, {true, size, {}});
    return self.real()->pMethods->xTruncate(self.real(), size);
  }
  static int sync(sqlite3_file* file, int /*flags*/) {
    File& self = of(file);
    if (self.ask(DiskAccess::Kind::Sync) != DiskFault::None) {
      self.owner->remember_failed_sync(*self.path);
      return SQLITE_IOERR_FSYNC;
    }
    self.owner->remember_sync(*self.path);
    return SQLITE_OK;
  }
  static int size(sqlite3_file* file, sqlite3_int64* out) {
    return of(file).real()->pMethods->xFileSize(of(file).real(), out);
  }
  static int lock(sqlite3_file* file, int level) {
    return of(file).real()->pMethods->xLock(of(file).real(), level);
  }
  static int unlock(sqlite3_file* file, int level) {
    return of(file).real()->pMethods->xUnlock(of(file).real(), level);
  }
  static int check_lock(sqlite3_file* file, int* out) {
    return of(file).real()->pMethods->xCheckReservedLock(of(file).real(), out);
  }
  static int control(sqlite3_file* file, int operation, void* argument) {
    return of(file).real()->pMethods->xFileControl(of(file).real(), operation, argument);
  }
  static int sector_size(sqlite3_file* file) {
    return of(file).real()->pMethods->xSectorSize(of(file).real());
  }
  static int characteristics(sqlite3_file* file) {
    return of(file).real()->pMethods->xDeviceCharacteristics(of(file).real());
  }
  static int shm_map(sqlite3_file* file, int page, int size, int extend, void volatile** out) {
    return of(file).real()->pMethods->xShmMap(of(file).real(), page, size, extend, out);
  }
  static int shm_lock(sqlite3_file* file, int offset, int count, int flags) {
    return of(file).real()->pMethods->xShmLock(of(file).real(), offset, count, flags);
  }
  static void shm_barrier(sqlite3_file* file) {
    of(file).real()->pMethods->xShmBarrier(of(file).real());
  }
  static int shm_unmap(sqlite3_file* file, int remove) {
    return of(file).real()->pMethods->xShmUnmap(of(file).real(), remove);
  }
};

const sqlite3_io_methods& FaultVfs::methods() {
  // Version 2: the shared index of the log, but no mapped files, which no hook would see.
  static constexpr sqlite3_io_methods kMethods = {2,
                                                  File::close,
                                                  File::read,
                                                  File::write,
                                                  File::truncate,
                                                  File::sync,
                                                  File::size,
                                                  File::lock,
                                                  File::unlock,
                                                  File::check_lock,
                                                  File::control,
                                                  File::sector_size,
                                                  File::characteristics,
                                                  File::shm_map,
                                                  File::shm_lock,
                                                  File::shm_barrier,
                                                  File::shm_unmap,
                                                  nullptr,
                                                  nullptr};
  return kMethods;
}

FaultVfs::FaultVfs() : system_(sqlite3_vfs_find(nullptr)), vfs_(*system_) {
  static std::atomic<int> count{0};
  name_ = "fault-" + std::to_string(++count);
  vfs_.zName = name_.c_str();
  vfs_.pAppData = this;
  vfs_.pNext = nullptr;
  vfs_.szOsFile = static_cast<int>(sizeof(File)) + system_->szOsFile;
  vfs_.xOpen = open;
  vfs_.xDelete = remove;
  vfs_.xAccess = access;
  vfs_.xFullPathname = full_pathname;
  sqlite3_vfs_register(&vfs_, 0);
}

FaultVfs::~FaultVfs() {
  sqlite3_vfs_unregister(&vfs_);
}

void FaultVfs::set_hook(Hook hook) {
  const std::lock_guard lock(mutex_);
  hook_ = std::move(hook);
}

int FaultVfs::open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags,
                   int* out_flags) {
  FaultVfs& self = of(vfs);
  File& opened = File::of(file);
  opened.base.pMethods = nullptr;
  if (self.is_frozen()) return SQLITE_CANTOPEN;
  const int code = self.system_->xOpen(self.system_, name, opened.real(), flags, out_flags);
  if (code != SQLITE_OK) return code;
  opened.owner = &self;
  opened.path = new std::string(name ? name : "");
  opened.base.pMethods = &methods();
  const std::lock_guard lock(self.mutex_);
  // Files that have been there are taken for synced. Read once only: closing a second descriptor
  // would drop SQLite's locks.
  if (name && self.shadows_.count(name) == 0) self.shadows_[name].synced = read_whole(name);
  return SQLITE_OK;
}

int FaultVfs::remove(sqlite3_vfs* vfs, const char* name, int sync_directory) {
  FaultVfs& self = of(vfs);
  const std::lock_guard lock(self.mutex_);
  if (self.is_frozen_) return SQLITE_IOERR_DELETE;
  self.shadows_.erase(name);
  return self.system_->xDelete(self.system_, name, sync_directory);
}

int FaultVfs::access(sqlite3_vfs* vfs, const char* name, int flags, int* out) {
  return of(vfs).system_->xAccess(of(vfs).system_, name, flags, out);
}

int FaultVfs::full_pathname(sqlite3_vfs* vfs, const char* name, int size, char* out) {
  return of(vfs).system_->xFullPathname(of(vfs).system_, name, size, out);
}

DiskFault FaultVfs::ask(const DiskAccess& access) {
  const std::lock_guard lock(mutex_);
  if (is_frozen_) return DiskFault::IoError;
  // What the hook itself opens is left alone.
  if (!hook_ || is_in_hook_) return DiskFault::None;
  is_in_hook_ = true;
  const DiskFault fault = hook_(access);
  is_in_hook_ = false;
  return fault;
}

void FaultVfs::remember(const std::string& path, Pending pending) {
  const std::lock_guard lock(mutex_);
  shadows_[path].pending.push_back(std::move(pending));
}

void FaultVfs::remember_sync(const std::string& path) {
  const std::lock_guard lock(mutex_);
  Shadow& shadow = shadows_[path];
  for (const Pending& pending : shadow.pending) {
    if (pending.is_truncation) {
      shadow.synced.resize(static_cast<size_t>(pending.offset));
    } else {
      apply_to(shadow.synced, pending.offset, pending.bytes);
    }
  }
  shadow.pending.clear();
}

// The kernel takes all of it for written, and forgets what was not.
void FaultVfs::remember_failed_sync(const std::string& path) {
  const std::lock_guard lock(mutex_);
  if (is_frozen_) return;
  std::erase_if(shadows_[path].pending, [this](const Pending&) { return random_.below(2) == 0; });
  remember_sync(path);
}

std::string FaultVfs::image_after_power_cut(const Shadow& shadow, core::Random& random) {
  std::string image = shadow.synced;
  for (const Pending& pending : shadow.pending) {
    const uint64_t fate = random.below(4);
    if (fate == 0) continue;
    if (pending.is_truncation) {
      image.resize(static_cast<size_t>(pending.offset));
      continue;
    }
    std::string_view bytes = pending.bytes;
    if (fate == 1) bytes = bytes.substr(0, bytes.size() / 2 / kSectorSize * kSectorSize);
    apply_to(image, pending.offset, bytes);
  }
  return image;
}

void FaultVfs::copy_after_power_cut(const std::string& directory, core::Random& random) const {
  const std::lock_guard lock(mutex_);
  for (const auto& [path, shadow] : shadows_) {
    std::ofstream(directory + "/" + base_name(path), std::ios::binary)
        << image_after_power_cut(shadow, random);
  }
}

void FaultVfs::freeze() {
  const std::lock_guard lock(mutex_);
  is_frozen_ = true;
}

bool FaultVfs::is_frozen() const {
  const std::lock_guard lock(mutex_);
  return is_frozen_;
}

void FaultVfs::thaw() {
  const std::lock_guard lock(mutex_);
  is_frozen_ = false;
}

void FaultVfs::thaw_after_power_cut(core::Random& random) {
  const std::lock_guard lock(mutex_);
  for (const auto& [path, shadow] : shadows_) {
    std::ofstream(path, std::ios::binary) << image_after_power_cut(shadow, random);
  }
  // They are read again when they are opened.
  shadows_.clear();
  is_frozen_ = false;
}

}  // namespace posthaste::test
