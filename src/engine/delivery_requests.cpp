#include "engine/delivery_requests.h"

#include <algorithm>
#include <iterator>
#include <string_view>
#include <tuple>

#include "config/secret.h"
#include "config/text_rules.h"
#include "engine/base64.h"

namespace posthaste::engine {
namespace {

auto credentials_of(const core::Webhook& webhook) {
  const core::DeliverySettings& own = webhook.settings;
  return std::tie(webhook.auth_token, webhook.credentials, webhook.headers, own.auth_header,
                  own.auth_type, own.auth_user, own.auth_password, own.auth_bearer, own.oauth2_url,
                  own.oauth2_client_id, own.oauth2_client_secret, own.oauth2_grant_type,
                  own.oauth2_scope, own.oauth2_audience, own.oauth2_parameters, own.oauth2_body,
                  own.tls_client_cert, own.tls_client_key, own.tls_key_password);
}

}  // namespace

void set_connection(const core::DeliverySettings& settings, transport::Request& request) {
  transport::ConnectionOptions& connection = request.connection;
  connection.ca_file = settings.tls_ca_file;
  connection.client_cert = settings.tls_client_cert;
  connection.client_key = settings.tls_client_key;
  connection.key_password = settings.tls_key_password;
  connection.tls_verify = settings.tls_verify;
  connection.keep_alive = settings.request_keep_alive;
  connection.tls_min_version = settings.tls_min_version;
  if (settings.proxy != "none") connection.proxy = settings.proxy;
  connection.no_proxy = settings.proxy_no_proxy;
  request.connect_timeout = settings.connect_timeout;
  request.request_timeout = settings.request_timeout;
  request.max_time = settings.request_max_time;
}

// Credentials in the target are basic authentication, whose type needs no naming.
void add_authorization(const core::Webhook& webhook, transport::Request& request) {
  const core::DeliverySettings& settings = webhook.settings;
  switch (settings.auth_type) {
    case core::AuthType::Bearer:
      request.headers.push_back({"Authorization", "Bearer " + settings.auth_bearer});
      return;
    case core::AuthType::OAuth2:
      return;
    case core::AuthType::Basic:
      if (settings.auth_user.empty()) break;
      request.headers.push_back(
          {"Authorization", "Basic " + base64(settings.auth_user + ":" + settings.auth_password)});
      return;
    case core::AuthType::None:
      break;
  }
  if (webhook.credentials.empty()) return;
  request.headers.push_back({"Authorization", "Basic " + base64(webhook.credentials)});
}

std::vector<transport::HeaderField> shown_headers(
    const std::vector<transport::HeaderField>& headers) {
  static constexpr std::string_view kOwn[] = {
      "Content-Type",      "User-Agent",        "X-MessageSystems-Batch-ID", "webhook-id",
      "webhook-timestamp", "webhook-signature", "Content-Encoding"};
  std::vector<transport::HeaderField> shown = headers;
  for (transport::HeaderField& header : shown) {
    const bool is_own = std::any_of(std::begin(kOwn), std::end(kOwn), [&](std::string_view name) {
      return config::equal_ignoring_case(name, header.name);
    });
    if (!is_own) header.value = config::mask_secret(header.value);
  }
  return shown;
}

bool is_same_credentials(const core::Webhook& a, const core::Webhook& b) {
  return credentials_of(a) == credentials_of(b);
}

}  // namespace posthaste::engine
