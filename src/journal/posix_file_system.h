// The real file system. Made by whoever puts the engine together; it has no state.
#pragma once

#include "journal/file_system.h"

namespace posthaste::journal {

// Purpose: FileSystem over system calls; interrupted and short ones are continued. Ownership: owns
// nothing. Threads: any. Invariants: those of FileSystem.
class PosixFileSystem final : public FileSystem {
 public:
  core::Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode,
                                           const FileAccess& access) override;
  core::Result<std::vector<std::string>> list(const std::string& directory) override;
  core::Result<> remove(const std::string& path) override;
  core::Result<> rename(const std::string& from, const std::string& to) override;
  core::Result<> sync_directory(const std::string& directory) override;
  core::Result<uint64_t> free_bytes(const std::string& directory) override;
};

// The error for a system call that set errno to `number`; `what` is a verb, as in "cannot write".
core::Error io_error(int number, const char* what, const std::string& path);

}  // namespace posthaste::journal
