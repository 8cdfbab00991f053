// What `serve` is configured with: flags before the file, the file before what the environment
// gives. Read again at SIGHUP.
#pragma once

#include <string>
#include <vector>

#include "cli/serve.h"
#include "core/result.h"

namespace posthaste::cli {

struct ServeSettings {
  std::string listen;
  std::string api_key_file;
  std::string spool_dir;  // empty: memory mode
  std::string webhooks_file;
  std::vector<std::string> ingest;
  SettingsList engine;  // keys of the property table, in the order of their sources
  SettingsList admin;   // keys of the listener, without their `admin.`
  SettingsList links;   // keys of tracking links, without their `engagement.`
};

// BadFile or BadValue, with an error that names the culprit.
core::Result<ServeSettings> read_serve_settings(const ServeOptions& options);

}  // namespace posthaste::cli
