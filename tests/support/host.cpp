#include "host.h"

#include <chrono>
#include <cstdlib>
#include <thread>

namespace posthaste::testing {

void Host::push_all(const char* type, std::string_view payload) const {
  int32_t code = push(type, payload);
  while (code == POSTHASTE_E_QUEUE_FULL) {
    std::this_thread::yield();
    code = push(type, payload);
  }
  must(code);
}

ReportHandle Host::next_report(int32_t kind, int32_t timeout_ms) const {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms);
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    posthaste_report_t* report = nullptr;
    const auto left_ms = static_cast<int32_t>(left.count() > 0 ? left.count() : 0);
    if (posthaste_poll(ph_, left_ms, &report) != POSTHASTE_OK) return nullptr;
    ReportHandle owner(report);
    if (posthaste_report_kind(report) == kind) return owner;
  }
}

std::vector<ReportHandle> Host::take_reports() const {
  std::vector<ReportHandle> reports;
  posthaste_report_t* report = nullptr;
  while (posthaste_poll(ph_, 0, &report) == POSTHASTE_OK) reports.emplace_back(report);
  return reports;
}

uint64_t Host::stat(const std::string& name) const {
  const std::string text = stats();
  const size_t at = text.find('"' + name + "\":");
  if (at == std::string::npos) throw std::runtime_error("no statistic named " + name);
  return std::strtoull(text.c_str() + at + name.size() + 3, nullptr, 10);
}

}  // namespace posthaste::testing
