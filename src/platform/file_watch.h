// Tells when files of a directory appear or are written to by anybody (inotify). The spool thread
// uses it to notice producers in other processes; it also looks by itself now and then, since not
// every file system reports what is done to it elsewhere.
#pragma once

#include <memory>
#include <string>

#include "core/result.h"

namespace posthaste::platform {

// Purpose: watches one directory for new files, and the files that were added for writes.
// Ownership: owns a descriptor. Threads: one at a time. Invariants: what happens after add()
// returned is noticed by the next take(), or makes fd() readable until then.
class FileWatch {
 public:
  // System when the limits of the user (fs.inotify) are exhausted.
  static core::Result<std::unique_ptr<FileWatch>> open(const std::string& directory);
  ~FileWatch();
  FileWatch(const FileWatch&) = delete;
  FileWatch& operator=(const FileWatch&) = delete;

  // A second time for one file does nothing; a file that is not there is passed over.
  core::Result<> add(const std::string& path);
  // To wait for: readable when something happened.
  int fd() const { return fd_; }
  // Whether something happened since the last call. Never waits.
  bool take();

 private:
  explicit FileWatch(int fd) : fd_(fd) {}

  const int fd_;
};

}  // namespace posthaste::platform
