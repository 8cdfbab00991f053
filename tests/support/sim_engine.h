// The engine of memory mode without threads: the real delivery step, intake, registry, store,
// reports and configuration under virtual time and a scripted network.
#pragma once

#include <memory>

#include "spool/memory_store.h"
#include "support/sim_host.h"

namespace posthaste::test {

// Purpose: an engine in memory mode that a test drives step by step. Ownership: owns everything of
// it. Threads: one. Invariants: those of SimHost.
class SimEngine final : public SimHost {
 public:
  SimEngine(const core::EngineSettings& settings, uint64_t seed, SimObserver* observer = nullptr);
  ~SimEngine() override;

  const engine::Delivery& delivery() const override { return *delivery_; }
  const spool::MemoryStore& store() const { return memory_; }
  // The delivery step has read all there is.
  bool has_read_everything() const;

  // One step, with what the network brought since the last one.
  void step() { step_delivery(events_); }
  // Waits as the delivery thread does, but no longer than `until`; true: it is time for a step.
  bool wait(core::Instant until) { return wait_for_delivery(events_, until); }
  void run_until(core::Instant until) override;

 private:
  // The memory store, with somebody looking over its shoulder.
  class Store;

  spool::Store& attempts() override;
  engine::Delivery& step_of() override { return *delivery_; }

  spool::MemoryStore memory_;
  std::unique_ptr<Store> store_;
  engine::IntakeSource events_{intake_};
  std::unique_ptr<engine::Delivery> delivery_;
};

}  // namespace posthaste::test
