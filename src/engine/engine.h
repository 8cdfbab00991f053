// An engine as a host sees it: life cycle, events, webhooks, reports. It checks and hands over; the
// work is the delivery step's, on the thread that start() makes. The C API wraps it one to one.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/conf.h"
#include "config/webhook_keys.h"
#include "core/event_catalogue.h"
#include "core/uuid.h"
#include "core/webhook_registry.h"
#include "engine/api_keys.h"
#include "engine/control.h"
#include "engine/delivery.h"
#include "engine/encoder_thread.h"
#include "engine/log.h"
#include "engine/report_queue.h"
#include "engine/spool_worker.h"
#include "engine/ticket_table.h"
#include "engine/waiter.h"
#include "envelope/event_ids.h"
#include "envelope/record.h"
#include "intake/intake.h"
#include "metrics/counters.h"
#include "metrics/stats_json.h"
#include "platform/clock.h"
#include "platform/thread.h"
#include "producer/producer.h"
#include "spool/spool.h"
#include "spool/store.h"
#include "transport/transport.h"

namespace posthaste::engine {

// What the composition root brings; the simulation brings others.
struct EngineParts {
  std::unique_ptr<platform::Clock> clock;
  // With role=producer: it gets the events, and no other part is used after the start.
  std::unique_ptr<producer::Producer> producer;
  std::unique_ptr<spool::Store> store;  // of memory mode, and before the start
  // Durable mode; called by start(): no file is touched before. Adds a line for each thing that was
  // damaged.
  std::function<core::Result<std::unique_ptr<spool::Spool>>(core::WallTime now,
                                                            std::vector<std::string>& remarks)>
      open_spool;
  // Called by start(): libcurl is first touched there.
  std::function<core::Result<std::unique_ptr<transport::Transport>>(const platform::Clock&)>
      make_transport;
};

// A registered webhook as it was when it was asked for.
struct Snapshot {
  core::WebhookPtr webhook;
  config::WebhookFacts facts;
};

// A batch in the spool that is not over.
struct WaitingBatch {
  spool::LiveBatch row;
  std::string webhook_id;
};

// Takes a piece of a text; false: no more of it.
using TextSink = std::function<bool(std::string_view)>;

// Asked before something is made that a caller who gave up must not find made later: false then.
using Claim = std::function<bool()>;

struct LoadSummary {
  uint64_t added_count = 0;
  uint64_t changed_count = 0;
  uint64_t removed_count = 0;
  uint64_t unchanged_count = 0;
};

// Purpose: one engine. Ownership: owns everything of it; leak knowingly instead of destroying when
// close_to_destroy() says so. Threads: any, also while close() runs; the destructor wants all other
// calls returned. Invariants: a change of the registry that returned holds for every push that
// begins afterwards; after a fork a started engine touches none of its locks.
class Engine {
 public:
  Engine(const core::EngineSettings& settings, EngineParts parts);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // Life cycle.
  core::Result<> start();
  // Ok; Timeout when something was given up or the thread did not end in time.
  core::Result<> close(int32_t timeout_ms);
  // Likewise, but returns at once; pushes are refused from then on. A close that runs already, or
  // is over, is the ticket's too.
  core::Result<uint64_t> close_ticket(int32_t timeout_ms);
  // Closes with a time-out of 0. False: a thread could not be ended, a close by ticket still runs,
  // or this is a forked child, so destroying is not safe.
  bool close_to_destroy();
  bool is_forked() const;
  core::Result<> set(std::string_view key, std::optional<std::string_view> value);
  core::Result<std::string> get(std::string_view key) const;
  core::Result<> set_log(LogSink sink, void* user_data);
  // A line of a library beside this one, on its own thread.
  void log(LogLevel level, std::string_view text) { log_.write(level, text); }

  // Events.
  core::Result<> define_type(std::string_view type, std::string_view class_name);
  bool wants(std::optional<std::string_view> type) const;
  core::ErrorCode push(std::optional<std::string_view> type, std::string_view payload);
  core::ErrorCode push_trusted(std::string_view type, std::string_view payload);
  core::ErrorCode push_enveloped(std::string_view record);
  core::Result<> check(std::optional<std::string_view> type, std::string_view payload);
  // Why push or push_enveloped would refuse a payload or a record.
  core::Error explain(std::string_view text, bool is_record);
  bool has_spool() const { return worker_ != nullptr; }

