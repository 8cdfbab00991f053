// What the tests of the durable store share: a folder of their own, records without a journal,
// batches and webhooks with plausible contents.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "spool/sqlite_store.h"

namespace posthaste::test {

// Purpose: a folder that goes with the object. Threads: any.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string pattern = (std::filesystem::temp_directory_path() / "posthaste-XXXXXX").string();
    if (mkdtemp(pattern.data())) path_ = pattern;
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  const std::string& path() const { return path_; }
  std::string database() const { return path_ + "/" + spool::kDatabaseName; }

 private:
  std::string path_;
};

// Purpose: an endless journal whose bytes follow from their positions. Threads: one.
class SimRecords final : public spool::RecordSource {
 public:
  static char byte_at(core::StreamPosition position) {
    return static_cast<char>('a' + position * 31 % 26);
  }

  core::Result<> read(core::StreamPosition position, char* out, size_t size) override {
    if (position < gone_until) return {core::ErrorCode::NotFound, "the records are gone", "lost"};
    if (fails) return {core::ErrorCode::SpoolIo, "the disk fails", ""};
    size_max = std::max(size_max, size);
    for (size_t i = 0; i < size; ++i) out[i] = byte_at(position + i);
    return {};
  }

  core::StreamPosition gone_until = 0;
  bool fails = false;
  size_t size_max = 0;  // of one call
};

inline core::WallTime at(core::Duration time) {
  return core::WallTime(std::chrono::hours(500'000) + time);
}

inline std::string batch_id(uint64_t number) {
  const std::string digits = std::to_string(number);
  return "d0c4f2a0-0000-11ee-8000-" + std::string(12 - digits.size(), '0') + digits;
}

// The records that the ranges name.
inline std::string records_of(const std::vector<core::StreamRange>& ranges) {
  std::string records;
  for (const core::StreamRange& range : ranges) {
    for (uint64_t i = 0; i < range.size; ++i) {
      records.push_back(SimRecords::byte_at(range.position + i));
    }
  }
  return records;
}

// The body made of records.
inline std::string body_of(std::string records) {
  records.back() = ']';
  return "[" + records;
}

inline spool::BatchRow make_batch(uint64_t sequence, std::vector<core::StreamRange> ranges,
                                  uint64_t generation = 1) {
  spool::BatchRow batch;
  batch.sequence = sequence;
  batch.id = batch_id(sequence);
  batch.generation = generation;
  batch.target_revision = 1;
  batch.sealed = at(std::chrono::seconds(sequence));
  batch.events_count = static_cast<uint32_t>(ranges.size());
  batch.size_bytes = 1;
  for (const core::StreamRange& range : ranges) batch.size_bytes += range.size;
  batch.sealed_to = ranges.back().end();
  batch.ranges = std::move(ranges);
  return batch;
}

inline spool::WebhookRow make_webhook(uint64_t generation, uint64_t target_revision = 1) {
  spool::WebhookRow row;
  core::Webhook& webhook = row.webhook;
  webhook.generation = generation;
  webhook.target_revision = target_revision;
  webhook.id = "webhook-" + std::to_string(generation);
  webhook.name = "of the tests";
  webhook.target = "https://receiver.example/" + std::to_string(target_revision);
  webhook.origin = "https://receiver.example";
  webhook.events = {"bounce", "delivery"};
  webhook.created = at(std::chrono::seconds(generation));
  return row;
}

inline spool::Ending dropped(spool::Loss loss) {
  spool::Ending ending;
  ending.loss = std::move(loss);
  return ending;
}

inline spool::Ending dead_lettered(core::WallTime died, int32_t status = 503) {
  spool::Ending ending;
  ending.dead_letter = spool::DeadLetterCause{1, died, status, "", 3, 3};
  return ending;
}

// Reads the body of a blob piece by piece.
inline std::string read_body(const spool::DurableStore& store, uint64_t sequence) {
  const auto body = store.open_body(sequence);
  if (!body) return "no body";
  if (body->kind == spool::BodyKind::Journal) return body_of(records_of(body->ranges));
  std::string text;
  std::vector<char> buffer(10'000);
  while (true) {
    const auto size = store.read_blob(sequence, text.size(), buffer.data(), buffer.size());
    if (!size) return size.error().message;
    if (*size == 0) return text;
    text.append(buffer.data(), *size);
  }
}

inline std::vector<uint64_t> live_sequences(spool::DurableStore& store) {
  std::vector<uint64_t> sequences;
  const auto read = store.for_each_live(
      [&](const spool::LiveBatch& batch) { sequences.push_back(batch.sequence); });
  return read.ok() ? sequences : std::vector<uint64_t>{~uint64_t{0}};
}

}  // namespace posthaste::test
