// Producer files: what a producer leaves behind, whoever dies or stops, and who may write when.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "journal/frame_scanner.h"
#include "journal/posix_file_system.h"
#include "journal/producer_file.h"
#include "journal/producer_writer.h"
#include "support/fault_file_system.h"
#include "support/temporary_directory.h"

using namespace posthaste;
using namespace posthaste::journal;
using core::ErrorCode;
using posthaste::testing::TemporaryDirectory;

namespace {

using Records = std::vector<std::pair<std::string, std::string>>;  // type, record

PosixFileSystem& files() {
  static PosixFileSystem file_system;
  return file_system;
}

struct Producer {
  explicit Producer(const TemporaryDirectory& directory, uint64_t max_bytes = 16u << 20,
                    FileAccess access = {})
      : writer(files(), {directory.path(), access, max_bytes, std::chrono::milliseconds(2)},
               [this] { return ++salt; }) {}

  ErrorCode append(std::string_view type, std::string_view record) {
    return writer.append(type, record.size(), [&](char* out) { record.copy(out, record.size()); })
        .code();
  }

  uint64_t salt = 100;
  ProducerWriter writer;
};

std::unique_ptr<ProducerFile> open_file(const TemporaryDirectory& directory, uint32_t number) {
  auto file = ProducerFile::open(files(), directory.path(), number, ProducerFile::Mode::Create, {});
  REQUIRE(file);
  return std::move(*file);
}

ProducerHeader header_of(const TemporaryDirectory& directory, uint32_t number) {
  auto header = open_file(directory, number)->header();
  REQUIRE(header);
  REQUIRE(*header);
  return **header;
}

// As the deliverer reads them.
Records records_in(const TemporaryDirectory& directory, uint32_t number) {
  const ProducerHeader header = header_of(directory, number);
  auto file = files().open(directory.path(producer_file_name(number)), OpenMode::Read, {});
  REQUIRE(file);
  FrameScanner scanner(std::move(*file), header.committed_end, header.salt, kProducerFramesOffset,
                       4096);
  Records records;
  while (scanner.find(0, header.committed_end)) {
    REQUIRE(scanner.load());
    REQUIRE(scanner.header().records_count == kProducerEntriesCount);
    const size_t split = scanner.entry(0).size;
    records.emplace_back(scanner.wire().substr(0, split), scanner.wire().substr(split));
  }
  return records;
}

void write_raw(const std::string& path, uint64_t offset, std::string_view bytes) {
  auto file = files().open(path, OpenMode::Write, {});
  REQUIRE(file);
  REQUIRE((*file)->write_at(offset, bytes));
}

size_t files_count(const TemporaryDirectory& directory) {
  return static_cast<size_t>(
      std::distance(std::filesystem::directory_iterator(directory.path()), {}));
}

// A process that holds the lock of file 0 until it is killed.
class Holder {
 public:
  explicit Holder(const TemporaryDirectory& directory) {
    int ready[2];
    REQUIRE(::pipe(ready) == 0);
    process_ = ::fork();
    REQUIRE(process_ >= 0);
    if (process_ == 0) {
      auto file = ProducerFile::open(files(), directory.path(), 0, ProducerFile::Mode::Create, {});
      if (!file || !(*file)->try_lock() || ::write(ready[1], "x", 1) != 1) ::_exit(1);
      for (;;) ::pause();
    }
    char byte = 0;
    REQUIRE(::read(ready[0], &byte, 1) == 1);
    ::close(ready[0]);
    ::close(ready[1]);
  }
  ~Holder() { kill(); }
  Holder(const Holder&) = delete;
  Holder& operator=(const Holder&) = delete;

  void stop() const {
    REQUIRE(::kill(process_, SIGSTOP) == 0);
    int status = 0;
    REQUIRE(::waitpid(process_, &status, WUNTRACED) == process_);
    REQUIRE(WIFSTOPPED(status));
  }
  void kill() {
    if (process_ <= 0) return;
    ::kill(process_, SIGKILL);
    ::waitpid(process_, nullptr, 0);
    process_ = 0;
  }

 private:
  pid_t process_ = 0;
};

}  // namespace

TEST_CASE("A producer's record is in its file when append returns, under the name of its type",
          "[journal][producer]") {
  const TemporaryDirectory directory;
  Producer producer(directory);
  REQUIRE(producer.append("delivery", "one,") == ErrorCode::Ok);
  REQUIRE(producer.append("my_type", "two and more,") == ErrorCode::Ok);
  CHECK(records_in(directory, 0) == Records{{"delivery", "one,"}, {"my_type", "two and more,"}});
  CHECK(files_count(directory) == 1);
}

