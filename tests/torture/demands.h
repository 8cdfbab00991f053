// Which crash points the torture must cross. All that the library has, but for those that nothing
// here leads to.
#pragma once

#include <algorithm>
#include <iterator>
#include <string_view>

namespace posthaste::torture {

inline constexpr std::string_view kElsewhere[] = {
    // Needs a damaged database; the corruption corpus.
    "quarantine: database moved aside",
    "quarantine: finished",
    "quarantine: log moved aside",
    "quarantine: salvaged",
    // Needs a disk that refuses rows; the store's fault tests.
    "store: cursor advanced",
    "store: loss added",
    // Takes away what is owed; the store's model test.
    "store: dead letters deleted",
    // Nothing asks for it yet; the store's model test.
    "store: split",
};

inline bool is_demanded(std::string_view point) {
  return std::find(std::begin(kElsewhere), std::end(kElsewhere), point) == std::end(kElsewhere);
}

}  // namespace posthaste::torture
