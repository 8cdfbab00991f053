#include "cli/tracking_links.h"

#include <algorithm>
#include <sstream>
#include <utility>

namespace posthaste::cli {
namespace {

using core::ErrorCode;
using core::Result;

constexpr size_t kKeyFileMax = 16 * 1024;
constexpr char kLinkPrefix[] = "/t/";

struct LinksFree {
  void operator()(posthaste_engagement_conf_t* conf) const { posthaste_engagement_conf_free(conf); }
  void operator()(posthaste_engagement_t* links) const { posthaste_engagement_free(links); }
};

using LinksConf = std::unique_ptr<posthaste_engagement_conf_t, LinksFree>;

core::Error named(const ErrorText& error) {
  return {ErrorCode::BadValue, "engagement." + error.message(), {}};
}

}  // namespace

Result<> TrackingLinks::set(const SettingsList& settings) {
  std::shared_ptr<posthaste_engagement_t> links;
  std::string url;
  if (!settings.empty()) {
    const ErrorText error;
    const LinksConf conf(posthaste_engagement_conf_new());
    for (const Setting& setting : settings) {
      if (posthaste_engagement_conf_set(conf.get(), setting.key.c_str(), setting.value.c_str(),
                                        error) == POSTHASTE_E_UNKNOWN_KEY) {
        return {ErrorCode::UnknownKey, error.message()};
      }
      if (posthaste_error_code(error) != POSTHASTE_OK) return named(error);
    }
    posthaste_engagement_t* made = nullptr;
    if (posthaste_engagement_new(conf.get(), &made, error) != POSTHASTE_OK) return named(error);
    links = std::shared_ptr<posthaste_engagement_t>(made, LinksFree());
    url = posthaste_engagement_conf_get(conf.get(), "url");
  }
  url_ = std::move(url);
  const std::lock_guard lock(mutex_);
  links_.swap(links);
  return {};
}

std::vector<std::string> TrackingLinks::prefixes() const {
  if (url_.empty()) return {};
  const size_t host = url_.find("//") + 2;
  std::string path = url_.substr(std::min(url_.find('/', host), url_.size()));
  while (path.ends_with('/')) path.pop_back();
  std::vector<std::string> all = {kLinkPrefix};
  if (!path.empty()) all.push_back(path + kLinkPrefix);
  return all;
}

Result<> TrackingLinks::mount(posthaste_admin_conf_t* conf) {
  const ErrorText error;
  for (const std::string& prefix : prefixes()) {
    if (posthaste_admin_conf_mount(conf, prefix.c_str(), &answer, this, error) != POSTHASTE_OK) {
      return {ErrorCode::BadValue, "engagement.url: " + error.message()};
    }
  }
  return {};
}

int32_t TrackingLinks::answer(posthaste_t* ph, const posthaste_request_t* request,
                              int32_t timeout_ms, posthaste_response_t** out, void* self) {
  auto* const mine = static_cast<TrackingLinks*>(self);
  std::shared_ptr<posthaste_engagement_t> links;
  {
    const std::lock_guard lock(mine->mutex_);
    links = mine->links_;
  }
  // They were taken out of the configuration while the listener runs.
  if (!links) {
    *out = posthaste_response_new(404);
    return POSTHASTE_OK;
  }
  return posthaste_engagement_handle(links.get(), ph, request, timeout_ms, out, nullptr);
}

Result<std::string> parse_link_url(const std::string& text) {
  const ErrorText error;
  const LinksConf conf(posthaste_engagement_conf_new());
  posthaste_engagement_conf_set(conf.get(), "url", text.c_str(), error);
  if (text.empty()) return {ErrorCode::BadValue, "an empty text is no URL"};
  if (posthaste_error_code(error) == POSTHASTE_OK) return text;
  return {ErrorCode::BadValue, error.message()};
}

Result<std::string> read_link_keys(const std::string& path) {
  const auto text = read_file(path, kKeyFileMax);
  if (!text) return text.error();
  const ErrorText error;
  const LinksConf conf(posthaste_engagement_conf_new());
  std::string keys;
  std::istringstream lines(*text);
  std::string line;
  for (int number = 1; std::getline(lines, line); ++number) {
    const size_t first = line.find_first_not_of(" \t\r");
    if (first == std::string::npos || line[first] == '#') continue;
    line = line.substr(first, line.find_last_not_of(" \t\r") - first + 1);
    if (posthaste_engagement_conf_set(conf.get(), "keys", line.c_str(), error) != POSTHASTE_OK) {
      return {ErrorCode::BadFile,
              path + " line " + std::to_string(number) + ": " + error.message()};
    }
    if (!keys.empty()) keys += ',';
    keys += line;
  }
  if (keys.empty()) return {ErrorCode::BadFile, path + ": no key in it"};
  return keys;
}

}  // namespace posthaste::cli
