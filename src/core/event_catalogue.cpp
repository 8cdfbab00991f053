#include "core/event_catalogue.h"

#include <algorithm>
#include <iterator>

namespace posthaste::core {

namespace {

struct BuiltinType {
  std::string_view name;
  std::string_view display_name;
  std::string_view description;
  EventClassId class_id;
  bool in_momentum;
  size_t alias_begin;
  size_t alias_count;
  size_t field_begin;
  size_t field_count;
};

struct NamedKind {
  std::string_view name;
  FieldKind kind;
};

#include "event_catalogue_tables.inc"

bool is_event_name(std::string_view name) {
  const auto is_allowed = [](char character) {
    return (character >= 'a' && character <= 'z') || (character >= '0' && character <= '9') ||
           character == '_';
  };
  return !name.empty() && name.size() <= kEventNameMax &&
         std::all_of(name.begin(), name.end(), is_allowed);
}

// A hash table from names to their indexes that exists before the program starts.
template <size_t slot_count>
struct NameTable {
  std::array<uint16_t, slot_count> slots{};  // index plus one, 0 is free

  constexpr void add(std::string_view name, size_t index) {
    size_t slot = hash_name(name) % slot_count;
    while (slots[slot] != 0) slot = (slot + 1) % slot_count;
    slots[slot] = static_cast<uint16_t>(index + 1);
  }
  // `name_at` gives the name of an index; the result is the index, or `missing`.
  template <typename NameAt>
  size_t find(std::string_view name, NameAt name_at, size_t missing) const {
    for (size_t slot = hash_name(name) % slot_count; slots[slot] != 0;
         slot = (slot + 1) % slot_count) {
      if (name_at(slots[slot] - 1u) == name) return slots[slot] - 1u;
    }
    return missing;
  }
};

constexpr size_t kFieldCount = std::size(kFieldKinds);
constexpr size_t kTypeCount = std::size(kTypes);

constexpr NameTable<512> make_field_table() {
  static_assert(kFieldCount <= 256);
  NameTable<512> table;
  for (size_t i = 0; i < kFieldCount; ++i) table.add(kFieldKinds[i].name, i);
  return table;
}

// Types first, aliases behind them.
constexpr std::string_view type_name_at(size_t i) {
  return i < kTypeCount ? kTypes[i].name : kAliases[i - kTypeCount];
}
constexpr NameTable<256> make_type_table() {
  static_assert(kTypeCount + std::size(kAliases) <= 128);
  NameTable<256> table;
  for (size_t i = 0; i < kTypeCount + std::size(kAliases); ++i) table.add(type_name_at(i), i);
  return table;
}

}  // namespace

FieldKind builtin_field_kind(std::string_view field) {
  static constexpr NameTable<512> kTable = make_field_table();
  const auto name_at = [](size_t i) { return kFieldKinds[i].name; };
  const size_t index = kTable.find(field, name_at, kFieldCount);
  return index == kFieldCount ? FieldKind::Any : kFieldKinds[index].kind;
}

std::string_view builtin_type_name(std::string_view name) {
  static constexpr NameTable<256> kTable = make_type_table();
  constexpr size_t kMissing = kTypeCount + std::size(kAliases);
  const size_t index = kTable.find(name, type_name_at, kMissing);
  if (index == kMissing) return {};
  if (index < kTypeCount) return kTypes[index].name;
  const size_t alias = index - kTypeCount;
  const auto owner =
      std::find_if(std::begin(kTypes), std::end(kTypes), [alias](const BuiltinType& type) {
        return alias >= type.alias_begin && alias < type.alias_begin + type.alias_count;
      });
  return owner->name;
}

EventCatalogue::EventCatalogue() {
  for (const EventClassInfo& info : kClasses) add_class(info.name);
  for (const BuiltinType& type : kTypes) {
    const EventTypeId id = add_type(type.name, type.class_id);
    for (size_t i = 0; i < type.alias_count; ++i)
      add_name(kAliases[type.alias_begin + i], id, true);
  }
}

Result<EventTypeId> EventCatalogue::define(std::string_view type, std::string_view class_name) {
  if (!is_event_name(type)) {
    return {ErrorCode::BadValue, "an event type is 1 to 64 characters of a-z, 0-9 and _", "type"};
  }
  if (!is_event_name(class_name)) {
    return {ErrorCode::BadValue, "an event class is 1 to 64 characters of a-z, 0-9 and _", "class"};
  }
  const TypeMatch taken = find(type);
  if (taken.id != kNoEventType) {
    std::string message = "event type '" + std::string(type) + "' exists";
    if (taken.is_alias) message += " as another name of '" + std::string(name(taken.id)) + "'";
    return {ErrorCode::Exists, std::move(message), "type"};
  }
  if (types_.size() == kEventTypesMax) {
    return {ErrorCode::TooLarge,
            "there are " + std::to_string(kEventTypesMax) + " event types already", "type"};
  }
  EventClassId class_id = find_class(class_name);
  if (class_id == kNoEventClass) class_id = add_class(class_name);
  return add_type(type, class_id);
}

EventClassId EventCatalogue::find_class(std::string_view name) const {
  const auto found = std::find_if(classes_.begin(), classes_.end(), [name](const Class& candidate) {
    return candidate.name == name;
  });
  if (found == classes_.end()) return kNoEventClass;
  return static_cast<EventClassId>(found - classes_.begin());
}

bool EventCatalogue::is_builtin(EventTypeId id) const {
  return id < std::size(kTypes);
}

FieldKind EventCatalogue::field_kind(EventTypeId id, std::string_view field) const {
  if (is_builtin(id)) return builtin_field_kind(field);
  const bool is_common = field == "type" || field == "timestamp" || field == "event_id";
  return is_common ? FieldKind::String : FieldKind::Any;
}

EventTypeInfo EventCatalogue::type_info(EventTypeId id) const {
  if (!is_builtin(id)) return {name(id), name(id), {}, class_id(id), false, {}, {}};
  const BuiltinType& type = kTypes[id];
  return {type.name,
          type.display_name,
          type.description,
          type.class_id,
          type.in_momentum,
          std::span(kAliases).subspan(type.alias_begin, type.alias_count),
          std::span(kFields).subspan(type.field_begin, type.field_count)};
}

EventClassInfo EventCatalogue::class_info(EventClassId id) const {
  if (id < std::size(kClasses)) return kClasses[id];
  return {classes_[id].name, classes_[id].name, {}};
}

EventClassId EventCatalogue::add_class(std::string_view name) {
  std::string prefix = "{\"msys\":{\"";
  prefix += name;
  prefix += "\":";
  classes_.push_back({std::string(name), std::move(prefix), {}});
  return static_cast<EventClassId>(classes_.size() - 1);
}

EventTypeId EventCatalogue::add_type(std::string_view name, EventClassId class_id) {
  const EventTypeId id = static_cast<EventTypeId>(types_.size());
  types_.push_back({static_cast<uint16_t>(names_.size()), class_id});
  classes_[class_id].types.set(id);
  all_types_.set(id);
  add_name(name, id, false);
  return id;
}

void EventCatalogue::add_name(std::string_view name, EventTypeId id, bool is_alias) {
  names_.push_back({std::string(name), id, is_alias});
  const size_t mask = slots_.size() - 1;
  size_t slot = hash_name(name) & mask;
  while (slots_[slot] != 0) slot = (slot + 1) & mask;
  slots_[slot] = static_cast<uint16_t>(names_.size());
}

}  // namespace posthaste::core