TEST_CASE("The next locker overwrites what lies beyond the committed length of a producer file",
          "[journal][producer]") {
  const TemporaryDirectory directory;
  Producer killed(directory);
  REQUIRE(killed.append("delivery", "whole,") == ErrorCode::Ok);
  const uint64_t end = header_of(directory, 0).committed_end;
  REQUIRE(killed.append("delivery", "its frame, but not its length,") == ErrorCode::Ok);
  {
    // Back to what was there before the length was written.
    const auto file = open_file(directory, 0);
    auto header = **file->header();
    header.committed_end = end;
    REQUIRE(file->append(header, {}));
  }
  CHECK(records_in(directory, 0) == Records{{"delivery", "whole,"}});
  Producer next(directory);
  REQUIRE(next.append("bounce", "next,") == ErrorCode::Ok);
  CHECK(records_in(directory, 0) == Records{{"delivery", "whole,"}, {"bounce", "next,"}});
}

TEST_CASE("A producer that is killed with a file locked leaves it free", "[journal][producer]") {
  const TemporaryDirectory directory;
  Holder holder(directory);
  const auto file = open_file(directory, 0);
  CHECK_FALSE(file->try_lock());
  holder.kill();
  CHECK(file->try_lock());
}

TEST_CASE("While a stopped process holds a producer file, others take another",
          "[journal][producer]") {
  const TemporaryDirectory directory;
  const Holder holder(directory);
  holder.stop();
  Producer producer(directory);
  REQUIRE(producer.append("delivery", "one,") == ErrorCode::Ok);
  REQUIRE(producer.append("delivery", "two,") == ErrorCode::Ok);
  CHECK(records_in(directory, 1).size() == 2);
  CHECK(files_count(directory) == 2);
}

TEST_CASE("All producer files busy is queue full after the lock time-out", "[journal][producer]") {
  const TemporaryDirectory directory;
  std::vector<std::unique_ptr<ProducerFile>> files;
  for (uint32_t i = 0; i < kProducerFilesMax; ++i) {
    files.push_back(open_file(directory, i));
    REQUIRE(files.back()->try_lock());
  }
  Producer producer(directory);
  const auto begin = std::chrono::steady_clock::now();
  CHECK(producer.append("delivery", "one,") == ErrorCode::QueueFull);
  CHECK(std::chrono::steady_clock::now() - begin >= std::chrono::milliseconds(2));
  CHECK(files_count(directory) == kProducerFilesMax);
  files[5]->unlock();
  CHECK(producer.append("delivery", "one,") == ErrorCode::Ok);
  CHECK(records_in(directory, 5).size() == 1);
}

TEST_CASE("A producer prefers the file that it used last", "[journal][producer]") {
  const TemporaryDirectory directory;
  Producer producer(directory);
  const auto file = open_file(directory, 0);
  REQUIRE(file->try_lock());
  REQUIRE(producer.append("delivery", "one,") == ErrorCode::Ok);
  file->unlock();
  REQUIRE(producer.append("delivery", "two,") == ErrorCode::Ok);
  CHECK(records_in(directory, 1).size() == 2);
  auto header = file->header();
  REQUIRE(header);
  CHECK_FALSE(*header);
}

TEST_CASE("Full producer files are queue full, and nothing exceeds their quota",
          "[journal][producer]") {
  const TemporaryDirectory directory;
  constexpr uint64_t kQuota = kProducerFilesMax * 16'384;
  Producer producer(directory, kQuota);
  const std::string record(3000, 'x');
  size_t accepted_count = 0;
  ErrorCode code = ErrorCode::Ok;
  while (accepted_count < 1000 && (code = producer.append("delivery", record)) == ErrorCode::Ok) {
    ++accepted_count;
  }
  CHECK(code == ErrorCode::QueueFull);
  CHECK(accepted_count == kProducerFilesMax * 3);
  CHECK(directory.size_bytes() <= kQuota);
}

TEST_CASE("A record that no producer file can hold is too large", "[journal][producer]") {
  const TemporaryDirectory directory;
  Producer producer(directory, kProducerFilesMax * 8192);
  CHECK(producer.append("delivery", std::string(5000, 'x')) == ErrorCode::TooLarge);
  CHECK(files_count(directory) == 0);
}

TEST_CASE("A producer's sync moves the synced length behind what it appended",
          "[journal][producer]") {
  const TemporaryDirectory directory;
  Producer producer(directory);
  REQUIRE(producer.writer.sync());
  REQUIRE(producer.append("delivery", "one,") == ErrorCode::Ok);
  CHECK(header_of(directory, 0).synced_end == 0);
  REQUIRE(producer.writer.sync());
  const ProducerHeader header = header_of(directory, 0);
  CHECK(header.synced_end == header.committed_end);
}

