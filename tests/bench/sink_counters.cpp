// Telling takes a pass over the bitmap; poll it no faster than every 20 ms.
#include "sink_counters.h"

#include <algorithm>
#include <bit>

#include "measure.h"

namespace posthaste::bench {
namespace {

// 64 MiB; events beyond are counted without their age.
constexpr size_t kAgesMax = size_t{1} << 24;

}  // namespace

void SinkCounters::keep_ids(uint64_t id_max) {
  id_max_ = id_max;
  seen_ = std::make_unique<Count[]>(words());
}

void SinkCounters::saw_id(uint64_t id) {
  if (id >= id_max_) {
    add(out_of_range, 1);
    return;
  }
  const uint64_t bit = uint64_t{1} << (id % 64);
  if (seen_[id / 64].fetch_or(bit, std::memory_order_relaxed) & bit) add(duplicates, 1);
}

void SinkCounters::saw_age(uint64_t made_ns) {
  const uint64_t present_ns = now_ns();
  const uint64_t age_us = made_ns < present_ns ? (present_ns - made_ns) / 1000 : 0;
  const std::lock_guard lock(ages_mutex_);
  if (ages_us_.size() == kAgesMax) return;
  ages_us_.push_back(static_cast<uint32_t>(std::min<uint64_t>(age_us, UINT32_MAX)));
}

uint64_t SinkCounters::age_us(double part) const {
  const std::lock_guard lock(ages_mutex_);
  if (ages_us_.empty()) return 0;
  std::vector<uint32_t> ages = ages_us_;
  const auto rank =
      std::min(ages.size() - 1, static_cast<size_t>(part * static_cast<double>(ages.size())));
  const auto place = ages.begin() + static_cast<std::ptrdiff_t>(rank);
  std::nth_element(ages.begin(), place, ages.end());
  return *place;
}

void SinkCounters::reset() {
  for (Count* count :
       {&connections, &requests, &failed, &dropped, &hung, &body_bytes, &wire_bytes, &events,
        &recvs, &duplicates, &out_of_range, &first_ns, &last_ns, &fault_turn}) {
    count->store(0);
  }
  {
    const std::lock_guard lock(ages_mutex_);
    ages_us_.clear();
  }
  if (!seen_) return;
  for (uint64_t i = 0; i < words(); ++i) seen_[i].store(0, std::memory_order_relaxed);
}

std::string SinkCounters::json() const {
  uint64_t unique = 0;
  for (uint64_t i = 0; seen_ && i < words(); ++i) {
    unique += static_cast<uint64_t>(std::popcount(seen_[i].load(std::memory_order_relaxed)));
  }
  std::string text = "{";
  const auto put = [&text](const char* name, const std::string& value) {
    if (text.size() > 1) text += ',';
    text += '"' + std::string(name) + "\":" + value;
  };
  const auto put_count = [&put](const char* name, uint64_t count) {
    put(name, std::to_string(count));
  };
  put_count("connections", connections);
  put_count("requests", requests);
  put_count("failed", failed);
  put_count("dropped", dropped);
  put_count("hung", hung);
  put_count("body_bytes", body_bytes);
  put_count("wire_bytes", wire_bytes);
  put_count("events", events);
  put_count("unique", unique);
  put_count("duplicates", duplicates);
  put_count("out_of_range", out_of_range);
  put_count("recvs", recvs);
  put_count("first_ns", first_ns);
  put_count("last_ns", last_ns);
  put_count("age_p50_us", age_us(.5));
  put_count("age_p99_us", age_us(.99));
  put_count("age_max_us", age_us(1));
  put("cpu_s", std::to_string(cpu_seconds()));
  return text + "}\n";
}

}  // namespace posthaste::bench
