// Undoes the content codings that batches may have. Used by `sink`.
#pragma once

#include <string>
#include <string_view>

#include "core/result.h"

namespace posthaste::cli {

// coding: empty, identity, gzip or zstd; Unsupported for another one. Invalid when the body is not
// of that coding, TooLarge when it would grow beyond size_max.
core::Result<std::string> decode_body(std::string_view coding, std::string_view body,
                                      size_t size_max);

}  // namespace posthaste::cli
