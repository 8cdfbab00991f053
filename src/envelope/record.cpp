#include "envelope/record.h"

#include <charconv>
#include <cstring>

#include "json/number.h"
#include "json/text.h"

namespace posthaste::envelope {

using core::ErrorCode;
using json::MemberSpan;
using json::ValueKind;

namespace {

constexpr std::string_view kSuffix = "}},";

// A name from outside, fit for a line of text.
std::string printable(std::string_view name) {
  std::string text(name.substr(0, core::kEventNameMax));
  for (char& character : text) {
    if (character < ' ' || character > '~') character = '?';
  }
  if (name.size() > text.size()) text += "...";
  return text;
}

size_t skip_space(std::string_view text, size_t at) {
  const size_t found = text.find_first_not_of(" \t\r\n", at);
  return found == std::string_view::npos ? text.size() : found;
}

// Reads `{ "<key>" :` from `at`; the key without quotes, or nothing. Gives the position behind
// the colon.
std::optional<std::string_view> read_lone_key(std::string_view text, size_t& at) {
  at = skip_space(text, at);
  if (at == text.size() || text[at] != '{') return std::nullopt;
  at = skip_space(text, at + 1);
  if (at == text.size() || text[at] != '"') return std::nullopt;
  const size_t key_at = at + 1;
  const size_t key_end = text.find('"', key_at);
  if (key_end == std::string_view::npos) return std::nullopt;
  at = skip_space(text, key_end + 1);
  if (at == text.size() || text[at] != ':') return std::nullopt;
  ++at;
  return text.substr(key_at, key_end - key_at);
}

// Takes `}` and the white space around it off the end.
bool remove_closer(std::string_view& text) {
  const size_t last = text.find_last_not_of(" \t\r\n");
  if (last == std::string_view::npos || text[last] != '}') return false;
  text = text.substr(0, last);
  return true;
}

struct Envelope {
  std::string_view class_name;
  std::string_view payload;
  size_t payload_offset = 0;
};

// The parts of `{"msys":{"<class>":<payload>}}`. Whether the payload is an object, and the only
// one, its check shows.
std::optional<Envelope> open_envelope(std::string_view record) {
  size_t at = 0;
  const auto outer = read_lone_key(record, at);
  if (!outer || *outer != "msys") return std::nullopt;
  const auto class_name = read_lone_key(record, at);
  if (!class_name) return std::nullopt;
  std::string_view rest = record.substr(at);
  if (!remove_closer(rest) || !remove_closer(rest)) return std::nullopt;
  return Envelope{*class_name, rest, at};
}

}  // namespace

// Fills one plan. Threads: a local variable of one call.
class RecordPlanner {
 public:
  RecordPlanner(const RecordSettings& settings, RecordPlan& plan)
      : settings_(settings), plan_(plan) {
    plan_.slice_count_ = 0;
    plan_.size_ = 0;
    plan_.scratch_size_ = 0;
    plan_.type_ = core::kNoEventType;
  }

  ErrorCode plan_record(std::optional<std::string_view> type, std::string_view payload,
                        core::WallTime now);
  ErrorCode plan_trusted(std::string_view type, std::string_view payload);
  ErrorCode plan_enveloped(std::optional<std::string_view> type, std::string_view record,
                           core::WallTime now);

 private:
  struct Replacement {
    std::string_view old_text;  // a part of the payload; null when there is none
    std::string_view new_text;
  };

  [[gnu::cold]] ErrorCode fail(ErrorCode code, const char* reason, std::string_view key,
                               std::string_view first = {}, std::string_view second = {}) {
    plan_.fault_ = {code, reason, 0};
    plan_.fault_key_ = key;
    plan_.fault_names_[0] = first;
    plan_.fault_names_[1] = second;
    return code;
  }
  [[gnu::cold]] ErrorCode fail(const json::ScanFault& fault, size_t offset) {
    fail(fault.code, fault.reason, {});
    plan_.fault_.offset = fault.offset + offset;
    return fault.code;
  }
  [[gnu::cold]] ErrorCode explain_envelope(std::string_view record);

  ErrorCode resolve_type(std::optional<std::string_view> type, const MemberSpan& member,
                         Replacement& replacement);
  ErrorCode resolve_timestamp(const MemberSpan& member, Replacement& replacement);
  std::string_view add_missing(const json::EventScan& scan, core::WallTime now);
  void complete(std::string_view payload, const json::EventScan& scan, Replacement first,
                Replacement second, core::WallTime now);

