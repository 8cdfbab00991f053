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
  reading_ = link(take_usual());
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
    if (!has_room(core::kSegmentMemory)) {
      wake_waiting();
      return false;
    }
    current_.store(link(take_usual()), std::memory_order_release);
  }
  wake_waiting();
  return true;
}

bool Intake::has_room(uint64_t size_bytes) const {
  if (core::is_broken(core::Break::UnboundedIntake)) return true;
  return used_bytes() + size_bytes <= max_bytes();
}

void Intake::wake_waiting() {
  // The counterpart is in prepare_wait, too.
  platform::AsymmetricFence::light();
  if (is_waiting_.load(std::memory_order_relaxed) && is_waiting_.exchange(false)) wake_();
}

// A segment for one record: closed from the start, so that only its maker can fill it.
Segment* Intake::add_single(uint32_t size_bytes, bool is_limited) {
  const std::lock_guard lock(mutex_);
  if (is_shut_.load(std::memory_order_relaxed)) return nullptr;
  if (is_limited && !has_room(size_bytes)) return nullptr;
  current_.load(std::memory_order_relaxed)->close();
  return link(take_single(size_bytes));
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

Segment& Intake::take_header() {
  if (free_.empty()) {
    segments_.push_back(std::make_unique<Segment>(*this));
    return *segments_.back();
  }
  Segment& segment = *free_.back();
  free_.pop_back();
  return segment;
}

// A segment of the usual size, with memory that was used before if there is any.
Segment& Intake::take_usual() {
  if (!spares_.empty()) {
    Segment& segment = *spares_.back();
    spares_.pop_back();
    spare_bytes_.fetch_sub(core::kSegmentMemory, std::memory_order_relaxed);
    return segment;
  }
  Segment& segment = take_header();
  segment.memory_ = platform::allocate_block();
  char* const memory = segment.memory_.get();
  segment.entries_ = new (memory) core::RecordEntry[core::kSegmentRecords];
  segment.bytes_ = memory + core::kSegmentMemory - core::kSegmentSize;
  segment.entries_capacity_ = core::kSegmentRecords;
  segment.charged_bytes_ = core::kSegmentMemory;
  return segment;
}

Segment& Intake::take_single(uint32_t size_bytes) {
  while (!spares_.empty() && used_bytes() + spare_bytes_ + size_bytes > max_bytes()) drop_spare();
  Segment& segment = take_header();
  segment.single_bytes_ = std::make_unique_for_overwrite<char[]>(std::max(size_bytes, 1u));
  segment.entries_ = &segment.single_entry_;
  segment.bytes_ = segment.single_bytes_.get();
  segment.entries_capacity_ = 1;
  segment.charged_bytes_ = size_bytes + core::kSegmentEntrySize;
  return segment;
}

// Makes the segment the newest one.
Segment* Intake::link(Segment& segment) {
  segment.sequence_ = newest_sequence_.load(std::memory_order_relaxed) + 1;
  if (++segment.generation_ == 0) segment.generation_ = 1;
  segment.next_.store(nullptr, std::memory_order_relaxed);
  segment.retain();  // the reader's
  if (segment.memory_) {
    segment.closed_count_.store(Segment::kOpen, std::memory_order_relaxed);
    // From here on a producer that kept this pointer from an earlier use may take a place, which is
    // as good as any.
    segment.reserved_.store(0, std::memory_order_release);
  } else {
    segment.closed_count_.store(1, std::memory_order_relaxed);
  }
  used_bytes_.fetch_add(segment.charged_bytes_, std::memory_order_relaxed);
  newest_sequence_.store(segment.sequence_, std::memory_order_relaxed);
  if (last_) last_->next_.store(&segment, std::memory_order_release);
  last_ = &segment;
  return &segment;
}

void Intake::recycle(Segment& segment) {
  const std::lock_guard lock(mutex_);
  used_bytes_.fetch_sub(segment.charged_bytes_, std::memory_order_relaxed);
  if (!segment.memory_) {
    segment.single_bytes_.reset();
    free_.push_back(&segment);
    return;
  }
  spares_.push_back(&segment);
  spare_bytes_.fetch_add(core::kSegmentMemory, std::memory_order_relaxed);
  if (used_bytes() + spare_bytes_ > max_bytes()) drop_spare();
}

void Intake::drop_spare() {
  Segment& segment = *spares_.back();
  spares_.pop_back();
  spare_bytes_.fetch_sub(core::kSegmentMemory, std::memory_order_relaxed);
  segment.memory_.reset();
  free_.push_back(&segment);
}

void Intake::trim() {
  const std::lock_guard lock(mutex_);
  while (has_much_spare()) drop_spare();
}

bool Intake::read(Range& out) const {
  const uint32_t closed_count = reading_->closed_count();
  const uint32_t limit = std::min(closed_count, reading_->entries_capacity());
  uint32_t end = reading_index_;
  while (end < limit && reading_->is_published(end)) ++end;
  out = {reading_, {reading_index_, end - reading_index_}, end == closed_count && reading_->next()};
  return out.run.count > 0 || out.is_end;
}

void Intake::advance(const Range& range) {
  reading_index_ += range.run.count;
  if (!range.is_end) return;
  reading_ = reading_->next();
  reading_index_ = 0;
}

bool Intake::prepare_wait(bool wants_every_record) {
  is_waiting_.store(true);
  is_idle_.store(wants_every_record);
  const bool is_ordered = platform::AsymmetricFence::heavy();
  Range range;
  const bool has_news = read(range);
  const bool is_full = reading_->closed_count() != Segment::kOpen;
  if (is_ordered && (!has_news || (!wants_every_record && !is_full))) return true;
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
