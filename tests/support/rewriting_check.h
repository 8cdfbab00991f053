// What must hold for every HTML text that tracking links are put into, however broken: for the
// fuzzer and for the unit test that reads its corpus.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engagement/base64url.h"
#include "engagement/html_rewriter.h"
#include "engagement/html_scanner.h"
#include "engagement/target.h"

namespace posthaste::testing {

inline constexpr std::string_view kCheckPrefix = "https://t.test/t/";

// Rewrites with URLs that have kind and target in them, and notes the targets.
inline std::string rewrite_noting(std::string_view html, std::vector<std::string>& targets) {
  using namespace engagement;
  const auto make = [&](LinkKind kind, std::string_view target, std::string_view) {
    if (kind == LinkKind::Click || kind == LinkKind::Unsubscribe) targets.emplace_back(target);
    return std::optional(std::string(kCheckPrefix) + std::to_string(static_cast<int>(kind)) +
                         encode_base64url(target));
  };
  return rewrite_html(html, {{true, true, true}, kCheckPrefix, make});
}

inline bool is_pixel(const engagement::HtmlTag& tag) {
  const std::string_view src = tag.src.value;
  return tag.is(engagement::HtmlTag::Kind::Start, "img") && src.starts_with(kCheckPrefix) &&
         (src.substr(kCheckPrefix.size()) == "4" || src.substr(kCheckPrefix.size()) == "5");
}

// The text without pixels, with a mark for each link of ours and, in their order, for each of
// `targets`.
inline std::string skeleton_of(std::string_view html, const std::vector<std::string>& targets) {
  using namespace engagement;
  std::string out;
  size_t done = 0;
  size_t next = 0;
  const auto replace = [&](size_t begin, size_t end, std::string_view text) {
    out.append(html.substr(done, begin - done)).append(text);
    done = end;
  };
  HtmlScanner scanner(html);
  for (HtmlTag tag; scanner.next(tag);) {
    if (is_pixel(tag)) {
      replace(tag.begin, tag.end, {});
      continue;
    }
    const bool is_link = tag.is(HtmlTag::Kind::Start, "a") || tag.is(HtmlTag::Kind::Start, "area");
    if (!is_link || !tag.href.is_there()) continue;
    const bool is_next = next < targets.size() && tag.click_track.value != "0" &&
                         target_of_href(tag.href.value) == targets[next];
    if (is_next) ++next;
    if (is_next || tag.href.value.starts_with(kCheckPrefix)) {
      replace(tag.href.begin, tag.href.end, "LINK");
    }
  }
  return out.append(html.substr(done));
}

// What is wrong with the rewriting of the text; empty when nothing is.
inline std::string rewriting_fault(std::string_view html) {
  std::vector<std::string> targets;
  const std::string once = rewrite_noting(html, targets);
  for (const std::string& target : targets) {
    if (!engagement::is_target(target)) return "a link leads to no target";
    if (engagement::location_of(target).find_first_of("\r\n \"<>") != std::string::npos) {
      return "a Location header could be ended by its target";
    }
  }
  if (skeleton_of(html, targets) != skeleton_of(once, {})) return "other bytes were changed";
  std::vector<std::string> more;
  // A second run of a text with many links goes on where the first one stopped.
  const std::string twice = rewrite_noting(once, more);
  if (targets.size() < engagement::kLinksMax && twice != once) return "a second run changed it";
  return {};
}

}  // namespace posthaste::testing
