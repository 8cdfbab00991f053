// The engine of durable mode without threads: the delivery step, the spool worker and the real
// spool, journal and SQLite, under virtual time, on a disk that fails when it is told to.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/spool_worker.h"
#include "support/sim_disk.h"
#include "support/sim_host.h"

namespace posthaste::test {

// Purpose: an engine in durable mode that a test drives step by step. Ownership: owns everything of
// it but the disk, on which another one goes on when this is destroyed. Threads: one. Invariants:
// those of SimHost; the monotonic clock starts anew with each engine, as after a boot. When its
// disk stops it may not be used any more, and calls may throw SimCrash.
class SimSpoolEngine final : public SimHost {
 public:
  // Opens the spool and takes over what it kept. `wall_start`: the wall clock's time now.
  static core::Result<std::unique_ptr<SimSpoolEngine>> open(SimDisk& disk,
                                                            const core::EngineSettings& settings,
                                                            uint64_t seed,
                                                            core::WallTime wall_start,
                                                            SimObserver* observer = nullptr);
  ~SimSpoolEngine() override;

  const engine::Delivery& delivery() const override { return *delivery_; }
  spool::Spool& spool() { return *spool_; }
  engine::SpoolWorker& worker() { return *worker_; }
  // What was found damaged.
  const std::vector<std::string>& remarks() const { return remarks_; }

  core::ErrorCode push(core::EventTypeId type, std::string_view record) override;
  bool sync(engine::Done done);
  // Runs until it is answered, or for so long.
  core::Error sync_within(core::Duration timeout);
  // As Engine::poll: what was reported need not be remembered any more.
  std::optional<engine::Report> poll();
  bool close(core::Instant deadline) override;
  void run_until(core::Instant until) override;

  // The disk does not answer the spool thread for so long.
  void stall(core::Duration length) { stalled_until_ = clock_.now() + length; }
  // The spool thread gets going so long after it was woken.
  void set_wake_delay(core::Duration delay) { wake_delay_ = delay; }

 private:
  SimSpoolEngine(SimDisk& disk, const core::EngineSettings& settings, SimObserver* observer);

  core::Result<> start(uint64_t seed, core::WallTime wall_start);
  spool::Store& attempts() override { return spool_->store(); }
  engine::Delivery& step_of() override { return *delivery_; }
  void apply_settings() override { worker_->set_max_bytes(settings_.spool_max_bytes); }
  void wake_worker();
  void finish_close();

  SimDisk& disk_;
  std::unique_ptr<spool::Spool> spool_;
  engine::HandOver hand_over_;
  std::unique_ptr<engine::SpoolWorker> worker_;
  std::unique_ptr<engine::Delivery> delivery_;
  std::vector<std::string> remarks_;
  core::Duration wake_delay_{};
  core::Instant worker_due_{};
  core::Instant stalled_until_{};
  bool is_closing_ = false;
};

}  // namespace posthaste::test
