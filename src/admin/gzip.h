// gzip of answers: whole texts in memory.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace posthaste::admin {

// Nothing when zlib has no memory.
std::optional<std::string> gzip(std::string_view text);

// Whether an Accept-Encoding header allows gzip.
bool allows_gzip(std::string_view accept_encoding);

}  // namespace posthaste::admin
