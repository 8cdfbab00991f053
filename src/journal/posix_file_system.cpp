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

 private:
  const int fd_;
  const std::string path_;
};

int flags_of(OpenMode mode) {
  const int always = O_CLOEXEC | O_NOFOLLOW;
  switch (mode) {
    case OpenMode::Read:
      return always | O_RDONLY;
    case OpenMode::Write:
      return always | O_RDWR;
    case OpenMode::Create:
      break;
  }
  return always | O_RDWR | O_CREAT | O_EXCL;
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
  const char* what = mode == OpenMode::Create ? "create" : "open";
  const int fd = retried([&] { return ::open(path.c_str(), flags_of(mode), 0600); });
  if (fd < 0) return io_error(errno, what, path);
  auto file = std::make_unique<PosixFile>(fd, path);
  if (mode == OpenMode::Create) {
    // Both explicitly: the process has a umask, and the directory may pass on its group.
    if (access.group && ::fchown(fd, static_cast<uid_t>(-1), *access.group) != 0) {
      return io_error(errno, "set the group of", path);
    }
    if (::fchmod(fd, access.mode) != 0) return io_error(errno, "set the mode of", path);
  }
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
