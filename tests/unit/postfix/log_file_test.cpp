extern "C" {
#include "postfix/log_file.h"
}

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <catch2/catch.hpp>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "support/temporary_directory.h"

namespace fs = std::filesystem;
using posthaste::testing::TemporaryDirectory;

namespace {

// A log that is written to and rotated like a real one, and its reader.
class Log {
 public:
  Log() : path_(fs::path(directory_.path()) / "mail.log") { open_reader(""); }

  // Lines that no two files share, as real ones: time and process id differ.
  void write(int first, int last) {
    std::ofstream file(path_, std::ios::app);
    for (int i = first; i <= last; i++)
      file << "Nov 24 04:15:" << i % 60 << " mx postfix/smtp[" << 1000 + i << "]: line " << i
           << "\n";
    file.close();
    age(path_);
  }

  // The number of the next line; 0 when there is none.
  int read_one() {
    span line = {};
    uint64_t offset = 0;
    if (log_file_next(reader_.get(), &line, &offset) == 0) return 0;
    const std::string text(line.data, line.size);
    offsets_.push_back(offset);
    return std::stoi(text.substr(text.rfind(' ') + 1));
  }

  std::vector<int> read() {
    std::vector<int> numbers;
    while (const int number = read_one()) numbers.push_back(number);
    return numbers;
  }

  // As after a crash: from the place of before.
  void restart() { restart_at(place()); }
  void restart_at(const std::string& place) { open_reader(place); }

  std::string place() const {
    buffer out = {};
    log_file_place(reader_.get(), &out);
    std::string text(out.data, out.size);
    buffer_free(&out);
    return text;
  }

  unsigned gaps() const { return log_file_gaps(reader_.get()); }
  const std::vector<uint64_t>& offsets() const { return offsets_; }
  fs::path path(const std::string& suffix = "") const { return path_.string() + suffix; }

  void rename_to(const std::string& suffix) { fs::rename(path_, path(suffix)); }

  void copy_to(const std::string& suffix) {
    fs::copy_file(path_, path(suffix));
    age(path(suffix));
  }

  void compress(const std::string& suffix, bool keeps = false) {
    std::ifstream file(path(suffix), std::ios::binary);
    const std::string text((std::istreambuf_iterator<char>(file)),
                           std::istreambuf_iterator<char>());
    const std::string name = path(suffix + ".gz").string();
    gzFile out = gzopen(name.c_str(), "wb");
    REQUIRE(gzwrite(out, text.data(), static_cast<unsigned>(text.size())) ==
            static_cast<int>(text.size()));
    gzclose(out);
    struct stat status = {};
    REQUIRE(stat(path(suffix).c_str(), &status) == 0);
    const timespec times[2] = {status.st_mtim, status.st_mtim};
    utimensat(AT_FDCWD, name.c_str(), times, 0);
    if (!keeps) fs::remove(path(suffix));
  }

 private:
  // Changes a second apart, without waiting for it.
  void age(const fs::path& path) {
    now_s_++;
    const timespec times[2] = {{now_s_, 0}, {now_s_, 0}};
    utimensat(AT_FDCWD, path.c_str(), times, 0);
  }

  void open_reader(const std::string& place) {
    reader_.reset(log_file_open(path_.c_str(), span{place.data(), place.size()}));
  }

  struct Closer {
    void operator()(log_file* file) const { log_file_close(file); }
  };

  TemporaryDirectory directory_;
  fs::path path_;
  std::unique_ptr<log_file, Closer> reader_;
  std::vector<uint64_t> offsets_;
  time_t now_s_ = time(nullptr) + 3600;  // later than the clock that a place holds
};

std::vector<int> from_to(int first, int last) {
  std::vector<int> numbers;
  for (int i = first; i <= last; i++) numbers.push_back(i);
  return numbers;
}

}  // namespace

TEST_CASE("A log that is yet to come is read from its beginning, an older one from its end",
          "[postfix][log_file]") {
  Log log;
  CHECK(log.read().empty());
  log.write(1, 3);
  CHECK(log.read() == from_to(1, 3));
  log.restart_at("");
  CHECK(log.read().empty());
  log.write(4, 5);
  CHECK(log.read() == from_to(4, 5));
}

TEST_CASE("Reading goes on behind the last line that was taken", "[postfix][log_file]") {
  Log log;
  log.write(1, 50);
  CHECK(log.read() == from_to(1, 50));
  log.write(51, 60);
  log.restart();
  CHECK(log.read() == from_to(51, 60));
  log.restart();
  CHECK(log.read().empty());
}

TEST_CASE("A line is taken when it is whole", "[postfix][log_file]") {
  Log log;
  std::ofstream(log.path(), std::ios::app) << "line 1\nline ";
  CHECK(log.read() == from_to(1, 1));
  log.restart();
  std::ofstream(log.path(), std::ios::app) << "2\n";
  CHECK(log.read() == from_to(2, 2));
}

