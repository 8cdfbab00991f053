#include "journal/posix_file_system.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <system_error>

namespace posthaste::journal {

namespace {

// Repeats a system call that a signal interrupted.
template <typename Call>
auto retried(Call call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

class PosixFile final : public File {
 public:
  PosixFile(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
  ~PosixFile() override { ::close(fd_); }
  PosixFile(const PosixFile&) = delete;
  PosixFile& operator=(const PosixFile&) = delete;

  core::Result<size_t> read_at(uint64_t offset, char* out, size_t size) const override {
    size_t done = 0;
    while (done < size) {
      const ssize_t count = retried(
          [&] { return ::pread(fd_, out + done, size - done, static_cast<off_t>(offset + done)); });
      if (count < 0) return io_error(errno, "read", path_);
      if (count == 0) break;
      done += static_cast<size_t>(count);
    }
    return done;
  }

  core::Result<> write_at(uint64_t offset, std::string_view bytes) override {
    while (!bytes.empty()) {
      const ssize_t count = retried(
          [&] { return ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset)); });
      if (count < 0) return io_error(errno, "write", path_);
      offset += static_cast<uint64_t>(count);
      bytes.remove_prefix(static_cast<size_t>(count));
    }
    return {};
  }

  core::Result<> allocate(uint64_t size_bytes) override {
    int number = 0;
    do {
      number = ::posix_fallocate(fd_, 0, static_cast<off_t>(size_bytes));
    } while (number == EINTR);
    if (number != 0) return io_error(number, "reserve space for", path_);
    return {};
  }

  core::Result<> truncate(uint64_t size_bytes) override {
    if (retried([&] { return ::ftruncate(fd_, static_cast<off_t>(size_bytes)); }) != 0) {
      return io_error(errno, "truncate", path_);
    }
    return {};
  }

  core::Result<> sync() override {
    if (retried([&] { return ::fdatasync(fd_); }) != 0) return io_error(errno, "sync", path_);
    return {};
  }

  core::Result<uint64_t> size() const override {
    struct stat status {};
    if (::fstat(fd_, &status) != 0) return io_error(errno, "look at", path_);
    return static_cast<uint64_t>(status.st_size);
  }

  bool try_lock() override { return lock_command(F_WRLCK) == 0; }
  void unlock() override { lock_command(F_UNLCK); }

  bool is_gone() const override {
    struct stat status {};
    return ::fstat(fd_, &status) != 0 || status.st_nlink == 0;
  }

  // It was just made, or found. Both explicitly: the process has a umask, and the directory may
  // pass on its group.
  core::Result<> set_access(const FileAccess& access) const {
    if (access.group && ::fchown(fd_, static_cast<uid_t>(-1), *access.group) != 0) {
      return io_error(errno, "set the group of", path_);
    }
    if (::fchmod(fd_, access.mode) != 0) return io_error(errno, "set the mode of", path_);
    return {};
  }
  core::Result<> check_is_file() const {
    struct stat status {};
    if (::fstat(fd_, &status) != 0) return io_error(errno, "look at", path_);
    if (!S_ISREG(status.st_mode)) return io_error(EINVAL, "use", path_);
    return {};
  }

 private:
  // That of the open file description: see File.
  int lock_command(short type) const {
    struct flock range {};
    range.l_type = type;
    range.l_whence = SEEK_SET;
    return retried([&] { return ::fcntl(fd_, F_OFD_SETLK, &range); });
  }

  const int fd_;
  const std::string path_;
};

// Not blocking: what lies there may be something else than a file.
constexpr int kAlways = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
constexpr int kNew = kAlways | O_RDWR | O_CREAT | O_EXCL;

int open_retried(const std::string& path, int flags) {
  return retried([&] { return ::open(path.c_str(), flags, 0600); });
}

core::Error open_error(int number, const std::string& path) {
  core::Error error = io_error(number, "open", path);
  if (number == ENOENT) error.key = kMissingKey;
  return error;
}

}  // namespace

core::Error io_error(int number, const char* what, const std::string& path) {
  const bool is_full = number == ENOSPC || number == EDQUOT;
  return {
      is_full ? core::ErrorCode::SpoolFull : core::ErrorCode::SpoolIo,
      "cannot " + std::string(what) + " " + path + ": " + std::generic_category().message(number),
      {}};
}

core::Result<std::unique_ptr<File>> PosixFileSystem::open(const std::string& path, OpenMode mode,
                                                          const FileAccess& access) {
  bool is_new = mode == OpenMode::Create;
  int fd = open_retried(path, is_new                   ? kNew
                              : mode == OpenMode::Read ? kAlways | O_RDONLY
                                                       : kAlways | O_RDWR);
  if (fd < 0 && errno == ENOENT && mode == OpenMode::Share) {
    fd = open_retried(path, kNew);
    is_new = fd >= 0;
    // Another process was quicker.
    if (fd < 0 && errno == EEXIST) fd = open_retried(path, kAlways | O_RDWR);
  }
  if (fd < 0) {
    return mode == OpenMode::Create ? io_error(errno, "create", path) : open_error(errno, path);
  }
  auto file = std::make_unique<PosixFile>(fd, path);
  core::Result<> done;
  if (is_new) {
    done = file->set_access(access);
  } else if (mode == OpenMode::Share) {
    done = file->check_is_file();
  }
  if (!done) return done.error();
  return std::unique_ptr<File>(std::move(file));
}

core::Result<std::vector<std::string>> PosixFileSystem::list(const std::string& directory) {
  DIR* stream = ::opendir(directory.c_str());
  if (!stream) return io_error(errno, "list", directory);
  std::vector<std::string> names;
  int number = 0;
  for (;;) {
    errno = 0;
    // Not shared with another thread: this stream is ours alone.
    const dirent* entry = ::readdir(stream);  // NOLINT(concurrency-mt-unsafe)
    if (!entry) {
      number = errno;
      break;
    }
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  ::closedir(stream);
  if (number != 0) return io_error(number, "list", directory);
  return names;
}

core::Result<> PosixFileSystem::remove(const std::string& path) {
  if (::unlink(path.c_str()) != 0) return io_error(errno, "remove", path);
  return {};
}

core::Result<> PosixFileSystem::rename(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) return io_error(errno, "rename", from);
  return {};
}

core::Result<> PosixFileSystem::sync_directory(const std::string& directory) {
  const int fd =
      retried([&] { return ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); });
  if (fd < 0) return io_error(errno, "open", directory);
  const int number = retried([&] { return ::fsync(fd); }) == 0 ? 0 : errno;
  ::close(fd);
  if (number != 0) return io_error(number, "sync", directory);
  return {};
}

core::Result<uint64_t> PosixFileSystem::free_bytes(const std::string& directory) {
  struct statvfs status {};
  if (::statvfs(directory.c_str(), &status) != 0) return io_error(errno, "look at", directory);
  return uint64_t{status.f_bavail} * uint64_t{status.f_frsize};
}

}  // namespace posthaste::journal
