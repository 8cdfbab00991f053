// Keys of the REST API as secrets: made at random, kept as hashes, compared without telling by the
// time it takes where they differ. A key has 160 random bits, so a plain hash of it cannot be
// reversed by guessing.
#pragma once

#include <string>
#include <string_view>

#include "core/result.h"

namespace posthaste::transport {

// 40 hexadecimal digits, as the original's keys. System when the system has no randomness to give.
core::Result<std::string> make_api_key();
// 64 hexadecimal digits of SHA-256; empty when memory is short.
std::string api_key_hash(std::string_view key);
bool is_equal_hash(std::string_view left, std::string_view right);

}  // namespace posthaste::transport
