#include "engine/report_queue.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

#include "core/deliberate_break.h"

namespace posthaste::engine {
namespace {

// What the allocator adds to a piece of memory.
constexpr uint64_t kAllocationBytes = 16;
// What a place in a container takes beside its value, allocator included.
constexpr uint64_t kPlaceBytes = 64;
// The same for an entry of the index of drops, without its key.
constexpr uint64_t kIndexPlaceBytes = 96;

uint64_t heap_bytes(const std::string& text) {
  // A short text lives inside its object.
  return text.capacity() < sizeof(std::string) ? 0 : text.capacity() + 1 + kAllocationBytes;
}

uint64_t headers_bytes(const std::vector<transport::HeaderField>& headers) {
  uint64_t total = 0;
  for (const transport::HeaderField& header : headers) {
    total += sizeof header + heap_bytes(header.name) + heap_bytes(header.value);
  }
  return total;
}

uint64_t answer_bytes(const VerifyAnswer& answer) {
  return sizeof answer + heap_bytes(answer.network_name) + heap_bytes(answer.body) +
         heap_bytes(answer.sent_url) + heap_bytes(answer.sent_body) +
         headers_bytes(answer.headers) + headers_bytes(answer.sent_headers);
}

uint64_t answer_bytes(const HttpAnswer& answer) {
  return sizeof answer + heap_bytes(answer.body) + headers_bytes(answer.headers);
}

uint64_t charge_of(const Report& report) {
  uint64_t total = sizeof report + kPlaceBytes;
  for (const std::string* text :
       {&report.webhook_id, &report.batch_id, &report.message, &report.network_name,
        &report.outcome.error.message, &report.outcome.error.key, &report.outcome.webhook_id}) {
    total += heap_bytes(*text);
  }
  if (report.outcome.verify_answer) total += answer_bytes(*report.outcome.verify_answer);
  if (report.outcome.http_answer) total += answer_bytes(*report.outcome.http_answer);
  return total;
}

uint64_t index_charge(const std::string& key) {
  return kIndexPlaceBytes + heap_bytes(key);
}

std::string drop_key(const Report& report) {
  return std::string(1, static_cast<char>('0' + static_cast<int>(report.reason))) +
         report.webhook_id;
}

// Assigning an empty text would keep the memory.
void release(std::string& text) {
  std::string().swap(text);
}

// Clears what is true of one batch only.
void forget_batch(Report& drop) {
  for (std::string* text : {&drop.batch_id, &drop.network_name, &drop.message}) release(*text);
  drop.status = 0;
  drop.attempts_count = 0;
  drop.timings = {};
}

// Adds a later drop to an earlier one. Of `reached` the furthest stays: some receiver may have got
// a batch.
void merge_drop(Report& into, const Report& from) {
  forget_batch(into);
  if (core::is_broken(core::Break::LostDropCount)) return;
  into.events_count += from.events_count;
  into.count += from.count;
  into.bytes += from.bytes;
  into.reached = std::max(into.reached, from.reached);
}

std::string merged_drop_message(const Report& drop) {
  return fmt::format("drops merged, reason {}: batches {}, events {}",
                     drop_reason_name(drop.reason), drop.count, drop.events_count);
}

core::Error pipe_error(int code) {
  return {core::ErrorCode::System,
          std::string("pipe for reports was refused: ") + strerrordesc_np(code),
          {}};
}

}  // namespace

ReportQueue::ReportQueue(uint64_t max_bytes, uint32_t kinds)
    : kinds_(kinds), max_bytes_(max_bytes) {}

ReportQueue::~ReportQueue() {
  if (write_fd_ < 0) return;
  close(write_fd_);
  close(fd());
}

bool ReportQueue::is_wanted(ReportKind kind) const {
  return kind == ReportKind::Ticket ||
         (kinds_.load(std::memory_order_relaxed) >> static_cast<int32_t>(kind) & 1u) != 0;
}

void ReportQueue::push(Report report) {
  if (!is_wanted(report.kind)) return;
  {
    const std::lock_guard lock(mutex_);
    const bool was_empty = is_empty();
    if (report.kind == ReportKind::Dropped) {
      put_drop(std::move(report));
    } else {
      put(std::move(report));
    }
    make_room();
    if (was_empty && !is_empty()) announce();
  }
  changed_.notify_one();
}

void ReportQueue::put(Report&& report) {
  const uint64_t charge = charge_of(report);
  const bool is_ticket = report.kind == ReportKind::Ticket;
  if (charge > max_bytes_ && !is_ticket) {
    // Nothing that gave way could make room for it.
    count_lost(report);
    return;
  }
  const bool is_yielding =
      report.kind == ReportKind::Delivered || report.kind == ReportKind::Retrying;
  std::deque<Waiting>& reports = is_ticket ? tickets_ : is_yielding ? yielding_ : ordinary_;
  reports.push_back({next_sequence_++, charge, std::move(report)});
  used_bytes_ += charge;
}

void ReportQueue::put_drop(Report&& report) {
  std::string key = drop_key(report);
  if (const auto place = drops_by_key_.find(key); place != drops_by_key_.end()) {
    Waiting& waiting = *place->second;
    merge_drop(waiting.report, report);
    recharge(waiting, charge_of(waiting.report) + index_charge(key));
    return;
  }
  const uint64_t charge = charge_of(report) + index_charge(key);
  drops_.push_back({next_sequence_++, charge, std::move(report)});
  drops_by_key_.emplace(std::move(key), std::prev(drops_.end()));
  used_bytes_ += charge;
}

void ReportQueue::recharge(Waiting& waiting, uint64_t charge_bytes) {
  used_bytes_ = used_bytes_ - waiting.charge_bytes + charge_bytes;
  waiting.charge_bytes = charge_bytes;
}

void ReportQueue::make_room() {
  const bool is_bounded = !core::is_broken(core::Break::UnboundedReports);
  while (is_bounded && used_bytes_ > max_bytes_) {
    if (!yielding_.empty()) {
      lose_front(yielding_);
    } else if (!ordinary_.empty()) {
      lose_front(ordinary_);
    } else if (!drops_.empty()) {
      fold_oldest_drop();
    } else {
      return;
    }
  }
}

void ReportQueue::lose_front(std::deque<Waiting>& reports) {
  count_lost(reports.front().report);
  used_bytes_ -= reports.front().charge_bytes;
  reports.pop_front();
}

void ReportQueue::count_lost(const Report& report) {
  if (!is_wanted(ReportKind::Overflow)) return;
  if (lost_count_++ == 0) lost_time_ms_ = report.time_ms;
}

// Its numbers move into the one total of its reason, which has the place of the oldest drop in it.
void ReportQueue::fold_oldest_drop() {
  Waiting oldest = std::move(drops_.front());
  used_bytes_ -= oldest.charge_bytes;
  drops_by_key_.erase(drop_key(oldest.report));
  drops_.pop_front();
  std::optional<Waiting>& total = totals_[static_cast<size_t>(oldest.report.reason)];
  if (total) {
    merge_drop(total->report, oldest.report);
    recharge(*total, charge_of(total->report));
    return;
  }
  release(oldest.report.webhook_id);
  forget_batch(oldest.report);
  oldest.charge_bytes = charge_of(oldest.report);
  used_bytes_ += oldest.charge_bytes;
  total = std::move(oldest);
}

std::optional<Report> ReportQueue::poll(std::optional<core::Duration> timeout) {
  std::unique_lock lock(mutex_);
  const auto may_return = [this] { return !is_empty() || is_shut_; };
  if (!timeout) {
    changed_.wait(lock, may_return);
  } else if (*timeout > core::Duration::zero()) {
    changed_.wait_for(lock, *timeout, may_return);
  }
  if (is_empty()) return std::nullopt;
  return take();
}

bool ReportQueue::is_empty() const {
  return lost_count_ == 0 && yielding_.empty() && ordinary_.empty() && tickets_.empty() &&
         drops_.empty() &&
         std::none_of(totals_.begin(), totals_.end(), [](const auto& total) { return total; });
}

Report ReportQueue::take() {
  if (lost_count_ > 0) return take_overflow();
  uint64_t oldest = ~uint64_t{0};
  std::deque<Waiting>* reports = nullptr;
  for (std::deque<Waiting>* candidate : {&yielding_, &ordinary_, &tickets_}) {
    if (candidate->empty() || candidate->front().sequence > oldest) continue;
    oldest = candidate->front().sequence;
    reports = candidate;
  }
  std::optional<Waiting>* total = nullptr;
  for (std::optional<Waiting>& candidate : totals_) {
    if (!candidate || candidate->sequence > oldest) continue;
    oldest = candidate->sequence;
    total = &candidate;
  }
  if (!drops_.empty() && drops_.front().sequence < oldest) return take_drop();
  if (total) {
    Waiting waiting = std::move(**total);
    total->reset();
    return finish(std::move(waiting));
  }
  Waiting waiting = std::move(reports->front());
  reports->pop_front();
  return finish(std::move(waiting));
}

Report ReportQueue::take_overflow() {
  Report report;
  report.kind = ReportKind::Overflow;
  report.count = std::exchange(lost_count_, 0);
  report.time_ms = lost_time_ms_;
  report.message = fmt::format("{} reports were lost for want of room", report.count);
  return report;
}

Report ReportQueue::take_drop() {
  Waiting waiting = std::move(drops_.front());
  drops_by_key_.erase(drop_key(waiting.report));
  drops_.pop_front();
  return finish(std::move(waiting));
}

Report ReportQueue::finish(Waiting&& waiting) {
  used_bytes_ -= waiting.charge_bytes;
  Report& report = waiting.report;
  if (report.kind == ReportKind::Dropped && report.message.empty()) {
    report.message = merged_drop_message(report);
  }
  return std::move(report);
}

void ReportQueue::wake_all() {
  {
    const std::lock_guard lock(mutex_);
    is_shut_ = true;
  }
  changed_.notify_all();
}

core::Result<> ReportQueue::open_descriptor() {
  int fds[2];
  if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) != 0) return pipe_error(errno);
  const std::lock_guard lock(mutex_);
  write_fd_ = fds[1];
  read_fd_.store(fds[0], std::memory_order_relaxed);
  if (!is_empty()) announce();
  return {};
}

// A full pipe is readable, which is all that a byte says, so a refused write is no failure.
void ReportQueue::announce() {
  if (write_fd_ < 0) return;
  const char byte = 1;
  ssize_t written;
  do {
    written = write(write_fd_, &byte, 1);
  } while (written < 0 && errno == EINTR);
}

void ReportQueue::set_max_bytes(uint64_t max_bytes) {
  const std::lock_guard lock(mutex_);
  max_bytes_ = max_bytes;
  make_room();
}

uint64_t ReportQueue::used_bytes() const {
  const std::lock_guard lock(mutex_);
  return used_bytes_;
}

}  // namespace posthaste::engine
