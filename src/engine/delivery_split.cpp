// Taking batches apart (design 2a, "Splits"): the parent gives way to its parts in one transaction;
// each part has an id made of its place in the parent, so that it is the same whenever it is made,
// and goes on with the parent's clock.
#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "core/crash_point.h"
#include "core/deliberate_break.h"
#include "core/record_scan.h"
#include "engine/delivery_parts.h"

namespace posthaste::engine {
namespace {

constexpr size_t kPieceBytes = 32u << 10;

// Some neighbouring events of a batch.
struct Stretch {
  uint32_t first = 0;
  uint32_t count = 0;
};

bool is_within(const Stretch& stretch, const std::vector<uint64_t>& offsets,
               const core::BatchLimit& limit) {
  const uint64_t size = offsets[stretch.first + stretch.count] - offsets[stretch.first] + 1;
  return limit.fits(stretch.count, size);
}

// Halves, and halves of those, until each is within the limit.
void halve_to(const core::BatchLimit& limit, const std::vector<uint64_t>& offsets, Stretch stretch,
              std::vector<Stretch>& out) {
  if (stretch.count == 1 || is_within(stretch, offsets, limit)) {
    out.push_back(stretch);
    return;
  }
  const uint32_t half = stretch.count / 2;
  halve_to(limit, offsets, {stretch.first, half}, out);
  halve_to(limit, offsets, {stretch.first + half, stretch.count - half}, out);
}

}  // namespace

// False: it cannot be, and stays whole.
bool Delivery::split(core::Batch& batch, Halving halving) {
  const std::vector<uint64_t> offsets = record_offsets(batch);
  if (offsets.empty()) {
    batch.is_indivisible = true;
    return false;
  }
  const uint32_t count = batch.body.events_count();
  std::vector<Stretch> stretches;
  if (halving == Halving::ToLimit) {
    halve_to(batch.endpoint->limit, offsets, {0, count}, stretches);
  } else {
    stretches = {{0, count / 2}, {count / 2, count - count / 2}};
  }
  if (core::is_broken(core::Break::PartLost)) stretches.pop_back();
  if (core::is_broken(core::Break::PartRepeated)) ++stretches.front().count;

  const uint64_t family = core::family_of(batch.sequence);
  const uint32_t first_event = core::first_event_of(batch.sequence, count);
  std::vector<spool::BatchPart> rows;
  for (const Stretch& stretch : stretches) {
    spool::BatchPart& row = rows.emplace_back();
    row.id = core::uuid_of_name(fmt::format("{} {} {}", batch.id, stretch.first, stretch.count));
    row.sequence = core::sequence_of_part(family, first_event + stretch.first, stretch.count);
    row.events_count = stretch.count;
    row.records_offset = offsets[stretch.first] - offsets.front();
    row.records_bytes = offsets[stretch.first + stretch.count] - offsets[stretch.first];
  }
  if (log_.is_on(LogLevel::Info)) {
    const std::string& webhook_id =
        static_cast<Target*>(batch.endpoint->owner)->record->webhook->id;
    log_.write(
        LogLevel::Info,
        fmt::format("webhook {} batch {} goes on in {} parts", webhook_id, batch.id, rows.size()),
        webhook_id, batch.id);
  }
  replace(batch, std::move(rows));
  return true;
}

// Where each record begins, and where the last one ends with the comma it would have; empty when
// the body is not what it should be.
std::vector<uint64_t> Delivery::record_offsets(core::Batch& batch) {
  Attempt reader;
  reader.batch = &batch;
  reader.spool = spool_;
  core::RecordScan scan;
  std::array<char, kPieceBytes> piece;
  uint64_t at = 0;
  while (at < reader.size_bytes()) {
    const size_t size = reader.read(at, piece.data(), piece.size());
    if (size == 0) return {};
    scan.feed(std::string_view(piece.data(), size));
    at += size;
  }
  std::vector<uint64_t> offsets = scan.offsets();
  if (!scan.is_complete() || offsets.size() != size_t{batch.body.events_count()} + 1) return {};
  ++offsets.back();
  return offsets;
}

void Delivery::replace(core::Batch& batch, std::vector<spool::BatchPart> rows) {
  Target& target = *static_cast<Target*>(batch.endpoint->owner);
  Record& record = *target.record;
  const bool is_journaled = spool_ && batch.body.is_journaled();
  std::vector<std::unique_ptr<core::Batch>> parts;
  for (spool::BatchPart& row : rows) {
    parts.push_back(make_part(batch, row));
    row.retry = retry_state(*parts.back());
  }
  record.counters->batches_split.add();
  record.counters->waiting_batches.add(parts.size() - 1);
  record.charged_bytes -= batch.body.owned_bytes();
  charged_bytes_ -= batch.body.owned_bytes();
  if (is_journaled) {
    record.spooled_bytes -= batch.body.size_bytes();
    last_operation_ = spool_->store().split(batch.sequence, std::move(rows));
    core::crash_point("engine: batch split");
  }
  const std::unique_ptr<core::Batch> whole = scheduler_.finish(batch, now_);
  for (std::unique_ptr<core::Batch>& part : parts) {
    record.charged_bytes += part->body.owned_bytes();
    charged_bytes_ += part->body.owned_bytes();
    part->family_failures_count = whole->family_failures_count;
    part->due = whole->due;
    if (is_journaled) {
      record.spooled_bytes += part->body.size_bytes();
      ++target.pending_count;
      pending_.push_back({last_operation_, now_, std::move(part), &target});
    } else {
      admit(std::move(part), target);
    }
  }
  record.counters->waiting_memory_bytes.set(record.charged_bytes);
  record.counters->spooled_bytes.set(record.spooled_bytes);
}

std::unique_ptr<core::Batch> Delivery::make_part(const core::Batch& whole,
                                                 const spool::BatchPart& row) {
  auto part = std::make_unique<core::Batch>();
  part->id = row.id;
  part->sequence = row.sequence;
  part->sealed = whole.sealed;
  part->endpoint = whole.endpoint;
  part->body = whole.body.is_released()
                   ? core::BatchBody::released(row.records_bytes + 1, row.events_count)
                   : whole.body.part(row.records_offset, row.records_bytes, row.events_count);
  part->counts_against_endpoint = whole.counts_against_endpoint;
  part->is_suspect = whole.is_suspect;
  part->is_settled = whole.is_settled;
  part->refuses_coding = whole.refuses_coding;
  part->is_of_failed = whole.has_failed();
  part->due = whole.due;
  part->expires = whole.expires;
  part->expires_after_pause = whole.expires_after_pause;
  return part;
}

}  // namespace posthaste::engine
