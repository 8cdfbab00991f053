// Seeded histories of producers and the deliverer: pushes, syncs, copies, kills of either at any
// step, failing disks and power cuts, compared with what each of them promised.
#include <catch2/catch.hpp>
#include <cerrno>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "core/random.h"
#include "journal/producer_writer.h"
#include "spool/spool.h"
#include "support/fault_file_system.h"
#include "support/temporary_directory.h"

using namespace posthaste;
using namespace posthaste::spool;
using posthaste::test::FaultFileSystem;
using posthaste::test::FaultStep;
using posthaste::testing::TemporaryDirectory;

namespace {

struct Killed {};

enum class World { Kills, PowerCuts, BadDisk };

constexpr size_t kWritersCount = 3;

std::string record_of(uint64_t id) {
  const size_t padding = id % 13 == 0 ? 5000 : id * 37 % 400;
  return std::to_string(id) + ":" + std::string(padding, static_cast<char>('a' + id % 26)) + ",";
}

// Purpose: one history, and what is known of it. Ownership: owns all processes and their disk; the
// database is on the real one, where what was committed stays. Threads: one. Invariants: an event
// is in at most one of final_ and seen_.
class History {
 public:
  History(uint64_t seed, World world)
      : world_(world),
        files_(seed),
        fails_writes_(seed % 2 == 0),
        random_(seed * 31 + 7),
        crash_random_(seed * 17 + 3) {
    // No room for the ballast, which has nothing to do with this.
    files_.set_space(6u << 20);
    options_.directory = directory_.path();
    options_.max_bytes = 2u << 20;
    options_.file_bytes = 64u << 10;
    options_.sync = world == World::Kills ? core::SpoolSync::Normal : core::SpoolSync::Full;
  }
  ~History() { files_.before_step = nullptr; }

  void run(int rounds) {
    for (int round = 0; round < rounds; ++round) live();
    be_quiet();
  }

 private:
  enum class Known {
    Tried,     // nobody said that it was accepted
    Accepted,  // survives kills
    Promised,  // survives power cuts
  };

  void live() {
    if (world_ == World::BadDisk) set_faults();
    for (uint64_t step = 10 + random_.below(60); step > 0; --step) take_step();
    files_.clear_faults();
    if (random_.below(2) == 0) kill_deliverer();
    if (world_ != World::Kills && random_.below(3) != 0) cut_power();
  }

  // Writes fail or syncs do, never both: a failed sync may bring back, on a page of its own, the
  // frame of a failed write, whose event went into another file then.
  void set_faults() {
    const std::vector<FaultStep> steps =
        fails_writes_ ? std::vector{FaultStep::Write, FaultStep::Create, FaultStep::Truncate}
                      : std::vector{FaultStep::Sync, FaultStep::Create, FaultStep::SyncDirectory};
    for (const FaultStep step : steps) {
      const int error = random_.below(2) == 0 ? EIO : ENOSPC;
      if (random_.below(3) == 0) {
        files_.fail_at_random(step, error, static_cast<uint32_t>(random_.below(150)));
      }
    }
  }

  void take_step() {
    const uint64_t writer = random_.below(kWritersCount);
    switch (random_.below(12)) {
      case 0:
        if (random_.below(4) == 0) writers_[writer].reset();
        break;
      case 1:
      case 2:
        act_as(writer, [&] { sync(writer); });
        break;
      case 3:
        deliver([this] { copy(~uint64_t{0}); });
        break;
      case 4:
        deliver([this] { copy(random_.below(4)); });
        break;
      case 5:
        deliver([this] { hand_on(); });
        break;
      case 6:
        // Nothing is marked that is not synced, whenever it is asked for.
        deliver([this] { static_cast<void>(spool_->mark_copied()); });
        break;
      case 7:
        deliver([this] { forget(); });
        break;
      default:
        act_as(writer, [&] { push(writer); });
    }
  }

