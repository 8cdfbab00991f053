#include "torture/ledger.h"

#include <posthaste/posthaste.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <utility>

namespace posthaste::torture {
namespace {

// More of them tell nothing new.
constexpr size_t kFailuresMax = 20;

// The fields of a line, the last one with whatever follows when there are more than `count`.
std::vector<std::string_view> fields_of(std::string_view line, size_t count) {
  std::vector<std::string_view> fields;
  while (fields.size() + 1 < count) {
    const size_t blank = line.find(' ');
    if (blank == std::string_view::npos) break;
    fields.push_back(line.substr(0, blank));
    line.remove_prefix(blank + 1);
  }
  fields.push_back(line);
  return fields;
}

// Those that are refused until the end, so that what they lose they lose unseen.
constexpr const char* kRefused[] = {"rare", "dead"};

bool is_refused(std::string_view webhook) {
  return std::find(std::begin(kRefused), std::end(kRefused), webhook) != std::end(kRefused);
}

bool is_quota(int32_t reason) {
  return reason == POSTHASTE_REASON_QUOTA || reason == POSTHASTE_REASON_DEAD_LETTER_QUOTA;
}

uint64_t number_of(std::string_view text, int base = 10) {
  uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number, base);
  return number;
}

}  // namespace

void Ledger::read(const std::string& path) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    // Cut short, or the first line of a host.
    if (line.empty() || line.back() == kNewHostLine[0]) continue;
    read_line(line);
  }
}

void Ledger::read_line(std::string_view line) {
  const std::string_view word = line.substr(0, line.find(' '));
  if (word == "event") {
    const auto fields = fields_of(line, 4);
    const auto id = fields.size() < 4 ? std::nullopt : EventId::parse(fields[1]);
    if (!id) return;
    Event event;
    event.hash = number_of(fields[2], 16);
    for (const std::string_view key : fields_of(fields[3], ~size_t{0})) {
      event.keys.push_back(key_index(key));
    }
    events_.emplace(id->packed(), std::move(event));
    ++sums_.events;
  } else if (word == "synced") {
    const auto id = EventId::parse(fields_of(line, 2).back());
    if (id) synced_[id->cycle] = std::max(synced_[id->cycle], id->number);
  } else if (word == "freed") {
    freed_.emplace(fields_of(line, 2).back());
  } else if (word == "drops") {
    const auto fields = fields_of(line, 4);
    const auto reason = static_cast<int32_t>(number_of(fields[2]));
    drops_[std::string(fields[1])][reason] += number_of(fields[3]);
  } else if (word == "closed") {
    closed_.insert(number_of(fields_of(line, 2).back()));
  } else if (word == "problem") {
    problems_.emplace_back(fields_of(line, 2).back());
  }
}

uint32_t Ledger::key_index(std::string_view key) {
  const auto place = key_indexes_.find(key);
  if (place != key_indexes_.end()) return place->second;
  keys_.emplace_back(key);
  return key_indexes_.emplace(key, static_cast<uint32_t>(keys_.size() - 1)).first->second;
}

bool Ledger::is_synced(EventId id) const {
  const auto place = synced_.find(id.cycle);
  return place != synced_.end() && id.number <= place->second;
}

// The key is `/<webhook>.<incarnation>/<revision>`.
bool Ledger::is_freed(const std::string& key) const {
  return freed_.contains(key.substr(1, key.rfind('/') - 1));
}

std::vector<Failure> Ledger::check(const Arrivals& arrivals) {
  failures_ = arrivals.failures();
  check_obligations(arrivals);
  check_events(arrivals);
  check_duplicates(arrivals);
  check_drops(arrivals);
  for (const std::string& problem : problems_) fail("host", problem);
  return failures_;
}

// What was synced has arrived wherever it was owed.
void Ledger::check_obligations(const Arrivals& arrivals) {
  std::vector<const EventsById*> arrived;
  std::vector<bool> is_excused;  // the drops are counted instead
  for (const std::string& key : keys_) {
    const auto place = arrivals.events().find(key);
    arrived.push_back(place == arrivals.events().end() ? nullptr : &place->second);
    is_excused.push_back(is_freed(key) || is_refused(key.substr(1, key.find('.') - 1)));
  }
  for (const auto& [packed, event] : events_) {
    const EventId id = EventId::unpacked(packed);
    if (!is_synced(id)) continue;
    for (const uint32_t key : event.keys) {
      ++sums_.obligations;
      if (is_excused[key]) continue;
      const auto place = arrived[key] ? arrived[key]->find(packed) : EventsById::const_iterator{};
      const bool has_arrived = arrived[key] && place != arrived[key]->end() &&
                               arrivals.batches()[place->second.batch].is_accepted();
      if (!has_arrived) {
        fail("arrived",
             fmt::format("event {} was synced and never arrived at {}", id.text(), keys_[key]));
      }
    }
  }
}