  // Webhooks. Blocking forms wait for up to timeout_ms; ticket forms answer with a ticket at once.
  Outcome create(const core::WebhookSpec& spec, int32_t timeout_ms);
  core::Result<uint64_t> create_ticket(const core::WebhookSpec& spec);
  core::Result<> put(std::string_view id, const core::WebhookSpec& spec);
  Outcome update(std::string_view id, const core::WebhookSpec& change, int32_t timeout_ms);
  core::Result<uint64_t> update_ticket(std::string_view id, const core::WebhookSpec& change);
  core::Result<> remove(std::string_view id, bool drops_queued);
  core::Result<> set_paused(std::string_view id, bool is_paused);
  Outcome verify(std::string_view id, int32_t timeout_ms);
  core::Result<uint64_t> verify_ticket(std::string_view id);
  // The forms that call back, for the REST handler: once, on this thread or the delivery thread.
  // `body`: what to send instead of the ping.
  void begin_create(const core::WebhookSpec& spec, Done done, Claim claim);
  void begin_update(const std::string& id, const core::WebhookSpec& change, Done done, Claim claim);
  void begin_verify(const std::string& id, std::string body, Done done);
  // Everything that was pushed or changed before is on disk. State in memory mode.
  void begin_sync(Done done);
  // A page of dead letters, up to 256 behind the sequence `after`, which becomes the last one's;
  // `sums`: what is replayed once it is done. False: there are none.
  core::Result<bool> begin_replay(const spool::DeadLetterFilter& filter, uint64_t& after,
                                  const std::shared_ptr<spool::Sums>& sums, Done done);
  core::Result<> begin_remove_dead_letters(const spool::DeadLetterFilter& filter, Done done);
  core::Result<Snapshot> find(std::string_view id) const;
  core::Result<std::vector<Snapshot>> list() const;
  core::Result<LoadSummary> load(const std::string& path);

  // Batches.
  Outcome flush(int32_t timeout_ms);
  core::Result<uint64_t> flush_ticket();
  // Everything that was pushed or changed before is on disk.
  Outcome sync(int32_t timeout_ms);
  core::Result<uint64_t> sync_ticket();
  struct OpenBatch {
    uint64_t events_count = 0;
    uint64_t size_bytes = 0;
  };
  core::Result<OpenBatch> open_batch(std::string_view id) const;
  core::Result<std::vector<spool::AttemptRecord>> batch_status(std::string_view id, size_t limit,
                                                               spool::StatusFilter filter) const;

  // Operators. All but retry_now answer State in memory mode. Pages are in the order of sealing,
  // behind the sequence `after`. Of a waiting batch the filter's times mean its sealing, and there
  // is no status to filter by. Changes are on disk when they return; they tell what they changed.
  core::Result<std::vector<WaitingBatch>> list_waiting(const spool::DeadLetterFilter& filter,
                                                       uint64_t after, size_t limit) const;
  core::Result<WaitingBatch> find_waiting(std::string_view batch_id) const;
  core::Result<std::vector<spool::DeadLetter>> list_dead_letters(
      const spool::DeadLetterFilter& filter, uint64_t after, size_t limit) const;
  core::Result<spool::DeadLetter> find_dead_letter(std::string_view batch_id) const;
  // The events of a waiting batch or dead letter, a line each; how many there were.
  core::Result<uint64_t> export_events(std::string_view batch_id, const TextSink& sink) const;
  core::Result<spool::Findings> check_spool(int32_t timeout_ms) const;
  core::Result<> retry_now(std::optional<std::string_view> id);
  core::Result<spool::Sums> replay_dead_letters(const spool::DeadLetterFilter& filter,
                                                int32_t timeout_ms);
  core::Result<spool::Sums> remove_dead_letters(const spool::DeadLetterFilter& filter,
                                                int32_t timeout_ms);
  core::Result<spool::Sums> purge(std::string_view id, int32_t timeout_ms);

  // Keys of the REST API. State before the start, when the spool may hold some.
  core::Result<ApiKeys*> api_keys();
  core::WallTime wall_now() const { return clock_->wall_now(); }
  core::Instant now() const { return clock_->now(); }
  core::EngineSettings settings() const;
  // Ok while it runs and its disk can be written.
  core::Result<> health() const;

  // What `begin` does, with its outcome in a report.
  core::Result<uint64_t> give_ticket(const std::function<void(Done, Claim)>& begin);

  // Reports.
  std::optional<Report> poll(int32_t timeout_ms);
  int report_fd() const { return reports_.fd(); }
  core::Result<std::string> stats_json() const;
  // Of the webhooks that `shows` chooses, without those of the engine: an array.
  using WebhookChoice = std::function<bool(const core::Webhook&)>;
  core::Result<std::string> webhook_stats_json(const WebhookChoice& shows) const;
  core::Result<std::string> prometheus_text() const;

  const core::EventCatalogue& catalogue() const { return catalogue_; }

 private:
  enum class State : int { New, Started, Closing, Closed };

  // engine.cpp
  core::ErrorCode usable() const {
    if (state_.load(std::memory_order_acquire) != State::Started) return core::ErrorCode::State;
    return is_forked() ? core::ErrorCode::Forked : core::ErrorCode::Ok;
  }
  // For what is answered in any state; check_usable: what needs a running engine.
  core::Result<> check_readable() const;
  core::Result<> check_usable(bool also_new) const;
  core::ErrorCode enqueue(const envelope::RecordPlan& plan);
  core::ErrorCode refuse(core::ErrorCode code);
  void run();
  core::Result<> apply_settings(core::EngineSettings next);
  void begin_flush(Done done);
  bool post(Control control);
  spool::Store& store() const { return spool_ ? spool_->store() : *store_; }

