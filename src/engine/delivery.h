// The delivery step: everything between the intake and the network. One step routes what was
// pushed, seals what is due, settles what came back, starts what may go out, and tells when it
// wants to be called again. The delivery thread calls it around Transport::wait; the simulation
// calls it with virtual time.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "core/batcher.h"
#include "core/random.h"
#include "core/retry_scheduler.h"
#include "core/uuid.h"
#include "core/webhook_registry.h"
#include "engine/control.h"
#include "engine/encoder.h"
#include "engine/event_source.h"
#include "engine/log.h"
#include "engine/report.h"
#include "engine/report_queue.h"
#include "engine/spool_link.h"
#include "intake/intake.h"
#include "metrics/counters.h"
#include "metrics/rate_meter.h"
#include "platform/clock.h"
#include "spool/store.h"
#include "transport/token_cache.h"
#include "transport/transport.h"

namespace posthaste::engine {

// The webhooks that exist or have batches still, by generation: their ids and counters, shared with
// the threads that read statistics.
class CounterTable {
 public:
  std::shared_ptr<metrics::WebhookCounters> add(const core::Webhook& webhook);
  void remove(uint64_t generation);
  std::shared_ptr<metrics::WebhookCounters> find(uint64_t generation) const;
  // Of removed ones as well while they have batches; empty when it is over.
  std::string webhook_id(uint64_t generation) const;
  std::vector<std::shared_ptr<metrics::WebhookCounters>> all() const;

 private:
  struct Entry {
    std::string webhook_id;
    std::shared_ptr<metrics::WebhookCounters> counters;
  };

  mutable std::mutex mutex_;
  std::map<uint64_t, Entry> entries_;
};

// Purpose: the one place where events become deliveries. Ownership: everything it refers to
// outlives it. Threads: one (the delivery thread, or the simulation). Invariants: design section 7.
class Delivery {
 public:
  // Asks for a webhook to be disabled, as its rules want; the change comes back as a control.
  using Disable = std::function<void(const std::string& webhook_id, uint64_t generation)>;

  struct Parts {
    const platform::Clock& clock;
    intake::Intake& intake;
    EventSource& events;
    ControlQueue& controls;
    transport::Transport& transport;
    Encoder& encoder;
    spool::Store& store;
    SpoolLink* spool = nullptr;  // durable mode only
    ReportQueue& reports;
    Log& log;
    metrics::EngineCounters& counters;
    CounterTable& webhook_counters;
    Disable disable;
  };

  Delivery(const Parts& parts, const core::EngineSettings& settings, uint64_t seed);
  ~Delivery();

  struct StepResult {
    core::Instant deadline = core::kNever;  // call again no later than this
    bool had_events = false;
    bool awaits_spool = false;  // no event is taken before the spool thread wakes it
    bool is_closed = false;     // everything is over; do not call again
  };
  StepResult step(std::vector<transport::Completion>& completions);

  // What the spool had at the start, before the first step: a webhook with its target revisions in
  // order, the last one that of now; then batches of those, by sequence.
  void restore_webhook(const std::vector<core::WebhookPtr>& revisions, bool is_removed,
                       core::StreamPosition takes_from);
  void restore_batch(const spool::LiveBatch& row);
  // Numbers go on behind `last_sequence`; the first record read will be at or behind `low`.
  void continue_after(uint64_t last_sequence, core::StreamPosition low);

  // Events that were dropped because the engine was closed.
  uint64_t given_up_events_count() const { return given_up_events_count_; }
  // For invariants and statistics.
  const core::RetryScheduler& scheduler() const { return scheduler_; }
  const core::Batcher& batcher() const { return batcher_; }

 private:
  struct Record;
  struct Target;
  struct LentBody;
  struct Outgoing;
  struct Attempt;
  struct Verification;
  struct TokenFetch;
  enum class Halving { Once, ToLimit };
  struct Flush {
    uint64_t last_sequence = 0;
    Done done;
  };
  struct Pending;
  struct Replay;
  struct Activation {
    uint64_t generation = 0;
    bool is_reported = false;  // it was due when no event came
  };
  struct Sync {
    uint64_t operation = 0;
    Done done;
  };