// What has arrived was pushed, is unchanged, and was wanted there.
void Ledger::check_events(const Arrivals& arrivals) {
  for (const auto& [key, events] : arrivals.events()) {
    const auto index = key_indexes_.find(key);
    for (const auto& [packed, arrived] : events) {
      const EventId id = EventId::unpacked(packed);
      const auto pushed = events_.find(packed);
      if (pushed == events_.end()) {
        fail("unknown",
             fmt::format("event {} came to {} and was never pushed in this round", id.text(), key));
        continue;
      }
      if (pushed->second.hash != arrived.hash) {
        fail("bytes", fmt::format("event {} came to {} with other bytes", id.text(), key));
      }
      const auto& keys = pushed->second.keys;
      const bool is_wanted = index != key_indexes_.end() &&
                             std::find(keys.begin(), keys.end(), index->second) != keys.end();
      // A change of a webhook that was not synced may be undone by a kill.
      if (!is_wanted && is_synced(id)) {
        fail("unwanted", fmt::format("event {} came to {}, which did not want it", id.text(), key));
      }
    }
  }
}

// A batch that was taken comes again only if its host may not know that it was.
void Ledger::check_duplicates(const Arrivals& arrivals) {
  for (const ArrivedBatch& batch : arrivals.batches()) {
    bool was_accepted = false;
    for (size_t i = 0; i < batch.attempts.size(); ++i) {
      const Attempt& attempt = batch.attempts[i];
      sums_.duplicates += attempt.is_accepted && was_accepted;
      was_accepted = was_accepted || attempt.is_accepted;
      if (!attempt.is_accepted || i + 1 == batch.attempts.size()) continue;
      const Attempt& next = batch.attempts[i + 1];
      const bool knew = next.cycle == attempt.cycle || closed_.contains(attempt.cycle);
      if (knew && arrivals.is_answer_read(attempt)) {
        fail("duplicate",
             fmt::format("batch {} for {} was taken in cycle {} and came again in cycle {}",
                         batch.id, batch.key, attempt.cycle, next.cycle));
      }
    }
  }
}

// What `all` got, those that are refused until the end got too, or it was reported as dropped from
// them, to the event. Nobody else drops but for a removal.
void Ledger::check_drops(const Arrivals& arrivals) {
  for (const auto& [webhook, reasons] : drops_) {
    for (const auto& [reason, count] : reasons) {
      const bool is_counted = is_refused(webhook) && is_quota(reason);
      const bool is_asked_for = webhook.front() == 'w' && reason == POSTHASTE_REASON_REMOVED;
      if (is_counted || is_asked_for) continue;
      fail("drops",
           fmt::format("{} events of {} were dropped for reason {}", count, webhook, reason));
    }
  }
  for (const char* const webhook : kRefused) {
    const std::string key = fmt::format("/{}.1/1", webhook);
    uint64_t dropped = 0;
    for (const auto& [reason, count] : drops_[webhook]) dropped += is_quota(reason) ? count : 0;
    const uint64_t routed = count_wanted(arrivals, key);
    const uint64_t arrived = count_accepted(arrivals, key);
    sums_.dropped += dropped;
    if (routed == arrived + dropped) continue;
    fail("drops", fmt::format("of {} events for {} {} arrived and {} were reported as dropped",
                              routed, webhook, arrived, dropped));
  }
}

// How many of the events that came to `all` are wanted by another webhook.
uint64_t Ledger::count_wanted(const Arrivals& arrivals, const std::string& key) {
  const auto all = arrivals.events().find("/all.1/1");
  if (all == arrivals.events().end()) return 0;
  const uint32_t index = key_index(key);
  return static_cast<uint64_t>(
      std::count_if(all->second.begin(), all->second.end(), [&](const auto& entry) {
        const auto pushed = events_.find(entry.first);
        if (pushed == events_.end()) return false;
        const auto& keys = pushed->second.keys;
        return std::find(keys.begin(), keys.end(), index) != keys.end();
      }));
}

uint64_t Ledger::count_accepted(const Arrivals& arrivals, const std::string& key) const {
  const auto events = arrivals.events().find(key);
  if (events == arrivals.events().end()) return 0;
  return static_cast<uint64_t>(
      std::count_if(events->second.begin(), events->second.end(), [&](const auto& entry) {
        return events_.contains(entry.first) &&
               arrivals.batches()[entry.second.batch].is_accepted();
      }));
}

void Ledger::fail(std::string check, std::string text) {
  if (failures_.size() < kFailuresMax) failures_.push_back({std::move(check), std::move(text)});
}

}  // namespace posthaste::torture
