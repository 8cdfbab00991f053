// Watching files: what others do to them is noticed, and what concerns nobody is not.
#include "platform/file_watch.h"

#include <poll.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "support/temporary_directory.h"

using posthaste::platform::FileWatch;
using posthaste::testing::TemporaryDirectory;

namespace {

void write_to(const std::string& path) {
  std::ofstream(path, std::ios::app) << "more";
}

std::unique_ptr<FileWatch> watch_of(const TemporaryDirectory& directory) {
  auto watch = FileWatch::open(directory.path());
  REQUIRE(watch);
  return std::move(*watch);
}

}  // namespace

TEST_CASE("A watch notices new files, and writes to those that were added",
          "[platform][file_watch]") {
  const TemporaryDirectory directory;
  const auto watch = watch_of(directory);
  CHECK_FALSE(watch->take());
  write_to(directory.path("one"));
  CHECK(watch->take());
  CHECK_FALSE(watch->take());
  // It was not added.
  write_to(directory.path("one"));
  CHECK_FALSE(watch->take());
  REQUIRE(watch->add(directory.path("one")));
  REQUIRE(watch->add(directory.path("one")));
  CHECK_FALSE(watch->take());
  write_to(directory.path("one"));
  pollfd readable{watch->fd(), POLLIN, 0};
  CHECK(::poll(&readable, 1, 0) == 1);
  CHECK(watch->take());
  CHECK(::poll(&readable, 1, 0) == 0);
}

TEST_CASE("A watch notices that a file was put in place of one that it knew",
          "[platform][file_watch]") {
  const TemporaryDirectory directory;
  const auto watch = watch_of(directory);
  write_to(directory.path("one"));
  REQUIRE(watch->add(directory.path("one")));
  write_to(directory.path("other"));
  watch->take();
  std::filesystem::rename(directory.path("other"), directory.path("one"));
  CHECK(watch->take());
  REQUIRE(watch->add(directory.path("one")));
  watch->take();
  write_to(directory.path("one"));
  CHECK(watch->take());
}

TEST_CASE("A file that is not there is passed over by a watch, a directory is an error",
          "[platform][file_watch]") {
  const TemporaryDirectory directory;
  CHECK(watch_of(directory)->add(directory.path("none")));
  CHECK_FALSE(FileWatch::open(directory.path("none")));
}
