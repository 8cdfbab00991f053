#include "support/sim_engine.h"

namespace posthaste::test {

using core::Instant;

class SimEngine::Store final : public spool::Store {
 public:
  Store(spool::MemoryStore& memory, SimObserver& observer) : memory_(memory), observer_(observer) {}

  void log_attempt(const spool::AttemptRecord& attempt) override {
    memory_.log_attempt(attempt);
    observer_.on_settled(attempt);
  }
  std::vector<spool::AttemptRecord> batch_status(std::string_view webhook_id, size_t limit,
                                                 spool::StatusFilter filter,
                                                 core::WallTime now) const override {
    return memory_.batch_status(webhook_id, limit, filter, now);
  }
  spool::WebhookHistory history(std::string_view webhook_id) const override {
    return memory_.history(webhook_id);
  }
  void set_limits(core::Duration max_age, uint64_t max_bytes) override {
    memory_.set_limits(max_age, max_bytes);
  }
  uint64_t left_early_count() const override { return memory_.left_early_count(); }
  void forget_webhook(std::string_view webhook_id) override { memory_.forget_webhook(webhook_id); }

 private:
  spool::MemoryStore& memory_;
  SimObserver& observer_;
};

SimEngine::SimEngine(const core::EngineSettings& settings, uint64_t seed, SimObserver* observer)
    : SimHost(settings, observer, [this] { transport_.wake(); }),
      memory_(settings.attempts_max_age, settings.attempts_max_bytes),
      store_(std::make_unique<Store>(memory_, observer_)),
      delivery_(std::make_unique<engine::Delivery>(
          engine::Delivery::Parts{clock_, intake_, events_, controls_, transport_, encoder_,
                                  *store_, nullptr, reports_, log_, counters_, webhook_counters_,
                                  disabler()},
          settings, seed)) {}

SimEngine::~SimEngine() = default;

spool::Store& SimEngine::attempts() {
  return *store_;
}

bool SimEngine::has_read_everything() const {
  intake::Intake::Range range;
  return !intake_.read(range);
}

void SimEngine::run_until(Instant until) {
  while (!is_closed()) {
    if (wait(until)) {
      step();
    } else if (clock_.now() >= until) {
      break;
    }
  }
  clock_.advance_to(until);
}

}  // namespace posthaste::test
