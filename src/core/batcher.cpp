#include "core/batcher.h"

#include <algorithm>
#include <optional>

#include "core/deliberate_break.h"
#include "core/limits.h"

namespace posthaste::core {

namespace {

// Takes records off the front of a run.
void drop_first(const RecordBlock& block, RecordRun& run, uint32_t count) {
  run = part_of(block, run, run.first + count, run.count - count);
}

}  // namespace

bool Batcher::Filter::operator<(const Filter& other) const {
  if (types == other.types) return subaccounts < other.subaccounts;
  const TypeSet difference = types ^ other.types;
  return other.types[difference._Find_first()];
}

void Batcher::subscribe(Subscriber& subscriber, const TypeSet& types,
                        const SubaccountFilter& subaccounts) {
  unsubscribe(subscriber);
  if (subscriber.number == 0) subscriber.number = ++last_number_;
  auto [place, is_new] = classes_.try_emplace(Filter{types, subaccounts});
  if (is_new) {
    place->second = std::make_unique<RouteClass>();
    place->second->subaccounts = subaccounts;
    for (size_t i = 0; i < kEventTypesMax; ++i) {
      if (types[i]) classes_by_type_[i].push_back(place->second.get());
    }
  }
  subscriber.route_class = place->second.get();
  subscriber.route_class->subscribers.push_back(&subscriber);
}

void Batcher::unsubscribe(Subscriber& subscriber) {
  RouteClass* const route_class = std::exchange(subscriber.route_class, nullptr);
  if (!route_class) return;
  std::erase(route_class->subscribers, &subscriber);
  if (!route_class->subscribers.empty()) return;
  for (auto& classes : classes_by_type_) std::erase(classes, route_class);
  std::erase_if(classes_, [&](const auto& entry) { return entry.second.get() == route_class; });
}

void Batcher::route(RecordBlock& block, RecordRun run) {
  const uint32_t end = run.first + run.count;
  for (uint32_t i = run.first; i < end; ++i) {
    if (is_broken(Break::LoseEvent) && i % 97 == 96) continue;
    const RecordEntry& entry = block.entry(i);
    std::optional<uint32_t> subaccount;
    bool is_wanted = false;
    for (RouteClass* route_class : classes_by_type_[entry.type]) {
      if (!route_class->subaccounts.takes_all()) {
        if (!subaccount) subaccount = subaccount_of({block.bytes() + entry.offset, entry.size});
        if (!route_class->subaccounts.takes(*subaccount)) continue;
      }
      is_wanted = true;
      auto& runs = route_class->runs;
      if (runs.empty()) touched_classes_.push_back(route_class);
      if (!runs.empty() && runs.back().first + runs.back().count == i) {
        ++runs.back().count;
      } else {
        runs.push_back({i, 1, position_of(block, run, i)});
      }
    }
    if (!is_wanted) ++unwanted_count_;
  }
  for (RouteClass* route_class : touched_classes_) {
    for (Subscriber* subscriber : route_class->subscribers) {
      for (const RecordRun& part : route_class->runs) append(*subscriber, block, part);
    }
    route_class->runs.clear();
  }
  touched_classes_.clear();
}

void Batcher::append(Subscriber& subscriber, RecordBlock& block, RecordRun run) {
  const DeliverySettings& limits = *subscriber.settings;
  const bool has_learned = subscriber.learned_events_max > 0;
  const uint32_t events_limit =
      has_learned ? std::min(limits.batch_max_events, subscriber.learned_events_max)
                  : limits.batch_max_events;
  const uint64_t bytes_limit = has_learned
                                   ? std::min(limits.batch_max_bytes, subscriber.learned_bytes_max)
                                   : limits.batch_max_bytes;
  BatchBody& body = subscriber.open;
  while (run.count > 0 && run.position != 0 && run.position < subscriber.takes_from) {
    drop_first(block, run, 1);
  }
  // The journal has a batch as a whole or not at all: a part of it would be in nobody's row.
  const bool is_journaled = run.position != 0;
  if (run.count > 0 && body.events_count() > 0 && body.is_journaled() != is_journaled) {
    seal(subscriber);
  }
  while (run.count > 0) {
    const RecordEntry& first = block.entry(run.first);
    if (body.events_count() > 0 && first.pushed - subscriber.first_event >= limits.batch_max_age) {
      seal(subscriber);
    }
    const uint64_t room = bytes_limit - std::min(bytes_limit, body.size_bytes());
    const uint32_t events_max = events_limit + (is_broken(Break::OverfullBatch) ? 1 : 0);
    // Sizes within a run only grow, so the number of records that fit is found by halving.
    uint32_t fits = 0;
    uint32_t limit = std::min(run.count, events_max - std::min(events_max, body.events_count()));
    while (fits < limit) {
      const uint32_t middle = limit - (limit - fits) / 2;
      const RecordEntry& last = block.entry(run.first + middle - 1);
      if (uint64_t{last.offset} + last.size - first.offset <= room) {
        fits = middle;
      } else {
        limit = middle - 1;
      }
    }
    if (fits == 0 && body.events_count() > 0) {
      seal(subscriber);
      continue;
    }
    fits = std::max(fits, 1u);
    if (body.events_count() == 0) open(subscriber, first.pushed);
    if (subscriber.touched_block != block.sequence()) {
      subscriber.touched_block = block.sequence();
      touched_subscribers_.push_back(&subscriber);
    }
    const uint64_t before = body.records_bytes();
    if (is_broken(Break::DoubleEvent) && fits == 3) body.append(block, {run.first, 1, 0});
    body.append(block, {run.first, fits, run.position});
    routed_bytes_ += body.records_bytes() - before;
    mark_changed(subscriber);
    drop_first(block, run, fits);
    if (body.events_count() >= events_max) seal(subscriber);
    if (is_broken(Break::NeedlessSeal) && body.events_count() == 5) seal(subscriber);
  }
}

void Batcher::open(Subscriber& subscriber, Instant first_event) {
  subscriber.first_event = first_event;
  subscriber.deadline = first_event + subscriber.settings->batch_max_age;
  deadlines_.insert({{subscriber.deadline, subscriber.number}, &subscriber});
}

void Batcher::settings_changed(Subscriber& subscriber) {
  if (subscriber.open.events_count() == 0) return;
  deadlines_.erase({subscriber.deadline, subscriber.number});
  open(subscriber, subscriber.first_event);
}

void Batcher::forget(Subscriber& subscriber) {
  unsubscribe(subscriber);
  deadlines_.erase({subscriber.deadline, subscriber.number});
  std::erase(touched_subscribers_, &subscriber);
  std::erase(changed_, &subscriber);
  owned_bytes_ -= subscriber.open.owned_bytes();
}

void Batcher::block_ended(const RecordBlock& block, uint64_t block_size_bytes) {
  for (Subscriber* subscriber : touched_subscribers_) {
    const uint64_t held = subscriber->open.shared_bytes(block);
    const bool is_sparse = held > 0 && held * kSparseShare < block_size_bytes;
    if (is_sparse && (!may_copy_ || may_copy_(*subscriber, held))) {
      const uint64_t before = subscriber->open.owned_bytes();
      subscriber->open.detach(block);
      owned_bytes_ += subscriber->open.owned_bytes() - before;
    }
    subscriber->touched_block = ~uint64_t{0};
  }
  touched_subscribers_.clear();
}

void Batcher::seal(Subscriber& subscriber) {
  if (subscriber.open.events_count() == 0) return;
  deadlines_.erase({subscriber.deadline, subscriber.number});
  owned_bytes_ -= subscriber.open.owned_bytes();
  subscriber.sealed_events_count += subscriber.open.events_count();
  mark_changed(subscriber);
  BatchBody body = std::exchange(subscriber.open, {});
  sealed_.push_back({&subscriber, std::move(body), subscriber.first_event});
}

void Batcher::seal_due(Instant now) {
  if (is_broken(Break::OldBatch)) now -= std::chrono::seconds(1);
  while (!deadlines_.empty() && deadlines_.begin()->first.first <= now)
    seal(*deadlines_.begin()->second);
}

void Batcher::seal_unjournaled() {
  for (auto place = deadlines_.begin(); place != deadlines_.end();) {
    Subscriber& subscriber = *(place++)->second;
    if (!subscriber.open.is_journaled()) seal(subscriber);
  }
}

std::vector<Subscriber*> Batcher::take_changed() {
  for (Subscriber* subscriber : changed_) subscriber->is_changed = false;
  return std::exchange(changed_, {});
}

void Batcher::mark_changed(Subscriber& subscriber) {
  if (std::exchange(subscriber.is_changed, true)) return;
  changed_.push_back(&subscriber);
}

void Batcher::detach(Subscriber& subscriber) {
  const uint64_t before = subscriber.open.owned_bytes();
  subscriber.open.detach();
  owned_bytes_ += subscriber.open.owned_bytes() - before;
}

void Batcher::release(Subscriber& subscriber) {
  // Of what comes next nobody knows yet whether the journal has it.
  if (subscriber.open.events_count() == 0) return;
  owned_bytes_ -= subscriber.open.owned_bytes();
  subscriber.open.release();
}

StreamPosition Batcher::low_position(StreamPosition routed) const {
  StreamPosition low = routed;
  for (const auto& [deadline, subscriber] : deadlines_) {
    const auto& ranges = subscriber->open.ranges();
    if (!ranges.empty()) low = std::min(low, ranges.front().position);
  }
  return low;
}

Instant Batcher::next_deadline() const {
  return deadlines_.empty() ? kNever : deadlines_.begin()->first.first;
}

}  // namespace posthaste::core
