// The common driver: any in-process API is measured by handing it a push and a flush. Threads push
// n distinct events, then it waits until the sink has counted them all, and prints one line of
// JSON. Keys on the command line, all `name=value`: port, n, threads, cpu (core to pin to), rate
// (events/s of all threads together, 0 = no limit), distinct (events made beforehand, used in turn;
// default n), idle (seconds without news from the sink after which the run is given up), webhooks
// (copies of each event that are expected).
#pragma once

#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "mail_event.h"
#include "measure.h"

namespace posthaste::bench {

// Purpose: the keys of the command line. Ownership: a value. Threads: any, it does not change.
class Args {
 public:
  Args(int argc, char** argv);

  int64_t number(const std::string& key, int64_t otherwise) const;
  std::string text(const std::string& key, const std::string& otherwise) const;
  const std::map<std::string, std::string>& all() const { return values_; }

 private:
  std::map<std::string, std::string> values_;
};

// GET from the sink; the body, or "" when it cannot be had.
std::string get_from_sink(int port, const std::string& target);
// A number of a flat JSON object; 0 when it is not there.
uint64_t number_in(const std::string& json, const std::string& name);

struct DriveResult {
  bool is_complete = false;  // the sink counted every event
  uint64_t delivered_count = 0;
  uint64_t requests_count = 0;
  double pushed_s = 0;     // until the last push returned
  double delivered_s = 0;  // until the sink's last answer
  double cpu_s = 0;        // of all threads, until the sink had counted
};

// Purpose: makes the events, drives one API, measures. Ownership: owns the events. Threads: one
// makes it and calls run(), which starts the pushing threads. Invariants: all memory of its own is
// resident before the memory is first read, so that what is added is the measured API's.
class Drive {
 public:
  explicit Drive(const Args& args);

  const char* event(size_t i) const { return events_.get() + (i % distinct_count_) * kEventSize; }
  int port() const { return port_; }

  // The threads push all events, push(event bytes, size), which returns false when it gave the
  // event up. Returns when it began.
  template <typename Push>
  uint64_t push_all(const Push& push) {
    const uint64_t start_ns = now_ns();
    std::vector<std::thread> threads;
    for (size_t i = 0; i < threads_count_; ++i) {
      threads.emplace_back([this, i, &push] { push_share(i, push); });
    }
    for (std::thread& thread : threads) thread.join();
    return start_ns;
  }
  // What the timed pushes took.
  Samples calls() const;
  uint64_t refused_count() const { return refused_count_; }
  int64_t added_kib() const { return resident_peak_kib() - resident_before_kib_; }

  // Pushes all; flush() is called once when
  // all are pushed. more: further JSON members, each beginning with a comma, asked for at the end.
  // Returns the exit status: 0 when every event arrived.
  template <typename Push, typename Flush, typename More>
  int run(const char* name, const Push& push, const Flush& flush, const More& more) {
    get_from_sink(port_, "/reset");
    const double cpu_before_s = cpu_seconds();
    const uint64_t start_ns = push_all(push);
    DriveResult result;
    result.pushed_s = static_cast<double>(now_ns() - start_ns) * 1e-9;
    flush();
    wait_for_sink(start_ns, result);
    result.cpu_s = cpu_seconds() - cpu_before_s;
    print(name, result, more());
    return result.is_complete ? 0 : 1;
  }

 private:
  // One thread's events. Every 8th call is timed; the pair of clock reads is included.
  template <typename Push>
  void push_share(size_t thread, const Push& push) {
    const uint64_t begin_ns = now_ns();
    for (size_t i = thread, turn = 0; i < count_; i += threads_count_, ++turn) {
      if (rate_ > 0 && turn % kPaceTurns == 0) pace(begin_ns, turn);
      const char* const bytes = event(i);
      if (turn % kTimedTurns != kTimedTurns / 2) {
        if (!push(bytes, event_size_)) ++refused_count_;
        continue;
      }
      const uint64_t before_ns = now_ns();
      if (!push(bytes, event_size_)) ++refused_count_;
      samples_[thread].put(now_ns() - before_ns);
    }
  }

  void make_events();
  void pace(uint64_t begin_ns, size_t turn) const;
  void wait_for_sink(uint64_t start_ns, DriveResult& result) const;
  void print(const char* name, const DriveResult& result, const std::string& more);

  static constexpr size_t kTimedTurns = 8;
  static constexpr size_t kPaceTurns = 64;

  // kEventSize, but not known to the compiler: a host's events differ in size, and a copy of a
  // constant size would be compiled into something else.
  const size_t event_size_;
  const int port_;
  const size_t count_;
  const size_t distinct_count_;
  const size_t threads_count_;
  const uint64_t expected_count_;
  const double rate_;
  const double idle_s_;
  std::unique_ptr<char[]> events_;
  std::vector<Samples> samples_;
  std::atomic<uint64_t> refused_count_{0};
  int64_t resident_before_kib_ = 0;
};

}  // namespace posthaste::bench
