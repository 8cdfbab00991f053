// Finalised settings: what the property table (config) makes of keys and values, in types with
// units. The core and the engine read these and never see a key's text.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/address_policy.h"
#include "core/time.h"

namespace posthaste::core {

enum class RetryJitter { None, Equal };
enum class VerifyAccept { Only200, Any2xx };
// How a request authenticates itself beside the webhook's token, which any of them lets through.
enum class AuthType { None, Basic, Bearer, OAuth2 };
// How the parameters of a token request are written.
enum class TokenBody { Form, Json };
enum class TlsVersion { V1_0, V1_1, V1_2, V1_3 };
// Content coding of request bodies.
enum class Compression { None, Gzip, Zstd };
// What 410 means: a failure like others, or the end of the webhook until somebody says otherwise.
enum class GonePolicy { Retry, Disable };
// What a returned sync survives: loss of power, or the end of the process.
enum class SpoolSync { Full, Normal };
// What an engine is: the one that delivers, or a producer of events for one in another process.
enum class Role { Deliverer, Producer };
// What a start does with a damaged spool.
enum class DamagePolicy { Refuse, Quarantine };

// What one webhook runs with: the engine's values under the webhook's own.
// What the REST API shows of secrets, and how it writes links.
enum class SecretsShown { Masked, Clear };
enum class LinkForm { Absolute, Path };

struct DeliverySettings {
  uint32_t batch_max_events = 10'000;
  Duration batch_max_age = std::chrono::seconds(30);
  uint64_t batch_max_bytes = 16u << 20;

  Duration connect_timeout = std::chrono::seconds(6);
  Duration request_timeout = std::chrono::seconds(6);
  Duration request_max_time = std::chrono::seconds(60);
  uint32_t request_max_in_flight = 1;
  bool request_keep_alive = true;
  uint32_t rate_requests_per_second = 0;  // 0: no limit
  uint32_t rate_events_per_second = 0;    // 0: no limit

  Duration retry_base = std::chrono::seconds(1);
  Duration retry_max = std::chrono::minutes(5);
  RetryJitter retry_jitter = RetryJitter::Equal;
  Duration retry_max_age = std::chrono::hours(4);
  std::vector<Duration>
      retry_schedule;  // a ladder instead of the exponential, the last repeating; empty: none
  GonePolicy http_gone = GonePolicy::Retry;
  Duration disable_after{};  // of nothing but failure; zero: never

  Duration activation_delay = std::chrono::seconds(60);
  bool verify = true;
  VerifyAccept verify_accept = VerifyAccept::Only200;
  std::string auth_header = "X-MessageSystems-Webhook-Token";
  AuthType auth_type = AuthType::None;
  std::string auth_user;
  std::string auth_password;
  std::string auth_bearer;
  std::string oauth2_url;
  std::string oauth2_client_id;
  std::string oauth2_client_secret;
  std::string oauth2_grant_type = "client_credentials";
  std::string oauth2_scope;
  std::string oauth2_audience;
  std::string oauth2_parameters;  // further ones, form-encoded
  TokenBody oauth2_body = TokenBody::Form;
  std::string tls_ca_file;
  std::string tls_client_cert;
  std::string tls_client_key;
  std::string tls_key_password;
  TlsVersion tls_min_version = TlsVersion::V1_2;
  bool tls_verify = true;
  std::string proxy = "none";  // or "env", or a URL
  std::string proxy_no_proxy;  // hosts to reach without it
  Compression compression = Compression::None;
  std::string signing_secrets;  // as transport::parse_signing_secrets reads them; empty: unsigned

  AddressRule address_rule = AddressRule::Any;
  std::string subaccount = "all";  // or the number of the only one, see core/subaccount.h
  std::string exception_subaccounts;

  uint64_t max_waiting_bytes = 64u << 20;
  uint64_t max_spool_bytes = 0;  // 0: a quarter of spool_max_bytes
  bool dead_letter = false;

  bool operator==(const DeliverySettings&) const = default;
};

// Bits of report.kinds: bit n is POSTHASTE_REPORT_<n>.
inline constexpr uint32_t kAllReportKinds = ~0u;

struct EngineSettings {
  DeliverySettings webhook;  // defaults of every webhook

  uint64_t event_max_bytes = 1u << 20;
  uint64_t intake_max_bytes = 256u << 20;
  uint64_t waiting_max_bytes = 256u << 20;
  uint32_t connections_max = 256;
  std::string address_allow;  // networks between commas
  std::string address_deny;
  std::string address_ports;  // ports and ranges of them between commas; empty: all
  SecretsShown api_secrets = SecretsShown::Masked;
  LinkForm api_links = LinkForm::Absolute;
  std::string api_base_url;  // what absolute links begin with; empty: as the request says
  AddressRule api_subaccount_address_rule = AddressRule::Public;
  uint32_t verify_max_in_flight = 16;  // slots of its own, never those of deliveries
  uint64_t report_max_bytes = 4u << 20;
  uint32_t report_kinds = kAllReportKinds;
  int32_t log_level = 3;    // POSTHASTE_LOG_*: lines above it are not made
  int32_t log_reports = 0;  // lines up to this level become reports; 0: none
  Duration attempts_max_age = std::chrono::hours(24);
  uint64_t attempts_max_bytes = 4u << 20;
  std::string spool_dir;  // empty: memory mode
  uint64_t spool_max_bytes = uint64_t{4} << 30;
  uint64_t spool_file_bytes = 64u << 20;  // of one journal file
  SpoolSync spool_sync = SpoolSync::Full;
  Duration spool_commit_interval = std::chrono::milliseconds(20);
  DamagePolicy spool_on_damage = DamagePolicy::Refuse;
  std::string spool_group;  // empty: that of the process
  uint32_t spool_file_mode = 0600;
  Role role = Role::Deliverer;
  bool delivers = true;  // false: every batch waits as if its webhook were paused
  Duration producer_lock_timeout = std::chrono::milliseconds(50);
  uint64_t producer_max_bytes = uint64_t{256} << 20;  // of all producer files together
  uint64_t dead_letter_max_bytes = uint64_t{1} << 30;
  Duration dead_letter_max_age = std::chrono::hours(24 * 7);
  uint64_t random_seed = 0;  // 0: from the operating system
};

}  // namespace posthaste::core
