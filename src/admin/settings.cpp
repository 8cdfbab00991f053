#include "admin/settings.h"

#include <arpa/inet.h>

#include <algorithm>
#include <iterator>
#include <variant>

#include "config/value_text.h"

namespace posthaste::admin {
namespace {

using Text = std::string Settings::*;
using List = std::vector<std::string> Settings::*;
using Number = uint64_t Settings::*;
using Switch = bool Settings::*;
enum class Unit : uint8_t { None, Milliseconds, Bytes };

struct Row {
  const char* key;
  const char* default_text;
  std::variant<Address Settings::*, Text, List, Number, Switch> member;
  Unit unit = Unit::None;
  uint64_t minimum = 0;
  uint64_t maximum = 0;
};

constexpr uint64_t kDay = 86'400'000;
constexpr uint64_t kKiB = 1024;
constexpr uint64_t kMiB = 1024 * kKiB;

constexpr size_t kMountsMax = 16;
constexpr size_t kPrefixSizeMax = 255;

constexpr Row kRows[] = {
    {"listen", "127.0.0.1:0", &Settings::listen},
    {"hosts", "", &Settings::hosts},
    {"origins", "", &Settings::origins},
    {"tls.certificate", "", &Settings::tls_certificate_file},
    {"tls.key", "", &Settings::tls_key_file},
    {"connections.max", "512", &Settings::connections_max, Unit::None, 1, 10'000},
    {"connections.max_per_address", "256", &Settings::connections_per_address_max, Unit::None, 1,
     10'000},
    {"request.timeout", "30s", &Settings::request_timeout_ms, Unit::Milliseconds, 100, kDay},
    {"idle.timeout", "60s", &Settings::idle_timeout_ms, Unit::Milliseconds, 100, kDay},
    {"headers.max_bytes", "16KiB", &Settings::headers_bytes_max, Unit::Bytes, kKiB, 64 * kKiB},
    {"body.max_bytes", "1MiB", &Settings::body_bytes_max, Unit::Bytes, kKiB, 1024 * kMiB},
    {"events.max_bytes", "64MiB", &Settings::events_bytes_max, Unit::Bytes, kKiB, 1024 * kMiB},
    {"bodies.max_bytes", "128MiB", &Settings::bodies_bytes_max, Unit::Bytes, kMiB, 65536 * kMiB},
    {"handler.timeout", "60s", &Settings::handler_timeout_ms, Unit::Milliseconds, 100, kDay},
    {"threads.quick", "2", &Settings::quick_threads, Unit::None, 1, 64},
    {"threads.waiting", "16", &Settings::waiting_threads, Unit::None, 1, 256},
    {"queue.max", "256", &Settings::queue_max, Unit::None, 1, 10'000},
    {"gzip", "on", &Settings::has_gzip},
    {"access_log", "on", &Settings::has_access_log},
    {"page", "on", &Settings::has_page},
};

const Row* find_row(std::string_view key) {
  const Row* const found = std::find_if(std::begin(kRows), std::end(kRows),
                                        [&](const Row& row) { return row.key == key; });
  return found == std::end(kRows) ? nullptr : found;
}

std::string number_text(const Row& row, uint64_t number) {
  if (row.unit == Unit::Milliseconds) return config::format_ms(number);
  if (row.unit == Unit::Bytes) return config::format_bytes(number);
  return std::to_string(number);
}

core::Error bad_value(const Row& row, std::string_view text, const std::string& allowed) {
  return {core::ErrorCode::BadValue,
          std::string(row.key) + ": " + config::quote(text) + " is not " + allowed, row.key};
}

core::Result<uint64_t> parse_number(const Row& row, std::string_view text) {
  const auto number = row.unit == Unit::Milliseconds ? config::parse_ms(text)
                      : row.unit == Unit::Bytes      ? config::parse_bytes(text)
                                                     : config::parse_count(text);
  if (number && *number >= row.minimum && *number <= row.maximum) return *number;
  return bad_value(row, text,
                   number_text(row, row.minimum) + " to " + number_text(row, row.maximum));
}

std::vector<std::string> parse_list(std::string_view text) {
  std::vector<std::string> items;
  for (const std::string_view item : config::split_list(text)) {
    if (!item.empty()) items.emplace_back(item);
  }
  return items;
}

core::Result<> store(const Row& row, std::string_view text, Settings& settings) {
  if (const auto* number = std::get_if<Number>(&row.member)) {
    const auto value = parse_number(row, text);
    if (!value) return value.error();
    settings.*(*number) = *value;
  } else if (const auto* flag = std::get_if<Switch>(&row.member)) {
    const auto value = config::parse_boolean(text);
    if (!value) return bad_value(row, text, "on or off");
    settings.*(*flag) = *value;
  } else if (const auto* list = std::get_if<List>(&row.member)) {
    settings.*(*list) = parse_list(text);
  } else if (const auto* plain = std::get_if<Text>(&row.member)) {
    settings.*(*plain) = text;
  } else {
    const auto address = parse_address(text);
    if (!address) return bad_value(row, text, "ADDRESS:PORT with a numeric address");
    settings.listen = *address;
  }
  return {};
}

bool is_numeric(const std::string& host) {
  unsigned char bytes[16];
  return inet_pton(AF_INET, host.c_str(), bytes) == 1 ||
         inet_pton(AF_INET6, host.c_str(), bytes) == 1;
}

}  // namespace

std::optional<Address> parse_address(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto port = config::parse_count(text.substr(colon + 1));
  if (!port || *port > 65535) return std::nullopt;
  std::string host(text.substr(0, colon));
  const bool has_brackets = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (has_brackets) host = host.substr(1, host.size() - 2);
  if (host == "localhost") host = "127.0.0.1";
  const bool is_ipv6 = host.find(':') != std::string::npos;
  if (!is_numeric(host) || is_ipv6 != has_brackets) return std::nullopt;
  return Address{host, static_cast<uint16_t>(*port)};
}

core::Result<> Conf::set(std::string_view key, std::optional<std::string_view> value) {
  const Row* const row = find_row(key);
  if (!row) {
    return {core::ErrorCode::UnknownKey, config::quote(key) + " is no key of a listener",
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
  const auto set = texts_.find(key);
  if (set != texts_.end()) return set->second.c_str();
  const Row* const row = find_row(key);
  return row ? row->default_text : nullptr;
}

core::Result<> Conf::mount(Mount mount) {
  const std::string& prefix = mount.prefix;
  const bool is_path =
      prefix.size() > 2 && prefix.size() <= kPrefixSizeMax && prefix.starts_with('/') &&
      prefix.ends_with('/') && std::all_of(prefix.begin(), prefix.end(), [](char character) {
        return character > ' ' && character < 0x7f && character != '?' && character != '#';
      });
  const bool is_ours = prefix.starts_with("/api/") || prefix.starts_with("/assets/");
  if (!is_path || is_ours) {
    return {core::ErrorCode::BadValue,
            config::quote(prefix) + " is not a path between slashes that can be mounted", "prefix"};
  }
  const auto same = std::find_if(mounts_.begin(), mounts_.end(),
                                 [&](const Mount& other) { return other.prefix == prefix; });
  if (same != mounts_.end()) {
    *same = std::move(mount);
    return {};
  }
  if (mounts_.size() == kMountsMax) {
    return {core::ErrorCode::BadValue, "more than 16 prefixes are mounted", "prefix"};
  }
  const auto place = std::find_if(mounts_.begin(), mounts_.end(), [&](const Mount& other) {
    return other.prefix.size() < prefix.size();
  });
  mounts_.insert(place, std::move(mount));
  return {};
}

core::Result<Settings> Conf::finalize() const {
  Settings settings;
  settings.mounts = mounts_;
  for (const Row& row : kRows) {
    if (auto stored = store(row, get(row.key), settings); !stored) return stored.error();
  }
  if (settings.tls_certificate_file.empty() != settings.tls_key_file.empty()) {
    const char* const missing = settings.tls_key_file.empty() ? "tls.key" : "tls.certificate";
    return {core::ErrorCode::BadValue,
            std::string(missing) + ": a certificate and its key come together", missing};
  }
  return settings;
}

}  // namespace posthaste::admin
