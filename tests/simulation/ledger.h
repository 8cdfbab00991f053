// The model behind the simulation: what was accepted, what each webhook must get, and what the
// rules of design 2 to 2c allow at each moment. It watches a SimEngine, compares, and keeps the
// first difference. It knows nothing of how the engine does it.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/batch.h"
#include "engine/report.h"
#include "simulation/token_watch.h"
#include "simulation/trace.h"
#include "support/sim_engine.h"

namespace posthaste::simulation {

// Purpose: keeps the books. Ownership: owns the model, refers to engine, trace and counts. Threads:
// one. Invariants: events are numbered from 0 in the order of acceptance.
class Ledger final : public test::SimObserver {
 public:
  Ledger(Trace& trace, Counts& counts) : trace_(trace), counts_(counts), tokens_(counts) {}

  void attach(test::SimEngine& engine);
  const std::optional<Violation>& violation() const { return violation_; }

  // The host's side.
  void on_push(core::EventTypeId type, uint32_t size_bytes, core::ErrorCode code);
  uint64_t next_event_number() const { return events_.size(); }
  void on_flush_done(size_t flush);
  size_t flushes_count() const { return flushes_.size(); }
  void on_report(const engine::Report& report);
  // After each step.
  void after_step();
  // Everything must be over, and every number agree; reports were polled to the last.
  void check_end(bool gave_up);
  bool is_drained() const;
  // The longest that a batch may still wait.
  core::Duration max_age_seen() const { return max_age_seen_; }

  void on_control(const engine::Control& control) override;
  void on_settled(const spool::AttemptRecord& attempt) override;
  void on_drop(const test::SimDrop& drop) override;
  void on_begin(const test::SimExchange& exchange) override;
  void on_end(const test::SimExchange& exchange) override;

 private:
  struct Event {
    core::EventTypeId type = 0;
    uint32_t size_bytes = 0;
    core::Instant pushed{};
  };
  // One event that a webhook must get, and the webhook's version when it was pushed.
  struct Entry {
    uint64_t number = 0;
    size_t version = 0;
  };
  struct Endpoint;
  struct Webhook;
  struct Batch {
    std::string id;
    uint64_t sequence = 0;
    Webhook* webhook = nullptr;
    Endpoint* endpoint = nullptr;
    size_t first = 0;  // of the webhook's stream
    size_t count = 0;
    uint64_t size_bytes = 0;
    uint32_t failures_count = 0;
    uint32_t content_failures_count = 0;
    bool is_in_flight = false;  // its attempt began, though its body may have to be coded first
    bool is_sent = false;       // a request of the attempt runs
    bool refuses_coding = false;
    bool is_coded = false;     // in the attempt's last request
    core::WebhookPtr carries;  // whose credentials and coding the attempt has
    core::WallTime begun{};    // the attempt
    uint32_t tries_count = 0;  // requests of the attempt: a second has another token
    std::string token;         // of the last one
    bool is_probe = false;
    bool is_settled = false;
    bool is_over = false;
    bool counts_against_endpoint = true;
    bool is_suspect = false;   // it, or what it was part of, met a content failure
    bool keeps_clock = false;  // that of a failure of what it was part of
    bool must_split = false;
    bool is_too_large = false;  // its last answer was 413
    bool is_of_family = false;  // in flight for its troubled family
    size_t begun_version = 0;   // of the webhook, when its attempt began
    core::Instant expires = core::kNever;
    core::Duration left{};  // on the clock, while it stands still; zero: it does not run
    std::optional<transport::Completion> completion;

    bool is_spent() const { return count == 1 && content_failures_count > 0; }
    bool is_part() const { return core::is_part(sequence); }
    uint64_t family() const { return core::family_of(sequence); }
  };
  // What of one sealed batch is in trouble by itself: one of it is tried at a time.
  struct Family {
    core::Instant not_before{};
    core::Instant not_after{};  // should its turn be free
    uint32_t failures_count = 0;
    uint32_t running_count = 0;
  };
  // A size of batch that an endpoint was seen to take.
  struct Limit {
    size_t events = 0;
    uint64_t bytes = 0;
    core::Instant until{};
    bool is_on_trial = false;

