// The counters behind the statistics: written where things happen, read at any time without a lock.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>

#include "metrics/minute_counts.h"

namespace posthaste::metrics {

// One counter or gauge. Threads: any; relaxed, since each stands alone.
class Counter {
 public:
  void add(uint64_t value = 1) { value_.fetch_add(value, std::memory_order_relaxed); }
  void subtract(uint64_t value) { value_.fetch_sub(value, std::memory_order_relaxed); }
  void set(uint64_t value) { value_.store(value, std::memory_order_relaxed); }
  uint64_t get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

// A counter that many producers write at once. Each of the first threads that ever count has a
// cache line of its own and adds without a locked instruction; later threads share one.
// Threads: any. get() is exact once the writers have returned.
class ShardedCounter {
 public:
  void add(uint64_t value = 1) {
    const size_t shard = shard_of_thread();
    Counter& counter = shards_[shard].counter;
    if (shard == kShared) {
      counter.add(value);
    } else {
      counter.set(counter.get() + value);
    }
  }
  uint64_t get() const {
    uint64_t sum = 0;
    for (const Shard& shard : shards_) sum += shard.counter.get();
    return sum;
  }

 private:
  struct alignas(64) Shard {
    Counter counter;
  };
  static size_t shard_of_thread() {
    static std::atomic<size_t> next{0};
    static thread_local const size_t shard =
        std::min(next.fetch_add(1, std::memory_order_relaxed), kShared);
    return shard;
  }
  static constexpr size_t kShards = 64;
  static constexpr size_t kShared = kShards - 1;
  std::array<Shard, kShards> shards_;
};

// Per webhook. Events routed to it or replayed end in delivered, dropped or dead-lettered, or are
// still in open, waiting or in flight.
struct WebhookCounters {
  Counter events_routed;
  MinuteCounts routed_by_minute;
  Counter events_delivered;
  Counter events_dropped_expired;
  Counter events_dropped_quota;
  Counter events_dropped_removed;
  Counter events_dropped_closed;
  Counter events_dropped_purged;
  Counter events_dropped_unreadable;  // the spool could not give them back
  Counter events_dropped_refused;     // too large for the receiver, each alone
  Counter events_dead_lettered;
  Counter batches_dead_lettered;
  Counter events_replayed;  // dead letters that are batches again
  Counter batches_replayed;
  Counter batches_sealed;
  Counter batches_delivered;
  Counter batches_dropped;
  Counter batches_split;
  Counter limits_learned;
  Counter endpoint_falls;
  Counter endpoint_throttles;
  Counter endpoint_recoveries;
  Counter bytes_delivered;
  Counter attempts;
  Counter attempts_failed;
  // Gauges.
  Counter open_events;
  Counter open_bytes;
  Counter waiting_batches;  // sealed and not over, in flight included
  Counter waiting_events;
  Counter spooled_bytes;            // bodies of its batches in the spool
  Counter spool_quota_bytes;        // what it may have there
  Counter sealed_bytes_per_second;  // smoothed
  Counter waiting_memory_bytes;     // what it is charged with under webhook.max_waiting_bytes
  Counter endpoint_health;          // core::EndpointHealth, of its present endpoint
  Counter learned_events_max;       // 0: no limit was learned
  Counter learned_bytes_max;
};

// Per engine.
struct EngineCounters {
  ShardedCounter events_accepted;  // pushed here, or copied from producers
  Counter events_from_producers;   // those of them that were copied
  ShardedCounter events_refused;   // any code but OK and QueueFull
  ShardedCounter events_queue_full;
  ShardedCounter events_unwanted;  // accepted, and no webhook wanted them
  Counter attempts;
  Counter attempts_failed;
  Counter in_flight;
  Counter verifications;
  Counter verifications_failed;
  Counter batches_sealed;
  Counter routed_bytes_per_second;  // smoothed
  Counter intake_bytes;
  Counter waiting_memory_bytes;
};

}  // namespace posthaste::metrics
