// Puts tracking links and pixels into an HTML text. Which URLs those are it is told.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "engagement/context.h"
#include "engagement/token.h"

namespace posthaste::engagement {

// Links of one text that are rewritten; further ones stay. So a text grows by a bounded amount.
inline constexpr size_t kLinksMax = 1000;

struct RewriteRules {
  Tracking tracking;        // what is wanted
  std::string_view prefix;  // what our own links begin with, which stay as they are
  // Nothing: the link stays as it is. Pixels have neither target nor name.
  std::function<std::optional<std::string>(LinkKind kind, std::string_view target,
                                           std::string_view name)>
      make_url;
};

// Linear in the text, whatever it is; memory beside the result is bounded by kLinksMax.
std::string rewrite_html(std::string_view html, const RewriteRules& rules);

}  // namespace posthaste::engagement
