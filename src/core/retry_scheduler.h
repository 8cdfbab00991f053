// Decides what may go out now: endpoints and their sealed batches, whose trouble a failure is, when
// the next attempt is due, and when a batch's four hours are over (design 2a). The delivery step
// asks it for batches and tells it outcomes.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/attempt_outcome.h"
#include "core/batch.h"
#include "core/random.h"
#include "core/settings.h"
#include "core/time.h"

namespace posthaste::core {

enum class EndpointHealth {
  Healthy,
  Throttled,  // in trouble, and it asked for time
  Failing     // in trouble
};

// When the next request of a webhook may begin, under its limits per second. Owned by the caller,
// shared by the endpoints of one webhook.
struct RateClock {
  Instant next{};
};

// The size of batch that an endpoint was seen to take (design 2a).
struct BatchLimit {
  uint32_t events_max = 0;  // 0: none was learned
  uint64_t bytes_max = 0;
  Instant until{};
  // It was guessed from time-outs, and stays only if a part that is so small passes.
  bool is_on_trial = false;

  // Two halves have not the same bytes, so a little more than half is no reason to halve once more.
  bool fits(uint32_t events_count, uint64_t size_bytes) const {
    return events_count <= events_max && size_bytes <= bytes_max + bytes_max / 8;
  }
};

// The batches of one sealed batch that are in trouble by themselves: it, or its parts. One of them
// is tried at a time, the largest first, until something passes.
struct TroubledFamily {
  Instant due{};
  uint32_t failures_count = 0;  // content failures since one of it was taken
  uint32_t in_flight_count = 0;
};

// One target of one webhook, with its own order and its own trouble. Owned by the caller; emptied
// before it goes.
struct Endpoint {
  const DeliverySettings* settings = nullptr;
  RateClock* rate = nullptr;  // null: none is kept
  void* owner = nullptr;      // the caller's

  // In trouble: everything waits behind one probe. Held: the webhook is paused. Stopped: it is
  // disabled, nothing goes out, and the clocks run on.
  bool is_in_trouble = false;
  bool is_throttled = false;
  bool is_held = false;
  bool is_stopped = false;
  BatchLimit limit;
  // It has batches from before a restart, and nothing of it expires before its first outcome.
  bool awaits_first_outcome = false;
  uint32_t failures_count = 0;  // of the endpoint, since it is in trouble
  Instant probe_due{};

  // Sealed and not in flight, by order of sealing: those that wait their turn, and those in trouble
  // by themselves.
  std::map<uint64_t, Batch*> queue;
  std::map<uint64_t, Batch*> troubled;
  std::set<uint64_t> unsettled;  // batches without a first outcome, in flight or not
  uint32_t in_flight_count = 0;

  // Used by the scheduler only.
  uint64_t number = 0;  // in the order of their first batches
  std::map<uint64_t, TroubledFamily> families;
  std::set<std::pair<Instant, uint64_t>> families_due;  // of those with none in flight
  std::set<uint64_t> content_failures_in_a_row;         // families
  uint32_t probe_turn = 0;
  uint32_t slow_in_a_row = 0;
  bool has_guessed_limit = false;  // in this trouble
  bool takes_troubled_next = false;
  bool is_listed = false;  // in a list of those that may send
  Instant wake = kNever;   // its entry in the wake-up set

  EndpointHealth health() const {
    if (!is_in_trouble) return EndpointHealth::Healthy;
    return is_throttled ? EndpointHealth::Throttled : EndpointHealth::Failing;
  }
  size_t waiting_count() const { return queue.size() + troubled.size(); }
  bool is_idle() const { return waiting_count() == 0 && in_flight_count == 0; }
};

// What became of a batch after an attempt.
struct Verdict {
  // Refused: one event alone is too large for the receiver.
  enum class Kind { Delivered, Retry, Expired, Refused };
  Kind kind = Kind::Delivered;
  Instant next_try{};               // Retry: the earliest
  bool is_to_split = false;         // Retry: the caller halves it, if it can
  bool endpoint_fell = false;       // the endpoint is in trouble since this outcome
  bool endpoint_recovered = false;  // the endpoint is well since this outcome
  bool learned_limit = false;       // the endpoint has another BatchLimit that holds
};

// A batch whose turn has come.
struct Turn {
  Batch* batch = nullptr;  // null: nothing may go out
  // It is too large for its endpoint, and waits as before: the caller takes it apart.
  bool is_to_split = false;
};

// Purpose: order, backoff and expiry of sealed batches. Ownership: owns batches from add() to
// finish(). Threads: the delivery thread only. Invariants (design 7): never more than
// request_max_in_flight of an endpoint or connections_max in all, at most half of those for
// endpoints in trouble; nothing before it is due; nothing at or after its expiry; a healthy
// endpoint's batches go in the order of sealing. Whoever takes a batch apart finishes it and adds
// its parts, which carry on its clock.
class RetryScheduler {
 public:
  RetryScheduler(uint32_t connections_max, Random& random)
      : connections_max_(connections_max), random_(random) {}

