// One deliverer per spool directory. Taken by the engine before it opens the spool, and held until
// all of it is closed.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "core/result.h"

namespace posthaste::journal {

// Purpose: keeps a second engine, of this process or another, out of a directory. A record lock,
// not a flock: that one would be inherited by forked children and outlive the owner. Since a
// process does not exclude itself from a record lock, and loses it when it closes any descriptor of
// the file, a table of the process is asked first. Ownership: owns the lock and its descriptor.
// Threads: any. Invariants: a directory is in the table once, whatever path led to it; an entry
// that a forked child inherited means nothing there.
class DirectoryLock {
 public:
  // State when the directory is taken, with the process that has it; else SpoolFull or SpoolIo.
  static core::Result<std::unique_ptr<DirectoryLock>> take(const std::string& directory);
  ~DirectoryLock();
  DirectoryLock(const DirectoryLock&) = delete;
  DirectoryLock& operator=(const DirectoryLock&) = delete;

 private:
  DirectoryLock() = default;

  bool enter_table();
  core::Result<> lock_file(const std::string& directory);

  uint64_t device_ = 0;
  uint64_t inode_ = 0;
  int64_t process_ = 0;
  int fd_ = -1;
  bool is_in_table_ = false;
  DirectoryLock* next_ = nullptr;  // the table is a list of the locks themselves
};

}  // namespace posthaste::journal
