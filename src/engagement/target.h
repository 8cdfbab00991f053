// Which URLs links may lead to, and how they stand in HTML and in a Location header.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace posthaste::engagement {

// Whether a tracked link may lead there: an absolute http or https URL with a host, in UTF-8,
// without control characters.
bool is_target(std::string_view url);

// The text of an attribute with its character references decoded. Nothing when one of them is not
// plain: another entity than amp, lt, gt, quot and apos, or a number that browsers replace.
std::optional<std::string> decode_attribute(std::string_view value);

// The target of an href value as a browser reads it: decoded, trimmed, without tabs and line ends.
// Nothing when it is none.
std::optional<std::string> target_of_href(std::string_view value);

// The target for a Location header: what RFC 3986 has no room for is percent-encoded.
std::string location_of(std::string_view target);

}  // namespace posthaste::engagement
