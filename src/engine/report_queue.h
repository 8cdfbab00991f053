// The reports that wait for the host: bounded, in the order of happening, pulled by any thread,
// announced on a pipe. The engine pushes; posthaste_poll takes. What a report says is report.h's
// business.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "core/result.h"
#include "core/time.h"
#include "engine/report.h"

namespace posthaste::engine {

// Purpose: holds reports between the engine and a host that polls late or never. Ownership: owns
// the reports and both ends of the pipe. Threads: any. Invariants: memory stays under max_bytes,
// but for tickets (at most core::kTicketsMax) and one drop per reason; delivered and retrying
// reports are lost first, then the oldest of the others; tickets are never lost and the numbers of
// drops never; what was lost is counted in one Overflow report before anything else.
class ReportQueue {
 public:
  // kinds: bit n selects ReportKind n; tickets are always selected.
  ReportQueue(uint64_t max_bytes, uint32_t kinds);
  ~ReportQueue();
  ReportQueue(const ReportQueue&) = delete;
  ReportQueue& operator=(const ReportQueue&) = delete;

  // A drop joins the one of the same webhook and reason that waits already.
  void push(Report report);
  // Whether push would keep a report of this kind, so that others need not be made.
  bool is_wanted(ReportKind kind) const;

  // The oldest report. timeout: zero never waits, none waits without limit. Nothing when none came
  // in time.
  std::optional<Report> poll(std::optional<core::Duration> timeout);
  // The engine is closed, nothing more will come: polls that wait return, later ones do not wait.
  void wake_all();

  // Makes the pipe; once, at start.
  core::Result<> open_descriptor();
  // Readable when reports wait: one byte per change from empty to not. -1 before open_descriptor.
  int fd() const { return read_fd_.load(std::memory_order_relaxed); }

  void set_max_bytes(uint64_t max_bytes);
  // Reports that wait already stay.
  void set_kinds(uint32_t kinds) { kinds_.store(kinds, std::memory_order_relaxed); }
  // What the waiting reports are charged with.
  uint64_t used_bytes() const;

 private:
  struct Waiting {
    uint64_t sequence = 0;
    uint64_t charge_bytes = 0;
    Report report;
  };
  using Drops = std::list<Waiting>;

  bool is_empty() const;
  void put(Report&& report);
  void put_drop(Report&& report);
  void recharge(Waiting& waiting, uint64_t charge_bytes);
  void make_room();
  void lose_front(std::deque<Waiting>& reports);
  void count_lost(const Report& report);
  void fold_oldest_drop();
  Report take();
  Report take_overflow();
  Report take_drop();
  Report finish(Waiting&& waiting);
  void announce();

  std::atomic<uint32_t> kinds_;
  std::atomic<int> read_fd_{-1};

  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  uint64_t max_bytes_;
  uint64_t used_bytes_ = 0;
  uint64_t next_sequence_ = 1;
  bool is_shut_ = false;
  int write_fd_ = -1;

  std::deque<Waiting> yielding_;  // delivered, retrying
  std::deque<Waiting> ordinary_;  // states, log lines
  std::deque<Waiting> tickets_;
  Drops drops_;  // one per webhook and reason
  std::unordered_map<std::string, Drops::iterator> drops_by_key_;
  std::array<std::optional<Waiting>, kDropReasonsCount>
      totals_;  // drops of many webhooks, by reason

  uint64_t lost_count_ = 0;   // since the last Overflow report
  int64_t lost_time_ms_ = 0;  // of the first of them
};

}  // namespace posthaste::engine