    bool holds(core::Instant now) const { return events > 0 && until > now; }
    bool fits(const Batch& batch) const {
      return batch.count <= events && batch.size_bytes <= bytes + bytes / 8;
    }
  };
  // A target of a webhook, by its revision.
  struct Endpoint {
    std::string url;
    std::string origin;
    core::WebhookPtr last;  // the webhook as it was when this was last its target
    bool is_in_trouble = false;
    uint32_t failures_count = 0;
    core::Instant not_before{};
    core::Instant not_after{};
    std::set<uint64_t> content_failures;  // families, in a row
    std::map<uint64_t, Family> families;
    Limit limit;
    uint32_t slow_count = 0;  // in a row
    bool has_guessed = false;
    std::map<uint64_t, Batch*> waiting;  // by sequence
    uint32_t running_count = 0;
  };
  struct Webhook {
    std::vector<core::WebhookPtr> versions;
    size_t applied = 0;  // the version the delivery step knows
    bool is_removed = false;
    bool is_removal_applied = false;
    bool drops_queued = false;
    std::vector<Entry> stream;
    std::set<size_t> cuts;  // positions of the stream that no batch spans
    size_t batched = 0;     // so much of the stream is in batches
    std::map<uint64_t, Endpoint> endpoints;
    std::shared_ptr<metrics::WebhookCounters> counters;
    uint64_t delivered_events = 0;
    uint64_t delivered_batches = 0;
    uint64_t sealed_batches = 0;
    uint64_t attempts = 0;
    uint64_t live_batches = 0;
    std::array<uint64_t, engine::kDropReasonsCount> dropped_events{};  // by DropReason
    uint64_t split_batches = 0;
    std::vector<Limit> learned;  // every limit there ever was
    core::Instant rate_next{};
    uint64_t dropped_batches = 0;
    uint64_t quota = 0;  // the greatest that held since it was last kept
    uint64_t owned_bytes = 0;

    const core::Webhook& latest() const { return *versions.back(); }
    const core::Webhook& current() const { return *versions[applied]; }
    bool is_held() const { return current().is_paused && !is_removal_applied; }
    bool is_stopped() const { return current().is_disabled && !is_removal_applied; }
  };
  // A control on its way to the delivery step.
  struct Posted {
    enum class Kind { Add, Change, Remove, Settings, Flush, Verify, Close };
    Kind kind = Kind::Add;
    uint64_t generation = 0;
    size_t version = 0;
    core::EngineSettings settings;
  };
  struct Flush {
    std::map<uint64_t, size_t> positions;  // by generation
    bool is_taken = false;
    bool is_done = false;
  };

  template <typename... Parts>
  void fail(const char* invariant, fmt::format_string<Parts...> format, Parts&&... parts) {
    if (violation_) return;
    violation_ = Violation{invariant, fmt::format(format, std::forward<Parts>(parts)...)};
  }

  // ledger.cpp: the host's side and the controls.
  void post_change(const engine::WebhookControl& control);
  void cut_everywhere();
  void sync_controls();
  void apply(const Posted& posted);
  void apply_hold(Webhook& webhook, bool was_held);
  void apply_stop(const Webhook& webhook, Endpoint& endpoint);
  void correct_credentials(Webhook& webhook, const core::Webhook& before);
  void make_due(Endpoint& endpoint) const;