  // engine_close.cpp
  bool await_closer(int32_t timeout_ms);
  void run_close(int32_t timeout_ms);
  void begin_close(core::Instant deadline);
  core::Result<> end(int32_t timeout_ms);

  core::Result<> start_parts();
  core::Result<> start_producer();

  // engine_spool.cpp
  core::Result<> open_spool();
  core::Result<> close_spool();
  core::Result<> restore();
  core::Result<> redeclare();
  void report_spool(std::string remark);
  void post_hurried(Done done, const std::function<core::Result<Control>(Done)>& make);
  Outcome wait_for(int32_t timeout_ms, const std::function<void(Done, Claim)>& begin);

  // engine_operator.cpp
  core::Result<spool::Spool*> running_spool() const;
  core::Result<std::string> check_body(spool::Spool& spool, const spool::LiveBatch& row,
                                       core::Instant deadline) const;
  core::Result<> run_on_disk(int32_t timeout_ms,
                             const std::function<core::Result<Control>(Done)>& make);
  core::Instant deadline_of(int32_t timeout_ms) const;
  int32_t left_ms(core::Instant deadline) const;
  std::optional<metrics::SpoolGauges> spool_gauges() const;
  std::vector<metrics::WebhookStats> webhook_stats(const WebhookChoice& shows) const;
  metrics::EngineGauges gauges() const;

  // engine_webhooks.cpp
  void verify_then(const core::WebhookPtr& webhook, bool verifies, Done done, Claim claim,
                   std::function<Outcome()> commit);
  void post_verification(const core::WebhookPtr& webhook, std::string body, Done done);
  core::Result<core::WebhookPtr> registered(std::string_view id) const;
  core::Result<core::WebhookPtr> find_registered(std::string_view id) const;
  Outcome commit_create(const core::Webhook& draft);
  Outcome commit_update(const std::string& id, const core::WebhookSpec& change);
  core::Result<> publish(core::RegistryChange change, bool drops_queued);
  void refresh_wanted();
  void set_disabled(const std::string& id, uint64_t generation, bool is_disabled);
  void declare(std::function<core::Result<>()> change);
  Snapshot snapshot(const core::WebhookPtr& webhook) const;

  const std::unique_ptr<platform::Clock> clock_;
  const std::unique_ptr<producer::Producer> producer_;  // null: this engine delivers
  const std::unique_ptr<spool::Store> store_;
  const std::function<core::Result<std::unique_ptr<spool::Spool>>(core::WallTime,
                                                                  std::vector<std::string>&)>
      open_spool_;  // empty: memory mode
  const std::function<core::Result<std::unique_ptr<transport::Transport>>(const platform::Clock&)>
      make_transport_;
  std::atomic<State> state_{State::New};
  std::atomic<uint32_t> fork_generation_{0};  // of the process that started it
  core::EventCatalogue catalogue_;
  envelope::EventIds event_ids_;
  std::atomic<uint64_t> event_max_bytes_;
  std::array<std::atomic<bool>, core::kEventTypesMax> wanted_{};
  std::atomic<bool> is_anything_wanted_{false};
  metrics::EngineCounters counters_;
  CounterTable webhook_counters_;
  ReportQueue reports_;
  TicketTable tickets_;
  ApiKeys api_keys_;
  Log log_;
  ControlQueue controls_;
  std::atomic<transport::Transport*> waker_{nullptr};  // set once the transport exists
  std::atomic<SpoolWorker*> spool_waker_{nullptr};     // likewise
  intake::Intake intake_;

  mutable std::mutex mutex_;  // guards the registry, the settings and the order of controls
  core::WebhookRegistry registry_;
  std::vector<std::function<core::Result<>()>> declarations_;  // before the start, of durable mode
  core::EngineSettings settings_;
  core::Random random_;
  core::UuidSource ids_;

  std::mutex life_mutex_;  // guards start and close against each other
  std::atomic<bool> is_abandoned_{false};
  std::mutex closer_mutex_;  // guards what follows; taken before the life cycle's
  std::condition_variable closer_changed_;
  bool is_closer_running_ = false;
  std::vector<uint64_t> close_tickets_;
  platform::Thread closer_;  // runs the close that tickets wait for
  std::unique_ptr<transport::Transport> transport_;
  std::unique_ptr<spool::Spool> spool_;  // null: memory mode, or not started
  std::unique_ptr<EventSource> events_;
  std::unique_ptr<SpoolWorker> worker_;
  std::unique_ptr<Delivery> delivery_;
  std::unique_ptr<EncoderThread> encoder_;  // reads bodies of the delivery step's batches
  platform::Thread thread_;
  platform::Thread spool_thread_;
};

}  // namespace posthaste::engine
