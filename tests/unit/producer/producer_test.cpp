// The producer role by itself: what it answers when, and what a forked child does.
#include "producer/producer.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <set>
#include <string>
#include <vector>

#include "journal/frame_scanner.h"
#include "journal/posix_file_system.h"
#include "support/temporary_directory.h"

using namespace posthaste;
using core::ErrorCode;
using posthaste::producer::Producer;
using posthaste::testing::TemporaryDirectory;

namespace {

core::EngineSettings settings_in(const std::string& directory) {
  core::EngineSettings settings;
  settings.role = core::Role::Producer;
  settings.spool_dir = directory;
  return settings;
}

// Type and record of each event in the first file.
std::vector<std::string> contents(const TemporaryDirectory& directory) {
  journal::PosixFileSystem files;
  auto file = journal::ProducerFile::open(files, directory.path(), 0,
                                          journal::ProducerFile::Mode::Existing, {});
  REQUIRE(file);
  REQUIRE(*file);
  auto header = (*file)->header();
  REQUIRE(header);
  REQUIRE(*header);
  auto bytes = files.open((*file)->path(), journal::OpenMode::Read, {});
  REQUIRE(bytes);
  const uint64_t end = (*header)->committed_end;
  journal::FrameScanner scanner(std::move(*bytes), end, (*header)->salt,
                                journal::kProducerFramesOffset, 65'536);
  std::vector<std::string> found;
  while (scanner.find(0, end)) {
    REQUIRE(scanner.load());
    found.emplace_back(scanner.wire());
  }
  return found;
}

std::string event_id_of(const std::string& text) {
  constexpr std::string_view kKey = "\"event_id\":\"";
  return text.substr(text.find(kKey) + kKey.size(), 36);
}

}  // namespace

TEST_CASE("A producer's push is in the spool directory when it returns", "[producer]") {
  const TemporaryDirectory directory;
  Producer producer(settings_in(directory.path()));
  REQUIRE(producer.start());
  CHECK(producer.push("delivery", R"({"type":"delivery","timestamp":"1","event_id":"a"})") ==
        ErrorCode::Ok);
  CHECK(contents(directory) ==
        std::vector<std::string>{
            "delivery"
            R"({"msys":{"message_event":{"type":"delivery","timestamp":"1","event_id":"a"}}},)"});
}

TEST_CASE("A producer pushes between start and close only", "[producer]") {
  const TemporaryDirectory directory;
  Producer producer(settings_in(directory.path()));
  CHECK(producer.push("delivery", "{}") == ErrorCode::State);
  CHECK(producer.sync().code() == ErrorCode::State);
  REQUIRE(producer.start());
  CHECK(producer.start().code() == ErrorCode::State);
  CHECK(producer.push("delivery", "{}") == ErrorCode::Ok);
  CHECK(producer.push_trusted("delivery", "{}") == ErrorCode::Ok);
  CHECK(producer.sync());
  producer.close();
  producer.close();
  CHECK(producer.push("delivery", "{}") == ErrorCode::State);
  CHECK(producer.sync().code() == ErrorCode::State);
}

TEST_CASE("A producer judges events as an engine does", "[producer]") {
  const TemporaryDirectory directory;
  core::EngineSettings settings = settings_in(directory.path());
  settings.event_max_bytes = 100;
  Producer producer(settings);
  REQUIRE(producer.start());
  CHECK(producer.push("delivery", "[]") == ErrorCode::BadJson);
  CHECK(producer.push("no_such_type", "{}") == ErrorCode::UnknownType);
  CHECK(producer.push("delivery", std::string(101, ' ')) == ErrorCode::TooLarge);
  CHECK(producer.check("delivery", "[]").code() == ErrorCode::BadJson);
  CHECK(producer.check("delivery", "{}"));
}

TEST_CASE("Further event types are defined in each producer, before its start", "[producer]") {
  const TemporaryDirectory directory;
  Producer producer(settings_in(directory.path()));
  REQUIRE(producer.define_type("my_type", "my_class"));
  REQUIRE(producer.start());
  CHECK(producer.define_type("too_late", "my_class").code() == ErrorCode::State);
  CHECK(producer.push("my_type", "{}") == ErrorCode::Ok);
  CHECK(contents(directory).at(0).starts_with(R"(my_type{"msys":{"my_class":{)"));
}

TEST_CASE("A producer without a spool directory, or with a world-writable one, does not start",
          "[producer]") {
  const TemporaryDirectory directory;
  CHECK(Producer(settings_in("")).start().code() == ErrorCode::BadValue);
  REQUIRE(::chmod(directory.path().c_str(), 0777) == 0);
  CHECK(Producer(settings_in(directory.path())).start().code() == ErrorCode::SpoolIo);
}

TEST_CASE("A forked child of a producer opens files of its own and makes ids of its own",
          "[producer]") {
  const TemporaryDirectory directory;
  Producer producer(settings_in(directory.path()));
  REQUIRE(producer.start());
  REQUIRE(producer.push("delivery", "{}") == ErrorCode::Ok);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const bool is_good = producer.push("delivery", "{}") == ErrorCode::Ok && producer.sync();
    ::_exit(is_good ? 0 : 1);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(status == 0);
  REQUIRE(producer.push("delivery", "{}") == ErrorCode::Ok);
  std::set<std::string> ids;
  for (const std::string& text : contents(directory)) ids.insert(event_id_of(text));
  CHECK(ids.size() == 3);
}
