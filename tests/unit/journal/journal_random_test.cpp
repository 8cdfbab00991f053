// Seeded histories of a journal: appends, syncs, releases, faults, crashes and power cuts, compared
// with what was promised.
#include <cerrno>
#include <set>

#include "unit/journal/journal_rig.h"

using namespace posthaste;
using namespace posthaste::journal;
using posthaste::test::FaultStep;
using posthaste::test::JournalRig;

namespace {

struct Crash {};

enum class Faults { None, Random };

// Purpose: one history, and what is known of it. Ownership: owns the rig. Threads: one.
// Invariants: expected_ holds each record that append() accepted since the last recovery, or that
// recovery found.
class History {
 public:
  History(uint64_t seed, bool syncs, Faults faults)
      : rig_(seed), random_(seed * 31 + 7), has_faults_(faults == Faults::Random) {
    rig_.options.syncs = syncs;
    rig_.options.file_bytes = 12288 + 4096 * random_.below(4);
    rig_.options.spares_max = random_.below(3);
  }

  void run(int lives) {
    for (int life = 0; life < lives; ++life) {
      open();
      check_recovered();
      live();
    }
    rig_.system.clear_faults();
    open();
    check_recovered();
  }

 private:
  void open() {
    rig_.system.before_step = nullptr;
    rig_.open({low_, 0, 0});
    INFO("files damaged: " << rig_.findings.damaged_files.size());
    REQUIRE_FALSE(rig_.findings.is_damaged());
  }

  // Nothing promised is lost, and nothing is there that was not appended.
  void check_recovered() {
    auto found = rig_.records();
    found.erase(found.begin(), found.lower_bound(low_));
    for (const auto& [position, record] : found) {
      const auto expected = expected_.find(position);
      if (expected != expected_.end()) {
        REQUIRE(record == expected->second);
      } else {
        // Of a group that was refused; its records may be found after a crash.
        REQUIRE(refused_.contains({position, record}));
      }
    }
    for (const auto& [position, record] : expected_) {
      if (position < low_ || position >= promised_) break;
      REQUIRE(found.contains(position));
    }
    REQUIRE(rig_.journal->end() >= std::max(low_, synced_));
    expected_ = std::move(found);
    refused_.clear();
  }

  void live() {
    uint64_t crash_after = random_.below(2) == 0 ? random_.below(60) : ~uint64_t{0};
    rig_.system.before_step = [&crash_after](FaultStep, const std::string&) {
      if (crash_after-- == 0) throw Crash{};
    };
    if (has_faults_) set_faults();
    bool has_crashed = false;
    try {
      for (uint64_t step = random_.below(60); step > 0; --step) take_step();
    } catch (const Crash&) {
      has_crashed = true;
    }
    rig_.system.before_step = nullptr;
    rig_.system.clear_faults();
    const bool has_power_cut = random_.below(3) != 0;
    promised_ = std::max(synced_, low_);
    // A killed process alone loses nothing, if the disk is well and its last write was whole.
    if (!has_power_cut && !has_faults_ && !has_crashed) promised_ = rig_.journal->end();
    rig_.journal.reset();
    if (has_power_cut) rig_.system.power_cut();
  }

  void set_faults() {
    for (const FaultStep step :
         {FaultStep::Write, FaultStep::Sync, FaultStep::Create, FaultStep::Allocate,
          FaultStep::Rename, FaultStep::Remove, FaultStep::SyncDirectory}) {
      const int error = random_.below(2) == 0 ? EIO : ENOSPC;
      if (random_.below(3) == 0) {
        rig_.system.fail_at_random(step, error, static_cast<uint32_t>(random_.below(200)));
      }
    }
  }

  void take_step() {
    switch (random_.below(8)) {
      case 0:
      case 1:
        if (rig_.journal->sync() && rig_.options.syncs) synced_ = rig_.journal->synced_end();
        break;
      case 2:
        release();
        break;
      case 3:
        read_back();
        break;
      default:
        append();
    }
  }

  void append() {
    std::vector<std::string> records;
    for (uint64_t count = 1 + random_.below(4); count > 0; --count) {
      std::string record(1 + random_.below(random_.below(8) == 0 ? 6000 : 300), 'a');
      for (char& byte : record) byte = static_cast<char>('a' + random_.below(26));
      records.push_back(std::move(record));
    }
    core::StreamPosition position = rig_.journal->end();
    // A crash inside may leave the records there or not.
    for (const std::string& record : records) {
      refused_.insert({position, record});
      position += record.size();
    }
    auto appended = rig_.append(records);
    if (!appended) return;
    position = *appended;
    for (const std::string& record : records) {
      refused_.erase({position, record});
      expected_[position] = record;
      position += record.size();
    }
    REQUIRE(rig_.journal->end() == position);
  }

  // Records before some place are no longer needed.
  void release() {
    const core::StreamPosition to = rig_.options.syncs ? synced_ : rig_.journal->synced_end();
    if (to > low_) low_ += random_.below(to - low_ + 1);
    for (const JournalFileInfo& file : rig_.journal->files()) {
      if (file.end <= low_ && !file.is_current) rig_.journal->release(file.number);
    }
    expected_.erase(expected_.begin(), expected_.lower_bound(low_));
  }

  void read_back() {
    if (expected_.empty()) return;
    auto record = expected_.lower_bound(random_.below(rig_.journal->end()));
    if (record == expected_.end() || record->first >= rig_.journal->synced_end()) return;
    const auto bytes = rig_.read({{record->first, record->second.size()}});
    REQUIRE(bytes.ok());
    REQUIRE(*bytes == record->second);
  }

  JournalRig rig_;
  core::Random random_;
  const bool has_faults_;
  std::map<core::StreamPosition, std::string> expected_;
  std::set<std::pair<core::StreamPosition, std::string>> refused_;
  core::StreamPosition low_ = 0;
  core::StreamPosition synced_ = 0;    // survives power cuts
  core::StreamPosition promised_ = 0;  // must be found after this crash
};

void run_histories(uint64_t first, uint64_t count, bool syncs, Faults faults) {
  for (uint64_t seed = first; seed < first + count; ++seed) {
    INFO("seed " << seed);
    History(seed, syncs, faults).run(4);
  }
}

}  // namespace

TEST_CASE(
    "The journal loses nothing synced and invents nothing over 2000 histories with power cuts",
    "[journal][journal_random]") {
  run_histories(1, 2000, true, Faults::None);
}

TEST_CASE("The journal loses nothing synced on a disk that fails at random",
          "[journal][journal_random]") {
  run_histories(5001, 1000, true, Faults::Random);
}

TEST_CASE(
    "The journal without sync loses nothing to a killed process and calls no power cut damage",
    "[journal][journal_random]") {
  run_histories(8001, 1000, false, Faults::None);
}
