// The spool thread and producers in other processes: when it notices them, and what it counts.
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <string>
#include <thread>
#include <vector>

#include "engine/spool_worker.h"
#include "journal/posix_file_system.h"
#include "journal/producer_writer.h"
#include "platform/random_seed.h"
#include "support/sim_clock.h"
#include "support/temporary_directory.h"

using namespace posthaste;
using namespace std::chrono_literals;
using posthaste::testing::TemporaryDirectory;

namespace {

// A deliverer's spool thread without the rest of its engine.
struct Rig {
  explicit Rig(const platform::Clock& clock_) : clock(clock_) {
    settings.spool_dir = directory.path();
    settings.spool_file_bytes = 64u << 10;
    settings.spool_max_bytes = 4u << 20;
    std::vector<std::string> remarks;
    auto opened = spool::Spool::open(files, spool::spool_options(settings), &platform::random_seed,
                                     clock.wall_now(), remarks);
    REQUIRE(opened);
    spool = std::move(*opened);
    REQUIRE(spool->define_types(catalogue));
    worker = std::make_unique<engine::SpoolWorker>(
        engine::SpoolWorker::Parts{*spool, intake, hand_over, reports, log, clock, counters, [] {}},
        settings);
  }
  ~Rig() {
    engine::EventRange range;
    while (hand_over.read(range)) hand_over.consumed(range);
  }

  void push(const std::string& record) {
    REQUIRE(producer.append("delivery", record.size(),
                            [&](char* out) { record.copy(out, record.size()); }));
  }
  size_t handed_on_count() {
    engine::EventRange range;
    for (; hand_over.read(range); hand_over.consumed(range)) handed_on += range.run.count;
    return handed_on;
  }

  const platform::Clock& clock;
  TemporaryDirectory directory;
  core::EngineSettings settings;
  journal::PosixFileSystem files;
  journal::ProducerWriter producer{
      files, {directory.path(), {}, 16u << 20, 2ms}, &platform::random_seed};
  core::EventCatalogue catalogue;
  std::unique_ptr<spool::Spool> spool;
  intake::Intake intake{1u << 20, clock, [] {}};
  engine::HandOver hand_over;
  engine::ReportQueue reports{1u << 20, ~0u};
  engine::Log log{reports, clock};
  metrics::EngineCounters counters;
  std::unique_ptr<engine::SpoolWorker> worker;
  size_t handed_on = 0;
};

}  // namespace

TEST_CASE("Without a watch producers are noticed within a second by looking",
          "[engine][spool_worker]") {
  test::SimClock clock;
  Rig rig(clock);
  rig.worker->step();
  for (int i = 0; i < 3; ++i) {
    rig.push("one,");
    const core::Instant pushed = clock.now();
    while (rig.counters.events_from_producers.get() == static_cast<uint64_t>(i)) {
      REQUIRE(clock.now() - pushed < 1s);
      const core::Instant next = rig.worker->step();
      if (rig.counters.events_from_producers.get() == static_cast<uint64_t>(i)) {
        clock.advance_to(next);
      }
    }
  }
}

TEST_CASE("Events of producers are counted as accepted, once, when they are copied",
          "[engine][spool_worker]") {
  test::SimClock clock;
  Rig rig(clock);
  for (int i = 0; i < 5; ++i) rig.push("one,");
  for (int i = 0; i < 20; ++i) clock.advance_to(rig.worker->step());
  CHECK(rig.handed_on_count() == 5);
  CHECK(rig.counters.events_from_producers.get() == 5);
  CHECK(rig.counters.events_accepted.get() == 5);
}

TEST_CASE("With a watch an idle spool thread learns of a producer before it would look",
          "[engine][spool_worker]") {
  const platform::SystemClock clock;
  Rig rig(clock);
  std::thread thread([&rig] { rig.worker->run(); });
  std::vector<core::Duration> took;
  for (uint64_t i = 0; i < 5; ++i) {
    // Past the look that every copy brings about.
    std::this_thread::sleep_for(60ms);
    const core::Instant begin = clock.now();
    rig.push("one,");
    while (rig.counters.events_from_producers.get() == i && clock.now() - begin < 10s) {
      std::this_thread::sleep_for(1ms);
    }
    took.push_back(clock.now() - begin);
  }
  rig.intake.shut();
  rig.worker->stop();
  thread.join();
  // Looks alone come once a second: five of them in so short a time are no chance.
  core::Duration sum{};
  for (const core::Duration one : took) sum += one;
  CHECK(sum < 2s);
  CHECK_FALSE(rig.reports.poll(0s));
}

// UndefinedBehaviorSanitizer looks at objects through a pipe, which takes descriptors.
TEST_CASE("Without descriptors for a watch the spool thread says so once and goes on looking",
          "[engine][spool_worker][unsanitized]") {
  const platform::SystemClock clock;
  Rig rig(clock);
  // The file is open before descriptors are scarce.
  rig.push("one,");
  for (int i = 0; i < 3; ++i) rig.worker->step();
  const uint64_t copied_count = rig.counters.events_from_producers.get();
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  const int lowest = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  REQUIRE(lowest >= 0);
  ::close(lowest);
  rlimit none = before;
  none.rlim_cur = static_cast<rlim_t>(lowest);
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
  std::thread thread([&rig] { rig.worker->run(); });
  const auto report = rig.reports.poll(10s);
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
  rig.push("two,");
  const core::Instant begin = clock.now();
  while (rig.counters.events_from_producers.get() == copied_count && clock.now() - begin < 10s) {
    std::this_thread::sleep_for(5ms);
  }
  rig.intake.shut();
  rig.worker->stop();
  thread.join();
  REQUIRE(report);
  CHECK(report->message.find("producers are noticed by looking alone") != std::string::npos);
  CHECK(rig.counters.events_from_producers.get() > copied_count);
  size_t said_count = 0;
  while (const auto other = rig.reports.poll(0s)) {
    if (other->message.find("by looking alone") != std::string::npos) ++said_count;
  }
  CHECK(said_count == 0);
}
