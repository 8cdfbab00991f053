// `posthaste webhook`: the webhooks of a running server.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/exit_status.h"
#include "cli/server_access.h"
#include "cli/settings_list.h"

namespace posthaste::cli {

// What the flags say of a webhook; what they do not say stays as it is.
struct WebhookFields {
  std::optional<std::string> name;
  std::optional<std::string> target;
  std::optional<std::string> events;  // between commas
  std::optional<std::string> token;
  std::optional<std::string> auth_type;
  std::optional<std::string> auth_user;
  std::optional<std::string> auth_password;
  std::optional<std::string> auth_bearer;
  std::optional<std::string> oauth2_url;
  std::optional<std::string> oauth2_client_id;
  std::optional<std::string> oauth2_client_secret;
  std::optional<std::string> oauth2_scope;
  std::optional<bool> is_active;
  std::optional<std::string> exception_subaccounts;  // between commas
  SettingsList headers;
  bool clears_headers = false;
  SettingsList settings;  // an empty value restores the server's
};

struct WebhookOptions {
  ServerOptions server;
  WebhookFields fields;
  std::string id;
  std::string message_file;  // test; empty: the usual test request
  std::string time_zone;
  uint64_t limit = 1000;
  bool is_all = false;  // batches: successes too
  bool drops = false;   // delete: what is queued is dropped
};

// The fields as a body of the REST API; secrets that begin with @ come from files. BadFile.
core::Result<std::string> webhook_body(const WebhookFields& fields);

Exit webhook_list(const WebhookOptions& options);
Exit webhook_create(const WebhookOptions& options);
Exit webhook_show(const WebhookOptions& options);
Exit webhook_update(const WebhookOptions& options);
Exit webhook_delete(const WebhookOptions& options);
Exit webhook_test(const WebhookOptions& options);
Exit webhook_batches(const WebhookOptions& options);
Exit webhook_pause(const WebhookOptions& options);
Exit webhook_resume(const WebhookOptions& options);
Exit webhook_retry(const WebhookOptions& options);

}  // namespace posthaste::cli
