// What every benchmark reads from the system: clock, CPU time, memory, and percentiles of single
// calls. Header only, so that the few nanoseconds of a clock read are not a call more.
#pragma once

#include <sched.h>
#include <sys/resource.h>
#include <time.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <vector>

namespace posthaste::bench {

// The sink stamps with the same clock, so that times of the two processes can be compared.
inline uint64_t now_ns() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<uint64_t>(time.tv_sec) * 1'000'000'000u + static_cast<uint64_t>(time.tv_nsec);
}

inline double seconds_of(const timeval& time) {
  return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
}

// User and system time of this process, all threads.
inline double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime);
}

// A field of /proc/self/status in KiB; 0 when it is not there.
inline int64_t status_kib(const char* field) {
  FILE* const file = std::fopen("/proc/self/status", "r");
  if (!file) return 0;
  const size_t field_size = std::strlen(field);
  long long value_kib = 0;
  char line[256];
  while (std::fgets(line, sizeof line, file)) {
    if (std::strncmp(line, field, field_size) != 0 || line[field_size] != ':') continue;
    std::sscanf(line + field_size + 1, "%lld", &value_kib);
  }
  std::fclose(file);
  return value_kib;
}

inline int64_t resident_kib() {
  return status_kib("VmRSS");
}
// Not getrusage's ru_maxrss: that one begins with the memory of the process that started this one.
inline int64_t resident_peak_kib() {
  return status_kib("VmHWM");
}

// Binds the calling thread, and those it starts from then on, to one core; below 0 to none.
inline void pin(int cpu) {
  if (cpu < 0) return;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<size_t>(cpu), &set);
  if (sched_setaffinity(0, sizeof set, &set) != 0) std::perror("sched_setaffinity");
}

// Purpose: durations of single calls, for percentiles. Ownership: a value. Threads: one at a time.
// Invariants: its memory is there and touched from the start, so that it is not counted as growth.
class Samples {
 public:
  explicit Samples(size_t count_max) : values_ns_(count_max) {}

  void put(uint64_t duration_ns) {
    if (count_ == values_ns_.size()) return;
    values_ns_[count_++] = static_cast<uint32_t>(std::min<uint64_t>(duration_ns, UINT32_MAX));
  }
  void put_all(const Samples& other) {
    for (size_t i = 0; i < other.count_; ++i) put(other.values_ns_[i]);
  }
  // The value below which the share `part` (0 to 1) of all lies; 0 when there are none.
  uint32_t at(double part) {
    if (count_ == 0) return 0;
    const size_t rank =
        std::min(count_ - 1, static_cast<size_t>(part * static_cast<double>(count_)));
    const auto begin = values_ns_.begin();
    const auto place = begin + static_cast<std::ptrdiff_t>(rank);
    std::nth_element(begin, place, begin + static_cast<std::ptrdiff_t>(count_));
    return *place;
  }

 private:
  std::vector<uint32_t> values_ns_;
  size_t count_ = 0;
};

}  // namespace posthaste::bench
