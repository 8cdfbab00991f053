#include "cli/serve_settings.h"

#include <cstdlib>

#include "cli/tracking_links.h"
#include "config/value_text.h"

namespace posthaste::cli {
namespace {

using core::ErrorCode;

constexpr std::string_view kAdminPrefix = "admin.";
constexpr std::string_view kLinksPrefix = "engagement.";
constexpr char kSpoolDefault[] = "posthaste-data";

// The last file counts, as with every other key.
core::Result<> take_link_keys(const std::string& path, ServeSettings& out) {
  auto keys = read_link_keys(path);
  if (!keys) return keys.error();
  out.links.push_back({"keys", std::move(*keys)});
  return {};
}

// Takes one line of the file or one --set.
core::Result<> take(const Setting& setting, ServeSettings& out, bool& is_memory) {
  const std::string& key = setting.key;
  if (key == "listen") {
    out.listen = setting.value;
  } else if (key == "api-key-file") {
    out.api_key_file = setting.value;
  } else if (key == "webhooks") {
    out.webhooks_file = setting.value;
  } else if (key == "ingest") {
    auto ingest = parse_ingest(setting.value);
    if (!ingest) return ingest.error();
    out.ingest.push_back(std::move(*ingest));
  } else if (key == "memory") {
    const auto flag = config::parse_boolean(setting.value);
    if (!flag) return {ErrorCode::BadValue, "memory must be on or off"};
    is_memory = *flag;
  } else if (key == "spool.dir") {
    out.spool_dir = setting.value;
  } else if (key == "engagement-key-file") {
    return take_link_keys(setting.value, out);
  } else if (key.starts_with(kLinksPrefix)) {
    out.links.push_back({key.substr(kLinksPrefix.size()), setting.value});
  } else if (key.starts_with(kAdminPrefix)) {
    out.admin.push_back({key.substr(kAdminPrefix.size()), setting.value});
  } else {
    out.engine.push_back(setting);
  }
  return {};
}

std::string default_directory() {
  const char* state = std::getenv("STATE_DIRECTORY");
  if (!state || !*state) return kSpoolDefault;
  const std::string_view all(state);  // systemd separates several by colons
  return std::string(all.substr(0, all.find(':')));
}

}  // namespace

core::Result<ServeSettings> read_serve_settings(const ServeOptions& options) {
  ServeSettings out;
  bool is_memory = false;
  SettingsList all;
  if (!options.config_file.empty()) {
    auto file = read_settings_file(options.config_file);
    if (!file) return file.error();
    for (const Setting& setting : *file) {
      if (auto done = take(setting, out, is_memory); !done) {
        return {done.code(), options.config_file + ": " + done.error().message};
      }
    }
  }
  for (const Setting& setting : options.settings) {
    if (auto done = take(setting, out, is_memory); !done) return done.error();
  }
  if (!options.link_url.empty()) out.links.push_back({"url", options.link_url});
  if (!options.link_key_file.empty()) {
    if (auto done = take_link_keys(options.link_key_file, out); !done) return done.error();
  }
  if (!options.listen.empty()) out.listen = options.listen;
  if (out.listen.empty()) out.listen = kServeListenDefault;
  if (!options.api_key_file.empty()) out.api_key_file = options.api_key_file;
  if (!options.webhooks_file.empty()) out.webhooks_file = options.webhooks_file;
  if (!options.ingest.empty()) out.ingest = options.ingest;
  if (!options.spool_dir.empty()) out.spool_dir = options.spool_dir;
  if (options.is_memory || is_memory) {
    if (!out.spool_dir.empty()) {
      return {ErrorCode::BadValue, "memory mode and a spool directory exclude each other"};
    }
    return out;
  }
  if (out.spool_dir.empty()) out.spool_dir = default_directory();
  return out;
}

}  // namespace posthaste::cli
