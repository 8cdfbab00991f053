#include "engagement/settings.h"

#include <arpa/inet.h>

#include <algorithm>
#include <iterator>
#include <variant>

#include "config/secret.h"
#include "config/value_text.h"
#include "engagement/target.h"

namespace posthaste::engagement {
namespace {

using core::ErrorCode;
using Text = std::string Settings::*;
using List = std::vector<std::string> Settings::*;
using Number = uint64_t Settings::*;

constexpr size_t kKeysMax = 8;
constexpr size_t kKeySizeMin = 20;
constexpr size_t kKeySizeMax = 256;
constexpr size_t kUrlSizeMax = 255;

struct Row {
  const char* key;
  const char* default_text;
  std::variant<Text, List, Number> member;
  uint64_t minimum = 0;
  uint64_t maximum = 0;
};

constexpr char kKeysKey[] = "keys";
constexpr char kUrlKey[] = "url";

constexpr Row kRows[] = {
    {kUrlKey, "", &Settings::url},
    {kKeysKey, "", &Settings::keys},
    {"proxies", "", &Settings::proxies},
    {"url.max_length", "2000", &Settings::url_length_max, 256, 8000},
    {"seen.max", "131072", &Settings::seen_count_max, 1024, 16'777'216},
};

const Row* find_row(std::string_view key) {
  const Row* const found = std::find_if(std::begin(kRows), std::end(kRows),
                                        [&](const Row& row) { return row.key == key; });
  return found == std::end(kRows) ? nullptr : found;
}

core::Error bad_value(const char* key, const std::string& problem) {
  return {ErrorCode::BadValue, std::string(key) + ": " + problem, key};
}

bool is_graphic(char character) {
  return character > ' ' && character < 0x7f;
}

// What may stand in an attribute and in a header as it is.
bool is_plain_url(std::string_view url) {
  constexpr std::string_view kNot = "\"'<>&?#\\`";
  return is_target(url) && url.size() <= kUrlSizeMax &&
         std::all_of(url.begin(), url.end(), is_graphic) &&
         url.find_first_of(kNot) == std::string_view::npos;
}

core::Result<> check_keys(const std::vector<std::string>& keys) {
  if (keys.size() > kKeysMax) return bad_value(kKeysKey, "more than 8 keys");
  for (const std::string& key : keys) {
    const bool has_size = key.size() >= kKeySizeMin && key.size() <= kKeySizeMax;
    // The key itself is not told.
    if (!has_size || !std::all_of(key.begin(), key.end(), is_graphic)) {
      return bad_value(kKeysKey, "a key has 20 to 256 printable ASCII characters without a space");
    }
  }
  return {};
}

// Puts them into their usual form.
core::Result<> check_proxies(std::vector<std::string>& proxies) {
  for (std::string& proxy : proxies) {
    std::string usual = usual_address(proxy);
    if (usual.empty()) {
      return bad_value("proxies", config::quote(proxy) + " is not a numeric address");
    }
    proxy = std::move(usual);
  }
  return {};
}

core::Result<> store(const Row& row, std::string_view text, Settings& settings) {
  if (const auto* number = std::get_if<Number>(&row.member)) {
    const auto value = config::parse_count(text);
    if (!value || *value < row.minimum || *value > row.maximum) {
      return bad_value(row.key, config::quote(text) + " is not " + std::to_string(row.minimum) +
                                    " to " + std::to_string(row.maximum));
    }
    settings.*(*number) = *value;
    return {};
  }
  if (const auto* list = std::get_if<List>(&row.member)) {
    std::vector<std::string> items;
    for (const std::string_view item : config::split_list(text)) {
      if (!item.empty()) items.emplace_back(item);
    }
    auto checked = row.key == kKeysKey ? check_keys(items) : check_proxies(items);
    if (checked) settings.*(*list) = std::move(items);
    return checked;
  }
  while (text.ends_with('/')) text.remove_suffix(1);
  if (!text.empty() && !is_plain_url(text)) {
    return bad_value(row.key, config::quote(text) +
                                  " is not an http or https URL without query, fragment and quotes "
                                  "of at most 255 characters");
  }
  settings.url = text;
  return {};
}

}  // namespace

std::string usual_address(const std::string& text) {
  constexpr unsigned char kMapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  unsigned char bytes[16];
  char out[INET6_ADDRSTRLEN];
  if (inet_pton(AF_INET, text.c_str(), bytes) == 1)
    return inet_ntop(AF_INET, bytes, out, sizeof out);
  if (inet_pton(AF_INET6, text.c_str(), bytes) != 1) return {};
  const bool is_mapped = std::equal(std::begin(kMapped), std::end(kMapped), bytes);
  return is_mapped ? inet_ntop(AF_INET, bytes + sizeof kMapped, out, sizeof out)
                   : inet_ntop(AF_INET6, bytes, out, sizeof out);
}

core::Result<> Conf::set(std::string_view key, std::optional<std::string_view> value) {
  const Row* const row = find_row(key);
  if (!row) {
    return {ErrorCode::UnknownKey, config::quote(key) + " is no key of tracking links",
            std::string(key)};
  }
  if (!value) {
    texts_.erase(row->key);
    return {};
  }
  Settings unused;
  if (auto stored = store(*row, *value, unused); !stored) return stored.error();
  texts_[row->key] = *value;
  return {};
}

const char* Conf::get(std::string_view key) const {
  const Row* const row = find_row(key);
  if (!row) return nullptr;
  const auto set = texts_.find(key);
  if (set == texts_.end()) return row->default_text;
  return key == kKeysKey && !set->second.empty() ? config::kSecretMask.data() : set->second.c_str();
}

core::Result<Settings> Conf::finalize() const {
  Settings settings;
  for (const Row& row : kRows) {
    const auto set = texts_.find(row.key);
    std::string_view text = row.default_text;
    if (set != texts_.end()) text = set->second;
    if (auto stored = store(row, text, settings); !stored) return stored.error();
  }
  const char* const missing = settings.url.empty()    ? kUrlKey
                              : settings.keys.empty() ? kKeysKey
                                                      : nullptr;
  if (missing) {
    return {ErrorCode::MissingField, std::string(missing) + " is needed for tracking links",
            missing};
  }
  return settings;
}

}  // namespace posthaste::engagement
