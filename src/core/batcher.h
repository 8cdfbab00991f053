// Routing and batching: each run of events goes to the webhooks that want it, and an open batch is
// sealed when it has enough events, bytes or age. Called by the delivery step; knows neither
// targets nor retries.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "core/batch_body.h"
#include "core/event_catalogue.h"
#include "core/settings.h"
#include "core/subaccount.h"
#include "core/time.h"

namespace posthaste::core {

struct RouteClass;

// One webhook as the batcher sees it. Owned by the caller, who keeps it in place while it is
// subscribed.
struct Subscriber {
  const DeliverySettings* settings = nullptr;
  void* owner = nullptr;  // the caller's
  BatchBody open;
  // What its endpoint was seen to take; 0: no less than the settings say.
  uint32_t learned_events_max = 0;
  uint64_t learned_bytes_max = 0;
  Instant first_event{};
  uint64_t sealed_events_count = 0;
  // Journaled records before this place are not its own: they went into batches before a restart,
  // or were pushed before it took events.
  StreamPosition takes_from = 0;
  // Used by the batcher only.
  uint64_t number = 0;  // in the order of first subscriptions
  bool is_changed = false;
  Instant deadline{};
  RouteClass* route_class = nullptr;
  uint64_t touched_block = ~uint64_t{0};
};

struct Sealed {
  Subscriber* subscriber = nullptr;
  BatchBody body;
  Instant first_event{};
};

// Webhooks with equal filters: compared with each event once, however many they are.
struct RouteClass {
  SubaccountFilter subaccounts;
  std::vector<Subscriber*> subscribers;
  std::vector<RecordRun> runs;  // of the block being routed
};

// Purpose: turns the stream of records into sealed batches. Ownership: owns route classes;
// subscribers are the caller's. Threads: the delivery thread only. Invariants: an open batch never
// exceeds its limits; events of a subscriber keep the order in which they were routed; equal
// filters share one RouteClass.
class Batcher {
 public:
  // Whether so many bytes more may be copied out for a subscriber.
  using MayCopy = std::function<bool(const Subscriber&, uint64_t size_bytes)>;

  Batcher() = default;
  explicit Batcher(MayCopy may_copy) : may_copy_(std::move(may_copy)) {}

  // Events routed from now on reach the subscriber, if their type is in `types` and their
  // subaccount passes the filter.
  void subscribe(Subscriber& subscriber, const TypeSet& types,
                 const SubaccountFilter& subaccounts = {});
  // None do any more; its open batch stays until it is sealed.
  void unsubscribe(Subscriber& subscriber);

  void route(RecordBlock& block, RecordRun run);
  // The block takes no more records: open batches that hold little of it let it go,
  // if copies are allowed.
  void block_ended(const RecordBlock& block, uint64_t block_size_bytes);

  void seal(Subscriber& subscriber);
  // The subscriber is about to go away: unsubscribed, and its open batch given up.
  void forget(Subscriber& subscriber);
  // The subscriber's settings are others now.
  void settings_changed(Subscriber& subscriber);
  // Seals what has reached its age.
  void seal_due(Instant now);
  // Seals what the journal does not have.
  void seal_unjournaled();
  Instant next_deadline() const;
  // Where the first record of any open batch is in the journal, that of `routed` when there is none
  // earlier: nothing before it is needed by the batcher any more.
  StreamPosition low_position(StreamPosition routed) const;
  // What was sealed since the last call, in order.
  std::vector<Sealed> take_sealed() { return std::exchange(sealed_, {}); }
  // Subscribers whose open batch changed since the last call.
  std::vector<Subscriber*> take_changed();
  // Copies out what an open batch holds of shared blocks.
  void detach(Subscriber& subscriber);
  // Forgets the bytes of an open batch that is in the journal.
  void release(Subscriber& subscriber);
  // Memory of their own that all open batches hold.
  uint64_t owned_bytes() const { return owned_bytes_; }
  // Bytes of records that went into batches, once for each subscriber.
  uint64_t routed_bytes() const { return routed_bytes_; }
  // Events that nobody wanted.
  uint64_t unwanted_count() const { return unwanted_count_; }

 private:
  struct Filter {
    TypeSet types;
    SubaccountFilter subaccounts;
    bool operator<(const Filter& other) const;
  };

  void append(Subscriber& subscriber, RecordBlock& block, RecordRun run);
  void open(Subscriber& subscriber, Instant first_event);
  void mark_changed(Subscriber& subscriber);

  MayCopy may_copy_;
  uint64_t last_number_ = 0;
  std::map<Filter, std::unique_ptr<RouteClass>> classes_;
  std::vector<std::vector<RouteClass*>> classes_by_type_ =
      std::vector<std::vector<RouteClass*>>(kUnknownEventType + 1);
  std::vector<RouteClass*> touched_classes_;
  std::vector<Subscriber*> touched_subscribers_;  // those holding part of the block being filled
  // By number among equals: addresses would differ from run to run.
  std::map<std::pair<Instant, uint64_t>, Subscriber*> deadlines_;
  std::vector<Sealed> sealed_;
  std::vector<Subscriber*> changed_;
  uint64_t owned_bytes_ = 0;
  uint64_t routed_bytes_ = 0;
  uint64_t unwanted_count_ = 0;
};

}  // namespace posthaste::core
