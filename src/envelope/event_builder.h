// Builds the payload of an event from typed setters, for hosts that have no JSON at hand. Each
// field of the original is written in its wire type whatever setter the host chose; text is escaped
// and repaired. One builder serves event after event without allocating once its buffers have
// grown.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/event_catalogue.h"
#include "core/limits.h"
#include "core/result.h"
#include "json/event_scan.h"

namespace posthaste::envelope {

// Ownership: self-contained; holds no engine and may outlive it.
// Threads: one at a time. The const functions may run concurrently.
// Invariants: between calls text_ is a JSON object as long as no nested value is open; the first
// error sticks, and setters after it change nothing and answer it again, until reset, or rewind to
// a mark before it.
class EventBuilder {
 public:
  // A key for members of objects, none for elements of arrays.
  using Key = std::optional<std::string_view>;

  EventBuilder() { reset({}); }

  // Begins a new event and forgets error and mark. A raw name is written as its documented one;
  // with an empty name the payload gets no `type`, and the push must name one.
  void reset(std::string_view type);

  // Wire types, for fields of the original and not inside nested values: a String field takes
  // everything but nested values (true is "1", false "0"; a numeric timestamp becomes whole
  // seconds); a Boolean field takes "1", "true", "0", "false", 1 and 0; a Number field takes text
  // that is a JSON number; Object and Array fields take only those. What does not fit is BadField.
  // Unknown fields keep the setter's type.
  core::ErrorCode set_string(Key key, std::string_view value);
  core::ErrorCode set_int64(Key key, int64_t value);
  core::ErrorCode set_double(Key key, double value);
  core::ErrorCode set_boolean(Key key, bool value);
  // Any JSON value as text, checked: BadJson, BadUtf8, TooDeep.
  core::ErrorCode set_json(Key key, std::string_view json);

  core::ErrorCode begin_object(Key key) { return begin(key, json::ValueKind::Object); }
  core::ErrorCode begin_array(Key key) { return begin(key, json::ValueKind::Array); }
  // Ends what was begun last.
  core::ErrorCode end();

  // Notes the present state; rewind goes back to it, any number of times. Neither works inside a
  // nested value: mark answers Invalid there, and rewind leaves it.
  core::ErrorCode mark();
  core::ErrorCode rewind();

  // The payload as it stands, or the error that sticks; Invalid while a nested value is open. The
  // view lives until the builder changes.
  core::ErrorCode finish(std::string_view& out) const;

  // What finish answers, in words and with the culprit's key.
  core::Error error() const;

 private:
  struct UsedKey {
    uint32_t hash;
    uint32_t offset;  // of the escaped key in text_, quotes included
    uint32_t size;
  };
  struct State {
    size_t text_size;
    size_t key_count;
  };

  core::ErrorCode fail(core::ErrorCode code, std::string_view message, Key key);
  core::ErrorCode begin(Key key, json::ValueKind kind);
  // Writes comma and key; Ok when the value may follow.
  core::ErrorCode begin_member(Key key);
  core::ErrorCode end_member(Key key);
  core::ErrorCode add_raw(Key key, std::string_view raw);
  core::ErrorCode add_string(Key key, std::string_view value);
  core::ErrorCode add_as_boolean(Key key, std::string_view text);
  core::ErrorCode add_number(Key key, std::string_view number);
  core::ErrorCode register_key(Key key, size_t offset);
  core::FieldKind kind_of(const Key& key) const;

  bool is_nested() const { return depth_ > 1; }
  bool is_in_array() const { return (arrays_ & 1) != 0; }

  std::string text_;
  std::vector<UsedKey> keys_;  // of the objects that are open, the innermost last
  std::array<uint32_t, core::kJsonDepthMax + 1>
      first_key_{};  // by depth: where an object's keys begin in keys_
  size_t depth_ = 1;
  uint64_t arrays_ = 0;  // a bit for each open level, set for an array, the innermost lowest
  bool knows_fields_ = true;

  std::optional<State> mark_;
  core::ErrorCode code_ = core::ErrorCode::Ok;
  std::string message_;
  std::string key_;
};

}  // namespace posthaste::envelope
