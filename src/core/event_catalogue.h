// The event types that exist: the 29 of the original in 8 classes, their raw mail-server names, and
// what a host adds. The push path asks it once or twice per event, so lookups are one hash and one
// comparison; the REST documentation and the samples iterate over it. The built-in part comes from
// events.json by way of generated tables.
#pragma once

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/limits.h"
#include "core/result.h"

namespace posthaste::core {

using EventTypeId = uint16_t;
using EventClassId = uint16_t;
inline constexpr EventTypeId kNoEventType = 0xffff;
// Of a record in a spool whose type nobody defines any more: no webhook can want it.
inline constexpr EventTypeId kUnknownEventType = kEventTypesMax;
inline constexpr EventClassId kNoEventClass = 0xffff;

using TypeSet = std::bitset<kEventTypesMax>;

// The JSON form a field has on the wire. Any: the catalogue does not know the field.
enum class FieldKind : uint8_t { String, Boolean, Number, Object, Array, Any };

struct EventFieldInfo {
  FieldKind kind;
  std::string_view name;
  std::string_view
      wire_type;  // as the documentation names it: string, boolean, integer, object, array
  std::string_view description;
  std::string_view sample;      // JSON text
  std::string_view origin;      // documented, momentum, later-addition, inferred
  std::string_view properties;  // JSON text, an array that describes an object's members; empty
                                // when there is none
};

struct EventClassInfo {
  std::string_view name;
  std::string_view display_name;
  std::string_view description;
};

// A host's own type has its name as display name, and no description, aliases or fields.
struct EventTypeInfo {
  std::string_view name;
  std::string_view display_name;
  std::string_view description;
  EventClassId class_id;
  bool in_momentum;  // one of the 16 keys of Momentum's own configuration file
  std::span<const std::string_view> aliases;
  std::span<const EventFieldInfo> fields;
};

struct TypeMatch {
  EventTypeId id = kNoEventType;
  bool is_alias = false;  // found under a raw name of the mail server
};

// The wire type of a field of the original, whatever event carries it: field names mean the same
// everywhere, and which optional field goes with which event is not fully published. Any when the
// name is not the original's.
FieldKind builtin_field_kind(std::string_view field);

// The documented name of one of the original's types, given that or a raw name; empty for any other
// name.
std::string_view builtin_type_name(std::string_view name);

// The first `size` of eight bytes as one number; with a constant size one load.
constexpr uint64_t load_bytes(const char* bytes, size_t size) {
  uint64_t value = 0;
  for (size_t i = 0; i < size; ++i)
    value |= uint64_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
  return value;
}

// The first and the last eight bytes and the size: names of mail events differ there, and two loads
// are faster than a loop over every byte.
constexpr size_t hash_name(std::string_view name) {
  const size_t size = name.size();
  const uint64_t first = size < 8 ? load_bytes(name.data(), size) : load_bytes(name.data(), 8);
  const uint64_t last = size < 8 ? 0 : load_bytes(name.data() + size - 8, 8);
  const uint64_t mixed = (first ^ (last * 0x9e3779b97f4a7c15u) ^ size) * 0xff51afd7ed558ccdu;
  return static_cast<size_t>(mixed >> 40);
}

// The table of event types.
// Ownership: self-contained and copyable; views it returns live until the next define, or its end.
// Threads: const functions may run concurrently; define needs the object for itself, so an engine
// publishes copies. Invariants: append-only, ids are dense from 0 and never change; no name is both
// a type and an alias.
class EventCatalogue {
 public:
  EventCatalogue();

  // Adds a host's type to a new or an existing class. Exists when the name is taken, as a type or
  // as an alias; BadValue when a name is not [a-z0-9_]{1,64}; TooLarge when the table is full.
  Result<EventTypeId> define(std::string_view type, std::string_view class_name);

  // Takes documented names and raw mail-server names.
  TypeMatch find(std::string_view name) const {
    const size_t mask = slots_.size() - 1;
    for (size_t i = hash_name(name) & mask; slots_[i] != 0; i = (i + 1) & mask) {
      const Name& candidate = names_[slots_[i] - 1u];
      if (candidate.text == name) return {candidate.id, candidate.is_alias};
    }
    return {};
  }
  EventClassId find_class(std::string_view name) const;

  size_t type_count() const { return types_.size(); }
  size_t class_count() const { return classes_.size(); }
  bool is_builtin(EventTypeId id) const;

  std::string_view name(EventTypeId id) const { return names_[types_[id].name_index].text; }
  EventClassId class_id(EventTypeId id) const { return types_[id].class_id; }
  std::string_view class_name(EventTypeId id) const { return classes_[types_[id].class_id].name; }

  // `{"msys":{"<class>":`, what stands before the payload in a wire record.
  std::string_view envelope_prefix(EventTypeId id) const {
    return classes_[types_[id].class_id].envelope_prefix;
  }

  // Fields of a host's own types are its own: only type, timestamp and event_id are known there.
  FieldKind field_kind(EventTypeId id, std::string_view field) const;

  EventTypeInfo type_info(EventTypeId id) const;
  EventClassInfo class_info(EventClassId id) const;
  TypeSet all_types() const { return all_types_; }
  const TypeSet& class_types(EventClassId id) const { return classes_[id].types; }

 private:
  struct Name {
    std::string text;
    EventTypeId id;
    bool is_alias;
  };
  struct Type {
    uint16_t name_index;
    EventClassId class_id;
  };
  struct Class {
    std::string name;
    std::string envelope_prefix;
    TypeSet types;
  };

  EventClassId add_class(std::string_view name);
  EventTypeId add_type(std::string_view name, EventClassId class_id);
  void add_name(std::string_view name, EventTypeId id, bool is_alias);

  std::vector<Name> names_;
  std::vector<Type> types_;
  std::vector<Class> classes_;
  std::array<uint16_t, 2048> slots_{};  // open addressing; index into names_ plus one, 0 is free
  TypeSet all_types_;
};

}  // namespace posthaste::core