TEST_CASE("A producer's sync covers the files that it appended to, and no other",
          "[journal][producer]") {
  test::FaultFileSystem files(1);
  const ProducerOptions options{"/spool", {}, 16u << 20, std::chrono::milliseconds(2)};
  const auto salt = [] { return uint64_t{7}; };
  const auto append = [](ProducerWriter& writer) {
    return writer.append("delivery", 4, [](char* out) { std::string_view("one,").copy(out, 4); });
  };
  std::vector<std::string> synced;
  files.before_step = [&](test::FaultStep step, const std::string& path) {
    if (step == test::FaultStep::Sync) synced.push_back(path);
  };
  ProducerWriter first(files, options, salt);
  ProducerWriter second(files, options, salt);
  REQUIRE(append(first));
  auto held = ProducerFile::open(files, "/spool", 0, ProducerFile::Mode::Existing, {});
  REQUIRE(held);
  REQUIRE((*held)->try_lock());
  REQUIRE(append(second));
  (*held)->unlock();
  REQUIRE(second.sync());
  CHECK(synced == std::vector<std::string>{"/spool/producer-01"});
  REQUIRE(first.sync());
  CHECK(synced == std::vector<std::string>{"/spool/producer-01", "/spool/producer-00"});
  // Nothing was appended since.
  REQUIRE(first.sync());
  CHECK(synced.size() == 2);
}

TEST_CASE("A record that may be in one producer file is not written to another",
          "[journal][producer]") {
  test::FaultFileSystem files(1);
  const ProducerOptions options{"/spool", {}, 16u << 20, std::chrono::milliseconds(2)};
  ProducerWriter writer(files, options, [] { return uint64_t{7}; });
  const auto append = [&writer] {
    return writer.append("delivery", 4, [](char* out) { std::string_view("one,").copy(out, 4); })
        .code();
  };
  REQUIRE(append() == ErrorCode::Ok);
  // The frame comes to the file, the length does not.
  files.fail(test::FaultStep::Write, EIO, 1, 1);
  CHECK(append() == ErrorCode::SpoolIo);
  CHECK_FALSE(files.exists("/spool/producer-01"));
  // What is wrong with that file stops nothing else.
  CHECK(append() == ErrorCode::Ok);
  CHECK(files.exists("/spool/producer-01"));
}

TEST_CASE("A producer syncs the name of a new file until that worked", "[journal][producer]") {
  test::FaultFileSystem files(1);
  const ProducerOptions options{"/spool", {}, 16u << 20, std::chrono::milliseconds(2)};
  ProducerWriter writer(files, options, [] { return uint64_t{7}; });
  const auto append = [&writer] {
    return writer.append("delivery", 4, [](char* out) { std::string_view("one,").copy(out, 4); });
  };
  REQUIRE(append());
  files.fail(test::FaultStep::SyncDirectory, EIO);
  CHECK(writer.sync().code() == ErrorCode::SpoolIo);
  REQUIRE(append());
  REQUIRE(writer.sync());
  files.power_cut();
  CHECK(files.exists("/spool/producer-00"));
}

