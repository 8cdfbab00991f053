#include "core/retry_scheduler.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "core/deliberate_break.h"
#include "core/limits.h"
#include "core/retry_policy.h"

namespace posthaste::core {

namespace {

// Whether a batch of this family waits.
bool has_part(const std::map<uint64_t, Batch*>& waiting, uint64_t family) {
  const auto place = waiting.lower_bound(family);
  return place != waiting.end() && family_of(place->first) == family;
}

// Requests are spaced evenly, each by what it takes of both limits: no burst is ever above them.
void charge(RateClock& rate, const DeliverySettings& settings, uint32_t events_count, Instant now) {
  Duration space{};
  if (settings.rate_requests_per_second > 0) {
    space = Duration(std::chrono::seconds(1)) / settings.rate_requests_per_second;
  }
  if (settings.rate_events_per_second > 0) {
    const Duration by_events =
        Duration(std::chrono::seconds(1)) * events_count / settings.rate_events_per_second;
    space = std::max(space, by_events);
  }
  rate.next = now + space;
}

bool is_within(const Batch& batch, const BatchLimit& limit) {
  return limit.fits(batch.body.events_count(), batch.body.size_bytes());
}

// Nothing is to be learned from it any more: it was refused, and cannot be smaller.
bool is_spent(const Batch& batch) {
  const bool is_whole = batch.body.events_count() == 1 || batch.is_indivisible;
  return is_whole && batch.content_failures_count > 0;
}

// Halving is for batches that met a content failure: a part at its first, a whole one when it has
// had its chances, as the probe of an endpoint in trouble at once; and for what is too large.
bool is_to_split(const Batch& batch, const AttemptResult& result, bool was_probe) {
  if (batch.body.events_count() < 2 || batch.is_indivisible || result.is_ours) return false;
  if (result.is_too_large || (was_probe && batch.content_failures_count > 0)) return true;
  return result.outcome == AttemptOutcome::ContentFailure &&
         (is_part(batch.sequence) || batch.content_failures_count >= kContentFailuresToSplit);
}

}  // namespace

Batch& RetryScheduler::add(std::unique_ptr<Batch> owned, Endpoint& endpoint, Instant now) {
  Batch& batch = take_over(std::move(owned), endpoint, now);
  wait(batch, now);
  refresh(endpoint, now);
  return batch;
}

Batch& RetryScheduler::restore(std::unique_ptr<Batch> owned, Endpoint& endpoint, Instant now) {
  endpoint.awaits_first_outcome = true;
  owned->is_suspect = owned->content_failures_count > 0;
  owned->is_of_failed = is_part(owned->sequence);
  owned->family_failures_count = owned->content_failures_count;
  return add(std::move(owned), endpoint, now);
}

Batch& RetryScheduler::take_over(std::unique_ptr<Batch> owned, Endpoint& endpoint, Instant now) {
  Batch& batch = *owned;
  if (batch.sequence == 0) batch.sequence = sequence_after(last_sequence_);
  last_sequence_ = std::max(last_sequence_, batch.sequence);
  batch.endpoint = &endpoint;
  // A pause that ended while it was on its way here.
  if (!endpoint.is_held && batch.expires_after_pause > Duration::zero()) {
    batch.expires = now + std::exchange(batch.expires_after_pause, Duration::zero());
  }
  if (endpoint.number == 0) endpoint.number = ++last_endpoint_number_;
  batches_.emplace(batch.sequence, std::move(owned));
  if (!batch.is_settled) endpoint.unsettled.insert(batch.sequence);
  return batch;
}

Turn RetryScheduler::next(Instant now) {
  while (!wakes_.empty() && wakes_.begin()->first.first <= now)
    refresh(*wakes_.begin()->second, now);
  const bool is_bounded = !is_broken(Break::TooManyConnections);
  if (is_bounded && in_flight_count_ >= connections_max_) return {};
  // Endpoints in trouble go first, within their half: they are few, rare and bounded, so they
  // cannot starve others.
  const bool may_probe = trouble_in_flight_count_ < std::max(1u, connections_max_ / 2) ||
                         is_broken(Break::TooManyProbes);
  Turn turn;
  if (may_probe) turn = pop(trouble_, List::Trouble, now);
  if (!turn.batch) turn = pop(healthy_, List::Healthy, now);
  // An endpoint that fell while it stood among the healthy ones has just changed lists.
  if (!turn.batch && may_probe) turn = pop(trouble_, List::Trouble, now);
  return turn;
}

Turn RetryScheduler::pop(std::deque<Endpoint*>& list, List kind, Instant now) {
  while (!list.empty()) {
    Endpoint& endpoint = *list.front();
    list.pop_front();
    endpoint.is_listed = false;
    Turn turn;
    if (list_for(endpoint, now) == kind) {
      Batch& batch = choose(endpoint, now);
      turn = {&batch, is_over_limit(batch, now) && !is_broken(Break::LimitIgnored)};
      if (!turn.is_to_split) take(batch, now);
    }
    refresh(endpoint, now);
    if (turn.batch) return turn;
  }
  return {};
}

RetryScheduler::List RetryScheduler::list_for(const Endpoint& endpoint, Instant now) const {
  if (endpoint.is_held && !is_broken(Break::PausedSends)) return List::None;
  if (endpoint.is_stopped) return List::None;
  if (endpoint.rate && endpoint.rate->next > now && !is_broken(Break::RateIgnored)) {
    return List::None;
  }
  if (endpoint.is_in_trouble) {
    const bool is_due = endpoint.probe_due <= now || is_broken(Break::EarlyProbe);
    const bool may_probe = endpoint.in_flight_count == 0 && !endpoint.queue.empty() && is_due;
    return may_probe ? List::Trouble : List::None;
  }
  const uint32_t in_flight_max =
      endpoint.settings->request_max_in_flight + (is_broken(Break::TooManyInFlight) ? 1 : 0);
  if (endpoint.in_flight_count >= in_flight_max) return List::None;
  const bool has_due =
      !endpoint.families_due.empty() && endpoint.families_due.begin()->first <= now;
  if (is_broken(Break::BlockedByTroubled) && !endpoint.troubled.empty()) {
    return has_due ? List::Healthy : List::None;
  }
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
  if (endpoint.is_held || endpoint.is_stopped) return;
  const Instant rate_next = endpoint.rate ? endpoint.rate->next : Instant::min();
  if (endpoint.is_in_trouble) {
    if (endpoint.in_flight_count == 0 && !endpoint.queue.empty())
      endpoint.wake = std::max(endpoint.probe_due, rate_next);
  } else if (endpoint.in_flight_count < endpoint.settings->request_max_in_flight) {
    if (!endpoint.queue.empty() && rate_next > now) {
      endpoint.wake = rate_next;
    } else if (!endpoint.families_due.empty()) {
      endpoint.wake = std::max(endpoint.families_due.begin()->first, rate_next);
    }
  }
  if (endpoint.wake != kNever) wakes_.insert({{endpoint.wake, endpoint.number}, &endpoint});
}

// The batch whose turn it is, of an endpoint that may send.
Batch& RetryScheduler::choose(Endpoint& endpoint, Instant now) const {
  if (endpoint.is_in_trouble) return choose_probe(endpoint);
  const bool has_due =
      !endpoint.families_due.empty() && endpoint.families_due.begin()->first <= now;
  if (has_due && (endpoint.takes_troubled_next || endpoint.queue.empty())) {
    return choose_part(endpoint.troubled, endpoint.families_due.begin()->second);
  }
  return is_broken(Break::OutOfOrder) ? *endpoint.queue.rbegin()->second
                                      : *endpoint.queue.begin()->second;
}

// The oldest sealed batches take turns, whatever parts they are in; those of which only refused
// events are left come after all others, else a few of them would hold the rest
// (docs/decisions/0013).
Batch& RetryScheduler::choose_probe(Endpoint& endpoint) {
  std::vector<uint64_t> families;
  std::vector<uint64_t> spent;
  for (auto place = endpoint.queue.begin();
       place != endpoint.queue.end() && families.size() < kProbeBatches;) {
    const uint64_t family = family_of(place->first);
    bool has_hope = false;
    for (; place != endpoint.queue.end() && family_of(place->first) == family; ++place) {
      has_hope = has_hope || !is_spent(*place->second);
    }
    (has_hope ? families : spent).push_back(family);
  }
  if (families.empty()) {
    spent.resize(std::min(spent.size(), kProbeBatches));
    families = std::move(spent);
  }
  return choose_part(endpoint.queue, families[endpoint.probe_turn % families.size()]);
}

// The largest part says most. An event that was refused alone comes after all that may pass.
Batch& RetryScheduler::choose_part(const std::map<uint64_t, Batch*>& waiting, uint64_t family) {
  const auto rank = [](const Batch& batch) {
    return std::pair(is_spent(batch) ? batch.content_failures_count : 0,
                     ~uint64_t{batch.body.events_count()});
  };
  auto place = waiting.lower_bound(family);
  Batch* best = place->second;
  for (; place != waiting.end() && family_of(place->first) == family; ++place) {
    if (rank(*place->second) < rank(*best)) best = place->second;
  }
  return *best;
}

void RetryScheduler::take(Batch& batch, Instant now) {
  Endpoint& endpoint = *batch.endpoint;
  endpoint.queue.erase(batch.sequence);
  if (endpoint.troubled.erase(batch.sequence) > 0) {
    TroubledFamily& family = endpoint.families.at(family_of(batch.sequence));
    endpoint.families_due.erase({family.due, family_of(batch.sequence)});
    ++family.in_flight_count;
    batch.is_of_family = true;
  }
  if (endpoint.is_in_trouble) {
    ++endpoint.probe_turn;
    ++trouble_in_flight_count_;
  } else {
    endpoint.takes_troubled_next = !batch.is_of_family;
  }
  if (endpoint.rate) charge(*endpoint.rate, *endpoint.settings, batch.body.events_count(), now);
  if (batch.expires != kNever) expiries_.erase({batch.expires, batch.sequence});
  batch.has_last_chance = false;
  batch.is_in_flight = true;
  batch.is_probe = endpoint.is_in_trouble;
  ++batch.attempts_count;
  ++endpoint.in_flight_count;
  ++in_flight_count_;
}

bool RetryScheduler::land(Batch& batch) {
  Endpoint& endpoint = *batch.endpoint;
  const bool was_probe = std::exchange(batch.is_probe, false);
  batch.is_in_flight = false;
  --endpoint.in_flight_count;
  --in_flight_count_;
  if (was_probe) --trouble_in_flight_count_;
  if (std::exchange(batch.is_of_family, false)) {
    TroubledFamily& family = endpoint.families.at(family_of(batch.sequence));
    --family.in_flight_count;
    batch.family_failures_count = family.failures_count;
  }
  return was_probe;
}

void RetryScheduler::cancel(Batch& batch, Instant now) {
  land(batch);
  wait(batch, now);
  tidy_family(*batch.endpoint, family_of(batch.sequence));
  refresh(*batch.endpoint, now);
}

Verdict RetryScheduler::settle(Batch& batch, const AttemptResult& result, Instant now) {
  Endpoint& endpoint = *batch.endpoint;
  const bool was_probe = land(batch);
  endpoint.unsettled.erase(batch.sequence);
  batch.is_settled = true;
  const bool is_delivered = result.outcome == AttemptOutcome::Delivered;
  if (std::exchange(endpoint.awaits_first_outcome, false)) {
    resume_clocks(endpoint, is_delivered, now);
  }
  Verdict verdict;
  if (is_delivered) {
    settle_delivered(batch, verdict, now);
  } else {
    settle_failed(batch, result, was_probe, verdict, now);
  }
  tidy_family(endpoint, family_of(batch.sequence));
  refresh(endpoint, now);
  return verdict;
}

void RetryScheduler::settle_delivered(Batch& batch, Verdict& verdict, Instant now) {
  Endpoint& endpoint = *batch.endpoint;
  endpoint.content_failures_in_a_row.clear();
  endpoint.slow_in_a_row = 0;
  if (endpoint.limit.is_on_trial) {
    // What passes otherwise says that the size was not what was wrong.
    verdict.learned_limit = is_part(batch.sequence) && is_within(batch, endpoint.limit);
    if (!verdict.learned_limit) endpoint.limit = {};
    endpoint.limit.is_on_trial = false;
    endpoint.limit.until = now + kLearnedLimitAge;
  }
  const auto family = endpoint.families.find(family_of(batch.sequence));
  if (family != endpoint.families.end()) {
    family->second.failures_count = 0;
    set_due(endpoint, family->first, now);
  }
  if (endpoint.is_in_trouble && !is_broken(Break::StuckInTrouble)) {
    recover(endpoint, now);
    verdict.endpoint_recovered = true;
  }
}

void RetryScheduler::settle_failed(Batch& batch, const AttemptResult& result, bool was_probe,
                                   Verdict& verdict, Instant now) {
  Endpoint& endpoint = *batch.endpoint;
  const bool is_content = result.outcome == AttemptOutcome::ContentFailure;
  ++batch.failures_count;
  if (is_broken(Break::RestartedClock)) batch.expires = kNever;
  start_clock(batch, now);
  if (is_content) {
    ++batch.content_failures_count;
    batch.is_suspect = true;
    if (batch.counts_against_endpoint && !endpoint.is_in_trouble && !result.is_ours) {
      endpoint.content_failures_in_a_row.insert(family_of(batch.sequence));
    }
  }
  learn_limit(batch, result, verdict, now);
  if (!endpoint.is_in_trouble &&
      (!is_content || endpoint.content_failures_in_a_row.size() >= kContentFailuresInARow)) {
    fall(endpoint, now);
    verdict.endpoint_fell = true;
  } else if (was_probe) {
    ++endpoint.failures_count;
    endpoint.probe_due = now + retry_delay(*endpoint.settings, endpoint.failures_count, random_);
  }
  if (endpoint.is_in_trouble) {
    endpoint.is_throttled = result.is_throttling;
    const Duration asked = std::min(result.retry_after, endpoint.settings->retry_max_age);
    if (!is_broken(Break::HastyAfterRetryAfter)) {
      endpoint.probe_due = std::max(endpoint.probe_due, now + asked);
    }
    wait_in_queue(batch, now);
    verdict.next_try = endpoint.probe_due;
  } else {
    fail_family(batch, now);
    verdict.next_try = batch.due;
  }
  const bool is_refused = result.is_too_large && batch.body.events_count() == 1;
  verdict.kind = is_refused             ? Verdict::Kind::Refused
                 : batch.expires <= now ? Verdict::Kind::Expired
                                        : Verdict::Kind::Retry;
  verdict.is_to_split =
      verdict.kind == Verdict::Kind::Retry && core::is_to_split(batch, result, was_probe);
}

// What the endpoint refused for its size, or could not take in time three times in a row, halved.
void RetryScheduler::learn_limit(const Batch& batch, const AttemptResult& result, Verdict& verdict,
                                 Instant now) {
  Endpoint& endpoint = *batch.endpoint;
  BatchLimit& limit = endpoint.limit;
  const uint32_t events_max = batch.body.events_count() / 2;
  const uint64_t bytes_max = batch.body.size_bytes() / 2;
  if (result.is_too_large && events_max > 0) {
    const bool is_known = limit.events_max > 0 && limit.until > now && !limit.is_on_trial;
    limit.events_max = is_known ? std::min(limit.events_max, events_max) : events_max;
    limit.bytes_max = is_known ? std::min(limit.bytes_max, bytes_max) : bytes_max;
    limit.until = now + kLearnedLimitAge;
    limit.is_on_trial = false;
    verdict.learned_limit = true;
  }
  if (!result.is_slow) {
    endpoint.slow_in_a_row = 0;
    return;
  }
  if (limit.is_on_trial && is_part(batch.sequence) && is_within(batch, limit)) limit = {};
  ++endpoint.slow_in_a_row;
  const bool may_guess = endpoint.slow_in_a_row >= kSlowInARow && !endpoint.has_guessed_limit;
  if (!may_guess || batch.body.events_count() <= kGuessedEventsMin) return;
  endpoint.has_guessed_limit = true;
  limit = {std::max(kGuessedEventsMin, events_max), bytes_max, kNever, true};
}

// The batch backs off alone, with what it is part of.
void RetryScheduler::fail_family(Batch& batch, Instant now) {
  Endpoint& endpoint = *batch.endpoint;
  TroubledFamily& family = endpoint.families[family_of(batch.sequence)];
  family.failures_count = std::max(family.failures_count, batch.family_failures_count) + 1;
  batch.family_failures_count = family.failures_count;
  batch.due = now + retry_delay(*endpoint.settings, family.failures_count, random_);
  if (is_broken(Break::EarlyRetry)) batch.due = now;
  wait_in_trouble(batch, now);
}

std::unique_ptr<Batch> RetryScheduler::finish(Batch& batch, Instant now) {
  assert(!batch.is_in_flight);
  Endpoint& endpoint = *batch.endpoint;
  endpoint.queue.erase(batch.sequence);
  if (endpoint.troubled.erase(batch.sequence) > 0) {
    // For its parts, should it have given way to them.
    const TroubledFamily& family = endpoint.families.at(family_of(batch.sequence));
    batch.family_failures_count = family.failures_count;
    batch.due = family.due;
  }
  tidy_family(endpoint, family_of(batch.sequence));
  endpoint.unsettled.erase(batch.sequence);
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

void RetryScheduler::stop(Endpoint& endpoint, bool is_stopped, Instant now) {
  if (endpoint.is_stopped == is_stopped) return;
  endpoint.is_stopped = is_stopped;
  for (const auto* batches : {&endpoint.queue, &endpoint.troubled}) {
    for (const auto& [sequence, batch] : *batches) {
      if (is_stopped) {
        start_clock(*batch, now);
        watch_clock(*batch, now);
      } else if (!endpoint.is_in_trouble && !batch->has_failed()) {
        stop_clock(*batch);
      }
    }
  }
  refresh(endpoint, now);
}

void RetryScheduler::retry_now(Endpoint& endpoint, Instant now) {
  endpoint.probe_due = std::min(endpoint.probe_due, now);
  for (const auto& [sequence, batch] : endpoint.troubled) batch->due = std::min(batch->due, now);
  for (const auto& [number, family] : endpoint.families) {
    set_due(endpoint, number, std::min(family.due, now));
  }
  refresh(endpoint, now);
}

bool RetryScheduler::is_over_limit(const Batch& batch, Instant now) {
  const BatchLimit& limit = batch.endpoint->limit;
  if (limit.events_max == 0 || limit.until <= now) return false;
  if (batch.body.events_count() < 2 || batch.is_indivisible) return false;
  return !is_within(batch, limit);
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
  if (endpoint.is_in_trouble || endpoint.is_stopped) start_clock(batch, now);
  watch_clock(batch, now);
}

void RetryScheduler::wait(Batch& batch, Instant now) {
  if (batch.is_suspect && !batch.endpoint->is_in_trouble) {
    wait_in_trouble(batch, now);
  } else {
    wait_in_queue(batch, now);
  }
}

// By itself, when its family's turn comes: `due` and `family_failures_count` are set.
void RetryScheduler::wait_in_trouble(Batch& batch, Instant now) {
  Endpoint& endpoint = *batch.endpoint;
  const uint64_t number = family_of(batch.sequence);
  endpoint.troubled.emplace(batch.sequence, &batch);
  TroubledFamily& family = endpoint.families[number];
  family.failures_count = std::max(family.failures_count, batch.family_failures_count);
  set_due(endpoint, number, std::max(family.due, batch.due));
  watch_clock(batch, now);
}

void RetryScheduler::set_due(Endpoint& endpoint, uint64_t number, Instant due) {
  TroubledFamily& family = endpoint.families.at(number);
  endpoint.families_due.erase({family.due, number});
  family.due = due;
  if (family.in_flight_count == 0 && has_part(endpoint.troubled, number)) {
    endpoint.families_due.insert({due, number});
  }
}

// After something of a family came or went.
void RetryScheduler::tidy_family(Endpoint& endpoint, uint64_t number) {
  const auto place = endpoint.families.find(number);
  if (place == endpoint.families.end()) return;
  set_due(endpoint, number, place->second.due);
  if (place->second.in_flight_count == 0 && !has_part(endpoint.troubled, number)) {
    endpoint.families.erase(place);
  }
}

// A batch begins to wait: its clock is watched, or stands still with its endpoint.
void RetryScheduler::watch_clock(Batch& batch, Instant now) {
  if (batch.expires == kNever) return;
  if (!batch.endpoint->is_held) {
    const bool is_awaiting = batch.endpoint->awaits_first_outcome && !batch.endpoint->is_stopped;
    if (is_awaiting || batch.has_last_chance) return;
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
      if (is_answering && !endpoint.is_stopped && !batch->has_failed()) stop_clock(*batch);
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
  endpoint.content_failures_in_a_row.clear();
  endpoint.has_guessed_limit = false;
  for (const auto& [sequence, batch] : endpoint.troubled) endpoint.queue.emplace(sequence, batch);
  endpoint.troubled.clear();
  endpoint.families_due.clear();
  std::erase_if(endpoint.families,
                [](const auto& entry) { return entry.second.in_flight_count == 0; });
  for (const auto& [sequence, batch] : endpoint.queue) {
    start_clock(*batch, now);
    watch_clock(*batch, now);
  }
}

void RetryScheduler::recover(Endpoint& endpoint, Instant now) {
  endpoint.is_in_trouble = false;
  endpoint.is_throttled = false;
  endpoint.failures_count = 0;
  for (auto place = endpoint.queue.begin(); place != endpoint.queue.end();) {
    Batch& batch = *place->second;
    if (!batch.has_failed() && !endpoint.is_stopped) stop_clock(batch);
    if (!batch.is_suspect) {
      ++place;
      continue;
    }
    place = endpoint.queue.erase(place);
    batch.counts_against_endpoint = false;
    batch.family_failures_count = batch.content_failures_count;
    batch.due = now;
    if (batch.content_failures_count > 0) {
      batch.due += retry_delay(*endpoint.settings, batch.content_failures_count, random_);
    }
    wait_in_trouble(batch, now);
  }
}

}  // namespace posthaste::core
