#include "spool/sqlite_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <system_error>

namespace posthaste::spool {
namespace {

core::Error system_error(const char* action, const std::string& path) {
  const int code = errno;
  const bool is_full = code == ENOSPC || code == EDQUOT;
  return {is_full ? core::ErrorCode::SpoolFull : core::ErrorCode::SpoolIo,
          fmt::format("cannot {} {}: {}", action, path,
                      std::error_code(code, std::generic_category()).message()),
          {}};
}

// Closes what it opened, at the end of a block.
struct Descriptor {
  int fd = -1;
  ~Descriptor() {
    if (fd >= 0) close(fd);
  }
};

}  // namespace

core::Result<std::string> real_directory(const std::string& directory) {
  char path[PATH_MAX];
  if (!realpath(directory.c_str(), path)) return system_error("open spool directory", directory);
  return std::string(path);
}

core::Result<> make_private_file(const std::string& path, uint32_t mode) {
  const auto permissions = static_cast<mode_t>(mode);
  const Descriptor file{open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, permissions)};
  if (file.fd < 0) return system_error("open spool database", path);
  struct stat status {};
  if (fstat(file.fd, &status) != 0) return system_error("open spool database", path);
  if (!S_ISREG(status.st_mode)) {
    return {core::ErrorCode::SpoolIo, fmt::format("spool database {} is not a file", path)};
  }
  // The umask may have taken bits away, and an earlier owner may have given some.
  if ((status.st_mode & 07777) != permissions && fchmod(file.fd, permissions) != 0) {
    return system_error("set the mode of spool database", path);
  }
  return {};
}

bool file_exists(const std::string& path) {
  struct stat status {};
  return lstat(path.c_str(), &status) == 0;
}

core::Result<> remove_file(const std::string& path) {
  if (unlink(path.c_str()) != 0 && errno != ENOENT) return system_error("remove", path);
  return {};
}

core::Result<> rename_file(const std::string& from, const std::string& to) {
  if (rename(from.c_str(), to.c_str()) != 0) return system_error("rename", from);
  return {};
}

core::Result<> sync_directory(const std::string& directory) {
  const Descriptor file{open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (file.fd < 0 || fsync(file.fd) != 0) return system_error("sync spool directory", directory);
  return {};
}

uint64_t database_size(const std::string& path) {
  uint64_t size = 0;
  for (const char* suffix : {"", "-wal", "-shm"}) {
    struct stat status {};
    if (stat((path + suffix).c_str(), &status) == 0) size += static_cast<uint64_t>(status.st_size);
  }
  return size;
}

}  // namespace posthaste::spool
