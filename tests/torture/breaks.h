// The deliberate breaks that the torture must notice, and by which checks.
#pragma once

#include <string_view>

#include "core/deliberate_break.h"

namespace posthaste::torture {

struct BreakInfo {
  std::string_view name;
  core::Break kind;
  std::string_view checks;  // those that notice it, with blanks between and around
};

inline constexpr BreakInfo kBreaks[] = {
    {"ChangedId", core::Break::ChangedId, " one_batch "},
    {"CursorAhead", core::Break::CursorAhead, " arrived drops host "},
    {"RowsAfterAttempts", core::Break::RowsAfterAttempts, " one_batch arrived drops "},
    {"SkipRow", core::Break::SkipRow, " one_batch arrived drops "},
    {"RowGoneEarly", core::Break::RowGoneEarly, " arrived drops "},
    {"LowAhead", core::Break::LowAhead, " arrived drops "},
    {"EarlySync", core::Break::EarlySync, " arrived unwanted "},
    {"RecycleEarly", core::Break::RecycleEarly, " arrived host drops "},
    {"LossForgotten", core::Break::LossForgotten, " drops "},
};

// Null when there is none of that name.
inline const BreakInfo* find_break(std::string_view name) {
  for (const BreakInfo& info : kBreaks) {
    if (info.name == name) return &info;
  }
  return nullptr;
}

}  // namespace posthaste::torture
