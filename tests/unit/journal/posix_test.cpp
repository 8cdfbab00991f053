// The journal's parts that meet the real file system.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <cerrno>
#include <filesystem>
#include <thread>

#include "core/random.h"
#include "journal/directory.h"
#include "journal/directory_lock.h"
#include "journal/journal.h"
#include "journal/posix_file_system.h"

using namespace posthaste;
using namespace posthaste::journal;
using posthaste::core::ErrorCode;

namespace {

// A folder of its own, gone at the end.
class TemporaryFolder {
 public:
  TemporaryFolder() : path_((std::filesystem::temp_directory_path() / "journalXXXXXX").string()) {
    REQUIRE(::mkdtemp(path_.data()) != nullptr);
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

mode_t mode_of(const std::string& path) {
  struct stat status {};
  REQUIRE(::lstat(path.c_str(), &status) == 0);
  return status.st_mode & 07777;
}

// Runs a function in a forked child and returns what it returns.
template <typename Function>
int in_child(Function function) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(function());
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace

TEST_CASE("The spool directory is made with mode 0700, and 0770 for a group",
          "[journal][directory]") {
  TemporaryFolder folder;
  const mode_t umask_before = ::umask(0077);
  REQUIRE(prepare_directory(folder.path() + "/own", {}).ok());
  REQUIRE(prepare_directory(folder.path() + "/shared", {0660, ::getegid()}).ok());
  ::umask(umask_before);
  CHECK(mode_of(folder.path() + "/own") == 0700);
  CHECK(mode_of(folder.path() + "/shared") == 0770);
  CHECK(prepare_directory(folder.path() + "/own", {}).ok());
}

TEST_CASE("A world-writable spool directory is refused", "[journal][directory]") {
  TemporaryFolder folder;
  REQUIRE(::chmod(folder.path().c_str(), 01777) == 0);
  const auto result = prepare_directory(folder.path(), {});
  REQUIRE_FALSE(result.ok());
  CHECK(result.error().message == "spool directory " + folder.path() +
                                      " is world-writable; take that right away with chmod o-w");
}

TEST_CASE("A spool directory that is a file, or has no parent, is refused",
          "[journal][directory]") {
  TemporaryFolder folder;
  PosixFileSystem system;
  REQUIRE(system.open(folder.path() + "/file", OpenMode::Create, {}).ok());
  CHECK(prepare_directory(folder.path() + "/file", {}).code() == ErrorCode::SpoolIo);
  CHECK(prepare_directory(folder.path() + "/none/spool", {}).code() == ErrorCode::SpoolIo);
}

TEST_CASE("A group is given by name or number", "[journal][directory]") {
  CHECK(*group_number("0") == 0);
  CHECK(*group_number("root") == 0);
  const auto unknown = group_number("no-such-group");
  CHECK(unknown.code() == ErrorCode::BadValue);
}

TEST_CASE("Files get the mode that is asked for, whatever the umask", "[journal][posix]") {
  TemporaryFolder folder;
  PosixFileSystem system;
  const mode_t umask_before = ::umask(0777);
  REQUIRE(system.open(folder.path() + "/own", OpenMode::Create, {}).ok());
  REQUIRE(system.open(folder.path() + "/shared", OpenMode::Create, {0660, ::getegid()}).ok());
  ::umask(umask_before);
  CHECK(mode_of(folder.path() + "/own") == 0600);
  CHECK(mode_of(folder.path() + "/shared") == 0660);
}

TEST_CASE("A symbolic link is not followed, and a file is not created twice", "[journal][posix]") {
  TemporaryFolder folder;
  PosixFileSystem system;
  const std::string path = folder.path() + "/file";
  REQUIRE(system.open(path, OpenMode::Create, {}).ok());
  CHECK(system.open(path, OpenMode::Create, {}).code() == ErrorCode::SpoolIo);
  REQUIRE(::symlink(path.c_str(), (folder.path() + "/link").c_str()) == 0);
  for (const OpenMode mode : {OpenMode::Read, OpenMode::Write, OpenMode::Create}) {
    CHECK(system.open(folder.path() + "/link", mode, {}).code() == ErrorCode::SpoolIo);
  }
}

TEST_CASE("Journal files are not inherited by programs that the host starts", "[journal][posix]") {
  TemporaryFolder folder;
  PosixFileSystem system;
  const int next = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  ::close(next);
  const auto file = system.open(folder.path() + "/file", OpenMode::Create, {});
  REQUIRE(file.ok());
  // The lowest free number is given to the next file.
  CHECK(::fcntl(next, F_GETFD) == FD_CLOEXEC);
}

TEST_CASE("A full disk is SpoolFull, everything else SpoolIo, with path and reason",
          "[journal][posix]") {
  PosixFileSystem system;
  auto full = system.open("/dev/full", OpenMode::Write, {});
  REQUIRE(full.ok());
  const auto written = (*full)->write_at(0, "x");
  CHECK(written.code() == ErrorCode::SpoolFull);
  CHECK(written.error().message == "cannot write /dev/full: No space left on device");
  CHECK(io_error(EDQUOT, "write", "f").code == ErrorCode::SpoolFull);
  const auto missing = system.open("/nowhere/file", OpenMode::Read, {});
  CHECK(missing.code() == ErrorCode::SpoolIo);
  CHECK(missing.error().message == "cannot open /nowhere/file: No such file or directory");
}

TEST_CASE("Reading, writing, reserving, renaming and listing do what they say",
          "[journal][posix]") {
  TemporaryFolder folder;
  PosixFileSystem system;
  const std::string path = folder.path() + "/file";
  auto file = system.open(path, OpenMode::Create, {});
  REQUIRE(file.ok());
  REQUIRE((*file)->allocate(10'000).ok());
  CHECK(*(*file)->size() == 10'000);
  REQUIRE((*file)->write_at(9'998, "abcd").ok());
  REQUIRE((*file)->sync().ok());
  char bytes[8] = {};
  CHECK(*(*file)->read_at(9'997, bytes, sizeof bytes) == 5);
  CHECK(std::string(bytes + 1, 4) == "abcd");
  REQUIRE((*file)->truncate(100).ok());
  CHECK(*(*file)->size() == 100);
  REQUIRE(system.rename(path, path + "2").ok());
  REQUIRE(system.sync_directory(folder.path()).ok());
  CHECK(*system.list(folder.path()) == std::vector<std::string>{"file2"});
  CHECK(*system.free_bytes(folder.path()) > 0);
  REQUIRE(system.remove(path + "2").ok());
  CHECK(system.list(folder.path())->empty());
}

TEST_CASE("One deliverer per directory: a second one of the same process is refused",
          "[journal][directory_lock]") {
  TemporaryFolder folder;
  auto lock = DirectoryLock::take(folder.path());
  REQUIRE(lock.ok());
  const auto second = DirectoryLock::take(folder.path() + "/.");
  REQUIRE_FALSE(second.ok());
  CHECK(second.code() == ErrorCode::State);
  CHECK(second.error().message == "spool directory " + folder.path() + "/. is in use by process " +
                                      std::to_string(::getpid()));
  TemporaryFolder other;
  CHECK(DirectoryLock::take(other.path()).ok());
  lock->reset();
  CHECK(DirectoryLock::take(folder.path()).ok());
  CHECK(mode_of(folder.path() + "/lock") == 0600);
}

TEST_CASE(
    "One deliverer per directory: another process is refused, and a refused second attempt "
    "does not end the lock",
    "[journal][directory_lock]") {
  TemporaryFolder folder;
  auto lock = DirectoryLock::take(folder.path());
  REQUIRE(lock.ok());
  const pid_t owner = ::getpid();
  const auto is_refused = [&] {
    const auto taken = DirectoryLock::take(folder.path());
    const bool names_owner =
        !taken && taken.error().message.ends_with("process " + std::to_string(owner));
    return taken.code() == ErrorCode::State && names_owner ? 0 : 1;
  };
  CHECK(in_child(is_refused) == 0);
  CHECK_FALSE(DirectoryLock::take(folder.path()).ok());
  CHECK(in_child(is_refused) == 0);
}

TEST_CASE("A forked child neither holds the lock nor ends it", "[journal][directory_lock]") {
  TemporaryFolder folder;
  auto lock = DirectoryLock::take(folder.path());
  REQUIRE(lock.ok());
  // The child lets go of its copy; the lock is the parent's.
  CHECK(in_child([&] {
          lock->reset();
          return DirectoryLock::take(folder.path()).ok() ? 1 : 0;
        }) == 0);
  lock->reset();
  // The lock of a process that is gone is free.
  CHECK(in_child([&] {
          auto taken = DirectoryLock::take(folder.path());
          return taken.ok() ? 0 : 1;
        }) == 0);
  CHECK(DirectoryLock::take(folder.path()).ok());
}

TEST_CASE("Readers on other threads read what is appended on real files meanwhile",
          "[journal][range_reader]") {
  TemporaryFolder folder;
  PosixFileSystem system;
  JournalOptions options;
  options.directory = folder.path();
  options.file_bytes = 256u << 10;
  options.syncs = false;
  core::Random salts(1);
  JournalFindings findings;
  auto journal = Journal::open(
      system, options, {}, [&] { return salts.next(); }, findings);
  REQUIRE(journal.ok());

  // Record i is 500 copies of one letter; the end of what may be read is published.
  constexpr uint64_t kSize = 500;
  std::atomic<uint64_t> records_count{0};
  std::atomic<uint64_t> released_count{0};
  std::atomic<bool> is_done{false};
  std::atomic<uint64_t> failures_count{0};
  const auto read = [&] {
    core::Random random(7);
    while (!is_done.load()) {
      const uint64_t end = records_count.load();
      const uint64_t begin = released_count.load();
      if (end <= begin + 2) continue;
      const uint64_t index = begin + random.below(end - begin - 1);
      const core::StreamRange ranges[] = {{1 + index * kSize, 2 * kSize}};
      const auto reader = (*journal)->reader(ranges);
      // It may have been released since.
      if (!reader) {
        if (index >= released_count.load()) ++failures_count;
        continue;
      }
      std::string out(2 * kSize, '\0');
      const auto count = (*reader)->read(0, out.data(), out.size());
      const std::string expected = std::string(kSize, static_cast<char>('a' + index % 26)) +
                                   std::string(kSize, static_cast<char>('a' + (index + 1) % 26));
      if (!count || out != expected) ++failures_count;
    }
  };
  std::thread first(read);
  std::thread second(read);
  for (uint64_t i = 0; i < 6000; ++i) {
    const std::string record(kSize, static_cast<char>('a' + i % 26));
    const std::string_view pieces[] = {record};
    const IndexEntry index[] = {{kSize, 1}};
    const auto position = (*journal)->append({pieces, index, {}});
    REQUIRE((position.ok() && *position == 1 + i * kSize));
    records_count.store(i + 1);
    for (const JournalFileInfo& file : (*journal)->files()) {
      if (file.end + 400 * kSize > (*journal)->end()) break;
      released_count.store((file.end - 1) / kSize);
      (*journal)->release(file.number);
    }
  }
  is_done.store(true);
  first.join();
  second.join();
  CHECK(failures_count.load() == 0);
  CHECK((*journal)->files().back().number > 10);
}
