#include "torture/arrivals.h"

#include <algorithm>
#include <fstream>
#include <utility>

#include "support/receiver_body.h"

namespace posthaste::torture {
namespace {

// More of them tell nothing new.
constexpr size_t kFailuresMax = 20;

uint64_t hash_of(std::string_view bytes) {
  testing::BodyHash hash;
  hash.add(bytes);
  return hash.value();
}

// The payload of `{"msys":{"<class>":<payload>}}`; empty when it is none.
std::string_view payload_of(std::string_view record) {
  constexpr std::string_view kBegin = R"({"msys":{")";
  if (record.substr(0, kBegin.size()) != kBegin || record.size() < kBegin.size() + 4) return {};
  const size_t colon = record.find(R"(":)", kBegin.size());
  if (colon == std::string_view::npos || record.substr(record.size() - 2) != "}}") return {};
  return record.substr(colon + 2, record.size() - 2 - (colon + 2));
}

std::optional<EventId> id_of(std::string_view payload) {
  constexpr std::string_view kBegin = R"("event_id":")";
  const size_t place = payload.find(kBegin);
  if (place == std::string_view::npos) return std::nullopt;
  const std::string_view rest = payload.substr(place + kBegin.size());
  return EventId::parse(rest.substr(0, rest.find('"')));
}

// Parts of batches have ids of version 5, sealed batches of version 1.
bool is_part(const std::string& id) {
  return id.size() > 14 && id[14] == '5';
}

}  // namespace

bool ArrivedBatch::is_accepted() const {
  return std::any_of(attempts.begin(), attempts.end(),
                     [](const Attempt& attempt) { return attempt.is_accepted; });
}

void Arrivals::add(const std::string& key, const std::string& batch_id, std::string_view body,
                   const Attempt& attempt) {
  const uint64_t body_hash = hash_of(body);
  const std::lock_guard lock(mutex_);
  last_at_ = Clock::now();
  size_t& last = last_requests_[attempt.connection];
  last = std::max(last, attempt.request);
  const auto [place, is_new] = batch_index_.try_emplace({key, batch_id}, batches_.size());
  if (!is_new) {
    ArrivedBatch& batch = batches_[place->second];
    batch.attempts.push_back(attempt);
    if (batch.body_hash != body_hash) {
      fail("bytes", fmt::format("batch {} for {} had another body when it came again in cycle {}",
                                batch_id, key, attempt.cycle));
    }
    return;
  }
  batches_.push_back({key, batch_id, body_hash, {attempt}});
  const auto records = testing::split_records(body);
  if (!records || records->empty()) {
    fail("bytes", fmt::format("batch {} for {} is no array of records", batch_id, key));
    return;
  }
  for (const std::string& record : *records) add_event(key, place->second, record);
}

void Arrivals::add_event(const std::string& key, size_t batch, const std::string& record) {
  const std::string_view payload = payload_of(record);
  const auto id = id_of(payload);
  if (!id) {
    fail("unknown", fmt::format("batch {} for {} has a record that was never pushed: {}",
                                batches_[batch].id, key, record.substr(0, 200)));
    return;
  }
  const auto [place, is_new] =
      events_[key].try_emplace(id->packed(), ArrivedEvent{batch, hash_of(payload)});
  if (is_new) return;
  const ArrivedBatch& earlier = batches_[place->second.batch];
  const ArrivedBatch& now = batches_[batch];
  // A batch that was refused may be taken apart, and never comes whole again. Whether it was taken
  // as well, in an earlier cycle, its host may not know.
  const uint64_t cycle = now.attempts.front().cycle;
  const bool was_taken = std::any_of(
      earlier.attempts.begin(), earlier.attempts.end(),
      [&](const Attempt& attempt) { return attempt.is_accepted && attempt.cycle == cycle; });
  if (is_part(now.id) && !was_taken) {
    place->second.batch = batch;
    return;
  }
  fail("one_batch", fmt::format("event {} came to {} in batch {} and in batch {}", id->text(), key,
                                batches_[place->second.batch].id, batches_[batch].id));
}

void Arrivals::fail(std::string check, std::string text) {
  if (failures_.size() < kFailuresMax) failures_.push_back({std::move(check), std::move(text)});
}

bool Arrivals::is_answer_read(const Attempt& attempt) const {
  const std::lock_guard lock(mutex_);
  const auto last = last_requests_.find(attempt.connection);
  return last != last_requests_.end() && last->second > attempt.request;
}

Arrivals::Clock::duration Arrivals::age() const {
  const std::lock_guard lock(mutex_);
  return Clock::now() - last_at_;
}

void Arrivals::write(const std::string& path) const {
  std::ofstream file(path);
  for (const ArrivedBatch& batch : batches_) {
    for (const Attempt& attempt : batch.attempts) {
      file << fmt::format("attempt {} {} in cycle {} on connection {}, request {}: {}\n", batch.key,
                          batch.id, attempt.cycle, attempt.connection, attempt.request,
                          attempt.is_accepted ? "accepted" : "failed");
    }
  }
  for (const auto& [key, events] : events_) {
    for (const auto& [packed, event] : events) {
      file << fmt::format("event {} {} in {}\n", key, EventId::unpacked(packed).text(),
                          batches_[event.batch].id);
    }
  }
}

}  // namespace posthaste::torture
