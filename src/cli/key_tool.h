// `posthaste key`: API keys, of a running server or of a spool whose server is stopped.
#pragma once

#include <cstdint>
#include <string>

#include "cli/exit_status.h"
#include "cli/server_access.h"

namespace posthaste::cli {

struct KeyOptions {
  ServerOptions server;
  std::string spool_dir;  // instead of the server
  std::string name;
  std::string grant = "modify";
  int64_t subaccount = -1;  // -1: all
  std::string id;
};

Exit key_create(const KeyOptions& options);
Exit key_list(const KeyOptions& options);
Exit key_revoke(const KeyOptions& options);

}  // namespace posthaste::cli