TEST_CASE("The synced length of a producer file does not pass what a power cut tore",
          "[journal][producer]") {
  test::FaultFileSystem files(1);
  const ProducerOptions options{"/spool", {}, 16u << 20, std::chrono::milliseconds(2)};
  const auto append = [&](ProducerWriter& writer, size_t size) {
    const std::string record(size, 'x');
    return writer.append("delivery", size, [&](char* out) { record.copy(out, size); });
  };
  const auto header = [&] {
    auto file = ProducerFile::open(files, "/spool", 0, ProducerFile::Mode::Existing, {});
    return **(*file)->header();
  };
  ProducerWriter before(files, options, [] { return uint64_t{7}; });
  REQUIRE(append(before, 100));
  REQUIRE(before.sync());
  const uint64_t synced_end = header().synced_end;
  REQUIRE(append(before, 10'000));
  // The header came to the disk, the end of the frame did not.
  files.power_cut([](const std::string&, uint64_t page) { return page < 3; });
  ProducerWriter after(files, options, [] { return uint64_t{8}; });
  REQUIRE(append(after, 100));
  REQUIRE(after.sync());
  CHECK(header().synced_end == synced_end);
  CHECK(header().committed_end > synced_end + 10'000);
}

TEST_CASE("A producer file of which a power cut left only the size is a new one",
          "[journal][producer]") {
  test::FaultFileSystem files(1);
  const ProducerOptions options{"/spool", {}, 16u << 20, std::chrono::milliseconds(2)};
  ProducerWriter writer(files, options, [] { return uint64_t{7}; });
  const auto append = [](ProducerWriter& to) {
    return to.append("delivery", 4, [](char* out) { std::string_view("one,").copy(out, 4); });
  };
  REQUIRE(append(writer));
  REQUIRE(files.sync_directory("/spool"));
  files.power_cut([](const std::string&, uint64_t) { return false; });
  REQUIRE(files.bytes("/spool/producer-00").size() > 0);
  ProducerWriter after(files, options, [] { return uint64_t{8}; });
  REQUIRE(append(after));
  CHECK_FALSE(files.exists("/spool/producer-01"));
}

TEST_CASE("A producer file with a damaged header is left alone", "[journal][producer]") {
  const TemporaryDirectory directory;
  Producer producer(directory);
  REQUIRE(producer.append("delivery", "one,") == ErrorCode::Ok);
  write_raw(directory.path("producer-00"), 20, "damage");
  const auto damaged = open_file(directory, 0)->header();
  REQUIRE_FALSE(damaged);
  CHECK(damaged.error().key == kDamagedKey);
  CHECK(producer.append("delivery", "two,") == ErrorCode::Ok);
  CHECK(records_in(directory, 1) == Records{{"delivery", "two,"}});
}

TEST_CASE("Frames of an earlier use of a producer file never pass", "[journal][producer]") {
  const TemporaryDirectory directory;
  Producer producer(directory);
  REQUIRE(producer.append("delivery", "earlier,") == ErrorCode::Ok);
  std::string frames;
  const uint64_t end = header_of(directory, 0).committed_end;
  {
    auto file = files().open(directory.path("producer-00"), OpenMode::Read, {});
    frames.resize(end - kProducerFramesOffset);
    REQUIRE((*file)->read_at(kProducerFramesOffset, frames.data(), frames.size()));
  }
  const auto file = open_file(directory, 0);
  const auto before = **file->header();
  auto header = file->begin_use(before.use + 1, before.salt + 1);
  REQUIRE(header);
  CHECK(header->committed_end == kProducerFramesOffset);
  CHECK(source_of(*header, 0) != source_of(before, 0));
  REQUIRE(file->append(*header, frames));
  CHECK(header_of(directory, 0).committed_end == end);
  CHECK(records_in(directory, 0).empty());
}

TEST_CASE("How far a producer file was copied counts for its use only", "[journal][producer]") {
  const TemporaryDirectory directory;
  const auto file = open_file(directory, 0);
  auto header = file->begin_use(7, 70);
  REQUIRE(header);
  CHECK(*file->copied_end(*header) == kProducerFramesOffset);
  REQUIRE(file->set_copied_end(*header, 5000));
  CHECK(*file->copied_end(*header) == 5000);
  CHECK(header_of(directory, 0) == *header);
  header = file->begin_use(8, 71);
  REQUIRE(header);
  CHECK(*file->copied_end(*header) == kProducerFramesOffset);
}

TEST_CASE("A source names number and use of a producer file", "[journal][producer]") {
  ProducerHeader header;
  header.number = 15;
  header.use = 3;
  CHECK(producer_number_of(source_of(header, 9)) == 15);
  CHECK(source_of(header, 9).offset == 9);
  ProducerHeader other = header;
  other.use = 4;
  CHECK(source_of(header, 9).file != source_of(other, 9).file);
  CHECK(source_of({}, 0).file != 0);
}

TEST_CASE("Producer files have the mode and group that the spool's files have",
          "[journal][producer]") {
  const TemporaryDirectory directory;
  Producer producer(directory, 16u << 20, {0660, ::getegid()});
  REQUIRE(producer.append("delivery", "one,") == ErrorCode::Ok);
  struct stat status {};
  REQUIRE(::stat(directory.path("producer-00").c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0660);
  CHECK(status.st_gid == ::getegid());
}

TEST_CASE("What is no file in place of a producer file is neither followed nor waited for",
          "[journal][producer]") {
  const TemporaryDirectory directory;
  std::filesystem::create_symlink("/dev/null", directory.path("producer-00"));
  REQUIRE(::mkfifo(directory.path("producer-01").c_str(), 0600) == 0);
  Producer producer(directory);
  CHECK(producer.append("delivery", "one,") == ErrorCode::Ok);
  CHECK(records_in(directory, 2).size() == 1);
}

TEST_CASE("A producer file that was removed is made again", "[journal][producer]") {
  const TemporaryDirectory directory;
  Producer producer(directory);
  REQUIRE(producer.append("delivery", "one,") == ErrorCode::Ok);
  std::filesystem::remove(directory.path("producer-00"));
  REQUIRE(producer.append("delivery", "two,") == ErrorCode::Ok);
  CHECK(records_in(directory, 0) == Records{{"delivery", "two,"}});
}
