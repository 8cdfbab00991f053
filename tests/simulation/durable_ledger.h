// The model behind the simulation of durable mode: what was pushed, what a returned sync promised,
// and what came to the receivers, over all lives of the engine. It knows the rules of spool.md, and
// nothing of how the engine keeps them.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/event_catalogue.h"
#include "engine/report.h"
#include "simulation/request_watch.h"
#include "simulation/trace.h"
#include "support/sim_host.h"

namespace posthaste::simulation {

// Purpose: keeps the books of one run. Ownership: refers to trace and counts. Threads: one.
// Invariants: events are numbered from 0 in the order of acceptance. A receiver's address is
// http://far-<0 or 1>.example/<webhook>.<incarnation>/<target>, and never used for another target.
class DurableLedger {
 public:
  // may_lose_bodies: what was written is in the page cache only, and a disk that fails may lose it.
  DurableLedger(Trace& trace, Counts& counts, bool may_lose_bodies)
      : trace_(trace), counts_(counts), may_lose_bodies_(may_lose_bodies), requests_(counts) {}

  const std::optional<Violation>& violation() const { return violation_; }
  void fail(const char* invariant, std::string text);

  // The host's side.
  uint64_t next_event_number() const { return events_.size(); }
  // An accepted event, and the addresses of those that are owed it.
  void on_push(core::EventTypeId type, uint32_t size_bytes, std::vector<std::string> urls);
  // Returns what to give to the end of the same sync.
  struct Sync {
    uint64_t events_count = 0;
    size_t batches_count = 0;
    size_t controls_count = 0;
    uint64_t life = 0;
  };
  Sync on_sync_begun() const {
    return {events_.size(), taken_.size(), requests_.controls_count(), life_};
  }
  void on_sync_ended(const Sync& sync);
  // A change of a webhook, or something else, got its place among the events.
  void on_control(const engine::Control& control) { requests_.on_control(control); }
  // What still waits for these receivers may be given up.
  void on_removed_with_batches(const std::string& incarnation) { freed_.insert(incarnation); }
  void on_report(const engine::Report& report);
  // A batch was given up. A crash may undo that.
  void on_drop(const test::SimDrop& drop);

  void on_begin(const test::SimExchange& exchange, const Moment& moment);
  void on_end(const test::SimExchange& exchange, const Moment& moment);

  // The engine is no more; `running` is what it was sending.
  void on_crash(const std::map<uint64_t, test::SimExchange>& running, const Moment& moment);
  // It was closed in good order, and left nothing unwritten.
  void on_close(const Moment& moment);
  // What the next one finds.
  void on_open(const std::vector<core::WebhookPtr>& found) { note(requests_.on_open(found)); }
  // Everything has come to its end.
  void check_end();

 private:
  struct Event {
    core::EventTypeId type = core::kNoEventType;
    uint32_t size_bytes = 0;
    uint64_t life = 0;
    bool is_owed = false;  // a crash may not lose it any more
    std::vector<std::string> urls;
  };
  struct Batch {
    std::string body;  // as much of it as was ever seen
    uint64_t life_taken = 0;
    bool is_taken = false;
    bool is_over = false;  // nobody may send it again
  };
  struct Receiver {
    std::map<uint64_t, std::string> batches;  // the id of the last batch with this event
    std::set<uint64_t> taken;
    std::vector<std::string> ids;  // of batches, as they were taken first
    size_t running_count = 0;
  };
  using BatchKey = std::pair<std::string, std::string>;  // by address and id

  void note(const RequestWatch::Finding& finding);
  void note_body(const std::string& url, const std::string& id, const std::string& body,
                 bool is_whole);
  void note_event(Receiver& receiver, const std::string& url, const std::string& id,
                  uint64_t number);
  void note_taken(const std::string& url, const std::string& id);
  void check_order(const std::string& url, const Receiver& receiver);
  static bool is_part(const std::string& id);
  std::string body_of(const std::vector<uint64_t>& numbers) const;

  Trace& trace_;
  Counts& counts_;
  const bool may_lose_bodies_;
  RequestWatch requests_;
  std::optional<Violation> violation_;
  core::EventCatalogue catalogue_;
  uint64_t life_ = 1;
  std::vector<Event> events_;
  uint64_t life_begin_ = 0;  // the first event of this life
  std::map<std::string, Receiver> receivers_;
  std::map<BatchKey, Batch> batches_;
  std::vector<BatchKey> taken_;  // in this life, in order
  std::set<std::string> freed_;
  std::set<uint64_t> doubtful_lives_;  // with events that the journal refused
  std::set<std::string> given_up_;     // ids
  std::set<std::string> unsecured_;    // ids
  // Events that were reported, by webhook.
  std::map<std::string, uint64_t> dropped_;
  std::map<std::string, uint64_t> unsecured_events_;
};

// What an address says.
std::string webhook_of(const std::string& url);
std::string incarnation_of(const std::string& url);

}  // namespace posthaste::simulation
