// One disk for a whole spool: what the journal sees of it (FaultFileSystem) and what SQLite sees of
// it (FaultVfs) fail, fill up and lose power together.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <string>

#include "core/random.h"
#include "spool/spool.h"
#include "support/fault_file_system.h"
#include "support/fault_vfs.h"
#include "support/temporary_directory.h"

namespace posthaste::test {

// Thrown through the code under test where its process ends; see SimDisk::stop.
struct SimCrash {};

// What goes wrong from now on, each with this chance for each step: per mille, 0 to 1000.
struct SimDiskFaults {
  uint32_t write_fails = 0;  // after any part of it
  uint32_t sync_fails = 0;
  uint32_t names_fail = 0;  // a file cannot be made, renamed or removed
  bool hits_journal = true;
  bool hits_database = true;
};

// How often each of them came to pass.
struct SimDiskCounts {
  uint64_t failed_writes = 0;
  uint64_t torn_writes = 0;
  uint64_t failed_syncs = 0;
  uint64_t failed_names = 0;
  uint64_t full = 0;  // of the database; the journal's own show as SpoolFull
};

// Purpose: the disk of a simulated engine, over restarts. Ownership: owns the directory and all
// that is in it; outlives the engine. Threads: one. Invariants: the same seed and the same steps
// give the same faults and the same contents.
class SimDisk {
 public:
  explicit SimDisk(uint64_t seed);
  ~SimDisk();
  SimDisk(const SimDisk&) = delete;
  SimDisk& operator=(const SimDisk&) = delete;

  FaultFileSystem& files() { return files_; }
  // Where the spool is, and by what to open it.
  spool::SpoolOptions options_for(const core::EngineSettings& settings) const;
  const std::string& directory() const { return directory_.path(); }

  void set_faults(const SimDiskFaults& faults) { faults_ = faults; }
  // Room for so much in all.
  void set_space(uint64_t size_bytes);
  uint64_t used_bytes();
  void heal();
  bool has_faults() const;
  const SimDiskCounts& counts() const { return counts_; }
  // Everything that changed the disk so far.
  uint64_t steps_count() const { return steps_count_; }

  // The process is no more: nothing changes the disk until restart(), whatever it tries.
  void stop();
  // The same, when so many more steps were made; the journal's half throws SimCrash then.
  void stop_after(uint64_t steps_count) { steps_left_ = steps_count; }
  bool is_stopped() const { return is_stopped_; }
  // Takes that order back.
  void go_on() { steps_left_ = std::numeric_limits<uint64_t>::max(); }
  // The next process may open it. With `loses_power` any part of what was not synced is gone.
  void restart(bool loses_power);

 private:
  static constexpr uint64_t kEndless = std::numeric_limits<uint64_t>::max() / 2;

  bool happens(uint32_t per_mille) { return per_mille > 0 && random_.below(1000) < per_mille; }
  void count_step();
  void before_file_step(FaultStep step, const std::string& path);
  DiskFault before_database_access(const DiskAccess& access);
  uint64_t database_bytes() const;

  testing::TemporaryDirectory directory_;
  FaultFileSystem files_;
  FaultVfs vfs_;
  core::Random random_;
  SimDiskFaults faults_;
  SimDiskCounts counts_;
  uint64_t space_bytes_ = kEndless;
  std::map<std::string, uint64_t> database_sizes_;  // by path
  uint64_t steps_count_ = 0;
  uint64_t steps_left_ = std::numeric_limits<uint64_t>::max();
  bool is_stopped_ = false;
};

}  // namespace posthaste::test
