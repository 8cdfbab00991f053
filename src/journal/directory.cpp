#include "journal/directory.h"

#include <fcntl.h>
#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <vector>

#include "journal/posix_file_system.h"

namespace posthaste::journal {

namespace {

// Bytes of a group's entry, members included: far more than any that a mail server is in.
constexpr size_t kGroupEntryMax = size_t{1} << 20;

core::Result<> set_access(const std::string& directory, const FileAccess& access) {
  if (access.group && ::chown(directory.c_str(), static_cast<uid_t>(-1), *access.group) != 0) {
    return io_error(errno, "set the group of", directory);
  }
  if (::chmod(directory.c_str(), access.group ? 0770 : 0700) != 0) {
    return io_error(errno, "set the mode of", directory);
  }
  return {};
}

}  // namespace

core::Result<> prepare_directory(const std::string& directory, const FileAccess& access) {
  if (::mkdir(directory.c_str(), 0700) == 0) return set_access(directory, access);
  if (errno != EEXIST) return io_error(errno, "make", directory);
  struct stat status {};
  if (::stat(directory.c_str(), &status) != 0) return io_error(errno, "look at", directory);
  if (!S_ISDIR(status.st_mode)) return io_error(ENOTDIR, "use", directory);
  if ((status.st_mode & S_IWOTH) != 0) {
    return {
        core::ErrorCode::SpoolIo,
        "spool directory " + directory + " is world-writable; take that right away with chmod o-w"};
  }
  return {};
}

core::Result<uint32_t> group_number(const std::string& name) {
  uint32_t number = 0;
  const char* end = name.data() + name.size();
  if (!name.empty() && std::from_chars(name.data(), end, number).ptr == end) return number;
  std::vector<char> memory(1024);
  group entry{};
  group* found = nullptr;
  while (::getgrnam_r(name.c_str(), &entry, memory.data(), memory.size(), &found) == ERANGE &&
         memory.size() < kGroupEntryMax) {
    memory.resize(memory.size() * 2);
  }
  if (!found) return {core::ErrorCode::BadValue, "no group " + name, "spool.group"};
  return uint32_t{found->gr_gid};
}

}  // namespace posthaste::journal
