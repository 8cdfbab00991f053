// KEY=VALUE pairs, as flags give them and files hold them, and engines made of them.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/handles.h"
#include "core/result.h"

namespace posthaste::cli {

struct Setting {
  std::string key;
  std::string value;

  bool operator==(const Setting&) const = default;
};
using SettingsList = std::vector<Setting>;

// KEY=VALUE; blanks around both are taken off. BadValue.
core::Result<Setting> parse_setting(std::string_view text);

// Lines of `key = value`; empty ones and those that begin with # are skipped. The error names file
// and line. BadFile.
core::Result<SettingsList> read_settings_file(const std::string& path);

// The whole of a file; BadFile when it cannot be read or is larger than size_max.
core::Result<std::string> read_file(const std::string& path, size_t size_max);

// Sets them all; the error is the library's, which names the key.
core::Result<> apply_settings(const SettingsList& settings, posthaste_conf_t* conf);

// Unix time in milliseconds from `2026-01-31`, `2026-01-31T12:00:00` with or without Z (UTC), or a
// length such as `2h` before now. BadValue.
core::Result<int64_t> parse_time(std::string_view text, int64_t now_ms);

}  // namespace posthaste::cli
