// What the receiver got: batches, the requests that brought them, and the events in them. The far
// side writes here, the ledger compares.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "torture/ledger_text.h"

namespace posthaste::torture {

// A rule that did not hold.
struct Failure {
  std::string check;  // the name of the rule; README.md lists them
  std::string text;
};

struct Attempt {
  uint64_t cycle = 0;  // of the host that ran then
  size_t connection = 0;
  size_t request = 0;        // on that connection
  bool is_accepted = false;  // answered, as far as the receiver can tell, with a whole 200
};

struct ArrivedBatch {
  std::string key;  // the path, which names webhook, incarnation and revision
  std::string id;
  uint64_t body_hash = 0;
  std::vector<Attempt> attempts;

  bool is_accepted() const;
};

struct ArrivedEvent {
  size_t batch = 0;
  uint64_t hash = 0;  // of the payload
};

using EventsById = std::unordered_map<uint64_t, ArrivedEvent>;

// Purpose: the book of one round. Ownership: copies. Threads: add any; everything else when no host
// runs, or for the age only. Invariants: an event is in one batch of a key; more is a failure.
class Arrivals {
 public:
  using Clock = std::chrono::steady_clock;

  void add(const std::string& key, const std::string& batch_id, std::string_view body,
           const Attempt& attempt);

  const std::vector<ArrivedBatch>& batches() const { return batches_; }
  const std::map<std::string, EventsById>& events() const { return events_; }
  const std::vector<Failure>& failures() const { return failures_; }
  // Another request came on the connection behind this one, so its answer had been read.
  bool is_answer_read(const Attempt& attempt) const;
  // Since the last request.
  Clock::duration age() const;
  // Everything, one line for each attempt and each event, for whoever looks into a failure.
  void write(const std::string& path) const;

 private:
  void add_event(const std::string& key, size_t batch, const std::string& record);
  void fail(std::string check, std::string text);

  mutable std::mutex mutex_;  // guards all below
  std::vector<ArrivedBatch> batches_;
  std::map<std::pair<std::string, std::string>, size_t> batch_index_;  // by key and id
  std::map<std::string, EventsById> events_;                           // by key
  std::unordered_map<size_t, size_t> last_requests_;                   // by connection
  std::vector<Failure> failures_;
  Clock::time_point last_at_ = Clock::now();
};

}  // namespace posthaste::torture
