// The log of attempts in bounded memory, for the mode without a spool directory. It keeps the last
// attempt of each batch only, since nobody asks for earlier ones.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "spool/store.h"

namespace posthaste::spool {

// Purpose: Store without a disk. Ownership: owns all it is given, in slots that are used again.
// Threads: any; every call holds one short lock. Invariants: slots and their index stay under
// max_bytes; the oldest attempt leaves first; no more than one attempt per batch. What it keeps of
// each webhook itself (its id and two times) is bounded by the number of webhooks and leaves with
// forget_webhook.
class MemoryStore final : public Store {
 public:
  // Settings attempts_max_age and attempts_max_bytes.
  MemoryStore(core::Duration max_age, uint64_t max_bytes);

  // Batch ids are UUIDs in text form.
  void log_attempt(const AttemptRecord& attempt) override;
  std::vector<AttemptRecord> batch_status(std::string_view webhook_id, size_t limit,
                                          StatusFilter filter, core::WallTime now) const override;
  WebhookHistory history(std::string_view webhook_id) const override;
  void forget_webhook(std::string_view webhook_id) override;

  void set_limits(core::Duration max_age, uint64_t max_bytes) override;
  uint64_t left_early_count() const override;
  uint64_t used_bytes() const;

 private:
  using Index = uint32_t;
  static constexpr Index kNone = ~Index{0};
  static constexpr size_t kBatchIdSize = 36;

  // Places of a doubly linked list.
  struct Links {
    Index older = kNone;
    Index newer = kNone;
  };
  struct List {
    Index oldest = kNone;
    Index newest = kNone;
  };
  struct WebhookLog {
    std::string id;
    WebhookHistory history;
    List attempts;
  };
  struct Slot {
    std::array<char, kBatchIdSize> batch_id{};
    uint8_t batch_id_size = 0;
    bool is_delivered = false;
    uint16_t network_name = 0;  // index of network_names_
    WebhookLog* webhook = nullptr;
    core::WallTime sealed{};
    core::WallTime time{};
    core::Duration latency{};
    uint64_t size_bytes = 0;
    uint32_t events_count = 0;
    uint32_t attempt_count = 0;
    uint32_t failures_count = 0;
    int32_t status = 0;
    Links in_log;  // over all webhooks
    Links in_webhook;

    std::string_view id() const { return {batch_id.data(), batch_id_size}; }
  };

  WebhookLog& webhook_log(const std::string& id);
  uint16_t network_name_index(const std::string& name);
  AttemptRecord record_of(const Slot& slot) const;
  static uint64_t charge_of(const Slot& slot);
  void append(const Slot& slot);
  void remove(Index index);
  void link(List& list, Links Slot::*links, Index index);
  void unlink(List& list, Links Slot::*links, Index index);
  void remove_aged(core::WallTime now);
  void make_room();
  void rebuild();

  mutable std::mutex mutex_;  // guards what follows
  core::Duration max_age_;
  uint64_t max_bytes_;
  uint64_t used_bytes_ = 0;
  uint64_t left_early_count_ = 0;
  std::deque<Slot> slots_;
  std::vector<Index> free_;
  List log_;
  // Slots whose batch may have a further attempt; the keys are the slots' own bytes.
  std::unordered_map<std::string_view, Index> unfinished_;
  std::map<std::string, WebhookLog, std::less<>> webhooks_;
  std::vector<std::string> network_names_;
};

}  // namespace posthaste::spool