  // A producer, which is killed now and then; now and then the deliverer looks while it works.
  template <typename Act>
  void act_as(uint64_t writer, const Act& act) {
    arm(true);
    try {
      act();
    } catch (const Killed&) {
      writers_[writer].reset();
    }
    files_.before_step = nullptr;
  }

  template <typename Act>
  void deliver(const Act& act) {
    arm(false);
    try {
      if (open()) act();
    } catch (const Killed&) {
      files_.before_step = nullptr;
      kill_deliverer();
    }
    files_.before_step = nullptr;
  }

  void arm(bool is_interrupted) {
    uint64_t left = crash_random_.below(4) == 0 ? crash_random_.below(20) : ~uint64_t{0};
    files_.before_step = [this, left, is_interrupted](FaultStep, const std::string&) mutable {
      if (left-- == 0) throw Killed();
      if (!is_interrupted || !spool_ || crash_random_.below(8) != 0) return;
      auto outer = std::move(files_.before_step);
      files_.before_step = nullptr;
      copy(~uint64_t{0});
      files_.before_step = std::move(outer);
    };
  }

  journal::ProducerWriter& writer_at(uint64_t writer) {
    auto& slot = writers_[writer];
    if (!slot) {
      slot = std::make_unique<journal::ProducerWriter>(
          files_,
          journal::ProducerOptions{directory_.path(), {}, 16 * (32u << 10), core::Duration::zero()},
          [this] { return random_.next(); });
      pushed_by_[writer].clear();
    }
    return *slot;
  }

  void push(uint64_t writer) {
    journal::ProducerWriter& producer = writer_at(writer);
    const uint64_t id = ++last_id_;
    known_[id] = Known::Tried;
    const std::string record = record_of(id);
    if (producer.append("delivery", record.size(),
                        [&](char* out) { record.copy(out, record.size()); })) {
      known_[id] = Known::Accepted;
      pushed_by_[writer].insert(id);
    }
  }

  void sync(uint64_t writer) {
    if (!writer_at(writer).sync()) {
      // Nobody knows of these, and they are not synced again.
      pushed_by_[writer].clear();
      return;
    }
    for (const uint64_t id : pushed_by_[writer]) known_[id] = Known::Promised;
    pushed_by_[writer].clear();
  }

  // False: the disk does not let it start.
  bool open() {
    if (spool_) return true;
    std::vector<std::string> remarks;
    auto spool = Spool::open(
        files_, options_, [this] { return random_.next(); }, core::WallTime(), remarks);
    if (!spool) {
      INFO(spool.error().message);
      REQUIRE(world_ == World::BadDisk);
      return false;
    }
    spool_ = std::move(*spool);
    REQUIRE(spool_->define_types(catalogue_));
    // What its last life committed, if that came so far.
    for (auto seen = seen_.begin(); seen != seen_.end();) {
      if (seen->second < spool_->recovered().low) final_.insert(seen->first);
      seen = seen_.erase(seen);
    }
    for (;;) {
      auto found = spool_->next_recovered({});
      if (!found) {
        REQUIRE(world_ == World::BadDisk);
        kill_deliverer();
        return false;
      }
      if (!*found) break;
      take(**found);
    }
    end_handed_on_ = spool_->end();
    return true;
  }

  // Each event comes in one piece, once in a life, and never again once it is final.
  void take(const Spool::Recovered& found) {
    for (uint32_t i = 0; i < found.run.count; ++i) {
      const core::RecordEntry& entry = found.block->entry(i);
      const std::string record(found.block->bytes() + entry.offset, entry.size);
      const uint64_t id = std::strtoull(record.c_str(), nullptr, 10);
      INFO("event " << id);
      REQUIRE(known_.contains(id));
      REQUIRE(record == record_of(id));
      REQUIRE_FALSE(final_.contains(id));
      REQUIRE_FALSE(seen_.contains(id));
      seen_[id] = core::position_of(*found.block, found.run, i);
    }
    found.block->release();
  }