  // delivery.cpp
  bool take_events();
  bool take_range(const EventRange& range);
  void route(const EventRange& range, uint32_t first, uint32_t count);
  void take_control();
  void apply(WebhookControl& control);
  void add_webhook(const core::WebhookPtr& webhook);
  void add_target(Record& record);
  bool is_held(const core::Webhook& webhook) const {
    return webhook.is_paused || !settings_.delivers;
  }
  void subscribe(Record& record);
  void activate_due(core::Instant until);
  void report_activations();
  void report_activation(const Record& record, core::Instant now);
  core::Instant next_activation() const;
  bool awaits_activation();
  void change_webhook(Record& record, const core::WebhookPtr& webhook);
  void remove_webhook(Record& record, bool drops_queued);
  void tidy(Record& record);
  void tidy_removed();
  void seal_all();
  void collect_sealed();
  void admit(std::unique_ptr<core::Batch> owned, Target& target);
  void publish_gauges();
  void settle_flushes();
  bool is_settled(uint64_t last_sequence) const;
  void close_step(StepResult& result);
  void give_up_everything();
  void report_state(const core::Webhook& webhook, const char* state);

  // delivery_attempts.cpp
  void settle(const transport::Completion& completion);
  void settle_attempt(Attempt& attempt, const transport::Completion& completion);
  void settle_verification(Verification& verification, const transport::Completion& completion);
  void log_attempt(const Record& record, const core::Batch& batch,
                   const transport::Completion& completion, core::AttemptOutcome outcome);
  void log_cancelled(const core::Batch& batch);
  void start_attempts();
  void start(core::Batch& batch);
  void start_verifications();
  void report_failure(const core::Batch& batch, Report report,
                      const transport::Completion& completion, core::Instant next_try);
  Report report_of(const core::Batch& batch, const transport::Completion& completion) const;
  core::AttemptResult result_of(const Attempt& attempt,
                                const transport::Completion& completion) const;
  transport::Request request_for(const core::Webhook& webhook, const std::string& batch_id);
  void drop_expired();
  void drop(core::Batch& batch, DropReason reason);
  void end(core::Batch& batch, const Report* drop);

  // delivery_auth.cpp
  void send(Outgoing& outgoing, transport::Request request, const core::WebhookPtr& webhook);
  void await_token(Outgoing& outgoing);
  void send_with_token(Outgoing& outgoing, const std::string& token);
  bool renew_token(Outgoing& outgoing, const transport::Completion& completion);
  void settle_token(TokenFetch& fetch, const transport::Completion& completion);
  Outgoing* find_outgoing(uint64_t request_id);
  void cancel_token_fetches();
  void settings_changed();
  const std::shared_ptr<const core::AddressPolicy>& addresses_of(
      const core::DeliverySettings& settings) const;
  void retry_with_new_credentials(Record& record, const core::Webhook& before);
  void retry_if_outdated(const Outgoing& outgoing, const transport::Completion& completion);
  void note_unverified(const core::WebhookPtr& webhook);
  void warn_of_unverified();
  // delivery_coding.cpp
  bool begin_coding(Attempt& attempt, transport::Request& request, const core::WebhookPtr& webhook);
  void collect_coded();
  void send_coded(Attempt& attempt, const CodingResult& result);
  core::Error code_verification(Verification& verification, transport::Request& request,
                                const std::string& batch_id);
  bool resend_uncoded(const Attempt& attempt, const transport::Completion& completion);

  // delivery_endpoints.cpp
  void follow_endpoint(Target& target, const transport::Completion& completion,
                       const core::Verdict& verdict);
  void report_endpoint(const Target& target, const transport::Completion& completion);
  void learn_limit(Target& target);
  void forget_limit(Record& record);
  void consider_disabling(const Target& target, const transport::Completion& completion);
  void disable(const Record& record, const std::string& why);

  // delivery_split.cpp
  bool split(core::Batch& batch, Halving halving);
  std::vector<uint64_t> record_offsets(core::Batch& batch);
  void replace(core::Batch& batch, std::vector<spool::BatchPart> rows);
  std::unique_ptr<core::Batch> make_part(const core::Batch& whole, const spool::BatchPart& row);

  // delivery_spool.cpp
  void write_webhook(const core::Webhook& webhook, std::optional<core::WallTime> activates);
  std::optional<core::WallTime> activation_of(const core::Webhook& webhook) const;
  bool write_sealed(std::unique_ptr<core::Batch>& owned, Target& target);
  void admit_written();
  void settle_syncs();
  spool::RetryState retry_state(const core::Batch& batch) const;
  void write_attempt(const core::Batch& batch);
  void write_end(const core::Batch& batch, const Report* drop);
  void write_cursor();
  uint64_t spool_quota(const Record& record) const;
  void enforce_spool_quotas();
  bool is_space_known();
  void report_spool(const Record& record, const core::Batch& batch, const char* message);
  bool leave_to_spool() const;

