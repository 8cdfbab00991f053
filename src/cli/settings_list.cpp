#include "cli/settings_list.h"

#include <fmt/core.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <memory>

#include "config/value_text.h"

namespace posthaste::cli {
namespace {

using core::ErrorCode;

constexpr size_t kSettingsFileMax = size_t{1} << 20;

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r";
  const size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

}  // namespace

core::Result<Setting> parse_setting(std::string_view text) {
  const size_t equals = text.find('=');
  if (equals == std::string_view::npos || trimmed(text.substr(0, equals)).empty()) {
    // What was given may be a secret alone.
    return {ErrorCode::BadValue, "a setting is written KEY=VALUE"};
  }
  return Setting{std::string(trimmed(text.substr(0, equals))),
                 std::string(trimmed(text.substr(equals + 1)))};
}

core::Result<std::string> read_file(const std::string& path, size_t size_max) {
  const std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(path.c_str(), "re"), std::fclose);
  if (!file) return {ErrorCode::BadFile, "cannot open " + path + ": " + std::strerror(errno)};
  std::string text(size_max + 1, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), file.get()));
  if (std::ferror(file.get())) return {ErrorCode::BadFile, "cannot read " + path};
  if (text.size() > size_max) return {ErrorCode::BadFile, path + " is too large"};
  return text;
}

core::Result<SettingsList> read_settings_file(const std::string& path) {
  const auto text = read_file(path, kSettingsFileMax);
  if (!text) return text.error();
  SettingsList settings;
  std::string_view rest = *text;
  for (int number = 1; !rest.empty(); ++number) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = trimmed(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (line.empty() || line.starts_with('#')) continue;
    auto setting = parse_setting(line);
    if (!setting) {
      return {ErrorCode::BadFile,
              fmt::format("{} line {}: {}", path, number, setting.error().message)};
    }
    settings.push_back(std::move(*setting));
  }
  return settings;
}

core::Result<> apply_settings(const SettingsList& settings, posthaste_conf_t* conf) {
  ErrorText error;
  for (const Setting& setting : settings) {
    const int32_t code =
        posthaste_conf_set(conf, setting.key.c_str(), setting.value.c_str(), error);
    if (code != POSTHASTE_OK) return {ErrorCode::BadValue, error.message()};
  }
  return {};
}

core::Result<int64_t> parse_time(std::string_view text, int64_t now_ms) {
  if (const auto length_ms = config::parse_ms(text)) {
    return now_ms - static_cast<int64_t>(*length_ms);
  }
  for (const char* form : {"%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ"}) {
    std::tm parts{};
    const std::string copy(text);
    const char* end = ::strptime(copy.c_str(), form, &parts);
    if (end && *end == '\0') return int64_t{::timegm(&parts)} * 1000;
  }
  return {ErrorCode::BadValue, "'" + std::string(text) +
                                   "' is not a time such as 2026-01-31, 2026-01-31T12:00:00Z or "
                                   "2h (ago)"};
}

}  // namespace posthaste::cli
