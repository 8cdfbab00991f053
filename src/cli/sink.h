// `posthaste sink`: a receiver for users' own tests.
#pragma once

#include <string>
#include <vector>

#include "cli/exit_status.h"
#include "cli/listen_address.h"
#include "cli/signature_check.h"
#include "cli/sink_report.h"
#include "cli/sink_rules.h"

namespace posthaste::cli {

struct SinkOptions {
  ListenAddress listen;
  std::vector<SinkRule> rules;
  std::vector<VerifyingKey> keys;  // none: signatures are not looked at
  std::string token;               // empty: tokens are not looked at
  std::string token_header = "X-MessageSystems-Webhook-Token";
  size_t events_shown = 3;
  SinkOutput output = SinkOutput::Text;
};

// Serves until SIGINT or SIGTERM.
Exit run_sink(const SinkOptions& options);

}  // namespace posthaste::cli
