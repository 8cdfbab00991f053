// What an engine without threads has whatever it delivers from: a clock, a network, the registry,
// the intake, and the calls of a host. What engine.cpp does with locks around these parts, this
// does in one thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/event_catalogue.h"
#include "core/settings.h"
#include "core/webhook_registry.h"
#include "engine/control.h"
#include "engine/delivery.h"
#include "engine/log.h"
#include "engine/report_queue.h"
#include "intake/intake.h"
#include "metrics/counters.h"
#include "support/sim_clock.h"
#include "support/sim_encoder.h"
#include "support/sim_transport.h"

namespace posthaste::test {

// One batch that was given up, as the log tells it.
struct SimDrop {
  std::string batch_id;
  uint64_t events_count = 0;
  uint32_t attempts_count = 0;
  std::string reason;
};

// What goes on inside, in the order of happening. By default nobody looks.
class SimObserver {
 public:
  virtual ~SimObserver() = default;
  // A change of the registry, of settings, a flush or the close got its place among the events.
  virtual void on_control(const engine::Control&) {}
  // An attempt's end was judged.
  virtual void on_settled(const spool::AttemptRecord&) {}
  // A batch is about to be given up; it is in the scheduler still.
  virtual void on_drop(const SimDrop&) {}
  virtual void on_begin(const SimExchange&) {}
  virtual void on_end(const SimExchange&) {}
};

// Purpose: the host's side of an engine that a test drives step by step. Ownership: owns its parts;
// whoever derives from it owns the delivery step. Threads: one. Invariants: calls have the effects
// and the order of engine::Engine's; time passes in wait() and run_until() only.
class SimHost {
 public:
  virtual ~SimHost();

  SimClock& clock() { return clock_; }
  const SimClock& clock() const { return clock_; }
  SimTransport& transport() { return transport_; }
  SimEncoder& encoder() { return encoder_; }
  const core::EventCatalogue& catalogue() const { return catalogue_; }
  const core::WebhookRegistry& registry() const { return registry_; }
  const core::EngineSettings& settings() const { return settings_; }
  virtual const engine::Delivery& delivery() const = 0;
  const intake::Intake& intake() const { return intake_; }
  const metrics::EngineCounters& counters() const { return counters_; }
  engine::ReportQueue& reports() { return reports_; }
  std::shared_ptr<metrics::WebhookCounters> counters_of(uint64_t generation) const {
    return webhook_counters_.find(generation);
  }
  // Controls that the delivery step took so far.
  uint64_t controls_taken_count() const { return controls_posted_count_ - controls_.size(); }

  // The host's calls.
  virtual core::ErrorCode push(core::EventTypeId type, std::string_view record);
  core::Result<> put(const std::string& id, const core::WebhookSpec& spec);
  core::Result<> create(const std::string& id, const core::WebhookSpec& spec);
  core::Result<> update(const std::string& id, const core::WebhookSpec& change);
  core::Result<> remove(const std::string& id, bool drops_queued);
  core::Result<> set_paused(const std::string& id, bool is_paused);
  core::Result<> set(std::string_view key, std::optional<std::string_view> value);
  bool verify(const std::string& id, engine::Done done);
  bool flush(engine::Done done);
  virtual bool close(core::Instant deadline);

  // Waits and steps until that time, or until it is closed.
  virtual void run_until(core::Instant until) = 0;
  void run_for(core::Duration duration) { run_until(clock_.now() + duration); }
  const engine::Delivery::StepResult& last_step() const { return last_step_; }
  bool is_closed() const { return last_step_.is_closed; }
  size_t steps_count() const { return steps_count_; }

 protected:
  // `wake`: a push found the reader of the intake asleep.
  SimHost(const core::EngineSettings& settings, SimObserver* observer, std::function<void()> wake);

  virtual spool::Store& attempts() = 0;
  virtual engine::Delivery& step_of() = 0;
  // What a change of settings means beyond the registry.
  virtual void apply_settings() {}
  bool post(engine::Control control);
  // For the delivery step: a webhook's rules disable it.
  engine::Delivery::Disable disabler();
  // One step of the delivery thread, with what the network brought since the last one.
  void step_delivery(engine::EventSource& events);
  // Waits as the delivery thread does, but no longer than `until`; true: it is time for a step.
  bool wait_for_delivery(engine::EventSource& events, core::Instant until);

  SimObserver unobserved_;
  SimObserver& observer_;
  SimClock clock_;
  SimTransport transport_{clock_};
  SimEncoder encoder_;
  core::EventCatalogue catalogue_;
  core::EngineSettings settings_;
  core::WebhookRegistry registry_;
  core::TypeSet wanted_;
  engine::ReportQueue reports_;
  engine::Log log_;
  metrics::EngineCounters counters_;
  engine::CounterTable webhook_counters_;
  engine::ControlQueue controls_;
  intake::Intake intake_;

 private:
  static void on_log_line(int32_t level, const char* line, void* user_data);
  core::Result<> publish(core::RegistryChange change, bool drops_queued);

  uint64_t controls_posted_count_ = 0;
  engine::Delivery::StepResult last_step_;
  std::vector<transport::Completion> completions_;
  bool is_waiting_ = false;
  core::Instant wait_deadline_{};
  size_t steps_count_ = 0;
};

}  // namespace posthaste::test
