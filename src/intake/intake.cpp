#include "intake/intake.h"

#include <algorithm>
#include <utility>

#include "core/deliberate_break.h"

namespace posthaste::intake {

void Segment::on_unused() {
  intake_.recycle(*this);
}

Intake::Intake(uint64_t max_bytes, const platform::Clock& clock, std::function<void()> wake)
    : clock_(clock), wake_(std::move(wake)), max_bytes_(max_bytes) {
  const std::lock_guard lock(mutex_);
  reading_ = link(core::kSegmentSize, core::kSegmentRecords);
  current_.store(reading_, std::memory_order_release);
}

Intake::~Intake() = default;

// Adds a segment behind `closed`, unless somebody did. False when memory is used up.
bool Intake::replace(Segment* closed) {
  {
    const std::lock_guard lock(mutex_);
    if (is_shut_.load(std::memory_order_relaxed)) return false;
    if (current_.load(std::memory_order_relaxed) != closed) return true;
    // The caller may have slept while the segment was drained and made current anew.
    if (!closed->is_closed()) return true;
    const uint64_t charge = core::kSegmentSize + core::kSegmentRecords * sizeof(core::RecordEntry);
    if (!has_room(charge)) {
      wake_waiting();
      return false;
    }
    current_.store(link(core::kSegmentSize, core::kSegmentRecords), std::memory_order_release);
  }
  wake_waiting();
  return true;
}

bool Intake::has_room(uint64_t size_bytes) const {
  if (core::is_broken(core::Break::UnboundedIntake)) return true;
  return used_bytes() + size_bytes <= max_bytes();
}

void Intake::wake_waiting() {
  if (is_waiting_.load(std::memory_order_relaxed) && is_waiting_.exchange(false)) wake_();
}

// A segment for one record: closed from the start, so that only its maker can fill it.
Segment* Intake::add_single(uint32_t size_bytes, bool is_limited) {
  const std::lock_guard lock(mutex_);
  if (is_shut_.load(std::memory_order_relaxed)) return nullptr;
  if (is_limited && !has_room(size_bytes)) return nullptr;
  current_.load(std::memory_order_relaxed)->close();
  return link(size_bytes, 1);
}

bool Intake::push_control() {
  for (;;) {
    Segment* segment = current_.load(std::memory_order_acquire);
    Segment::Place place = segment->reserve(0);
    if (!place.is_reserved) {
      if (replace(segment)) continue;
      segment = add_single(0, false);
      if (!segment) return false;
      place = {0, 0, true};
    }
    segment->publish(place, 0, 0, clock_.coarse_now(), true);
    wake_if_idle();
    wake_waiting();
    return true;
  }
}

void Intake::shut() {
  const std::lock_guard lock(mutex_);
  is_shut_.store(true, std::memory_order_relaxed);
  current_.load(std::memory_order_relaxed)->close();
}

bool Intake::is_drained() const {
  return reading_->closed_count() == reading_index_ && !reading_->next();
}

Segment* Intake::link(uint32_t bytes_capacity, uint32_t entries_capacity) {
  const bool is_usual = entries_capacity == core::kSegmentRecords;
  auto& list = is_usual && !spares_.empty() ? spares_ : free_;
  Segment* segment = nullptr;
  if (list.empty()) {
    segments_.push_back(std::make_unique<Segment>(*this));
    segment = segments_.back().get();
  } else {
    segment = list.back();
    list.pop_back();
  }
  if (!segment->bytes_memory_) {
    segment->bytes_memory_ = std::make_unique_for_overwrite<char[]>(std::max(bytes_capacity, 1u));
    segment->entries_memory_ = std::make_unique<core::RecordEntry[]>(entries_capacity);
  }
  segment->bytes_ = segment->bytes_memory_.get();
  segment->entries_ = segment->entries_memory_.get();
  segment->entries_capacity_ = entries_capacity;
  segment->charged_bytes_ = bytes_capacity + entries_capacity * sizeof(core::RecordEntry);
  segment->sequence_ = newest_sequence_.load(std::memory_order_relaxed) + 1;
  if (++segment->generation_ == 0) segment->generation_ = 1;
  segment->next_.store(nullptr, std::memory_order_relaxed);
  segment->retain();  // the reader's
  if (is_usual) {
    segment->closed_count_.store(Segment::kOpen, std::memory_order_relaxed);
    // From here on a producer that kept this pointer from an earlier use may take a place, which is
    // as good as any.
    segment->reserved_.store(0, std::memory_order_release);
  } else {
    segment->closed_count_.store(1, std::memory_order_relaxed);
  }
  used_bytes_.fetch_add(segment->charged_bytes_, std::memory_order_relaxed);
  newest_sequence_.store(segment->sequence_, std::memory_order_relaxed);
  if (last_) last_->next_.store(segment, std::memory_order_release);
  last_ = segment;
  return segment;
}

void Intake::recycle(Segment& segment) {
  const std::lock_guard lock(mutex_);
  used_bytes_.fetch_sub(segment.charged_bytes_, std::memory_order_relaxed);
  if (segment.entries_capacity_ == core::kSegmentRecords &&
      spares_.size() * segment.charged_bytes_ < max_bytes() / kSparePart) {
    spares_.push_back(&segment);
    return;
  }
  segment.bytes_memory_.reset();
  segment.entries_memory_.reset();
  free_.push_back(&segment);
}

bool Intake::read(Range& out) const {
  const uint32_t closed_count = reading_->closed_count();
  const uint32_t limit = std::min(closed_count, reading_->entries_capacity());
  uint32_t end = reading_index_;
  while (end < limit && reading_->is_published(end)) ++end;
  out = {reading_, {reading_index_, end - reading_index_}, end == closed_count && reading_->next()};
  return out.run.count > 0 || out.is_end;
}

void Intake::consumed(const Range& range) {
  reading_index_ += range.run.count;
  if (!range.is_end) return;
  Segment* const next = reading_->next();
  std::exchange(reading_, next)->release();
  reading_index_ = 0;
}

bool Intake::prepare_wait(bool wants_every_record) {
  is_waiting_.store(true);
  is_idle_.store(wants_every_record);
  std::atomic_thread_fence(std::memory_order_seq_cst);
  Range range;
  const bool has_news = read(range);
  const bool is_full = reading_->closed_count() != Segment::kOpen;
  if (!has_news || (!wants_every_record && !is_full)) return true;
  end_wait();
  return false;
}

void Intake::end_wait() {
  is_idle_.store(false);
  is_waiting_.store(false);
}

void Intake::wake_idle() {
  if (is_idle_.exchange(false)) wake_();
}

}  // namespace posthaste::intake
