// What host threads ask of the delivery thread. A control takes its place in the order of events,
// so a change of a webhook holds for every event pushed after it and for none pushed before.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "core/settings.h"
#include "core/webhook_registry.h"
#include "engine/report.h"
#include "spool/store.h"

namespace posthaste::engine {

// The test POST of a new webhook or target.
inline constexpr std::string_view kPing = R"([{"msys":{}}])";

// Called once, on the delivery thread, no lock held.
using Done = std::function<void(Outcome)>;

struct WebhookControl {
  core::RegistryChange change;
  bool drops_queued = false;  // a removal that drops what waits
};
struct SettingsControl {
  core::EngineSettings settings;
};
struct FlushControl {
  Done done;
};
// Sends a test POST to the target of a webhook that need not be registered.
struct VerifyControl {
  core::WebhookPtr webhook;
  std::string body;  // JSON
  Done done;
};
// Done when everything before it is on disk.
struct SyncControl {
  Done done;
};
// What waits for a webhook, or for all of them, is due.
struct RetryNowControl {
  std::optional<uint64_t> generation;
};
// Dead letters that become batches again, each for a webhook that is registered.
struct ReplayControl {
  struct Letter {
    spool::DeadLetter row;
    uint64_t generation = 0;
  };
  std::vector<Letter> letters;
  std::shared_ptr<spool::Sums> sums;  // what became batches; complete when done is called
  Done done;
};
struct DeleteDeadLettersControl {
  spool::DeadLetterFilter filter;
  Done done;
};
// Everything that a webhook has and that is not over is given up.
struct PurgeControl {
  uint64_t generation = 0;
  std::shared_ptr<spool::Sums> sums;  // what was given up; complete when done is called
  Done done;
};
struct CloseControl {
  core::Instant deadline;
};
using Control = std::variant<WebhookControl, SettingsControl, FlushControl, VerifyControl,
                             SyncControl, RetryNowControl, ReplayControl, DeleteDeadLettersControl,
                             PurgeControl, CloseControl>;

// The controls that have a place in the intake, in the same order.
// Threads: any; whoever puts one in holds the engine's registry lock until its place is taken, so
// the orders agree.
class ControlQueue {
 public:
  void put(Control control) {
    const std::lock_guard lock(mutex_);
    controls_.push_back(std::move(control));
  }
  // Takes back what was put last, whose place was refused.
  void drop_last() {
    const std::lock_guard lock(mutex_);
    controls_.pop_back();
  }
  size_t size() const {
    const std::lock_guard lock(mutex_);
    return controls_.size();
  }
  std::optional<Control> take() {
    const std::lock_guard lock(mutex_);
    if (controls_.empty()) return std::nullopt;
    std::optional<Control> control(std::move(controls_.front()));
    controls_.pop_front();
    return control;
  }

 private:
  mutable std::mutex mutex_;
  std::deque<Control> controls_;
};

}  // namespace posthaste::engine
