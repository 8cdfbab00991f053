// What a link tells about its message: fields of events, as the host gave them, kept until somebody
// follows the link.
#pragma once

#include <string>
#include <string_view>

#include "core/event_catalogue.h"
#include "core/result.h"
#include "posthaste/posthaste.h"

namespace posthaste::engagement {

// What is on for the message, for its open_tracking, click_tracking and initial_pixel.
struct Tracking {
  bool has_open = false;
  bool has_click = false;
  bool has_initial = false;
};

// Purpose: a context in the two lengths that links have it in. Both are JSON objects.
struct Context {
  std::string full;
  std::string essential;  // the fields that name message and recipient

  // json: an object of event fields. Fields that no engagement event has, and those that the
  // request decides, are left out; values get their wire types. BadJson and its kin; BadField;
  // TooLarge. tracking: null when it is not known; the context's own fields come first.
  static core::Result<Context> parse(std::string_view json, const Tracking* tracking,
                                     const core::EventCatalogue& catalogue);
};

// Sets the fields of a context that an event of this type has, and those that follow from them.
void set_context(std::string_view context, const core::EventTypeInfo& type,
                 posthaste_event_t* event);

// Whether the catalogue has the field for the type.
bool has_field(const core::EventTypeInfo& type, std::string_view name);

}  // namespace posthaste::engagement
