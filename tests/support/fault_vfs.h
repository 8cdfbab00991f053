// A SQLite VFS for tests: the system's, with a hook before everything that touches the disk. The
// hook can fail it, look at the files as a killed process would leave them, or make a copy as a
// power cut would.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "core/random.h"

namespace posthaste::test {

struct DiskAccess {
  enum class Kind { Read, Write, Truncate, Sync };
  Kind kind = Kind::Read;
  std::string path;
  int64_t offset = 0;
  int size = 0;
};

// TornWrite: half of it arrives, and then the disk fails.
enum class DiskFault { None, IoError, NoSpace, TornWrite };

// Purpose: faults below SQLite, and what is on the disk at any moment. Ownership: registers itself
// with SQLite under its name and leaves with the object, which must outlive all connections.
// Threads: any; the hook is called on the thread of the access, one at a time. Invariants: without
// a hook it does what the system's VFS does, but that it never waits for the real disk.
class FaultVfs {
 public:
  using Hook = std::function<DiskFault(const DiskAccess& access)>;

  FaultVfs();
  ~FaultVfs();
  FaultVfs(const FaultVfs&) = delete;
  FaultVfs& operator=(const FaultVfs&) = delete;

  const char* name() const { return name_.c_str(); }
  void set_hook(Hook hook);

  // Writes the files as a power cut may leave them now: what was synced, and of what was written
  // since any part, torn at sectors.
  void copy_after_power_cut(const std::string& directory, core::Random& random) const;

  // From now on the files stay as they are, and whoever uses them gets errors: what a process wants
  // to do that is no more, and is yet to be destroyed.
  void freeze();
  bool is_frozen() const;
  // The files are usable again, for connections that are opened from now on. None may be open. The
  // second one leaves of what was not synced any part.
  void thaw();
  void thaw_after_power_cut(core::Random& random);

 private:
  struct File;
  // Written and not synced; a truncation has no bytes.
  struct Pending {
    bool is_truncation = false;
    int64_t offset = 0;
    std::string bytes;
  };
  struct Shadow {
    std::string synced;
    std::vector<Pending> pending;
  };

  static FaultVfs& of(sqlite3_vfs* vfs) { return *static_cast<FaultVfs*>(vfs->pAppData); }
  static int open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags,
                  int* out_flags);
  static int remove(sqlite3_vfs* vfs, const char* name, int sync_directory);
  static int access(sqlite3_vfs* vfs, const char* name, int flags, int* out);
  static int full_pathname(sqlite3_vfs* vfs, const char* name, int size, char* out);
  static const sqlite3_io_methods& methods();

  DiskFault ask(const DiskAccess& access);
  void remember(const std::string& path, Pending pending);
  void remember_sync(const std::string& path);
  void remember_failed_sync(const std::string& path);
  static std::string image_after_power_cut(const Shadow& shadow, core::Random& random);

  std::string name_;
  sqlite3_vfs* system_;
  sqlite3_vfs vfs_;
  mutable std::recursive_mutex mutex_;  // guards what follows; a hook may open databases
  Hook hook_;
  bool is_in_hook_ = false;
  bool is_frozen_ = false;
  std::map<std::string, Shadow> shadows_;  // by path
  core::Random random_{1};
};

}  // namespace posthaste::test