  void copy(uint64_t count) {
    if (!spool_->look_for_produced()) REQUIRE(world_ == World::BadDisk);
    for (; count > 0; --count) {
      auto found = spool_->next_produced({});
      if (!found || !*found) break;
      take(**found);
    }
    for (const std::string& remark : spool_->take_remarks()) {
      INFO(remark);
      REQUIRE(world_ == World::BadDisk);
    }
  }

  void hand_on() {
    if (!spool_->sync_journal() || !spool_->mark_copied()) {
      REQUIRE(world_ == World::BadDisk);
      return;
    }
    for (const auto& [id, position] : seen_) known_[id] = Known::Promised;
    end_handed_on_ = spool_->end();
  }

  // What was handed on is in batches, and the journal may forget it.
  void forget() {
    core::StreamPosition low = 0;
    for (const auto& [id, position] : seen_) {
      if (position < end_handed_on_ && random_.below(4) == 0) low = std::max(low, position);
    }
    if (random_.below(2) == 0) low = end_handed_on_;
    if (low <= spool_->recovered().low) return;
    spool_->store().set_low(low);
    REQUIRE(spool_->commit());
    spool_->set_low_written(low);
    for (auto seen = seen_.begin(); seen != seen_.end();) {
      const bool is_final = seen->second < low;
      if (is_final) final_.insert(seen->first);
      seen = is_final ? seen_.erase(seen) : std::next(seen);
    }
    static_cast<void>(spool_->maintain(core::WallTime()));
  }

  void kill_deliverer() { spool_.reset(); }

  void cut_power() {
    for (auto& writer : writers_) writer.reset();
    kill_deliverer();
    files_.power_cut();
    for (auto& [id, known] : known_) {
      if (known == Known::Accepted) known = Known::Tried;
    }
  }

  // Nobody dies any more: what was promised is there, or was.
  void be_quiet() {
    files_.clear_faults();
    files_.before_step = nullptr;
    REQUIRE(open());
    for (int look = 0; look < 2; ++look) {
      copy(~uint64_t{0});
      hand_on();
    }
    for (const auto& [id, known] : known_) {
      // A disk that fails to sync may drop what others see already.
      if (known == Known::Tried || (known == Known::Accepted && world_ == World::BadDisk)) continue;
      INFO("event " << id);
      REQUIRE((final_.contains(id) || seen_.contains(id)));
    }
  }

  const World world_;
  const TemporaryDirectory directory_;
  FaultFileSystem files_;
  const bool fails_writes_;
  core::Random random_;
  core::Random crash_random_;  // of what happens inside a step
  const core::EventCatalogue catalogue_;
  SpoolOptions options_;
  std::unique_ptr<journal::ProducerWriter> writers_[kWritersCount];
  std::set<uint64_t> pushed_by_[kWritersCount];  // since their last sync
  std::unique_ptr<Spool> spool_;
  uint64_t last_id_ = 0;
  std::map<uint64_t, Known> known_;
  std::map<uint64_t, core::StreamPosition> seen_;  // by the deliverer of now, or the last one
  std::set<uint64_t> final_;                       // the journal may have forgotten them
  core::StreamPosition end_handed_on_ = 0;
};

void run_histories(uint64_t first, uint64_t count, World world) {
  for (uint64_t seed = first; seed < first + count; ++seed) {
    INFO("seed " << seed);
    History(seed, world).run(6);
  }
}

}  // namespace

TEST_CASE("Over kills of producers and the deliverer nothing accepted is lost or copied twice",
          "[spool][producer_random]") {
  run_histories(1, 40, World::Kills);
}

TEST_CASE("Over power cuts nothing that a producer synced is lost, copied twice or called damage",
          "[spool][producer_random]") {
  run_histories(1001, 80, World::PowerCuts);
}

TEST_CASE("On a disk that fails at random nothing that a producer synced is lost or copied twice",
          "[spool][producer_random]") {
  run_histories(2001, 60, World::BadDisk);
}