  void put(std::string_view slice) {
    plan_.slices_[plan_.slice_count_++] = slice;
    plan_.size_ += slice.size();
  }
  void write(std::string_view text) {
    std::memcpy(plan_.scratch_.data() + plan_.scratch_size_, text.data(), text.size());
    plan_.scratch_size_ += text.size();
  }
  void write_seconds(int64_t seconds) {
    char* const begin = plan_.scratch_.data() + plan_.scratch_size_;
    const auto end =
        std::to_chars(begin, plan_.scratch_.data() + plan_.scratch_.size(), seconds).ptr;
    plan_.scratch_size_ += static_cast<size_t>(end - begin);
  }
  std::string_view written_since(size_t start) const {
    return {plan_.scratch_.data() + start, plan_.scratch_size_ - start};
  }

  const RecordSettings& settings_;
  RecordPlan& plan_;
};

ErrorCode RecordPlanner::resolve_type(std::optional<std::string_view> type,
                                      const MemberSpan& member, Replacement& replacement) {
  const core::EventCatalogue& catalogue = settings_.catalogue;
  core::TypeMatch call_match;
  if (type) {
    call_match = catalogue.find(*type);
    plan_.type_ = call_match.id;
    if (plan_.type_ == core::kNoEventType) {
      return fail(ErrorCode::UnknownType, "unknown event type", "type", *type);
    }
  }
  if (member.kind == ValueKind::Missing) {
    if (type) return ErrorCode::Ok;
    return fail(ErrorCode::UnknownType, "neither the call nor the payload names an event type",
                "type");
  }
  if (member.kind != ValueKind::String) {
    return fail(ErrorCode::BadField, "field 'type' is not a string", "type");
  }
  std::string_view name = member.inside();
  if (member.has_escapes) {
    const size_t size = json::decode_string(name, plan_.name_buffer_);
    if (size != json::kDoesNotFit) name = {plan_.name_buffer_.data(), size};
  }
  const core::TypeMatch match = type && name == *type ? call_match : catalogue.find(name);
  if (!type) {
    if (match.id == core::kNoEventType) {
      return fail(ErrorCode::UnknownType, "unknown event type", "type", name);
    }
    plan_.type_ = match.id;
  } else if (match.id != plan_.type_) {
    return fail(ErrorCode::TypeMismatch, "the payload's type is not that of the call", "type", name,
                *type);
  }
  if (match.is_alias) {
    const size_t start = plan_.scratch_size_;
    write("\"");
    write(catalogue.name(match.id));
    write("\"");
    replacement = {member.raw, written_since(start)};
  }
  return ErrorCode::Ok;
}

ErrorCode RecordPlanner::resolve_timestamp(const MemberSpan& member, Replacement& replacement) {
  if (member.kind == ValueKind::Missing || member.kind == ValueKind::String) return ErrorCode::Ok;
  if (member.kind != ValueKind::Number) {
    return fail(ErrorCode::BadField, "field 'timestamp' is neither a string nor a number",
                "timestamp");
  }
  const std::optional<int64_t> seconds = json::whole_part(member.raw);
  if (!seconds) {
    return fail(ErrorCode::BadField, "field 'timestamp' is negative or too large", "timestamp");
  }
  const size_t start = plan_.scratch_size_;
  write("\"");
  write_seconds(*seconds);
  write("\"");
  replacement = {member.raw, written_since(start)};
  return ErrorCode::Ok;
}

std::string_view RecordPlanner::add_missing(const json::EventScan& scan, core::WallTime now) {
  const size_t start = plan_.scratch_size_;
  if (scan.type.kind == ValueKind::Missing) {
    write("\"type\":\"");
    write(settings_.catalogue.name(plan_.type_));
    write("\",");
  }
  if (scan.timestamp.kind == ValueKind::Missing) {
    write("\"timestamp\":\"");
    write_seconds(core::unix_seconds(now));
    write("\",");
  }
  if (scan.event_id.kind == ValueKind::Missing) {
    write("\"event_id\":\"");
    settings_.ids.write(plan_.scratch_.data() + plan_.scratch_size_);
    plan_.scratch_size_ += EventIds::kTextSize;
    write("\",");
  }
  std::string_view added = written_since(start);
  if (scan.is_empty) added.remove_suffix(1);
  return added;
}

void RecordPlanner::complete(std::string_view payload, const json::EventScan& scan,
                             Replacement first, Replacement second, core::WallTime now) {
  put(settings_.catalogue.envelope_prefix(plan_.type_));
  const std::string_view added = add_missing(scan, now);
  size_t done = 0;
  if (!added.empty()) {
    put(payload.substr(0, scan.body_offset));
    put(added);
    done = scan.body_offset;
  }
  const bool is_swapped =
      second.old_text.data() != nullptr && second.old_text.data() < first.old_text.data();
  for (const Replacement& replacement :
       {is_swapped ? second : first, is_swapped ? first : second}) {
    if (replacement.old_text.data() == nullptr) continue;
    const size_t at = static_cast<size_t>(replacement.old_text.data() - payload.data());
    put(payload.substr(done, at - done));
    put(replacement.new_text);
    done = at + replacement.old_text.size();
  }
  put(payload.substr(done));
  put(kSuffix);
}

ErrorCode RecordPlanner::plan_record(std::optional<std::string_view> type, std::string_view payload,
                                     core::WallTime now) {
  json::EventScan scan;
  if (json::check_event(payload, settings_.limits, scan) != ErrorCode::Ok)
    return fail(scan.fault, 0);
  Replacement type_text;
  if (const ErrorCode code = resolve_type(type, scan.type, type_text); code != ErrorCode::Ok)
    return code;
  Replacement timestamp_text;
  if (const ErrorCode code = resolve_timestamp(scan.timestamp, timestamp_text);
      code != ErrorCode::Ok) {
    return code;
  }
  complete(payload, scan, type_text, timestamp_text, now);
  return ErrorCode::Ok;
}

ErrorCode RecordPlanner::plan_trusted(std::string_view type, std::string_view payload) {
  plan_.type_ = settings_.catalogue.find(type).id;
  if (plan_.type_ == core::kNoEventType) {
    return fail(ErrorCode::UnknownType, "unknown event type", "type", type);
  }
  if (payload.size() > settings_.limits.size_max) {
    return fail({ErrorCode::TooLarge, "the payload goes on", settings_.limits.size_max}, 0);
  }
  put(settings_.catalogue.envelope_prefix(plan_.type_));
  put(payload);
  put(kSuffix);
  return ErrorCode::Ok;
}

ErrorCode RecordPlanner::plan_enveloped(std::optional<std::string_view> type,
                                        std::string_view record, core::WallTime now) {
  const std::optional<Envelope> envelope = open_envelope(record);
  if (!envelope) return explain_envelope(record);
  json::EventScan scan;
  const ErrorCode check = json::check_event(envelope->payload, settings_.limits, scan);
  if (check == ErrorCode::BadJson) return explain_envelope(record);
  if (check != ErrorCode::Ok) return fail(scan.fault, envelope->payload_offset);
  Replacement type_text;
  if (const ErrorCode code = resolve_type(type, scan.type, type_text); code != ErrorCode::Ok)
    return code;
  if (settings_.catalogue.class_name(plan_.type_) != envelope->class_name) {
    return fail(ErrorCode::TypeMismatch, "the envelope's class is not that of the event type",
                "msys", envelope->class_name, settings_.catalogue.name(plan_.type_));
  }
  Replacement timestamp_text;
  if (const ErrorCode code = resolve_timestamp(scan.timestamp, timestamp_text);
      code != ErrorCode::Ok) {
    return code;
  }
  complete(envelope->payload, scan, type_text, timestamp_text, now);
  return ErrorCode::Ok;
}

// A record that has not the shape of an envelope: is it JSON at all?
ErrorCode RecordPlanner::explain_envelope(std::string_view record) {
  json::ScanLimits limits = settings_.limits;
  limits.size_max += 2 * core::kEventNameMax;
  MemberSpan value;
  json::ScanFault fault;
  if (json::check_value(record, limits, value, fault) != ErrorCode::Ok) return fail(fault, 0);
  return fail(ErrorCode::BadField,
              "the record is not an object 'msys' that holds exactly one class object", "msys");
}

ErrorCode plan_record(const RecordSettings& settings, std::optional<std::string_view> type,
                      std::string_view payload, core::WallTime now, RecordPlan& out) {
  return RecordPlanner(settings, out).plan_record(type, payload, now);
}

ErrorCode plan_trusted(const RecordSettings& settings, std::string_view type,
                       std::string_view payload, RecordPlan& out) {
  return RecordPlanner(settings, out).plan_trusted(type, payload);
}

ErrorCode plan_enveloped(const RecordSettings& settings, std::optional<std::string_view> type,
                         std::string_view record, core::WallTime now, RecordPlan& out) {
  return RecordPlanner(settings, out).plan_enveloped(type, record, now);
}

void RecordPlan::write_to(char* out) const {
  for (size_t i = 0; i < slice_count_; ++i) {
    std::memcpy(out, slices_[i].data(), slices_[i].size());
    out += slices_[i].size();
  }
}

core::Error RecordPlan::error() const {
  core::Error error{fault_.code, fault_.reason, std::string(fault_key_)};
  // Faults of the check have a place in the payload, those of completion have a field.
  if (fault_key_.empty()) error.message = fault_.message();
  if (fault_names_[0].data() != nullptr) error.message += ": '" + printable(fault_names_[0]) + "'";
  if (fault_names_[1].data() != nullptr)
    error.message += " and '" + printable(fault_names_[1]) + "'";
  return error;
}

}  // namespace posthaste::envelope
