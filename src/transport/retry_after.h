// The Retry-After header (RFC 9110, 10.2.3): how long a receiver asks to be left alone.
#pragma once

#include <optional>
#include <string_view>

#include "core/time.h"

namespace posthaste::transport {

// Seconds, or a date, which `now` turns into a time from now on; one in the past is zero. None when
// the text is neither. Whoever uses it bounds it.
std::optional<core::Duration> parse_retry_after(std::string_view text, core::WallTime now);

}  // namespace posthaste::transport
