// What operators ask of a running engine: lists and bodies of what is in the spool, dead letters,
// retry now, purge, check. Questions are answered by the store on the caller's thread; changes take
// their place in the order of events and are on disk when the call returns.
#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "engine/engine.h"
#include "engine/record_lines.h"

namespace posthaste::engine {

using core::ErrorCode;
using core::Result;

namespace {

// Rows read or replayed at a time.
constexpr size_t kPageSize = 256;
// A body is read in pieces of this size.
constexpr size_t kPieceBytes = size_t{64} << 10;
// More than anybody reads.
constexpr size_t kFindingsMax = 100;

void add(spool::Sums& total, const spool::Sums& part) {
  total.batches_count += part.batches_count;
  total.events_count += part.events_count;
  total.size_bytes += part.size_bytes;
}

// Reads a body to its end and gives it as lines, piece by piece; the number of lines.
Result<uint64_t> read_lines(spool::BodyReader& body,
                            const std::function<Result<>(std::string_view)>& take) {
  RecordLines lines;
  std::string piece(kPieceBytes, '\0');
  std::string text;
  for (uint64_t offset = 0; offset < body.size_bytes();) {
    auto size = body.read(offset, piece.data(), piece.size());
    if (!size) return size.error();
    if (*size == 0) break;
    offset += *size;
    text.clear();
    lines.feed(std::string_view(piece).substr(0, *size), text);
    if (auto taken = take(text); !taken) return taken.error();
  }
  if (!lines.is_complete()) return {ErrorCode::SpoolIo, "its body ends too early"};
  return lines.lines_count();
}

}  // namespace

// The store, for what only a spool can do.
Result<spool::Spool*> Engine::running_spool() const {
  if (!open_spool_)
    return {ErrorCode::State, "there is no spool in memory mode; spool.dir sets one", "spool.dir"};
  if (auto usable = check_usable(false); !usable) return usable.error();
  return spool_.get();
}

// ---- Questions

Result<std::vector<WaitingBatch>> Engine::list_waiting(const spool::DeadLetterFilter& filter,
                                                       uint64_t after, size_t limit) const {
  auto spool = running_spool();
  if (!spool) return spool.error();
  if (filter.status)
    return {ErrorCode::Invalid, "the last status of a waiting batch is not kept", "status"};
  const spool::DurableStore& store = (*spool)->store();
  std::vector<WaitingBatch> found;
  for (;;) {
    auto page = store.list_batches(std::nullopt, after, std::max(limit, kPageSize));
    if (!page) return page.error();
    for (spool::LiveBatch& row : *page) {
      after = row.sequence;
      if (filter.batch_id && row.id != *filter.batch_id) continue;
      // A batch that is not dead has the time of its sealing.
      if (filter.died_from && row.sealed < *filter.died_from) continue;
      if (filter.died_before && row.sealed >= *filter.died_before) continue;
      std::string webhook_id = webhook_counters_.webhook_id(row.generation);
      if (filter.webhook_id && webhook_id != *filter.webhook_id) continue;
      found.push_back({std::move(row), std::move(webhook_id)});
      if (found.size() == limit) return found;
    }
    if (page->empty()) return found;
  }
}

Result<WaitingBatch> Engine::find_waiting(std::string_view batch_id) const {
  auto spool = running_spool();
  if (!spool) return spool.error();
  auto row = (*spool)->store().find_batch(batch_id);
  if (!row) return row.error();
  std::string webhook_id = webhook_counters_.webhook_id(row->generation);
  return WaitingBatch{std::move(*row), std::move(webhook_id)};
}

Result<std::vector<spool::DeadLetter>> Engine::list_dead_letters(
    const spool::DeadLetterFilter& filter, uint64_t after, size_t limit) const {
  auto spool = running_spool();
  if (!spool) return spool.error();
  return (*spool)->store().list_dead_letters(filter, after, limit);
}

Result<spool::DeadLetter> Engine::find_dead_letter(std::string_view batch_id) const {
  auto spool = running_spool();
  if (!spool) return spool.error();
  return (*spool)->store().find_dead_letter(batch_id);
}

Result<uint64_t> Engine::export_events(std::string_view batch_id, const TextSink& sink) const {
  auto spool = running_spool();
  if (!spool) return spool.error();
  const spool::DurableStore& store = (*spool)->store();
  uint64_t sequence = 0;
  if (auto batch = store.find_batch(batch_id)) {
    sequence = batch->sequence;
  } else if (batch.code() != ErrorCode::NotFound) {
    return batch.error();
  } else if (auto letter = store.find_dead_letter(batch_id)) {
    sequence = letter->sequence;
  } else {
    return letter.error();
  }
  auto body = (*spool)->open_body(sequence);
  if (!body) return body.error();
  return read_lines(**body, [&](std::string_view text) -> Result<> {
    if (text.empty() || sink(text)) return {};
    return {ErrorCode::System, "the text could not be written where it was to go", "write"};
  });
}

Result<spool::Findings> Engine::check_spool(int32_t timeout_ms) const {
  auto spool = running_spool();
  if (!spool) return spool.error();
  const core::Instant deadline = deadline_of(timeout_ms);
  auto findings = (*spool)->store().check();
  for (uint64_t after = 0; findings;) {
    auto page = (*spool)->store().list_batches(std::nullopt, after, kPageSize);
    if (!page) return page.error();
    if (page->empty()) return findings;
    for (const spool::LiveBatch& row : *page) {
      after = row.sequence;
      if (findings->size() >= kFindingsMax) return findings;
      // A close does not wait for a look at all bodies.
      if (auto usable = check_usable(false); !usable) return usable.error();
      auto finding = check_body(**spool, row, deadline);
      if (!finding) return finding.error();
      if (!finding->empty()) findings->push_back(std::move(*finding));
    }
  }
  return findings;
}

// Empty: the body is whole, or the batch is over meanwhile.
Result<std::string> Engine::check_body(spool::Spool& spool, const spool::LiveBatch& row,
                                       core::Instant deadline) const {
  const core::Error late{ErrorCode::Timeout, "the check did not end in time", "timeout_ms"};
  if (clock_->now() >= deadline) return late;
  auto body = spool.open_body(row.sequence);
  auto lines = body ? read_lines(**body,
                                 [&](std::string_view) -> Result<> {
                                   if (clock_->now() < deadline) return {};
                                   return late;
                                 })
                    : Result<uint64_t>(body.error());
  if (lines && *lines == row.events_count) return std::string();
  if (lines.code() == ErrorCode::Timeout) return late;
  // Its records may be gone because the batch is.
  if (spool.store().find_batch(row.id).code() == ErrorCode::NotFound) return std::string();
  const std::string name =
      fmt::format("batch {} of webhook {}", row.id, webhook_counters_.webhook_id(row.generation));
  if (!lines) return fmt::format("{} cannot be read: {}", name, lines.error().message);
  return fmt::format("{} has {} events instead of {}", name, *lines, row.events_count);
}

// ---- Changes

Result<> Engine::retry_now(std::optional<std::string_view> id) {
  if (auto usable = check_usable(false); !usable) return usable;
  const std::lock_guard lock(mutex_);
  RetryNowControl control;
  if (id) {
    auto webhook = registered(*id);
    if (!webhook) return webhook.error();
    control.generation = (*webhook)->generation;
  }
  if (!post(control)) return {ErrorCode::State, "the engine is closed"};
  return {};
}

Result<spool::Sums> Engine::replay_dead_letters(const spool::DeadLetterFilter& filter,
                                                int32_t timeout_ms) {
  const core::Instant deadline = deadline_of(timeout_ms);
  spool::Sums total;
  for (uint64_t after = 0;;) {
    const auto sums = std::make_shared<spool::Sums>();
    Result<bool> has_page = true;
    const Outcome outcome = wait_for(left_ms(deadline), [&](Done done, const Claim&) {
      has_page = begin_replay(filter, after, sums, done);
      if (!has_page || !*has_page) done({});
    });
    if (!has_page) return has_page.error();
    if (outcome.error.code != ErrorCode::Ok) return outcome.error;
    if (!*has_page) return total;
    add(total, *sums);
  }
}

Result<bool> Engine::begin_replay(const spool::DeadLetterFilter& filter, uint64_t& after,
                                  const std::shared_ptr<spool::Sums>& sums, Done done) {
  auto spool = running_spool();
  if (!spool) return spool.error();
  if (filter.webhook_id) {
    if (auto webhook = find_registered(*filter.webhook_id); !webhook) return webhook.error();
  }
  auto page = (*spool)->store().list_dead_letters(filter, after, kPageSize);
  if (!page) return page.error();
  if (page->empty()) return false;
  after = page->back().sequence;
  post_hurried(std::move(done), [&](Done ended) -> Result<Control> {
    ReplayControl control;
    control.sums = sums;
    control.done = std::move(ended);
    for (spool::DeadLetter& letter : *page) {
      const core::WebhookPtr webhook = registry_.find(letter.webhook_id);
      if (webhook) control.letters.push_back({std::move(letter), webhook->generation});
    }
    return Control(std::move(control));
  });
  return true;
}

Result<spool::Sums> Engine::remove_dead_letters(const spool::DeadLetterFilter& filter,
                                                int32_t timeout_ms) {
  auto spool = running_spool();
  if (!spool) return spool.error();
  auto sums = (*spool)->store().dead_letter_sums(filter);
  if (!sums) return sums;
  auto changed = run_on_disk(timeout_ms, [&](Done done) -> Result<Control> {
    return Control(DeleteDeadLettersControl{filter, std::move(done)});
  });
  if (!changed) return changed.error();
  return sums;
}

Result<> Engine::begin_remove_dead_letters(const spool::DeadLetterFilter& filter, Done done) {
  if (auto spool = running_spool(); !spool) return spool.error();
  post_hurried(std::move(done), [&](Done ended) -> Result<Control> {
    return Control(DeleteDeadLettersControl{filter, std::move(ended)});
  });
  return {};
}

Result<spool::Sums> Engine::purge(std::string_view id, int32_t timeout_ms) {
  if (auto spool = running_spool(); !spool) return spool.error();
  const auto sums = std::make_shared<spool::Sums>();
  auto changed = run_on_disk(timeout_ms, [&](Done done) -> Result<Control> {
    auto webhook = registered(id);
    if (!webhook) return webhook.error();
    return Control(PurgeControl{(*webhook)->generation, sums, std::move(done)});
  });
  if (!changed) return changed.error();
  return *sums;
}

// Posts a change and waits until it is on disk.
Result<> Engine::run_on_disk(int32_t timeout_ms, const std::function<Result<Control>(Done)>& make) {
  const Outcome outcome =
      wait_for(timeout_ms, [&](Done done, const Claim&) { post_hurried(std::move(done), make); });
  if (outcome.error.code != ErrorCode::Ok) return outcome.error;
  return {};
}

core::Instant Engine::deadline_of(int32_t timeout_ms) const {
  return timeout_ms < 0 ? core::kNever : clock_->now() + std::chrono::milliseconds(timeout_ms);
}

// As a time-out again; rounded up, so that it does not end early.
int32_t Engine::left_ms(core::Instant deadline) const {
  if (deadline == core::kNever) return -1;
  const core::Duration left = std::max(deadline - clock_->now(), core::Duration::zero());
  return static_cast<int32_t>(std::chrono::ceil<std::chrono::milliseconds>(left).count());
}

// ---- Keys

Result<ApiKeys*> Engine::api_keys() {
  if (auto usable = check_usable(false); !usable) return usable.error();
  return &api_keys_;
}

// ---- Statistics

// Nothing when no spool is open.
std::optional<metrics::SpoolGauges> Engine::spool_gauges() const {
  // From its start to its end an engine has one spool.
  if (state_.load(std::memory_order_acquire) == State::New || !spool_) return std::nullopt;
  metrics::SpoolGauges gauges;
  {
    const std::lock_guard lock(mutex_);
    gauges.directory = settings_.spool_dir;
    gauges.max_bytes = settings_.spool_max_bytes;
  }
  const spool::DurableStore& store = spool_->store();
  const ErrorCode health = worker_->health();
  gauges.health = health == ErrorCode::Ok ? "ok" : health == ErrorCode::SpoolFull ? "full" : "bad";
  gauges.database_bytes = store.disk_bytes();
  gauges.disk_bytes = spool_->disk_bytes();
  const uint64_t used = gauges.database_bytes - std::min(gauges.database_bytes, store.free_bytes());
  gauges.journal_bytes = gauges.disk_bytes - std::min(gauges.disk_bytes, used);
  if (auto sums = store.dead_letter_sums({})) {
    gauges.dead_letters =
        metrics::SpoolSums{sums->batches_count, sums->events_count, sums->size_bytes};
  }
  const uint64_t free_bytes = gauges.max_bytes - std::min(gauges.max_bytes, gauges.disk_bytes);
  gauges.outage_covered = metrics::outage_covered(
      free_bytes, static_cast<double>(counters_.routed_bytes_per_second.get()));
  for (const auto& counters : webhook_counters_.all()) {
    gauges.waiting.batches_count += counters->waiting_batches.get();
    gauges.waiting.events_count += counters->waiting_events.get();
    gauges.waiting.size_bytes += counters->spooled_bytes.get();
    // Whichever is over first: the room of the whole, or that of one webhook.
    const auto covered = metrics::spool_outage_covered(*counters);
    if (!covered) continue;
    gauges.outage_covered = std::min(gauges.outage_covered.value_or(*covered), *covered);
  }
  return gauges;
}

}  // namespace posthaste::engine
