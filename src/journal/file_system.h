// All that the journal and the files of producers ask of the operating system's files. The one seam
// below them: the library uses PosixFileSystem, tests a file system that fails and loses power on
// request. It knows nothing of what is in the files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace posthaste::journal {

// Errors of both interfaces: SpoolFull when the disk or the quota is exhausted, else SpoolIo; the
// text names the file and says what the system said.

// In Error::key, when there is no file to open.
inline constexpr const char* kMissingKey = "missing";

enum class OpenMode {
  Read,
  Write,   // to read and write a file that is there
  Create,  // the same, a file that is not there yet
  Share,   // the same, whether it is there or not: other processes make it, too
};

// Who may use what is created (spool.file_mode, spool.group).
struct FileAccess {
  uint32_t mode = 0600;
  std::optional<uint32_t> group;  // none: that of the process
};

// Purpose: an open file. Ownership: closed when destroyed. Threads: read_at, size, sync and is_gone
// any, the rest one at a time. Invariants: there is no position; every call says where. A lock
// belongs to the object, not to the process: two objects exclude each other also in one process,
// the death of the process frees it, and a forked child keeps it no longer than until it destroys
// its copy.
class File {
 public:
  virtual ~File() = default;
  // Less than `size` only at the end of the file.
  virtual core::Result<size_t> read_at(uint64_t offset, char* out, size_t size) const = 0;
  // All or an error, after which any part may be written.
  virtual core::Result<> write_at(uint64_t offset, std::string_view bytes) = 0;
  // Reserves space for [0, size_bytes), which reads as zeros where nothing was written.
  virtual core::Result<> allocate(uint64_t size_bytes) = 0;
  virtual core::Result<> truncate(uint64_t size_bytes) = 0;
  // What was written survives a power cut. After a failure nobody knows what of it does, and a
  // second call that succeeds proves nothing.
  virtual core::Result<> sync() = 0;
  virtual core::Result<uint64_t> size() const = 0;
  // The lock of the whole file, against others who ask for it. False: somebody has it, or the
  // system has none to give. Never waits.
  virtual bool try_lock() = 0;
  virtual void unlock() = 0;
  // It has no name any more.
  virtual bool is_gone() const = 0;
};

// Purpose: names and directories. Ownership: the caller keeps it longer than its files. Threads:
// any, unless an implementation says otherwise. Invariants: a symbolic link is never followed in
// the last part of a path; no file is inherited by a program that the process starts.
class FileSystem {
 public:
  virtual ~FileSystem() = default;
  // `access` is for a file that is made.
  virtual core::Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode,
                                                   const FileAccess& access) = 0;
  // Names, in no order, without `.` and `..`.
  virtual core::Result<std::vector<std::string>> list(const std::string& directory) = 0;
  virtual core::Result<> remove(const std::string& path) = 0;
  // Replaces what has the new name.
  virtual core::Result<> rename(const std::string& from, const std::string& to) = 0;
  // What was created, renamed and removed in the directory survives a power cut.
  virtual core::Result<> sync_directory(const std::string& directory) = 0;
  // What an ordinary user can still write there.
  virtual core::Result<uint64_t> free_bytes(const std::string& directory) = 0;
};

}  // namespace posthaste::journal
