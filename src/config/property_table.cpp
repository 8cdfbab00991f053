#include "config/property_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <limits>
#include <optional>
#include <type_traits>
#include <utility>

#include "config/secret.h"
#include "config/text_rules.h"
#include "config/value_text.h"
#include "core/limits.h"
#include "core/subaccount.h"

namespace posthaste::config {

namespace {

using core::DeliverySettings;
using core::Duration;
using core::EngineSettings;
using core::ErrorCode;
using core::Result;

constexpr uint64_t kSecond = 1000;
constexpr uint64_t kMinute = 60 * kSecond;
constexpr uint64_t kHour = 60 * kMinute;
constexpr uint64_t kDay = 24 * kHour;
constexpr uint64_t kKiB = uint64_t{1} << 10;
constexpr uint64_t kMiB = uint64_t{1} << 20;
constexpr uint64_t kGiB = uint64_t{1} << 30;
constexpr uint64_t kTiB = uint64_t{1} << 40;

constexpr size_t kScheduleStepsMax = 64;
constexpr std::string_view kMomentumName = "momentum";
constexpr std::string_view kMomentumLadder = "1m,5m,30m,60m";  // the delay queues of the original

constexpr Choice kJitters[] = {{"none", static_cast<uint64_t>(core::RetryJitter::None)},
                               {"equal", static_cast<uint64_t>(core::RetryJitter::Equal)}};
constexpr Choice kAccepts[] = {{"200", static_cast<uint64_t>(core::VerifyAccept::Only200)},
                               {"2xx", static_cast<uint64_t>(core::VerifyAccept::Any2xx)}};
constexpr Choice kAuthTypes[] = {{"none", static_cast<uint64_t>(core::AuthType::None)},
                                 {"basic", static_cast<uint64_t>(core::AuthType::Basic)},
                                 {"bearer", static_cast<uint64_t>(core::AuthType::Bearer)},
                                 {"oauth2", static_cast<uint64_t>(core::AuthType::OAuth2)}};
constexpr Choice kTokenBodies[] = {{"form", static_cast<uint64_t>(core::TokenBody::Form)},
                                   {"json", static_cast<uint64_t>(core::TokenBody::Json)}};
constexpr Choice kAddressRules[] = {{"any", static_cast<uint64_t>(core::AddressRule::Any)},
                                    {"public", static_cast<uint64_t>(core::AddressRule::Public)}};
constexpr Choice kSecretsShown[] = {{"masked", static_cast<uint64_t>(core::SecretsShown::Masked)},
                                    {"clear", static_cast<uint64_t>(core::SecretsShown::Clear)}};
constexpr Choice kLinkForms[] = {{"absolute", static_cast<uint64_t>(core::LinkForm::Absolute)},
                                 {"path", static_cast<uint64_t>(core::LinkForm::Path)}};
constexpr Choice kTlsVersions[] = {{"1.0", static_cast<uint64_t>(core::TlsVersion::V1_0)},
                                   {"1.1", static_cast<uint64_t>(core::TlsVersion::V1_1)},
                                   {"1.2", static_cast<uint64_t>(core::TlsVersion::V1_2)},
                                   {"1.3", static_cast<uint64_t>(core::TlsVersion::V1_3)}};
constexpr Choice kCompressions[] = {{"none", static_cast<uint64_t>(core::Compression::None)},
                                    {"gzip", static_cast<uint64_t>(core::Compression::Gzip)},
                                    {"zstd", static_cast<uint64_t>(core::Compression::Zstd)}};
constexpr Choice kLogLevels[] = {
    {"off", 0}, {"error", 1}, {"warning", 2}, {"info", 3}, {"debug", 4}};
constexpr Choice kReportKinds[] = {
    {"delivered", 1u << 1}, {"retrying", 1u << 2},      {"dropped", 1u << 3},
    {"state", 1u << 4},     {"ticket", 1u << 5},        {"overflow", 1u << 6},
    {"log", 1u << 7},       {"dead_lettered", 1u << 8}, {"spool", 1u << 9},
    {"endpoint", 1u << 10}, {"limit", 1u << 11}};
constexpr Choice kGonePolicies[] = {{"retry", static_cast<uint64_t>(core::GonePolicy::Retry)},
                                    {"disable", static_cast<uint64_t>(core::GonePolicy::Disable)}};
constexpr Choice kSyncs[] = {{"full", static_cast<uint64_t>(core::SpoolSync::Full)},
                             {"normal", static_cast<uint64_t>(core::SpoolSync::Normal)}};
constexpr Choice kDamagePolicies[] = {
    {"refuse", static_cast<uint64_t>(core::DamagePolicy::Refuse)},
    {"quarantine", static_cast<uint64_t>(core::DamagePolicy::Quarantine)}};
constexpr Choice kRoles[] = {{"deliverer", static_cast<uint64_t>(core::Role::Deliverer)},
                             {"producer", static_cast<uint64_t>(core::Role::Producer)}};
constexpr Choice kFileModes[] = {{"0600", 0600}, {"0640", 0640}, {"0660", 0660}};

// Storing: one binding per pointer to member.

template <typename Field>
constexpr Scope scope_of(Field EngineSettings::*) {
  return Scope::Engine;
}
template <typename Field>
constexpr Scope scope_of(Field DeliverySettings::*) {
  return Scope::Webhook;
}
template <typename Field>
auto& field_of(auto& settings, Field EngineSettings::*member) {
  return settings.*member;
}
template <typename Field>
auto& field_of(auto& settings, Field DeliverySettings::*member) {
  return settings.webhook.*member;
}

// Numbers of every width, truth values and enumerations are kept as uint64_t; parsing has checked
// the range.
template <typename Field>
struct Form {
  using Type = uint64_t;
};
template <>
struct Form<Duration> {
  using Type = Duration;
};
template <>
struct Form<std::string> {
  using Type = std::string;
};
template <>
struct Form<std::vector<Duration>> {
  using Type = std::vector<Duration>;
};

template <auto Member>
void store_member(EngineSettings& settings, const Value& value) {
  auto& field = field_of(settings, Member);
  using Field = std::remove_reference_t<decltype(field)>;
  field = static_cast<Field>(std::get<typename Form<Field>::Type>(value));
}

template <auto Member>
Value load_member(const EngineSettings& settings) {
  const auto& field = field_of(settings, Member);
  using Field = std::remove_cvref_t<decltype(field)>;
  return static_cast<typename Form<Field>::Type>(field);
}

template <auto Member>
constexpr Binding kIn = {scope_of(Member), &store_member<Member>, &load_member<Member>};

// Rows: one maker per type.

constexpr std::string_view kTimeUnitNames = "ms, s, m, h, d";
constexpr std::string_view kSizeUnitNames = "B, KiB, MiB, GiB, TiB";

constexpr Property duration(std::string_view key, const Binding& in, uint64_t minimum_ms,
                            uint64_t maximum_ms, Change change, std::string_view help) {
  return {key,     PropertyType::Duration, change, minimum_ms, maximum_ms, {},
          nullptr, kTimeUnitNames,         help,   in};
}
constexpr Property size(std::string_view key, const Binding& in, uint64_t minimum, uint64_t maximum,
                        Change change, std::string_view help) {
  return {key, PropertyType::Size, change, minimum, maximum, {}, nullptr, kSizeUnitNames, help, in};
}
constexpr Property count(std::string_view key, const Binding& in, uint64_t minimum,
                         uint64_t maximum, std::string_view unit, Change change,
                         std::string_view help) {
  return {key, PropertyType::Count, change, minimum, maximum, {}, nullptr, unit, help, in};
}
constexpr Property boolean(std::string_view key, const Binding& in, Change change,
                           std::string_view help) {
  return {key, PropertyType::Boolean, change, 0, 1, {}, nullptr, "", help, in};
}
constexpr Property choice(std::string_view key, const Binding& in, std::span<const Choice> choices,
                          Change change, std::string_view help) {
  return {key, PropertyType::Choice, change, 0, 0, choices, nullptr, "", help, in};
}
constexpr Property text(std::string_view key, const Binding& in, uint64_t minimum, uint64_t maximum,
                        bool (*accepts)(std::string_view), Change change, std::string_view help) {
  return {key, PropertyType::Text, change, minimum, maximum, {}, accepts, "", help, in};
}
constexpr Property secret(std::string_view key, const Binding& in, uint64_t maximum,
                          bool (*accepts)(std::string_view), Change change, std::string_view help) {
  Property property = text(key, in, 0, maximum, accepts, change, help);
  property.is_secret = true;
  return property;
}
constexpr Property schedule(std::string_view key, const Binding& in, uint64_t minimum_ms,
                            uint64_t maximum_ms, Change change, std::string_view help) {
  return {key,     PropertyType::Schedule, change, minimum_ms, maximum_ms, {},
          nullptr, kTimeUnitNames,         help,   in};
}
constexpr Property kinds(std::string_view key, const Binding& in, Change change,
                         std::string_view help) {
  return {key, PropertyType::Kinds, change, 0, 0, kReportKinds, nullptr, "", help, in};
}

// In later releases ranges may grow and keys may become changeable, never the reverse.
constexpr Property kProperties[] = {
    count("batch.max_events", kIn<&DeliverySettings::batch_max_events>, 1, 1'000'000, "events",
          Change::Live, "A batch is sealed when it holds this many events."),
    duration("batch.max_age", kIn<&DeliverySettings::batch_max_age>, 1, kDay, Change::Live,
             "A batch is sealed this long after its first event."),
    size("batch.max_bytes", kIn<&DeliverySettings::batch_max_bytes>, kKiB, kGiB, Change::Live,
         "A batch is sealed before its body would grow beyond this."),

    duration("connect.timeout", kIn<&DeliverySettings::connect_timeout>, 1, kHour, Change::Live,
             "Longest time from the look-up of the host name to the end of the TLS handshake."),
    duration("request.timeout", kIn<&DeliverySettings::request_timeout>, 1, kHour, Change::Live,
             "Longest time from the last byte sent to the last byte of the answer, and longest "
             "time the upload may stand still."),
    duration("request.max_time", kIn<&DeliverySettings::request_max_time>, 1, kDay, Change::Live,
             "Longest time of a whole attempt."),
    count("request.max_in_flight", kIn<&DeliverySettings::request_max_in_flight>, 1, 256,
          "requests", Change::Live,
          "Requests that may run at the same time to one endpoint; 1 keeps batches in order."),
    boolean("request.keep_alive", kIn<&DeliverySettings::request_keep_alive>, Change::Live,
            "Whether a connection serves more than one request."),

    duration("retry.base", kIn<&DeliverySettings::retry_base>, 1, kDay, Change::Live,
             "Delay before the second attempt; it doubles with each further one."),
    duration("retry.max", kIn<&DeliverySettings::retry_max>, 1, 7 * kDay, Change::Live,
             "Longest delay between two attempts."),
    choice("retry.jitter", kIn<&DeliverySettings::retry_jitter>, kJitters, Change::Live,
           "With equal, a delay is drawn at random from its upper half."),
    duration("retry.max_age", kIn<&DeliverySettings::retry_max_age>, 1, 30 * kDay, Change::Live,
             "A batch that could not be delivered for this long is given up."),
    schedule("retry.schedule", kIn<&DeliverySettings::retry_schedule>, 1, 7 * kDay, Change::Live,
             "Delays to use instead of the doubling ones, the last repeating; momentum stands for "
             "1m,5m,30m,60m."),

    choice("http.gone", kIn<&DeliverySettings::http_gone>, kGonePolicies, Change::Live,
           "What a 410 means: retry, a failure like others; disable, the webhook takes and sends "
           "nothing more until it is resumed or verified."),
    duration("disable.after", kIn<&DeliverySettings::disable_after>, 0, 365 * kDay, Change::Live,
             "A webhook that met nothing but failure for this long is disabled, with a warning "
             "when half of it is over; 0 means never."),
    count("rate.requests", kIn<&DeliverySettings::rate_requests_per_second>, 0, 1'000'000,
          "requests per second", Change::Live,
          "Requests of one webhook, evenly spaced; 0 means no limit."),
    count("rate.events", kIn<&DeliverySettings::rate_events_per_second>, 0, 1'000'000'000,
          "events per second", Change::Live,
          "Events of one webhook: the next request waits until those of the last one are over; 0 "
          "means no limit."),

    duration("webhook.activation_delay", kIn<&DeliverySettings::activation_delay>, 0, kDay,
             Change::Live, "A created webhook takes events from this long after its creation."),
    boolean("verify", kIn<&DeliverySettings::verify>, Change::Live,
            "Whether creation and a change of target send a test POST first."),
    choice("verify.accept", kIn<&DeliverySettings::verify_accept>, kAccepts, Change::Live,
           "Statuses that let the test POST pass."),
    text("auth.header", kIn<&DeliverySettings::auth_header>, 1, 128, is_auth_header, Change::Live,
         "Name of the header that carries a webhook's auth_token."),
    choice("auth.type", kIn<&DeliverySettings::auth_type>, kAuthTypes, Change::Live,
           "What the Authorization header holds, beside the auth_token's own header: nothing, user "
           "and password, a token of the webhook's, or one fetched by OAuth 2 client credentials."),
    text("auth.user", kIn<&DeliverySettings::auth_user>, 0, 1024, is_user_name, Change::Live,
         "User of auth.type=basic."),
    secret("auth.password", kIn<&DeliverySettings::auth_password>, 1024, is_plain_text,
           Change::Live, "Password of auth.type=basic; may be empty."),
    secret("auth.bearer", kIn<&DeliverySettings::auth_bearer>, 8192, is_bearer_token, Change::Live,
           "Token of auth.type=bearer."),
    text("oauth2.url", kIn<&DeliverySettings::oauth2_url>, 0, 2048, is_plain_text, Change::Live,
         "Where auth.type=oauth2 gets its tokens, by a POST."),
    text("oauth2.client_id", kIn<&DeliverySettings::oauth2_client_id>, 0, 1024, is_plain_text,
         Change::Live, "Parameter client_id of the token request."),
    secret("oauth2.client_secret", kIn<&DeliverySettings::oauth2_client_secret>, 4096,
           is_plain_text, Change::Live, "Parameter client_secret of the token request."),
    text("oauth2.grant_type", kIn<&DeliverySettings::oauth2_grant_type>, 1, 128, is_plain_text,
         Change::Live, "Parameter grant_type of the token request."),
    text("oauth2.scope", kIn<&DeliverySettings::oauth2_scope>, 0, 2048, is_plain_text, Change::Live,
         "Parameter scope of the token request; empty leaves it out."),
    text("oauth2.audience", kIn<&DeliverySettings::oauth2_audience>, 0, 2048, is_plain_text,
         Change::Live, "Parameter audience of the token request; empty leaves it out."),
    secret("oauth2.parameters", kIn<&DeliverySettings::oauth2_parameters>, 4096, is_form,
           Change::Live,
           "Further parameters of the token request, written like those of a form: a=1&b=2."),
    choice("oauth2.body", kIn<&DeliverySettings::oauth2_body>, kTokenBodies, Change::Live,
           "How the token request is written; form is what RFC 6749 wants."),
    text("tls.ca_file", kIn<&DeliverySettings::tls_ca_file>, 0, 4096, is_plain_text, Change::Live,
         "File of PEM certificates to trust instead of the system's; empty means the system's."),
    text("tls.client_cert", kIn<&DeliverySettings::tls_client_cert>, 0, 4096, is_plain_text,
         Change::Live,
         "PEM file of the certificate to show to https targets that ask for one, with the chain "
         "behind it; empty means none."),
    text("tls.client_key", kIn<&DeliverySettings::tls_client_key>, 0, 4096, is_plain_text,
         Change::Live,
         "PEM file of that certificate's private key; empty means the certificate's own file."),
    secret("tls.key_password", kIn<&DeliverySettings::tls_key_password>, 1024, is_plain_text,
           Change::Live, "Password of the private key's file."),
    boolean("tls.verify", kIn<&DeliverySettings::tls_verify>, Change::Live,
            "Whether certificate and host name of an https target are checked."),
    choice("tls.min_version", kIn<&DeliverySettings::tls_min_version>, kTlsVersions, Change::Live,
           "Oldest version of TLS to speak; 1.0 and 1.1 are for receivers that know no better."),
    secret(
        "proxy", kIn<&DeliverySettings::proxy>, 2048, is_proxy, Change::Live,
        "URL of the proxy that requests go through, http, https, socks5 or socks5h; with env, "
        "http_proxy and its relatives in the environment are honoured. Hidden only when it holds "
        "credentials."),
    text("proxy.no_proxy", kIn<&DeliverySettings::proxy_no_proxy>, 0, 4096, is_plain_text,
         Change::Live,
         "Hosts to reach without the proxy, between commas: names with all names below them, "
         "addresses, networks, or * for all."),
    choice("compression", kIn<&DeliverySettings::compression>, kCompressions, Change::Live,
           "Content coding of request bodies; the receiver must know it."),
    secret("signing.secrets", kIn<&DeliverySettings::signing_secrets>, 4096, is_plain_text,
           Change::Live,
           "Secrets that sign batches as Standard Webhooks 1.0 has it, all of them, with blanks or "
           "commas between them: whsec_ (HMAC-SHA256) or whsk_ (Ed25519) and base64; empty means "
           "unsigned."),
    choice("address.policy", kIn<&DeliverySettings::address_rule>, kAddressRules, Change::Live,
           "Addresses that targets, token URLs and proxies may have: any but link-local and cloud "
           "metadata ones, or public ones only."),
    text("subaccount", kIn<&DeliverySettings::subaccount>, 1, 10, core::is_subaccount_choice,
         Change::Live,
         "Subaccount whose events a webhook takes: its number, 0 for the primary account (events "
         "without a subaccount_id), or all for both and everybody."),
    text("subaccount.except", kIn<&DeliverySettings::exception_subaccounts>, 0, 128,
         core::is_subaccount_list, Change::Live,
         "Subaccounts whose events a webhook does not take although it takes all, between "
         "commas."),
    size("webhook.max_waiting_bytes", kIn<&DeliverySettings::max_waiting_bytes>, 4 * kKiB, kTiB,
         Change::Live, "Memory for the batches of one webhook that wait to be sent."),
    size("webhook.max_spool_bytes", kIn<&DeliverySettings::max_spool_bytes>, 0, kTiB, Change::Live,
         "Disk for the batches of one webhook that wait to be sent; beyond it the oldest is given "
         "up. 0 means a quarter of spool.max_bytes."),
    boolean(
        "dead_letter", kIn<&DeliverySettings::dead_letter>, Change::Live,
        "Whether a batch that could not be delivered in retry.max_age is kept as a dead letter; "
        "needs a spool."),

    size("event.max_bytes", kIn<&EngineSettings::event_max_bytes>, 64, core::kEventSizeMax,
         Change::Start, "Largest payload of one event."),
    size("intake.max_bytes", kIn<&EngineSettings::intake_max_bytes>, 4 * kMiB, kTiB, Change::New,
         "Memory for events that were pushed and not yet routed or sent; push answers queue full "
         "beyond it."),
    size("waiting.max_bytes", kIn<&EngineSettings::waiting_max_bytes>, 4 * kKiB, kTiB, Change::Live,
         "Memory for the waiting batches of all webhooks together."),
    count("connections.max", kIn<&EngineSettings::connections_max>, 2, 65'536, "connections",
          Change::Start, "Connections of the engine; endpoints in trouble get at most half."),
    text("address.allow", kIn<&EngineSettings::address_allow>, 0, 16384, is_network_list,
         Change::Live,
         "Networks that may be connected to whatever address.policy says, between commas, such as "
         "10.0.0.0/8 or fd00::/8."),
    text("address.deny", kIn<&EngineSettings::address_deny>, 0, 16384, is_network_list,
         Change::Live,
         "Networks that may not be connected to; of the networks in both lists the most specific "
         "one decides."),
    text("address.ports", kIn<&EngineSettings::address_ports>, 0, 1024, is_port_list, Change::Live,
         "Ports that may be connected to, between commas, such as 443 or 8000-8999; empty means "
         "all."),
    choice(
        "api.secrets", kIn<&EngineSettings::api_secrets>, kSecretsShown, Change::Live,
        "How the REST API shows tokens, passwords and values of custom headers: masked, or clear "
        "as the original did."),
    choice("api.links", kIn<&EngineSettings::api_links>, kLinkForms, Change::Live,
           "Whether links in answers of the REST API are whole URLs or paths."),
    text("api.base_url", kIn<&EngineSettings::api_base_url>, 0, 2048, is_base_url, Change::Live,
         "What whole links begin with, such as https://mail.example.com; empty means what the "
         "request's Host header says."),
    choice("api.subaccount_address_policy", kIn<&EngineSettings::api_subaccount_address_rule>,
           kAddressRules, Change::Live,
           "address.policy of webhooks that are created with an API key of one subaccount."),
    count("verify.max_in_flight", kIn<&EngineSettings::verify_max_in_flight>, 1, 256, "requests",
          Change::Live, "Test POSTs that may run at the same time, apart from deliveries."),
    size("report.max_bytes", kIn<&EngineSettings::report_max_bytes>, 64 * kKiB, kGiB, Change::Live,
         "Memory for reports that wait to be polled."),
    kinds("report.kinds", kIn<&EngineSettings::report_kinds>, Change::Live,
          "Kinds of reports to make."),
    choice("log.level", kIn<&EngineSettings::log_level>, kLogLevels, Change::Live,
           "Least urgent lines of the log that are made."),
    choice("log.reports", kIn<&EngineSettings::log_reports>, kLogLevels, Change::Live,
           "Least urgent lines of the log that are delivered as reports."),
    duration("attempts.max_age", kIn<&EngineSettings::attempts_max_age>, kSecond, 30 * kDay,
             Change::Live, "How long the log of attempts remembers one."),
    size("attempts.max_bytes", kIn<&EngineSettings::attempts_max_bytes>, 64 * kKiB, kGiB,
         Change::Live, "Memory for the log of attempts."),
    text("spool.dir", kIn<&EngineSettings::spool_dir>, 0, 4096, is_plain_text, Change::New,
         "Directory of the spool, which keeps events over restarts; empty means memory only."),
    size("spool.max_bytes", kIn<&EngineSettings::spool_max_bytes>, kMiB, 1024 * kTiB, Change::Live,
         "Disk for the whole spool; beyond it the webhook with most gives up its oldest batch."),
    size("spool.file_bytes", kIn<&EngineSettings::spool_file_bytes>, 64 * kKiB, kGiB, Change::New,
         "Size of one file of the journal, which is reserved when the file is made."),
    choice("spool.sync", kIn<&EngineSettings::spool_sync>, kSyncs, Change::New,
           "What a returned sync survives: full, a loss of power; normal, the end of the process."),
    duration("spool.commit_interval", kIn<&EngineSettings::spool_commit_interval>, 1, kMinute,
             Change::New, "Longest time that pushed events wait for the disk when nobody syncs."),
    choice("spool.on_damage", kIn<&EngineSettings::spool_on_damage>, kDamagePolicies, Change::New,
           "What a start does with a damaged spool: refuse, or quarantine the damaged part, save "
           "what can be read and go on."),
    text("spool.group", kIn<&EngineSettings::spool_group>, 0, 256, is_plain_text, Change::New,
         "Group of the spool's directory and files, for producers of other users; empty means that "
         "of the process."),
    choice("spool.file_mode", kIn<&EngineSettings::spool_file_mode>, kFileModes, Change::New,
           "Mode of the spool's files."),
    choice(
        "role", kIn<&EngineSettings::role>, kRoles, Change::New,
        "What the engine does: deliver, or write events into the spool directory of an engine in "
        "another process that delivers them."),
    boolean("delivery", kIn<&EngineSettings::delivers>, Change::New,
            "Whether batches go out; with off all webhooks stand still as if they were paused, and "
            "nothing expires: for looking at a spool and mending it. Test POSTs go out all the "
            "same."),
    duration(
        "producer.lock_timeout", kIn<&EngineSettings::producer_lock_timeout>, 1, kMinute,
        Change::New,
        "How long a push of a producer tries to get one of the files that it shares with other "
        "processes; then it answers queue full."),
    size("producer.max_bytes", kIn<&EngineSettings::producer_max_bytes>, kMiB, kTiB, Change::New,
         "Disk for events of producers that the delivering engine has not taken yet; beyond it a "
         "push answers queue full. One event may have a sixteenth."),
    size("dead_letter.max_bytes", kIn<&EngineSettings::dead_letter_max_bytes>, 0, kTiB,
         Change::Live,
         "Disk for dead letters, at most a quarter of spool.max_bytes; beyond it the oldest are "
         "given up."),
    duration("dead_letter.max_age", kIn<&EngineSettings::dead_letter_max_age>, kSecond, 365 * kDay,
             Change::Live, "How long a dead letter is kept."),
    count("random.seed", kIn<&EngineSettings::random_seed>, 0, std::numeric_limits<uint64_t>::max(),
          "", Change::Start, "Seed of the random numbers; 0 takes one from the operating system."),
};

// Of a proxy only the credentials are secret, but they are part of its text.
bool is_hidden(const Property& property, std::string_view text) {
  if (property.accepts == is_proxy) return text.find('@') != std::string_view::npos;
  return property.is_secret && !text.empty();
}

// Parsing and formatting, per type.

std::optional<uint64_t> within(const Property& property, std::optional<uint64_t> number) {
  if (!number || *number < property.minimum || *number > property.maximum) return std::nullopt;
  return number;
}

std::optional<Value> as_number(std::optional<uint64_t> number) {
  if (!number) return std::nullopt;
  return Value(*number);
}

Duration from_ms(uint64_t length_ms) {
  return std::chrono::milliseconds(static_cast<int64_t>(length_ms));
}

std::optional<Value> parse_text(const Property& property, std::string_view text) {
  if (text.size() < property.minimum || text.size() > property.maximum) return std::nullopt;
  if (!property.accepts(text)) return std::nullopt;
  return Value(std::string(text));
}

std::optional<Value> parse_schedule(const Property& property, std::string_view text) {
  std::vector<Duration> steps;
  if (text == "none") return Value(steps);
  for (const std::string_view item : split_list(text == kMomentumName ? kMomentumLadder : text)) {
    const std::optional<uint64_t> step_ms = within(property, parse_ms(item));
    if (!step_ms || steps.size() == kScheduleStepsMax) return std::nullopt;
    steps.push_back(from_ms(*step_ms));
  }
  return Value(std::move(steps));
}

std::optional<uint64_t> find_choice(const Property& property, std::string_view name) {
  const auto found = std::find_if(property.choices.begin(), property.choices.end(),
                                  [name](const Choice& choice) { return choice.name == name; });
  if (found == property.choices.end()) return std::nullopt;
  return found->number;
}

uint64_t known_kinds() {
  uint64_t kinds = 0;
  for (const Choice& kind : kReportKinds) kinds |= kind.number;
  return kinds;
}

std::optional<Value> parse_kinds(const Property& property, std::string_view text) {
  if (text == "none") return Value(uint64_t{0});
  if (text == "all") return Value(uint64_t{core::kAllReportKinds});
  uint64_t kinds = 0;
  for (const std::string_view item : split_list(text)) {
    const std::optional<uint64_t> kind = find_choice(property, item);
    if (!kind) return std::nullopt;
    kinds |= *kind;
  }
  return Value(kinds == known_kinds() ? uint64_t{core::kAllReportKinds} : kinds);
}

std::optional<Value> parse(const Property& property, std::string_view text) {
  switch (property.type) {
    case PropertyType::Duration: {
      const std::optional<uint64_t> length_ms = within(property, parse_ms(text));
      if (!length_ms) return std::nullopt;
      return Value(from_ms(*length_ms));
    }
    case PropertyType::Size:
      return as_number(within(property, parse_bytes(text)));
    case PropertyType::Count:
      return as_number(within(property, parse_count(text)));
    case PropertyType::Boolean: {
      const std::optional<bool> is_on = parse_boolean(text);
      if (!is_on) return std::nullopt;
      return Value(uint64_t{*is_on});
    }
    case PropertyType::Choice:
      return as_number(find_choice(property, text));
    case PropertyType::Text:
      return parse_text(property, text);
    case PropertyType::Schedule:
      return parse_schedule(property, text);
    case PropertyType::Kinds:
      return parse_kinds(property, text);
  }
  return std::nullopt;
}

std::string format_schedule(const std::vector<Duration>& steps) {
  if (steps.empty()) return "none";
  std::string text;
  for (const Duration step : steps)
    text.append(text.empty() ? "" : ",").append(format_ms(to_ms(step)));
  return text;
}

std::string format_kinds(uint64_t kinds) {
  if ((kinds & known_kinds()) == known_kinds()) return "all";
  std::string text;
  for (const Choice& kind : kReportKinds) {
    if ((kinds & kind.number) != 0) text.append(text.empty() ? "" : ",").append(kind.name);
  }
  return text.empty() ? "none" : text;
}

std::string_view choice_name(const Property& property, uint64_t number) {
  const auto found =
      std::find_if(property.choices.begin(), property.choices.end(),
                   [number](const Choice& choice) { return choice.number == number; });
  assert(found != property.choices.end());
  return found->name;
}

// What a text's further rule wants.
std::string_view rule_text(const Property& property) {
  constexpr std::pair<bool (*)(std::string_view), std::string_view> kRules[] = {
      {is_auth_header, " of a header name"},
      {is_user_name, " without a colon"},
      {is_bearer_token, " of visible ASCII"},
      {is_form, " of name=value pairs with & between them"},
      {is_network_list, " of addresses and networks such as 10.0.0.0/8 between commas"},
      {is_base_url, " of an http or https URL without a slash at the end"},
      {core::is_subaccount_choice, ", all or a number"},
      {core::is_subaccount_list, " of at most 10 different numbers between commas"},
      {is_port_list, " of ports and ranges such as 8000-8999 between commas"}};
  for (const auto& [accepts, text] : kRules) {
    if (property.accepts == accepts) return text;
  }
  return "";
}

// One that fits the range, for error messages.
std::string_view example(PropertyType type) {
  switch (type) {
    case PropertyType::Duration:
      return ", such as 500ms, 30s or 5m";
    case PropertyType::Size:
      return ", such as 512KiB or 64MiB";
    default:
      return "";
  }
}

}  // namespace

std::span<const Property> properties() {
  return kProperties;
}

const Property* find_property(std::string_view key) {
  const auto found = std::find_if(std::begin(kProperties), std::end(kProperties),
                                  [key](const Property& property) { return property.key == key; });
  return found == std::end(kProperties) ? nullptr : found;
}

bool is_hidden(std::string_view key, std::string_view text) {
  const Property* property = find_property(key);
  return property != nullptr && is_hidden(*property, text);
}

Result<Value> parse_value(const Property& property, std::string_view text) {
  std::optional<Value> value = parse(property, text);
  if (value) return std::move(*value);
  return {ErrorCode::BadValue,
          fmt::format("{}: {} is not allowed, it must be {}{}", property.key,
                      property.is_secret ? "the value" : quote(text), range_text(property),
                      example(property.type)),
          std::string(property.key)};
}

std::string format_value(const Property& property, const Value& value) {
  switch (property.type) {
    case PropertyType::Duration:
      return format_ms(to_ms(std::get<Duration>(value)));
    case PropertyType::Size:
      return format_bytes(std::get<uint64_t>(value));
    case PropertyType::Count:
      return std::to_string(std::get<uint64_t>(value));
    case PropertyType::Boolean:
      return std::get<uint64_t>(value) != 0 ? "on" : "off";
    case PropertyType::Choice:
      return std::string(choice_name(property, std::get<uint64_t>(value)));
    case PropertyType::Text:
      return std::get<std::string>(value);
    case PropertyType::Schedule:
      return format_schedule(std::get<std::vector<Duration>>(value));
    case PropertyType::Kinds:
      return format_kinds(std::get<uint64_t>(value));
  }
  return {};
}

std::string current_text(const Property& property, const EngineSettings& settings) {
  const std::string text = format_value(property, property.binding.load(settings));
  return is_hidden(property, text) ? mask_secret(text) : text;
}

std::string default_text(const Property& property) {
  return current_text(property, EngineSettings{});
}

std::string range_text(const Property& property) {
  switch (property.type) {
    case PropertyType::Duration:
      return format_ms(property.minimum) + ".." + format_ms(property.maximum);
    case PropertyType::Size:
      return format_bytes(property.minimum) + ".." + format_bytes(property.maximum);
    case PropertyType::Count:
      return fmt::format("{}..{}", property.minimum, property.maximum);
    case PropertyType::Boolean:
      return "on|off";
    case PropertyType::Text:
      if (property.accepts == is_proxy) {
        return "none|env|a URL with http, https, socks5 or socks5h, a host and perhaps a port";
      }
      return fmt::format("{}..{} characters{}", property.minimum, property.maximum,
                         rule_text(property));
    case PropertyType::Schedule:
      return fmt::format("none|{}|up to {} steps of {}..{} between commas", kMomentumName,
                         kScheduleStepsMax, format_ms(property.minimum),
                         format_ms(property.maximum));
    case PropertyType::Choice:
    case PropertyType::Kinds:
      break;
  }
  std::string names =
      property.type == PropertyType::Kinds ? "all|none|some between commas of " : "";
  for (const Choice& each : property.choices) {
    names.append(&each == &property.choices.front() ? "" : "|").append(each.name);
  }
  return names;
}

const char* scope_name(Scope scope) {
  return scope == Scope::Engine ? "engine" : "webhook";
}

const char* type_name(PropertyType type) {
  switch (type) {
    case PropertyType::Duration:
      return "duration";
    case PropertyType::Size:
      return "size";
    case PropertyType::Count:
      return "count";
    case PropertyType::Boolean:
      return "boolean";
    case PropertyType::Choice:
      return "choice";
    case PropertyType::Text:
      return "text";
    case PropertyType::Schedule:
      return "schedule";
    case PropertyType::Kinds:
      return "kinds";
  }
  return "";
}

const char* change_name(Change change) {
  switch (change) {
    case Change::New:
      return "new";
    case Change::Start:
      return "start";
    case Change::Live:
      return "live";
  }
  return "";
}

}  // namespace posthaste::config
