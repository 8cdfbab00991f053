#include "core/batch_body.h"

#include "core/deliberate_break.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace posthaste::core {

void BatchBody::append(RecordBlock& block, RecordRun run) {
  const RecordEntry& first = block.entry(run.first);
  const RecordEntry& last = block.entry(run.first + run.count - 1);
  const uint32_t size = last.offset + last.size - first.offset;
  records_bytes_ += size;
  events_count_ += run.count;
  if (run.position == 0) {
    is_journaled_ = false;
  } else if (!ranges_.empty() && ranges_.back().end() == run.position) {
    ranges_.back().size += size;
  } else {
    ranges_.push_back({run.position, size});
  }
  if (is_released_) return;
  Piece* tail = pieces_.empty() ? nullptr : &pieces_.back();
  if (tail && tail->block == &block && tail->block_offset + tail->size == first.offset) {
    tail->size += size;
  } else {
    block.retain();
    pieces_.push_back({&block, {}, first.offset, records_bytes_ - size, size});
  }
}

BatchBody BatchBody::released(uint64_t size_bytes, uint32_t events_count) {
  BatchBody body;
  body.records_bytes_ = size_bytes - 1;
  body.events_count_ = events_count;
  body.is_released_ = true;
  return body;
}

BatchBody BatchBody::part(uint64_t offset, uint64_t size, uint32_t events_count) const {
  BatchBody body;
  body.records_bytes_ = size;
  body.events_count_ = events_count;
  body.is_journaled_ = is_journaled_;
  body.is_released_ = is_released_;
  for (const Piece& piece : pieces_) {
    const uint64_t from = std::max(piece.start, offset);
    const uint64_t to = std::min(piece.start + piece.size, offset + size);
    if (from >= to) continue;
    const uint64_t skipped = from - piece.start;
    Piece& taken = body.pieces_.emplace_back();
    taken.start = from - offset;
    taken.size = to - from;
    if (piece.block) {
      piece.block->retain();
      taken.block = piece.block;
      taken.block_offset = piece.block_offset + static_cast<uint32_t>(skipped);
    } else {
      taken.owned = piece.owned.substr(skipped, taken.size);
      body.owned_bytes_ += taken.size;
    }
  }
  return body;
}

void BatchBody::release() {
  clear();
  owned_bytes_ = 0;
  is_released_ = true;
}

uint64_t BatchBody::oldest_sequence() const {
  // Records are appended in the order of their blocks, so the first shared piece is of the oldest.
  for (const Piece& piece : pieces_) {
    if (piece.block) return piece.block->sequence();
  }
  return ~uint64_t{0};
}

uint64_t BatchBody::shared_bytes(const RecordBlock& block) const {
  uint64_t total = 0;
  for (const Piece& piece : pieces_) {
    if (piece.block == &block) total += piece.size;
  }
  return total;
}

void BatchBody::own(Piece& piece) {
  piece.owned.assign(piece.data(), piece.size);
  std::exchange(piece.block, nullptr)->release();
  owned_bytes_ += piece.size;
}

void BatchBody::detach(const RecordBlock& block) {
  std::vector<Piece> kept;
  kept.reserve(pieces_.size());
  for (Piece& piece : pieces_) {
    if (piece.block == &block) own(piece);
    Piece* tail = kept.empty() ? nullptr : &kept.back();
    if (!piece.block && tail && !tail->block) {
      tail->owned += piece.owned;
      tail->size += piece.size;
    } else {
      kept.push_back(std::move(piece));
    }
  }
  pieces_ = std::move(kept);
}

void BatchBody::detach() {
  if (is_released_ || (is_detached() && pieces_.size() <= 1)) return;
  Piece whole;
  whole.size = records_bytes_;
  whole.owned.reserve(records_bytes_);
  for (Piece& piece : pieces_) {
    whole.owned.append(piece.data(), piece.size);
    if (piece.block) piece.block->release();
  }
  pieces_.clear();
  pieces_.push_back(std::move(whole));
  owned_bytes_ = records_bytes_;
}

size_t BatchBody::read(uint64_t offset, char* out, size_t room) const {
  size_t done = 0;
  if (offset == 0 && room > 0) out[done++] = '[';
  // Offset 1 is the first byte of the records; the last byte of the body stands where the last
  // comma would.
  const uint64_t text_end = size_bytes() - 1;
  uint64_t at = offset + done;
  if (done < room && at < text_end) {
    auto piece = std::upper_bound(pieces_.begin(), pieces_.end(), at - 1,
                                  [](uint64_t value, const Piece& p) { return value < p.start; });
    --piece;
    for (; piece != pieces_.end() && done < room && at < text_end; ++piece) {
      const uint64_t skip = at - 1 - piece->start;
      const auto part =
          static_cast<size_t>(std::min({piece->size - skip, uint64_t{room - done}, text_end - at}));
      std::memcpy(out + done, piece->data() + skip, part);
      done += part;
      at += part;
    }
  }
  if (done < room && at == text_end) out[done++] = ']';
  if (is_broken(Break::ChangedBytes) && offset > 0 && done > 0) out[done / 2] ^= 1;
  return done;
}

void BatchBody::swap(BatchBody& other) noexcept {
  pieces_.swap(other.pieces_);
  std::swap(records_bytes_, other.records_bytes_);
  std::swap(owned_bytes_, other.owned_bytes_);
  std::swap(events_count_, other.events_count_);
  ranges_.swap(other.ranges_);
  std::swap(is_journaled_, other.is_journaled_);
  std::swap(is_released_, other.is_released_);
}

void BatchBody::clear() {
  for (Piece& piece : pieces_) {
    if (piece.block) piece.block->release();
  }
  pieces_.clear();
}

}  // namespace posthaste::core
