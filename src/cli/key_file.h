// A file of API keys for `serve`: one a line.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/result.h"

namespace posthaste::cli {

struct KeyLine {
  std::string key;
  int32_t grant = 0;
  int64_t subaccount = -1;  // -1: all
};

// Lines of `KEY [view|modify] [SUBACCOUNT]`, grant modify when it is not given; empty lines and
// those that begin with # are skipped. BadFile; names file and line, never a key.
core::Result<std::vector<KeyLine>> read_key_file(const std::string& path);

// Makes a file of mode 0600 with the line in it, whole or not at all; one that is there gives way.
core::Result<> write_private_file(const std::string& path, const std::string& line);

}  // namespace posthaste::cli