  // ledger_batches.cpp: batches from sealing to their end.
  void scan_sealed();
  void add_batch(const std::vector<const core::Batch*>& pieces);
  void scan_parts();
  void replace(Batch& whole, const std::vector<const core::Batch*>& parts);
  void check_split(const Batch& whole);
  Webhook* webhook_of(const core::Batch& batch);
  void check_limits(const Batch& batch, const Webhook& webhook);
  bool has_reason(const Batch& batch, const Webhook& webhook) const;
  void check_content(const core::Batch& sealed, const Batch& batch);
  std::string text_of(const Batch& batch) const;
  void adopt_clock(Batch& batch, const core::Batch& sealed);
  Batch* find_batch(const std::string& id, const char* what);
  void finish(Batch& batch);
  void take_back(Batch& batch);
  void land(Batch& batch);
  void check_begin(const Batch& batch);
  void check_turn(const Batch& batch);
  void settle(Batch& batch, const transport::Completion& completion);
  void fail_attempt(Batch& batch, bool is_content, const transport::Completion& completion);
  void learn(Batch& batch, const transport::Completion& completion);
  void ask_for_time(Endpoint& endpoint, const Batch& batch,
                    const transport::Completion& completion);
  void fail_family(const Batch& batch);
  static void land_in_family(Batch& batch);
  void check_turn_in_trouble(const Batch& batch);
  void check_turn_of_family(const Batch& batch);
  static const Batch* best_of(const Endpoint& endpoint, uint64_t family, bool suspects_only);
  void start_clock(Batch& batch);
  void freeze_clock(Batch& batch);
  void recover(Endpoint& endpoint);
  void check_drop(const Batch& batch, const std::string& reason);
  bool may_lose(const Webhook& webhook) const;

  // ledger_requests.cpp: what the requests of attempts look like.
  void scan_begun();
  void begin_attempt(Batch& batch);
  void check_request(Batch& batch, const transport::Request& request);
  void check_authorization(Batch& batch, const transport::Request& request);
  void check_body(const Batch& batch, const test::SimExchange& exchange);
  void check_signature(const Batch& batch, const transport::Request& request,
                       const std::string& text);
  void check_test_post(const test::SimExchange& exchange);
  void settle_without_end(Batch& batch, const spool::AttemptRecord& attempt);
  void check_renewal(const Batch& batch, const transport::Completion& completion);
  bool may_stay_unsettled(const Batch& batch) const;
  bool awaits_nobody(const Batch& batch) const;
  bool is_coding_refused(const Batch& batch, const transport::Completion& completion) const;

  // ledger_checks.cpp: what must hold after each step and at the end.
  bool looks_at_all() const;
  void check_webhook(uint64_t generation, Webhook& webhook);
  void check_open(const Webhook& webhook);
  void check_idle(const Webhook& webhook, const Endpoint& endpoint);
  void check_sums();
  void check_memory();
  void check_flushes();
  void check_reports();

  Trace& trace_;
  Counts& counts_;
  test::SimEngine* engine_ = nullptr;
  std::optional<Violation> violation_;

  std::vector<Event> events_;
  uint64_t accepted_count_ = 0;
  std::map<uint64_t, Webhook> webhooks_;  // by generation
  std::map<const core::DeliverySettings*, uint64_t> generation_by_settings_;
  std::vector<Posted> posted_;
  size_t applied_count_ = 0;
  std::deque<Flush> flushes_;
  core::EngineSettings settings_;
  core::Duration max_age_seen_{};
  bool is_closing_ = false;

  std::map<std::string, Batch> batches_;  // every one there ever was
  std::map<uint64_t, Batch*> live_;       // by sequence
  uint64_t last_sequence_ = 0;
  uint32_t running_count_ = 0;
  uint32_t probes_count_ = 0;
  uint32_t verifications_count_ = 0;
  TokenWatch tokens_;

  uint64_t waiting_limit_ = 0;
  uint64_t closed_drops_ = 0;

  // Reports: what must come and what came.
  bool has_all_kinds_ = true;
  uint64_t expected_attempt_reports_ = 0;
  uint64_t polled_attempt_reports_ = 0;
  uint64_t polled_overflow_ = 0;
  std::array<uint64_t, engine::kDropReasonsCount> polled_drops_{};
  uint64_t polled_drop_batches_ = 0;
};

}  // namespace posthaste::simulation
