// See receiver_log.h. One mutex and one condition for everything: a test has few waiters.
#include "receiver_log.h"

#include <strings.h>

namespace posthaste::testing {
namespace {

bool same_name(std::string_view left, std::string_view right) {
  return left.size() == right.size() && strncasecmp(left.data(), right.data(), left.size()) == 0;
}

constexpr uint64_t kUnrecorded = UINT64_MAX;

}  // namespace

std::optional<std::string> Request::header(std::string_view name) const {
  for (const Header& candidate : headers) {
    if (same_name(candidate.name, name)) return candidate.value;
  }
  return std::nullopt;
}

std::vector<std::string> Request::header_values(std::string_view name) const {
  std::vector<std::string> values;
  for (const Header& candidate : headers) {
    if (same_name(candidate.name, name)) values.push_back(candidate.value);
  }
  return values;
}

size_t ReceiverLog::open_connection() {
  const std::lock_guard lock(mutex_);
  Connection connection;
  connection.index = connections_.size();
  connection.opened_at = Clock::now();
  connections_.push_back(std::move(connection));
  changed_.notify_all();
  return connections_.size() - 1;
}

void ReceiverLog::update_connection(size_t index, const std::function<void(Connection&)>& change) {
  const std::lock_guard lock(mutex_);
  change(connections_[index]);
  changed_.notify_all();
}

uint64_t ReceiverLog::add_request(const Request& request, bool with_body) {
  Request record = request;
  if (!with_body) record.body.clear();
  const std::lock_guard lock(mutex_);
  if (record.body_complete) {
    ++totals_.requests;
    totals_.body_bytes += record.body_size_bytes;
    totals_.events += record.event_count;
  }
  changed_.notify_all();
  if (requests_.size() >= records_max_) return kUnrecorded;
  requests_.push_back(std::move(record));
  return first_serial_ + requests_.size() - 1;
}

void ReceiverLog::mark_answered(uint64_t serial, int status, uint64_t event_count) {
  const std::lock_guard lock(mutex_);
  if (status >= 200 && status < 300) {
    ++totals_.accepted_requests;
    totals_.accepted_events += event_count;
  }
  if (serial != kUnrecorded && serial >= first_serial_) {
    requests_[serial - first_serial_].answered_status = status;
  }
  changed_.notify_all();
}

std::vector<Request> ReceiverLog::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

std::vector<Connection> ReceiverLog::connections() const {
  const std::lock_guard lock(mutex_);
  return connections_;
}

Totals ReceiverLog::totals() const {
  const std::lock_guard lock(mutex_);
  return totals_;
}

void ReceiverLog::forget_requests() {
  const std::lock_guard lock(mutex_);
  first_serial_ += requests_.size();
  requests_.clear();
  totals_ = {};
}

bool ReceiverLog::wait_for_requests(uint64_t count, Clock::duration timeout) const {
  return wait(timeout, [&] { return totals_.requests >= count; });
}

bool ReceiverLog::wait_for_accepted_events(uint64_t count, Clock::duration timeout) const {
  return wait(timeout, [&] { return totals_.accepted_events >= count; });
}

bool ReceiverLog::wait_for_connections(size_t count, Clock::duration timeout) const {
  return wait(timeout, [&] { return connections_.size() >= count; });
}

std::optional<Connection> ReceiverLog::wait_for_end(size_t index, Clock::duration timeout) const {
  std::optional<Connection> ended;
  wait(timeout, [&] {
    if (index < connections_.size() && connections_[index].ending != Ending::Open) {
      ended = connections_[index];
    }
    return ended.has_value();
  });
  return ended;
}

bool ReceiverLog::wait(Clock::duration timeout, const std::function<bool()>& is_true) const {
  std::unique_lock lock(mutex_);
  return changed_.wait_until(lock, Clock::now() + timeout, is_true);
}

}  // namespace posthaste::testing
