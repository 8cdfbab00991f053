// The log: lines for people, to the host's function, to the queue of reports, or nowhere. Never to
// stderr.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "engine/report_queue.h"
#include "platform/clock.h"

namespace posthaste::engine {

// Values equal POSTHASTE_LOG_*.
enum class LogLevel : int32_t { Error = 1, Warning = 2, Info = 3, Debug = 4 };

// posthaste_log_fn.
using LogSink = void (*)(int32_t level, const char* line, void* user_data);

// Purpose: filters lines and hands them on. Ownership: refers to the queue and the clock, which
// outlive it. Threads: is_on and set_levels any; set_sink before the first worker starts; write on
// library threads only, no lock held, since it calls the host. Invariants: what leaves is one line
// of at most kLineSizeMax bytes without control characters.
class Log {
 public:
  static constexpr size_t kLineSizeMax = 2048;

  Log(ReportQueue& reports, const platform::Clock& clock) : reports_(reports), clock_(clock) {}
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  // Null unsets it.
  void set_sink(LogSink sink, void* user_data) {
    sink_ = sink;
    user_data_ = user_data;
  }
  // Settings log_level and log_reports.
  void set_levels(int32_t level, int32_t reports_level) {
    level_.store(level, std::memory_order_relaxed);
    reports_level_.store(reports_level, std::memory_order_relaxed);
  }

  // Whether anybody gets lines of this level; asked before a text is made.
  bool is_on(LogLevel level) const { return is_made(level) && (sink_ || is_reported(level)); }

  // text: style of the guide, rule 27. webhook_id, batch_id: of the report; empty when it concerns
  // none.
  void write(LogLevel level, std::string_view text, std::string_view webhook_id = {},
             std::string_view batch_id = {});

 private:
  bool is_made(LogLevel level) const {
    return static_cast<int32_t>(level) <= level_.load(std::memory_order_relaxed);
  }
  bool is_reported(LogLevel level) const {
    return static_cast<int32_t>(level) <= reports_level_.load(std::memory_order_relaxed) &&
           reports_.is_wanted(ReportKind::Log);
  }

  ReportQueue& reports_;
  const platform::Clock& clock_;
  LogSink sink_ = nullptr;
  void* user_data_ = nullptr;
  std::atomic<int32_t> level_{static_cast<int32_t>(LogLevel::Info)};
  std::atomic<int32_t> reports_level_{0};
};

}  // namespace posthaste::engine
