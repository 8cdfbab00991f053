// Webhooks and their requests in the model of durable mode: what a restart must find of a webhook,
// and what a request must carry, over all lives of the engine. Used by the durable ledger only.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/webhook.h"
#include "engine/control.h"
#include "simulation/token_watch.h"
#include "simulation/trace.h"
#include "support/sim_transport.h"

namespace posthaste::simulation {

// When something happens inside the engine, and what it knows by then.
struct Moment {
  uint64_t controls_taken_count = 0;  // by the delivery step, in this life
  core::Instant now{};
  core::WallTime wall_now{};
};

// Purpose: knows each version of each webhook, which of them is that of now, and which a crash may
// have undone. Ownership: refers to the counts. Threads: one. Invariants: what it answers is the
// first rule that does not hold, nothing when all do; a webhook is known by the incarnation in its
// addresses, since a crash may give its generation to another.
class RequestWatch {
 public:
  explicit RequestWatch(Counts& counts) : counts_(counts) {}

  using Finding = std::optional<Violation>;

  // A change got its place among the events.
  void on_control(const engine::Control& control);
  size_t controls_count() const { return posted_.size(); }
  // The changes up to that count are on disk.
  void on_synced(size_t controls_count);
  void on_crash(uint64_t controls_taken_count);
  // What the next life finds.
  Finding on_open(const std::vector<core::WebhookPtr>& found);

  Finding on_begin(const test::SimExchange& exchange, const Moment& moment);
  // json: as much of the body as was read, decoded.
  Finding on_end(const test::SimExchange& exchange, const std::string& json, core::Instant now);

 private:
  struct Book {
    std::vector<core::WebhookPtr> versions;  // by order of the host's calls
    std::vector<core::Instant> applied;      // to each of them in this life
    size_t applied_count = 0;                // versions that the delivery step knows or knew
    size_t first = 0;  // the version of now is this one or a later one; which one a crash hides
    size_t owed_count = 0;  // a crash undoes none of so many
    bool is_removed = false;
    bool is_removal_owed = false;
  };
  // What a control does, for which incarnation; nothing when it is empty.
  struct Posted {
    std::string incarnation;
    size_t version = 0;
    bool is_removal = false;
  };
  // Whose settings a request has that begins now.
  struct Candidate {
    core::WebhookPtr webhook;
    bool is_past = false;  // only if it waited for a token since then
    core::Instant until{};
  };
  // What was seen of a batch last, at one address.
  struct Seen {
    uint64_t life = 0;
    core::WebhookPtr carries;
    std::string coding;
    std::string timestamp;
    bool is_token_refused = false;
  };
  using BatchKey = std::pair<std::string, std::string>;  // by address and id

  void apply_until(uint64_t controls_taken_count, core::Instant now);
  std::vector<Candidate> candidates(const std::string& url) const;
  Finding check(const transport::Request& request, const Candidate& candidate, const Seen* before,
                const Moment& moment) const;
  Finding check_token(const transport::Request& request, const Candidate& candidate,
                      const Seen* before, const Moment& moment) const;
  Finding check_signing(const transport::Request& request, const core::Webhook& webhook,
                        const Seen* before, const Moment& moment) const;
  bool may_refuse_coding(const transport::Request& request) const;
  void count(const transport::Request& request, const core::WebhookPtr& carries,
             const Seen* before);
  core::Instant asked_at(const core::Webhook& webhook) const;

  Counts& counts_;
  TokenWatch tokens_{counts_};
  uint64_t life_ = 1;
  std::map<std::string, Book> books_;  // by incarnation
  std::vector<Posted> posted_;         // in this life
  uint64_t taken_count_ = 0;
  std::map<BatchKey, Seen> seen_;
  // In this life.
  // Whose settings a request may have: more than one while a change is taken, and they differ in
  // nothing that shows before its body does.
  std::map<uint64_t, std::vector<core::WebhookPtr>> running_;
  std::map<std::string, core::Instant> asked_;  // for a token, by its key
  std::set<BatchKey> uncoded_;                  // batches that were refused for their coding
  std::set<std::string> refusing_;              // addresses of such
};

}  // namespace posthaste::simulation
