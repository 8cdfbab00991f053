// `posthaste spool`: what an operator does to a spool while no server runs on it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/exit_status.h"
#include "cli/handles.h"
#include "cli/settings_list.h"

namespace posthaste::cli {

struct SpoolOptions {
  std::string directory;
  SettingsList settings;
  bool is_json = false;

  // Which batches.
  std::vector<std::string> batch_ids;
  std::string webhook_id;
  std::optional<int64_t> from_ms;
  std::optional<int64_t> before_ms;
  std::optional<uint64_t> status;
  bool is_all = false;

  enum class Kind { Both, Waiting, Dead };
  Kind kind = Kind::Both;       // list
  uint64_t limit = 1000;        // list
  uint64_t events_shown = 10;   // show
  std::string output;           // export; empty: standard output
  uint64_t timeout_ms = 60000;  // what waits for the disk
};

// Opens the engine of a directory that no other process has, without delivery; says why when it
// cannot. Used by `key`, too.
core::Result<Engine> open_spool(const std::string& directory, const SettingsList& settings,
                                Exit& status);

Exit spool_stats(const SpoolOptions& options);
Exit spool_list(const SpoolOptions& options);
Exit spool_show(const SpoolOptions& options);
Exit spool_replay(const SpoolOptions& options);
Exit spool_drop(const SpoolOptions& options);
Exit spool_purge(const SpoolOptions& options);
Exit spool_check(const SpoolOptions& options);
Exit spool_export(const SpoolOptions& options);

}  // namespace posthaste::cli
