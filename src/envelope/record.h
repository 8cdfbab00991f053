// From a host's payload to a wire record `{"msys":{"<class>":<payload>}},`: checks it, completes
// it, and plans the record as a few slices, so that the caller can reserve exactly its size in an
// intake segment and have the bytes copied once. Called by every push on the host's threads;
// nothing here allocates, but for the text of an error.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string_view>

#include "core/event_catalogue.h"
#include "core/result.h"
#include "core/time.h"
#include "envelope/event_ids.h"
#include "json/event_scan.h"

namespace posthaste::envelope {

// What stays the same from push to push. The catalogue's views are used by plans.
struct RecordSettings {
  const core::EventCatalogue& catalogue;
  EventIds& ids;
  json::ScanLimits limits;
};

// The slices of one wire record, or why there is none.
// Ownership: views the payload, the type name and the catalogue it was planned from; they must
// outlive it. Threads: a local variable of one push. Invariants: after Ok, write_to writes exactly
// size_bytes() bytes; after any other code, only error() has meaning.
class RecordPlan {
 public:
  RecordPlan() = default;
  RecordPlan(const RecordPlan&) = delete;
  RecordPlan& operator=(const RecordPlan&) = delete;

  core::EventTypeId type() const { return type_; }
  size_t size_bytes() const { return size_; }
  void write_to(char* out) const;

  // The refusal in words, with the culprit's name; made only when somebody asks.
  core::Error error() const;

 private:
  friend class RecordPlanner;

  // Slices at most: prefix, start, additions, three stretches of payload, two replacements, suffix.
  std::array<std::string_view, 9> slices_;
  size_t slice_count_ = 0;
  size_t size_ = 0;
  core::EventTypeId type_ = core::kNoEventType;

  // Text of this record's own, which slices view:
  // `"type":"<64>","timestamp":"<20>","event_id":"<36>",` is 167 bytes, and a replaced type or time
  // stamp takes the place of an added one.
  static constexpr size_t kScratchSize = 192;
  std::array<char, kScratchSize> scratch_;
  size_t scratch_size_ = 0;

  json::ScanFault fault_;
  std::string_view fault_key_;
  std::string_view fault_names_[2];
  std::array<char, core::kEventNameMax> name_buffer_;
};

// Plans the record of one payload. `type` is a documented or a raw name; without one the payload's
// `type` counts. An aliased `type` is written as its documented name; a numeric `timestamp` as a
// string of whole seconds; a missing `type`, `timestamp` or `event_id` is added behind the opening
// brace; every other byte stays. Refuses what json::check_event refuses, and: UnknownType;
// TypeMismatch when the payload's `type` names another event; BadField when `type` or `timestamp`
// has the wrong JSON type, or a time stamp is negative or beyond int64_t.
core::ErrorCode plan_record(const RecordSettings& settings, std::optional<std::string_view> type,
                            std::string_view payload, core::WallTime now, RecordPlan& out);

// The same for a payload that the caller vouches for: it is only put into its envelope.
core::ErrorCode plan_trusted(const RecordSettings& settings, std::string_view type,
                             std::string_view payload, RecordPlan& out);

// The same for a payload that has its envelope already, `{"msys":{"<class>":{...}}}`. TypeMismatch
// when the class is not that of the type; BadField when there is not exactly one class or the
// envelope has other members.
core::ErrorCode plan_enveloped(const RecordSettings& settings, std::optional<std::string_view> type,
                               std::string_view record, core::WallTime now, RecordPlan& out);

}  // namespace posthaste::envelope
