#include "spool/memory_store.h"

#include <algorithm>
#include <cassert>

namespace posthaste::spool {
namespace {

// What a slot takes beside its fields: its share of the container, and its place among the free.
constexpr uint64_t kSlotPlaceBytes = 16;
// What an entry of the index of unfinished batches takes, allocator included.
constexpr uint64_t kIndexEntryBytes = 64;
// Names of network errors are a small fixed set; a name beyond this many is not kept.
constexpr size_t kNetworkNamesMax = 256;

}  // namespace

MemoryStore::MemoryStore(core::Duration max_age, uint64_t max_bytes)
    : max_age_(max_age), max_bytes_(max_bytes), network_names_(1) {}

void MemoryStore::log_attempt(const AttemptRecord& attempt) {
  assert(attempt.batch_id.size() <= kBatchIdSize);
  const std::lock_guard lock(mutex_);
  Slot slot;
  slot.batch_id_size =
      static_cast<uint8_t>(attempt.batch_id.copy(slot.batch_id.data(), kBatchIdSize));
  slot.is_delivered = attempt.is_delivered;
  slot.network_name = network_name_index(attempt.network_name);
  slot.webhook = &webhook_log(attempt.webhook_id);
  slot.sealed = attempt.sealed;
  slot.time = attempt.time;
  slot.latency = attempt.latency;
  slot.size_bytes = attempt.size_bytes;
  slot.events_count = attempt.events_count;
  slot.attempt_count = attempt.attempt_count;
  slot.failures_count = attempt.failures_count;
  slot.status = attempt.status;

  WebhookHistory& history = slot.webhook->history;
  (attempt.is_delivered ? history.last_successful : history.last_failure) = attempt.time;
  if (const auto earlier = unfinished_.find(slot.id()); earlier != unfinished_.end()) {
    remove(earlier->second);
  }
  append(slot);
  remove_aged(attempt.time);
  make_room();
}

std::vector<AttemptRecord> MemoryStore::batch_status(std::string_view webhook_id, size_t limit,
                                                     StatusFilter filter,
                                                     core::WallTime now) const {
  std::vector<AttemptRecord> records;
  const std::lock_guard lock(mutex_);
  const auto webhook = webhooks_.find(webhook_id);
  if (webhook == webhooks_.end()) return records;
  for (Index index = webhook->second.attempts.newest; index != kNone && records.size() < limit;) {
    const Slot& slot = slots_[index];
    index = slot.in_webhook.older;
    if (now - slot.time > max_age_) continue;
    if (filter == StatusFilter::FailedOnly && slot.failures_count == 0) continue;
    records.push_back(record_of(slot));
  }
  return records;
}

WebhookHistory MemoryStore::history(std::string_view webhook_id) const {
  const std::lock_guard lock(mutex_);
  const auto webhook = webhooks_.find(webhook_id);
  return webhook == webhooks_.end() ? WebhookHistory{} : webhook->second.history;
}

void MemoryStore::forget_webhook(std::string_view webhook_id) {
  const std::lock_guard lock(mutex_);
  const auto webhook = webhooks_.find(webhook_id);
  if (webhook == webhooks_.end()) return;
  while (webhook->second.attempts.newest != kNone) remove(webhook->second.attempts.newest);
  webhooks_.erase(webhook);
}

void MemoryStore::set_limits(core::Duration max_age, uint64_t max_bytes) {
  const std::lock_guard lock(mutex_);
  const bool is_shrinking = max_bytes < max_bytes_;
  max_age_ = max_age;
  max_bytes_ = max_bytes;
  make_room();
  if (is_shrinking) rebuild();
}

uint64_t MemoryStore::left_early_count() const {
  const std::lock_guard lock(mutex_);
  return left_early_count_;
}

uint64_t MemoryStore::used_bytes() const {
  const std::lock_guard lock(mutex_);
  return used_bytes_;
}

MemoryStore::WebhookLog& MemoryStore::webhook_log(const std::string& id) {
  WebhookLog& webhook = webhooks_[id];
  if (webhook.id.empty()) webhook.id = id;
  return webhook;
}

// Index 0 is the empty name.
uint16_t MemoryStore::network_name_index(const std::string& name) {
  const auto place = std::find(network_names_.begin(), network_names_.end(), name);
  if (place != network_names_.end()) return static_cast<uint16_t>(place - network_names_.begin());
  if (network_names_.size() == kNetworkNamesMax) return 0;
  network_names_.push_back(name);
  return static_cast<uint16_t>(network_names_.size() - 1);
}

AttemptRecord MemoryStore::record_of(const Slot& slot) const {
  AttemptRecord record;
  record.webhook_id = slot.webhook->id;
  record.batch_id = slot.id();
  record.sealed = slot.sealed;
  record.time = slot.time;
  record.attempt_count = slot.attempt_count;
  record.failures_count = slot.failures_count;
  record.is_delivered = slot.is_delivered;
  record.status = slot.status;
  record.network_name = network_names_[slot.network_name];
  record.latency = slot.latency;
  record.size_bytes = slot.size_bytes;
  record.events_count = slot.events_count;
  return record;
}

void MemoryStore::append(const Slot& slot) {
  Index index;
  if (free_.empty()) {
    index = static_cast<Index>(slots_.size());
    slots_.push_back(slot);
  } else {
    index = free_.back();
    free_.pop_back();
    slots_[index] = slot;
  }
  link(log_, &Slot::in_log, index);
  link(slot.webhook->attempts, &Slot::in_webhook, index);
  if (!slot.is_delivered) unfinished_.emplace(slots_[index].id(), index);
  used_bytes_ += charge_of(slot);
}

void MemoryStore::remove(Index index) {
  Slot& slot = slots_[index];
  used_bytes_ -= charge_of(slot);
  if (!slot.is_delivered) unfinished_.erase(slot.id());
  unlink(log_, &Slot::in_log, index);
  unlink(slot.webhook->attempts, &Slot::in_webhook, index);
  free_.push_back(index);
}

uint64_t MemoryStore::charge_of(const Slot& slot) {
  return sizeof(Slot) + kSlotPlaceBytes + (slot.is_delivered ? 0 : kIndexEntryBytes);
}

void MemoryStore::link(List& list, Links Slot::*links, Index index) {
  slots_[index].*links = {list.newest, kNone};
  (list.newest == kNone ? list.oldest : (slots_[list.newest].*links).newer) = index;
  list.newest = index;
}

void MemoryStore::unlink(List& list, Links Slot::*links, Index index) {
  const Links& place = slots_[index].*links;
  (place.older == kNone ? list.oldest : (slots_[place.older].*links).newer) = place.newer;
  (place.newer == kNone ? list.newest : (slots_[place.newer].*links).older) = place.older;
}

void MemoryStore::remove_aged(core::WallTime now) {
  while (log_.oldest != kNone && now - slots_[log_.oldest].time > max_age_) remove(log_.oldest);
}

void MemoryStore::make_room() {
  while (used_bytes_ > max_bytes_ && log_.oldest != kNone) {
    remove(log_.oldest);
    ++left_early_count_;
  }
}

// Gives back the memory of free slots: what is left moves, in its order, into as many slots as it
// needs.
void MemoryStore::rebuild() {
  std::vector<Slot> kept;
  kept.reserve(slots_.size() - free_.size());
  for (Index index = log_.oldest; index != kNone; index = slots_[index].in_log.newer) {
    kept.push_back(slots_[index]);
  }
  while (log_.oldest != kNone) remove(log_.oldest);
  slots_ = {};
  free_ = {};
  for (const Slot& slot : kept) append(slot);
}

}  // namespace posthaste::spool
