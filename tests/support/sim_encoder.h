// Compresses and signs in the delivery step itself, so that a run depends on nothing but its seed.
// A test may hold the jobs back, as a busy thread would.
#pragma once

#include <deque>
#include <utility>
#include <vector>

#include "engine/encoder.h"

namespace posthaste::test {

// Purpose: an Encoder without a thread. Ownership: owns jobs and results until they are taken.
// Threads: one. Invariants: jobs are done in their order, when results are taken.
class SimEncoder final : public engine::Encoder {
 public:
  void begin(engine::CodingJob job) override { jobs_.push_back(std::move(job)); }
  std::vector<engine::CodingResult> take() override {
    std::vector<engine::CodingResult> results;
    for (; !is_held_ && !jobs_.empty(); jobs_.pop_front()) {
      results.push_back(run_coding(jobs_.front(), budget_, [] { return true; }));
    }
    return results;
  }

  // While held it is a thread that does not get on.
  void hold(bool is_held) { is_held_ = is_held; }
  size_t jobs_count() const { return jobs_.size(); }
  const engine::CodedBudget& budget() const { return budget_; }

 private:
  bool is_held_ = false;
  std::deque<engine::CodingJob> jobs_;
  engine::CodedBudget budget_;
};

}  // namespace posthaste::test