  // delivery_operator.cpp
  bool take_operator_control(Control& control);
  void retry_now(const RetryNowControl& control);
  void replay(ReplayControl& control);
  bool is_replayable(uint64_t sequence) const;
  void admit_replayed();
  void make_live(Replay& replay);
  void end_replays(const Outcome& outcome);
  void purge(PurgeControl& control);
  void gather(Record& record);
  void admit_unwritten(const Record& record);
  void meter_spool();

  // delivery_memory.cpp
  void detach(core::Batch& batch);
  void detach_waiting(core::Endpoint& endpoint);
  bool is_in_trouble(const Record& record) const;
  bool is_over_quota(const Record& record, uint64_t extra_bytes) const;
  bool is_over_total(uint64_t extra_bytes) const;
  bool may_copy(const Record& record, uint64_t extra_bytes) const;
  bool is_moving(const Record& record, core::Duration within) const;
  bool may_lose(const Record& record) const;
  static core::Batch* oldest_waiting(const Record& record);
  bool drop_oldest(Record& record);
  Record* most_charged();
  bool make_room(Record& record, uint64_t extra_bytes, bool is_outpaced);
  void forget_copies(Record& record);
  void enforce_limits(Record& record);
  void relieve_intake();
  bool is_lagging(const Record& record, uint64_t threshold) const;
  void relieve(Record& record, uint64_t threshold, bool is_outpaced);

  const platform::Clock& clock_;
  intake::Intake& intake_;
  EventSource& events_;
  ControlQueue& controls_;
  transport::Transport& transport_;
  Encoder& encoder_;
  spool::Store& store_;
  SpoolLink* const spool_;
  ReportQueue& reports_;
  Log& log_;
  metrics::EngineCounters& counters_;
  CounterTable& webhook_counters_;
  const Disable disable_;

  core::EngineSettings settings_;
  core::Random random_;
  core::UuidSource ids_;
  core::Batcher batcher_;
  core::RetryScheduler scheduler_;

  // The step's one `now`.
  core::Instant now_{};
  core::WallTime wall_now_{};
  core::Instant control_time_{};  // when the control being applied was posted

  std::map<uint64_t, std::unique_ptr<Record>> records_;   // by generation
  std::multimap<core::Instant, Activation> activations_;  // of those that wait for it
  uint32_t taken_count_ = 0;  // records of the range being read that were routed already
  // That writes down an activation; 0: none. No event is taken before it is on disk.
  uint64_t activation_operation_ = 0;
  core::Instant activated_at_{};
  std::mutex lent_mutex_;  // guards bodies that the encoder reads against being moved
  std::map<uint64_t, std::unique_ptr<Attempt>> attempts_;
  std::map<uint64_t, std::unique_ptr<Verification>> verifications_;  // running
  std::list<std::unique_ptr<Verification>> waiting_verifications_;
  std::map<uint64_t, std::unique_ptr<TokenFetch>> token_fetches_;  // running, by request
  transport::TokenCache tokens_;
  // By rule, with the lists of the engine.
  std::array<std::shared_ptr<const core::AddressPolicy>, 2> addresses_;
  std::vector<core::WebhookPtr> unverified_;  // with tls.verify=off, not logged yet
  uint64_t next_request_id_ = 1;
  std::list<Flush> flushes_;
  std::list<Sync> syncs_;
  std::list<Pending> pending_;            // sealed, and waiting to be on disk
  std::list<Replay> replays_;             // waiting likewise
  core::StreamPosition routed_ = 0;       // every record before it went to whom it concerns
  core::StreamPosition written_low_ = 0;  // what was last written of it
  uint64_t low_operation_ = 0;            // that wrote it; 0: it is on disk
  core::Instant cursor_due_{};
  core::Instant cursor_soon_{};
  uint64_t quota_operation_ = 0;  // that gave up a batch for want of space; 0: none since a look
  uint64_t quota_look_ = 0;       // when the next look at the space makes sense
  core::Instant meters_due_{};
  uint64_t last_operation_ = 0;        // of the store, queued by this thread
  uint64_t last_sequence_ = 0;         // of the batch sealed last
  uint64_t charged_bytes_ = 0;         // memory of sealed batches
  bool needs_tidy_ = false;            // a removed webhook may have lost its last batch
  uint64_t relieved_at_sequence_ = 0;  // newest segment when the intake was last relieved
  core::Instant relieved_at_{};
  uint64_t unwanted_seen_ = 0;
  metrics::RateMeter routed_rate_;
  uint64_t given_up_events_count_ = 0;
  bool is_closing_ = false;
  core::Instant close_deadline_ = core::kNever;
};

}  // namespace posthaste::engine
