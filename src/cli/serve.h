// `posthaste serve`: the library as a daemon.
#pragma once

#include <string>
#include <vector>

#include "cli/exit_status.h"
#include "cli/settings_list.h"
#include "core/result.h"

namespace posthaste::cli {

inline constexpr char kServeListenDefault[] = "127.0.0.1:8420";

// What flags and file say together.
struct ServeOptions {
  std::string config_file;
  std::string listen;  // empty: the file's, else the default
  std::string api_key_file;
  std::string spool_dir;
  std::string webhooks_file;
  std::string link_url;  // empty: the file's
  std::string link_key_file;
  std::vector<std::string> ingest;
  SettingsList settings;
  bool is_memory = false;
};

// One of `stdin`, `http`, `unix:PATH`. BadValue.
core::Result<std::string> parse_ingest(const std::string& text);

// Serves until SIGTERM or SIGINT.
Exit run_serve(const ServeOptions& options);

}  // namespace posthaste::cli
