// The end of an engine: close, its ticket form, and whether the engine may be destroyed afterwards.
#include <algorithm>
#include <utility>

#include "engine/engine.h"
#include "platform/exit_guard.h"

namespace posthaste::engine {

using core::ErrorCode;
using core::Result;

namespace {

// Beyond its time-out close waits this long for the thread, which only has to notice.
constexpr core::Duration kCloseGrace = std::chrono::milliseconds(90);

// Then the thread that codes has so long for the piece it is at.
constexpr core::Duration kEncoderGrace = std::chrono::seconds(2);

}  // namespace

Result<> Engine::close(int32_t timeout_ms) {
  if (is_forked())
    return {ErrorCode::Forked, "the engine was started in the parent of this process"};
  if (!await_closer(timeout_ms)) {
    return {ErrorCode::Timeout, "the close that a ticket was given for goes on"};
  }
  auto done = end(timeout_ms);
  reports_.wake_all();
  return done;
}

// Until no close by ticket runs; false when that took longer.
bool Engine::await_closer(int32_t timeout_ms) {
  std::unique_lock lock(closer_mutex_);
  const auto is_over = [this] { return !is_closer_running_; };
  if (timeout_ms < 0) {
    closer_changed_.wait(lock, is_over);
    return true;
  }
  return closer_changed_.wait_for(lock, std::chrono::milliseconds(timeout_ms) + kCloseGrace,
                                  is_over);
}

Result<uint64_t> Engine::close_ticket(int32_t timeout_ms) {
  if (is_forked())
    return {ErrorCode::Forked, "the engine was started in the parent of this process"};
  auto ticket = tickets_.begin();
  if (!ticket) return ticket.error();
  const std::lock_guard lock(closer_mutex_);
  close_tickets_.push_back(*ticket);
  if (is_closer_running_) return ticket;
  // The one before is over.
  if (closer_.is_joinable()) closer_.join();
  auto thread =
      platform::Thread::start("posthaste-close", [this, timeout_ms] { run_close(timeout_ms); });
  if (!thread) {
    close_tickets_.pop_back();
    tickets_.polled(*ticket);
    return thread.error();
  }
  closer_ = std::move(*thread);
  is_closer_running_ = true;
  // Pushes that begin after this call are refused, whenever the thread gets its turn. Another
  // thread that is at start or close now comes first.
  const std::unique_lock life(life_mutex_, std::try_to_lock);
  if (life.owns_lock() && !producer_ && state_.load() == State::Started) {
    begin_close(deadline_of(timeout_ms));
  }
  return ticket;
}

void Engine::run_close(int32_t timeout_ms) {
  const Result<> done = end(timeout_ms);
  Report report;
  report.kind = ReportKind::Ticket;
  report.time_ms = core::unix_ms(clock_->wall_now());
  if (!done) {
    report.outcome.error = done.error();
    report.message = done.error().message;
  }
  {
    const std::lock_guard lock(closer_mutex_);
    for (const uint64_t ticket : std::exchange(close_tickets_, {})) {
      report.ticket = ticket;
      reports_.push(report);
    }
    is_closer_running_ = false;
  }
  closer_changed_.notify_all();
  // Not before: a host that waits for the ticket is told of it by the poll that waits.
  reports_.wake_all();
}

// The caller holds the mutex of the life cycle.
void Engine::begin_close(core::Instant deadline) {
  state_.store(State::Closing);
  {
    const std::lock_guard lock(mutex_);
    post(CloseControl{deadline});
  }
  if (worker_) worker_->hurry();
  if (spool_) spool_->stop_checks();
}

Result<> Engine::end(int32_t timeout_ms) {
  const std::lock_guard life(life_mutex_);
  const State before = state_.load();
  if (before == State::Closed) return {};
  if (producer_) producer_->close();
  if (before == State::New || producer_) {
    state_.store(State::Closed);
    return {};
  }
  if (before == State::Started) begin_close(deadline_of(timeout_ms));
  // A process that exits has parked the thread; it will not end.
  bool has_ended = false;
  do {
    const core::Duration timeout = std::chrono::milliseconds(std::max(timeout_ms, 0));
    has_ended = thread_.join_for(timeout + kCloseGrace);
  } while (!has_ended && timeout_ms < 0 && !platform::ExitGuard::is_exiting());
  state_.store(State::Closed);
  if (!has_ended) {
    is_abandoned_.store(true);
    thread_.detach();
    return {ErrorCode::Timeout, "the delivery thread did not end in time"};
  }
  waker_.store(nullptr, std::memory_order_release);
  // It may be reading from the spool, and looks up between two reads.
  const bool has_encoder_ended = encoder_->stop(kEncoderGrace);
  if (auto done = close_spool(); !done) return done;
  if (!has_encoder_ended) {
    is_abandoned_.store(true);
    return {ErrorCode::Timeout, "a batch could not be read in time"};
  }
  const uint64_t given_up = delivery_->given_up_events_count();
  if (given_up == 0) return {};
  return {ErrorCode::Timeout,
          std::to_string(given_up) + " events could not be delivered and were dropped"};
}

bool Engine::close_to_destroy() {
  if (is_forked()) return false;
  static_cast<void>(close(0));
  const std::lock_guard lock(closer_mutex_);
  return !is_closer_running_ && !is_abandoned_.load();
}

}  // namespace posthaste::engine
