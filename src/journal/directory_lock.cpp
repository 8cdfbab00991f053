#include "journal/directory_lock.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <mutex>

#include "journal/posix_file_system.h"

namespace posthaste::journal {

namespace {

// Neither needs a constructor or destructor at run time: the library may be used while the process
// starts and exits.
constinit std::mutex table_mutex;
constinit DirectoryLock* table = nullptr;  // guarded by table_mutex

core::Error taken(const std::string& directory, int64_t process) {
  return {core::ErrorCode::State,
          "spool directory " + directory + " is in use by process " + std::to_string(process),
          {}};
}

}  // namespace

core::Result<std::unique_ptr<DirectoryLock>> DirectoryLock::take(const std::string& directory) {
  struct stat status {};
  if (::stat(directory.c_str(), &status) != 0) return io_error(errno, "look at", directory);
  std::unique_ptr<DirectoryLock> lock(new DirectoryLock);
  lock->device_ = uint64_t{status.st_dev};
  lock->inode_ = uint64_t{status.st_ino};
  lock->process_ = ::getpid();
  if (!lock->enter_table()) return taken(directory, lock->process_);
  if (auto result = lock->lock_file(directory); !result) return result.error();
  return lock;
}

bool DirectoryLock::enter_table() {
  const std::lock_guard lock(table_mutex);
  for (const DirectoryLock* other = table; other; other = other->next_) {
    const bool is_same = other->device_ == device_ && other->inode_ == inode_;
    if (is_same && other->process_ == process_) return false;
  }
  next_ = table;
  table = this;
  is_in_table_ = true;
  return true;
}

core::Result<> DirectoryLock::lock_file(const std::string& directory) {
  const std::string path = directory + "/lock";
  fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd_ < 0) return io_error(errno, "open", path);
  struct flock range {};
  range.l_type = F_WRLCK;
  range.l_whence = SEEK_SET;
  if (::fcntl(fd_, F_SETLK, &range) == 0) return {};
  if (errno != EACCES && errno != EAGAIN) return io_error(errno, "lock", path);
  // The owner may be gone by now; then its number is 0.
  range.l_pid = 0;
  if (::fcntl(fd_, F_GETLK, &range) != 0) return io_error(errno, "lock", path);
  return taken(directory, range.l_pid);
}

DirectoryLock::~DirectoryLock() {
  const std::lock_guard lock(table_mutex);
  // Under the mutex: whoever takes the entry next must find the record lock free.
  if (fd_ >= 0) ::close(fd_);
  if (!is_in_table_) return;
  DirectoryLock** place = &table;
  while (*place != this) place = &(*place)->next_;
  *place = next_;
}

}  // namespace posthaste::journal
