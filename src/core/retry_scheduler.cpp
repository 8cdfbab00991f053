#include "core/retry_scheduler.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "core/deliberate_break.h"
#include "core/limits.h"
#include "core/retry_policy.h"

namespace posthaste::core {

Batch& RetryScheduler::add(std::unique_ptr<Batch> owned, Endpoint& endpoint, Instant now) {
  Batch& batch = take_over(std::move(owned), endpoint);
  wait_in_queue(batch, now);
  refresh(endpoint, now);
  return batch;
}

Batch& RetryScheduler::restore(std::unique_ptr<Batch> owned, Endpoint& endpoint, Instant now) {
  endpoint.awaits_first_outcome = true;
  Batch& batch = take_over(std::move(owned), endpoint);
  if (batch.content_failures_count > 0) {
    endpoint.troubled.emplace(batch.sequence, &batch);
    endpoint.troubled_due.insert({batch.due, batch.sequence});
    watch_clock(batch, now);
  } else {
    wait_in_queue(batch, now);
  }
  refresh(endpoint, now);
  return batch;
}

Batch& RetryScheduler::take_over(std::unique_ptr<Batch> owned, Endpoint& endpoint) {
  Batch& batch = *owned;
  if (batch.sequence == 0) batch.sequence = last_sequence_ + 1;
  last_sequence_ = std::max(last_sequence_, batch.sequence);
  batch.endpoint = &endpoint;
  if (endpoint.number == 0) endpoint.number = ++last_endpoint_number_;
  batches_.emplace(batch.sequence, std::move(owned));
  endpoint.unsettled.insert(batch.sequence);
  return batch;
}

Batch* RetryScheduler::next(Instant now) {
  while (!wakes_.empty() && wakes_.begin()->first.first <= now)
    refresh(*wakes_.begin()->second, now);
  const bool is_bounded = !is_broken(Break::TooManyConnections);
  if (is_bounded && in_flight_count_ >= connections_max_) return nullptr;
  // Endpoints in trouble go first, within their half: they are few, rare and bounded, so they
  // cannot starve others.
  const bool may_probe = trouble_in_flight_count_ < std::max(1u, connections_max_ / 2) ||
                         is_broken(Break::TooManyProbes);
  Batch* batch = may_probe ? pop(trouble_, List::Trouble, now) : nullptr;
  if (!batch) batch = pop(healthy_, List::Healthy, now);
  // An endpoint that fell while it stood among the healthy ones has just changed lists.
  if (!batch && may_probe) batch = pop(trouble_, List::Trouble, now);
  return batch;
}

Batch* RetryScheduler::pop(std::deque<Endpoint*>& list, List kind, Instant now) {
  while (!list.empty()) {
    Endpoint& endpoint = *list.front();
    list.pop_front();
    endpoint.is_listed = false;
    Batch* const batch = list_for(endpoint, now) == kind ? take(endpoint, now) : nullptr;
    refresh(endpoint, now);
    if (batch) return batch;
  }
  return nullptr;
}

RetryScheduler::List RetryScheduler::list_for(const Endpoint& endpoint, Instant now) const {
  if (endpoint.is_held && !is_broken(Break::PausedSends)) return List::None;
  if (endpoint.is_in_trouble) {
    const bool is_due = endpoint.probe_due <= now || is_broken(Break::EarlyProbe);
    const bool may_probe = endpoint.in_flight_count == 0 && !endpoint.queue.empty() && is_due;
    return may_probe ? List::Trouble : List::None;
  }
  const uint32_t in_flight_max =
      endpoint.settings->request_max_in_flight + (is_broken(Break::TooManyInFlight) ? 1 : 0);
  if (endpoint.in_flight_count >= in_flight_max) return List::None;
  if (is_broken(Break::BlockedByTroubled) && !endpoint.troubled.empty() && !endpoint.queue.empty())
    return List::None;
  const bool has_due =
      !endpoint.troubled_due.empty() && endpoint.troubled_due.begin()->first <= now;
  return !endpoint.queue.empty() || has_due ? List::Healthy : List::None;
}

// Puts the endpoint where it belongs: in a list when it may send, else in the wake-up set.
void RetryScheduler::refresh(Endpoint& endpoint, Instant now) {
  if (endpoint.wake != kNever) wakes_.erase({endpoint.wake, endpoint.number});
  endpoint.wake = kNever;
  const List list = list_for(endpoint, now);
  if (list != List::None) {
    if (!endpoint.is_listed) {
      (list == List::Trouble ? trouble_ : healthy_).push_back(&endpoint);
      endpoint.is_listed = true;
    }
    return;
  }
  if (endpoint.is_held) return;
  if (endpoint.is_in_trouble) {
    if (endpoint.in_flight_count == 0 && !endpoint.queue.empty())
      endpoint.wake = endpoint.probe_due;
  } else if (endpoint.in_flight_count < endpoint.settings->request_max_in_flight &&
             !endpoint.troubled_due.empty()) {
    endpoint.wake = endpoint.troubled_due.begin()->first;
  }
  if (endpoint.wake != kNever) wakes_.insert({{endpoint.wake, endpoint.number}, &endpoint});
}

Batch* RetryScheduler::take(Endpoint& endpoint, Instant now) {
  Batch* batch = nullptr;
  const bool has_due =
      !endpoint.troubled_due.empty() && endpoint.troubled_due.begin()->first <= now;
  if (endpoint.is_in_trouble) {
    const size_t turns = std::min(kProbeBatches, endpoint.queue.size());
    auto place = std::next(endpoint.queue.begin(), static_cast<int>(endpoint.probe_turn++ % turns));
    batch = place->second;
    ++trouble_in_flight_count_;
  } else if (has_due && (endpoint.takes_troubled_next || endpoint.queue.empty())) {
    batch = endpoint.troubled.at(endpoint.troubled_due.begin()->second);
    endpoint.takes_troubled_next = false;
  } else {
    batch = endpoint.queue.begin()->second;
    if (is_broken(Break::OutOfOrder)) batch = endpoint.queue.rbegin()->second;
    endpoint.takes_troubled_next = true;
  }
  endpoint.queue.erase(batch->sequence);
  if (endpoint.troubled.erase(batch->sequence) > 0) {
    endpoint.troubled_due.erase({batch->due, batch->sequence});
  }
  if (batch->expires != kNever) expiries_.erase({batch->expires, batch->sequence});
  batch->has_last_chance = false;
  batch->is_in_flight = true;
  batch->is_probe = endpoint.is_in_trouble;
  ++batch->attempts_count;
  ++endpoint.in_flight_count;
  ++in_flight_count_;
  return batch;
}

bool RetryScheduler::land(Batch& batch) {
  const bool was_probe = std::exchange(batch.is_probe, false);
  batch.is_in_flight = false;
  --batch.endpoint->in_flight_count;
  --in_flight_count_;
  if (was_probe) --trouble_in_flight_count_;
  return was_probe;
}

void RetryScheduler::cancel(Batch& batch, Instant now) {
  land(batch);
  wait_in_queue(batch, now);
  refresh(*batch.endpoint, now);
}

Verdict RetryScheduler::settle(Batch& batch, AttemptOutcome outcome, Instant now) {
  Endpoint& endpoint = *batch.endpoint;
  const bool was_probe = land(batch);
  endpoint.unsettled.erase(batch.sequence);
  const bool is_delivered = outcome == AttemptOutcome::Delivered;
  if (std::exchange(endpoint.awaits_first_outcome, false)) {
    resume_clocks(endpoint, is_delivered, now);
  }

  Verdict verdict;
  if (is_delivered) {
    endpoint.content_failures_in_a_row.clear();
    if (endpoint.is_in_trouble && !is_broken(Break::StuckInTrouble)) {
      recover(endpoint, now);
      verdict.endpoint_recovered = true;
    }
    refresh(endpoint, now);
    return verdict;
  }

  ++batch.failures_count;
  if (is_broken(Break::RestartedClock)) batch.expires = kNever;
  start_clock(batch, now);
  if (outcome == AttemptOutcome::ContentFailure) {
    ++batch.content_failures_count;
    if (batch.counts_against_endpoint) endpoint.content_failures_in_a_row.insert(batch.sequence);
  }
  const bool is_endpoints = outcome == AttemptOutcome::MuteFailure ||
                            endpoint.content_failures_in_a_row.size() >= kContentFailuresInARow;
  if (!endpoint.is_in_trouble && is_endpoints) {
    fall(endpoint, now);
    verdict.endpoint_fell = true;
  } else if (was_probe) {
    ++endpoint.failures_count;
    endpoint.probe_due = now + retry_delay(*endpoint.settings, endpoint.failures_count, random_);
  }
  if (endpoint.is_in_trouble) {
    wait_in_queue(batch, now);
    verdict.next_try = endpoint.probe_due;
  } else {
    wait_in_trouble(batch, now);
    verdict.next_try = batch.due;
  }
  verdict.kind = batch.expires <= now ? Verdict::Kind::Expired : Verdict::Kind::Retry;
  refresh(endpoint, now);
  return verdict;
}

std::unique_ptr<Batch> RetryScheduler::finish(Batch& batch, Instant now) {
  assert(!batch.is_in_flight);
  Endpoint& endpoint = *batch.endpoint;
  endpoint.queue.erase(batch.sequence);
  if (endpoint.troubled.erase(batch.sequence) > 0) {
    endpoint.troubled_due.erase({batch.due, batch.sequence});
  }
  endpoint.unsettled.erase(batch.sequence);
  endpoint.content_failures_in_a_row.erase(batch.sequence);
  if (batch.expires != kNever) expiries_.erase({batch.expires, batch.sequence});
  auto place = batches_.find(batch.sequence);
  std::unique_ptr<Batch> owned = std::move(place->second);
  batches_.erase(place);
  refresh(endpoint, now);
  return owned;
}

std::vector<Batch*> RetryScheduler::expired(Instant now) const {
  std::vector<Batch*> result;
  if (is_broken(Break::LateAttempt)) return result;
  for (const auto& [expires, sequence] : expiries_) {
    if (expires > now) break;
    result.push_back(batches_.at(sequence).get());
  }
  return result;
}

Instant RetryScheduler::next_deadline(Instant now) const {
  Instant deadline = wakes_.empty() ? kNever : wakes_.begin()->first.first;
  if (!expiries_.empty()) deadline = std::min(deadline, expiries_.begin()->first);
  // A listed endpoint waits for a free connection; the completion that frees it ends the wait by
  // itself.
  const bool has_room = in_flight_count_ < connections_max_;
  if (has_room && !healthy_.empty()) deadline = std::min(deadline, now);
  return deadline;
}

void RetryScheduler::hold(Endpoint& endpoint, bool is_held, Instant now) {
  if (endpoint.is_held == is_held) return;
  endpoint.is_held = is_held;
  for (const auto* batches : {&endpoint.queue, &endpoint.troubled}) {
    for (const auto& [sequence, batch] : *batches) {
      if (is_held) {
        expiries_.erase({batch->expires, sequence});
        watch_clock(*batch, now);
      } else if (!is_held && batch->expires_after_pause > Duration::zero()) {
        batch->expires = now + std::exchange(batch->expires_after_pause, Duration::zero());
        if (is_broken(Break::RunningPauseClock)) batch->expires -= std::chrono::seconds(1);
        watch_clock(*batch, now);
      }
    }
  }
  refresh(endpoint, now);
}

void RetryScheduler::retry_now(Endpoint& endpoint, Instant now) {
  endpoint.probe_due = std::min(endpoint.probe_due, now);
  endpoint.troubled_due.clear();
  for (const auto& [sequence, batch] : endpoint.troubled) {
    batch->due = std::min(batch->due, now);
    endpoint.troubled_due.insert({batch->due, sequence});
  }
  refresh(endpoint, now);
}

void RetryScheduler::forget(Endpoint& endpoint) {
  assert(endpoint.is_idle());
  std::erase(healthy_, &endpoint);
  std::erase(trouble_, &endpoint);
  if (endpoint.wake != kNever) wakes_.erase({endpoint.wake, endpoint.number});
}

Batch* RetryScheduler::oldest_waiting(const Endpoint& endpoint) {
  Batch* oldest = endpoint.queue.empty() ? nullptr : endpoint.queue.begin()->second;
  if (!endpoint.troubled.empty()) {
    Batch* const candidate = endpoint.troubled.begin()->second;
    if (!oldest || candidate->sequence < oldest->sequence) oldest = candidate;
  }
  return oldest;
}

void RetryScheduler::wait_in_queue(Batch& batch, Instant now) {
  Endpoint& endpoint = *batch.endpoint;
  endpoint.queue.emplace(batch.sequence, &batch);
  if (endpoint.is_in_trouble) start_clock(batch, now);
  watch_clock(batch, now);
}

void RetryScheduler::wait_in_trouble(Batch& batch, Instant now) {
  Endpoint& endpoint = *batch.endpoint;
  batch.due = now + retry_delay(*endpoint.settings, batch.content_failures_count, random_);
  if (is_broken(Break::EarlyRetry)) batch.due = now;
  endpoint.troubled.emplace(batch.sequence, &batch);
  endpoint.troubled_due.insert({batch.due, batch.sequence});
  watch_clock(batch, now);
}

// A batch begins to wait: its clock is watched, or stands still with its endpoint.
void RetryScheduler::watch_clock(Batch& batch, Instant now) {
  if (batch.expires == kNever) return;
  if (!batch.endpoint->is_held) {
    if (batch.endpoint->awaits_first_outcome || batch.has_last_chance) return;
    expiries_.insert({batch.expires, batch.sequence});
    return;
  }
  batch.expires_after_pause = std::max(batch.expires - now, Duration(1));
  batch.expires = kNever;
}

// The first outcome after a restart: what is overdue expires, or has one attempt more at an
// endpoint that answers.
void RetryScheduler::resume_clocks(Endpoint& endpoint, bool is_answering, Instant now) {
  for (const auto* batches : {&endpoint.queue, &endpoint.troubled}) {
    for (const auto& [sequence, batch] : *batches) {
      if (is_answering && batch->failures_count == 0) stop_clock(*batch);
      batch->has_last_chance = is_answering && batch->expires <= now;
      watch_clock(*batch, now);
    }
  }
}

void RetryScheduler::start_clock(Batch& batch, Instant now) {
  if (batch.expires != kNever || batch.expires_after_pause > Duration::zero()) return;
  const Duration max_age = batch.endpoint->settings->retry_max_age;
  if (batch.endpoint->is_held) {
    batch.expires_after_pause = max_age;
  } else {
    batch.expires = now + max_age;
  }
}

void RetryScheduler::stop_clock(Batch& batch) {
  if (batch.expires != kNever) expiries_.erase({batch.expires, batch.sequence});
  batch.expires = kNever;
  batch.expires_after_pause = Duration::zero();
}

void RetryScheduler::fall(Endpoint& endpoint, Instant now) {
  endpoint.is_in_trouble = true;
  endpoint.failures_count = 1;
  endpoint.probe_turn = 0;
  endpoint.probe_due = now + retry_delay(*endpoint.settings, 1, random_);
  for (const auto& [sequence, batch] : endpoint.troubled) endpoint.queue.emplace(sequence, batch);
  endpoint.troubled.clear();
  endpoint.troubled_due.clear();
  for (const auto& [sequence, batch] : endpoint.queue) {
    start_clock(*batch, now);
    watch_clock(*batch, now);
  }
}

void RetryScheduler::recover(Endpoint& endpoint, Instant now) {
  endpoint.is_in_trouble = false;
  endpoint.failures_count = 0;
  for (auto place = endpoint.queue.begin(); place != endpoint.queue.end();) {
    Batch& batch = *place->second;
    if (batch.failures_count == 0) stop_clock(batch);
    if (batch.content_failures_count == 0) {
      ++place;
      continue;
    }
    place = endpoint.queue.erase(place);
    batch.counts_against_endpoint = false;
    wait_in_trouble(batch, now);
  }
}

}  // namespace posthaste::core