TEST_CASE("A renamed log is read to its end before the new one", "[postfix][log_file]") {
  Log log;
  log.write(1, 5);
  CHECK(log.read() == from_to(1, 5));
  {
    // The writer still has the old file.
    std::ofstream late(log.path(), std::ios::app);
    log.rename_to(".1");
    late << "line 6\n";
  }
  CHECK(log.read() == from_to(6, 6));
  log.write(7, 9);
  CHECK(log.read() == from_to(7, 9));
  CHECK(log.gaps() == 0);
}

TEST_CASE("A log that is renamed and compressed at once is read on", "[postfix][log_file]") {
  Log log;
  log.write(1, 5);
  CHECK(log.read() == from_to(1, 5));
  log.write(6, 8);
  log.rename_to(".20261124-041519");
  log.compress(".20261124-041519");
  log.write(9, 10);
  SECTION("while the reader runs") {}
  SECTION("while it does not") {
    log.restart();
  }
  CHECK(log.read() == from_to(6, 10));
  CHECK(log.gaps() == 0);
}

TEST_CASE("A log that is copied and truncated is read to its end in the copy",
          "[postfix][log_file]") {
  Log log;
  log.write(1, 5);
  CHECK(log.read() == from_to(1, 5));
  log.write(6, 8);
  log.copy_to(".1");
  fs::resize_file(log.path(), 0);
  SECTION("and is empty for a while") {
    CHECK(log.read() == from_to(6, 8));
    log.write(9, 10);
    CHECK(log.read() == from_to(9, 10));
  }
  SECTION("and has grown beyond what was read") {
    log.write(9, 40);
    CHECK(log.read() == from_to(6, 40));
  }
  SECTION("while nobody reads") {
    log.write(9, 10);
    log.restart();
    CHECK(log.read() == from_to(6, 10));
  }
  CHECK(log.gaps() == 0);
}

TEST_CASE("A copy beside a log that is not truncated yet is not read twice",
          "[postfix][log_file]") {
  Log log;
  log.write(1, 5);
  CHECK(log.read() == from_to(1, 5));
  log.write(6, 8);
  log.copy_to(".1");
  log.restart();
  CHECK(log.read() == from_to(6, 8));
  fs::resize_file(log.path(), 0);
  CHECK(log.read().empty());
  log.write(9, 9);
  CHECK(log.read() == from_to(9, 9));
}

TEST_CASE("All that was rotated while nobody read is read in its order", "[postfix][log_file]") {
  Log log;
  log.write(1, 5);
  CHECK(log.read() == from_to(1, 5));
  log.write(6, 8);
  log.rename_to(".3");
  log.compress(".3");
  log.write(9, 12);
  log.rename_to(".2");
  log.compress(".2");
  log.write(13, 15);
  log.rename_to(".1");
  log.write(16, 17);
  log.restart();
  CHECK(log.read() == from_to(6, 17));
  CHECK(log.gaps() == 0);
}

TEST_CASE("Reading ends anywhere among rotated files and goes on there", "[postfix][log_file]") {
  Log log;
  log.write(1, 5);
  CHECK(log.read() == from_to(1, 5));
  log.rename_to(".2");
  log.write(6, 8);
  log.rename_to(".1");
  log.write(9, 10);
  std::vector<int> numbers;
  do {
    log.restart();
    const int number = log.read_one();
    if (number == 0) break;
    numbers.push_back(number);
  } while (numbers.size() < 100);
  CHECK(numbers == from_to(6, 10));
}

TEST_CASE("A file that is being compressed is read once", "[postfix][log_file]") {
  Log log;
  log.write(1, 5);
  CHECK(log.read() == from_to(1, 5));
  log.write(6, 8);
  log.rename_to(".1");
  log.compress(".1", true);
  log.write(9, 10);
  log.restart();
  CHECK(log.read() == from_to(6, 10));
}

TEST_CASE("A line stands at the same offset in whatever file it is read", "[postfix][log_file]") {
  Log log;
  log.write(1, 5);
  CHECK(log.read() == from_to(1, 5));
  const std::vector<uint64_t> plain = log.offsets();
  Log other;
  other.write(1, 5);
  other.rename_to(".1");
  other.compress(".1");
  CHECK(other.read() == from_to(1, 5));
  CHECK(other.offsets() == plain);
}

TEST_CASE("A place that is gone is told, and what is newer is read", "[postfix][log_file]") {
  Log log;
  log.write(1, 5);
  CHECK(log.read() == from_to(1, 5));
  fs::remove(log.path());
  log.write(6, 8);
  log.rename_to(".1");
  log.write(9, 10);
  log.restart();
  CHECK(log.read() == from_to(6, 10));
  CHECK(log.gaps() == 1);
}

TEST_CASE("Other files beside the log are left alone", "[postfix][log_file]") {
  Log log;
  std::ofstream(log.path("ger.err")) << "line 99\n";
  std::ofstream(fs::path(log.path()).parent_path() / "mail.info") << "line 98\n";
  fs::create_directory(log.path(".d"));
  log.write(1, 2);
  CHECK(log.read() == from_to(1, 2));
}
