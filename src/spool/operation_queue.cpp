#include "spool/operation_queue.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace posthaste::spool {
namespace {

// A place in the queue and in an index of it, allocators included.
constexpr uint64_t kPlaceBytes = sizeof(Operation) + 128;

uint64_t memory_of(const Operation& operation) {
  if (const auto* seal = std::get_if<Seal>(&operation)) {
    return kPlaceBytes + seal->batch.id.size() +
           seal->batch.ranges.size() * sizeof(core::StreamRange);
  }
  if (const auto* put = std::get_if<PutWebhook>(&operation)) {
    const core::Webhook& webhook = put->row->webhook;
    uint64_t size = sizeof(WebhookRow) + webhook.target.size() + webhook.auth_token.size();
    for (const auto& [name, value] : webhook.headers) size += name.size() + value.size();
    return kPlaceBytes + size;
  }
  if (const auto* split = std::get_if<Split>(&operation)) {
    return kPlaceBytes + split->parts.size() * sizeof(BatchPart);
  }
  return kPlaceBytes;
}

// The delivery step holds back a batch until its row is there, and `sync` covers the registry.
bool is_urgent_kind(const Operation& operation) {
  return std::holds_alternative<Seal>(operation) || std::holds_alternative<Split>(operation) ||
         std::holds_alternative<PutWebhook>(operation) ||
         std::holds_alternative<SetRemoved>(operation) || std::holds_alternative<Replay>(operation);
}

}  // namespace

uint64_t OperationQueue::push(Operation operation) {
  const std::lock_guard lock(mutex_);
  if (auto* attempted = std::get_if<Attempted>(&operation)) return push_attempted(*attempted);
  if (auto* finish = std::get_if<Finish>(&operation)) return push_finish(std::move(*finish));
  if (auto* low = std::get_if<SetLow>(&operation)) return push_low(*low);
  if (auto* seal = std::get_if<Seal>(&operation)) {
    seals_[seal->batch.sequence] = last_number_ + 1;
  }
  return append(std::move(operation));
}

uint64_t OperationQueue::append(Operation operation) {
  queued_bytes_ += memory_of(operation);
  if (is_urgent_kind(operation)) ++urgent_count_;
  operations_.emplace_hint(operations_.end(), ++last_number_, std::move(operation));
  return last_number_;
}

void OperationQueue::erase(uint64_t number) {
  const auto found = operations_.find(number);
  queued_bytes_ -= memory_of(found->second);
  if (is_urgent_kind(found->second)) --urgent_count_;
  operations_.erase(found);
}

uint64_t OperationQueue::waiting(const Numbers& numbers, uint64_t key) const {
  const auto found = numbers.find(key);
  if (found == numbers.end()) return 0;
  // A change from within a group must not get into an earlier transaction.
  if (group_begin_ && found->second < *group_begin_) return 0;
  return operations_.count(found->second) == 0 ? 0 : found->second;
}

uint64_t OperationQueue::push_attempted(Attempted attempted) {
  if (const uint64_t earlier = waiting(attempts_, attempted.sequence)) {
    operations_.at(earlier) = attempted;
    return earlier;
  }
  const uint64_t sequence = attempted.sequence;
  return attempts_[sequence] = append(attempted);
}

// A batch that is over before its row was written needs none. A dead letter does.
uint64_t OperationQueue::push_finish(Finish finish) {
  const uint64_t seal = finish.ending.dead_letter ? 0 : waiting(seals_, finish.sequence);
  const uint64_t attempted = waiting(attempts_, finish.sequence);
  // A dead letter may live again under its sequence; what it does then joins nothing of before.
  seals_.erase(finish.sequence);
  attempts_.erase(finish.sequence);
  if (seal == 0) return append(std::move(finish));
  const BatchRow& batch = std::get<Seal>(operations_.at(seal)).batch;
  const Advance advance{batch.generation, batch.sealed_to, batch.sequence};
  erase(seal);
  if (attempted != 0) erase(attempted);
  const uint64_t number = push_advance(advance);
  return finish.ending.loss ? append(AddLoss{std::move(*finish.ending.loss)}) : number;
}

uint64_t OperationQueue::push_advance(const Advance& advance) {
  if (const uint64_t earlier = waiting(advances_, advance.generation)) {
    auto& joined = std::get<Advance>(operations_.at(earlier));
    joined.sealed_to = std::max(joined.sealed_to, advance.sealed_to);
    joined.sequence = std::max(joined.sequence, advance.sequence);
    return earlier;
  }
  return advances_[advance.generation] = append(advance);
}

uint64_t OperationQueue::push_low(const SetLow& low) {
  if (const uint64_t earlier = waiting(lows_, 0)) {
    auto& joined = std::get<SetLow>(operations_.at(earlier));
    joined.low = std::max(joined.low, low.low);
    return earlier;
  }
  return lows_[0] = append(low);
}

void OperationQueue::begin_group() {
  const std::lock_guard lock(mutex_);
  assert(!group_begin_);
  group_begin_ = last_number_ + 1;
}

void OperationQueue::end_group() {
  const std::lock_guard lock(mutex_);
  group_begin_.reset();
}

bool OperationQueue::is_ready() const {
  return !operations_.empty() && (!group_begin_ || operations_.begin()->first < *group_begin_);
}

bool OperationQueue::has_work() const {
  const std::lock_guard lock(mutex_);
  return is_ready();
}

bool OperationQueue::is_urgent() const {
  const std::lock_guard lock(mutex_);
  return is_ready() && urgent_count_ > 0;
}

uint64_t OperationQueue::queued_bytes() const {
  const std::lock_guard lock(mutex_);
  return queued_bytes_;
}

OperationQueue::Taken OperationQueue::take() {
  const std::lock_guard lock(mutex_);
  Taken taken;
  taken.last_number = group_begin_ ? *group_begin_ - 1 : last_number_;
  taken.operations.swap(operations_);
  for (auto place = taken.operations.upper_bound(taken.last_number);
       place != taken.operations.end();) {
    operations_.insert(taken.operations.extract(place++));
  }
  for (const auto& [number, operation] : taken.operations) {
    if (is_urgent_kind(operation)) --urgent_count_;
  }
  return taken;
}

void OperationQueue::put_back(Taken taken) {
  const std::lock_guard lock(mutex_);
  for (const auto& [number, operation] : taken.operations) {
    if (is_urgent_kind(operation)) ++urgent_count_;
  }
  operations_.merge(taken.operations);
}

void OperationQueue::done(const Taken& taken) {
  const std::lock_guard lock(mutex_);
  for (const auto& [number, operation] : taken.operations) {
    queued_bytes_ -= memory_of(operation);
    const auto forget = [number = number](Numbers& numbers, uint64_t key) {
      const auto found = numbers.find(key);
      if (found != numbers.end() && found->second == number) numbers.erase(found);
    };
    if (const auto* seal = std::get_if<Seal>(&operation)) forget(seals_, seal->batch.sequence);
    if (const auto* attempted = std::get_if<Attempted>(&operation)) {
      forget(attempts_, attempted->sequence);
    }
    if (const auto* advance = std::get_if<Advance>(&operation)) {
      forget(advances_, advance->generation);
    }
  }
}

}  // namespace posthaste::spool