  // A batch without a sequence gets the next one.
  Batch& add(std::unique_ptr<Batch> batch, Endpoint& endpoint, Instant now);
  // A batch from before a restart, with its counts, its clock and its due time.
  Batch& restore(std::unique_ptr<Batch> batch, Endpoint& endpoint, Instant now);

  // The next batch to attempt, now counted as in flight. Asks endpoints in turn.
  Turn next(Instant now);
  // An attempt ended. After Delivered, Expired and Refused the caller calls finish().
  Verdict settle(Batch& batch, const AttemptResult& result, Instant now);
  // An attempt was broken off without an outcome; the batch waits as before.
  void cancel(Batch& batch, Instant now);
  // The batch is over, wherever it waits; returns it for what is left to do with it.
  std::unique_ptr<Batch> finish(Batch& batch, Instant now);

  // Batches that wait and whose limit has come; the caller finishes each.
  std::vector<Batch*> expired(Instant now) const;
  Instant next_deadline(Instant now) const;

  // Pause and resume: nothing goes out, clocks stand still.
  void hold(Endpoint& endpoint, bool is_held, Instant now);
  // Disabled, and no more: nothing goes out, clocks run.
  void stop(Endpoint& endpoint, bool is_stopped, Instant now);
  // The settings it points to are others now.
  void settings_changed(Endpoint& endpoint, Instant now) { refresh(endpoint, now); }
  // Whether a batch is larger than its endpoint is known to take, and could be smaller.
  static bool is_over_limit(const Batch& batch, Instant now);
  void connections_changed(uint32_t connections_max) { connections_max_ = connections_max; }
  // An operator does not want to wait: the probe and all batches in trouble are due. Failures go on
  // counting, so what fails again waits as long as it would have.
  void retry_now(Endpoint& endpoint, Instant now);

  // The endpoint is about to go away; it must be idle.
  void forget(Endpoint& endpoint);

  // The oldest batch of an endpoint that is not in flight; null when none waits.
  static Batch* oldest_waiting(const Endpoint& endpoint);
  // All batches by order of sealing.
  const std::map<uint64_t, std::unique_ptr<Batch>>& batches() const { return batches_; }
  uint32_t in_flight_count() const { return in_flight_count_; }

 private:
  enum class List { None, Healthy, Trouble };

  List list_for(const Endpoint& endpoint, Instant now) const;
  void refresh(Endpoint& endpoint, Instant now);
  Batch& choose(Endpoint& endpoint, Instant now) const;
  static Batch& choose_probe(Endpoint& endpoint);
  static Batch& choose_part(const std::map<uint64_t, Batch*>& waiting, uint64_t family);
  void take(Batch& batch, Instant now);
  bool land(Batch& batch);  // true: it was a probe
  Turn pop(std::deque<Endpoint*>& list, List kind, Instant now);
  Batch& take_over(std::unique_ptr<Batch> batch, Endpoint& endpoint, Instant now);
  void resume_clocks(Endpoint& endpoint, bool is_answering, Instant now);
  void wait(Batch& batch, Instant now);
  void wait_in_queue(Batch& batch, Instant now);
  void wait_in_trouble(Batch& batch, Instant now);
  static void set_due(Endpoint& endpoint, uint64_t number, Instant due);
  static void tidy_family(Endpoint& endpoint, uint64_t number);
  void settle_delivered(Batch& batch, Verdict& verdict, Instant now);
  void settle_failed(Batch& batch, const AttemptResult& result, bool was_probe, Verdict& verdict,
                     Instant now);
  void learn_limit(const Batch& batch, const AttemptResult& result, Verdict& verdict, Instant now);
  void fail_family(Batch& batch, Instant now);
  void start_clock(Batch& batch, Instant now);
  void watch_clock(Batch& batch, Instant now);
  void stop_clock(Batch& batch);
  void fall(Endpoint& endpoint, Instant now);
  void recover(Endpoint& endpoint, Instant now);

  uint32_t connections_max_;
  Random& random_;
  uint64_t last_sequence_ = 0;
  uint32_t in_flight_count_ = 0;
  uint32_t trouble_in_flight_count_ = 0;
  std::map<uint64_t, std::unique_ptr<Batch>> batches_;
  std::set<std::pair<Instant, uint64_t>> expiries_;
  std::deque<Endpoint*> healthy_;  // those that may send now, in turn
  std::deque<Endpoint*> trouble_;
  // By number among equals: addresses would differ from run to run.
  std::map<std::pair<Instant, uint64_t>, Endpoint*> wakes_;
  uint64_t last_endpoint_number_ = 0;
};

}  // namespace posthaste::core
