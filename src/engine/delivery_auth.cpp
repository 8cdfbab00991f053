// OAuth 2 in the delivery step: a request that needs a token waits for it among the running ones,
// and what a corrected credential sets going. A token request takes no slot of a delivery, and one
// serves all webhooks with equal credentials (spec/momentum.md, section 9).
#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "core/address_policy.h"
#include "core/deliberate_break.h"
#include "engine/delivery_parts.h"
#include "engine/delivery_requests.h"
#include "transport/target.h"
#include "transport/token_request.h"

namespace posthaste::engine {
namespace {

constexpr size_t kTokenAnswerBytesMax = 64u << 10;
// Of a request that could not be sent for want of a token.
constexpr const char* kNoToken = "EAUTH";

// Tokens are the same for whoever asks in the same way.
std::string token_key_of(const core::DeliverySettings& settings,
                         const transport::TokenRequest& request) {
  return fmt::format("{}\n{}\n{}\n{}\n{}\n{}\n{}\n{}", request.url, request.body,
                     settings.tls_ca_file, settings.tls_client_cert, settings.tls_verify,
                     settings.proxy, static_cast<int>(settings.tls_min_version),
                     static_cast<int>(settings.address_rule));
}

std::string origin_of(const std::string& url) {
  const auto target = transport::parse_target(url);
  return target ? transport::origin_text(target->origin) : "its URL";
}

// What is said of a token request that failed; nothing of its answer's body.
std::string failure_text(const std::string& url, const transport::Completion& completion,
                         const std::string& trouble) {
  if (!trouble.empty()) {
    return fmt::format("the token request to {} failed: {}", origin_of(url), trouble);
  }
  if (completion.status != 0) {
    return fmt::format("the token request to {} was answered by HTTP {}", origin_of(url),
                       completion.status);
  }
  return fmt::format("the token request to {} failed: {} ({})", origin_of(url),
                     completion.network_name, completion.detail);
}

}  // namespace

void Delivery::send(Outgoing& outgoing, transport::Request request,
                    const core::WebhookPtr& webhook) {
  outgoing.webhook = webhook;
  if (webhook->settings.auth_type != core::AuthType::OAuth2) {
    transport_.begin(request);
    for (transport::HeaderField& header : request.headers) core::wipe(header.value);
    return;
  }
  transport::TokenRequest token = transport::token_request_of(webhook->settings);
  outgoing.token_key = token_key_of(webhook->settings, token);
  core::wipe(token.body);
  outgoing.request = std::move(request);
  await_token(outgoing);
}

void Delivery::await_token(Outgoing& outgoing) {
  if (const std::string* token = tokens_.find(outgoing.token_key, now_)) {
    send_with_token(outgoing, *token);
    return;
  }
  for (const auto& [id, fetch] : token_fetches_) {
    const bool is_alone = core::is_broken(core::Break::TwoTokenRequests);
    if (is_alone || fetch->token_key != outgoing.token_key) continue;
    fetch->waiting.push_back(outgoing.request.id);
    return;
  }
  const core::DeliverySettings& settings = outgoing.webhook->settings;
  transport::TokenRequest token = transport::token_request_of(settings);
  auto fetch = std::make_unique<TokenFetch>();
  fetch->token_key = outgoing.token_key;
  fetch->url = token.url;
  fetch->body = std::move(token.body);
  fetch->secrets = {settings.oauth2_client_secret, settings.oauth2_parameters};
  fetch->waiting = {outgoing.request.id};
  transport::Request request;
  request.id = next_request_id_++;
  request.url = token.url;
  request.headers = {{"Content-Type", token.content_type},
                     {"Accept", "application/json"},
                     {"User-Agent", "posthaste/" POSTHASTE_VERSION}};
  request.body = fetch.get();
  request.keep_response = true;
  request.kept_body_bytes_max = kTokenAnswerBytesMax;
  request.addresses = addresses_of(settings);
  set_connection(settings, request);
  token_fetches_.emplace(request.id, std::move(fetch));
  transport_.begin(request);
}

void Delivery::send_with_token(Outgoing& outgoing, const std::string& token) {
  outgoing.token = token;
  outgoing.request.headers.push_back({"Authorization", "Bearer " + token});
  transport_.begin(outgoing.request);
  // The request may be sent once more, with another token.
  core::wipe(outgoing.request.headers.back().value);
  outgoing.request.headers.pop_back();
}

// True: the receiver took the token for expired, and the same request goes out again with another.
bool Delivery::renew_token(Outgoing& outgoing, const transport::Completion& completion) {
  const bool is_refused = completion.status == 400 || completion.status == 401;
  if (!is_refused || outgoing.token_key.empty() || outgoing.is_second_try) return false;
  const bool is_worth_it = tokens_.renew(outgoing.token_key, outgoing.token, now_) ||
                           core::is_broken(core::Break::HastyRenewal);
  if (!is_worth_it) return false;
  outgoing.is_second_try = true;
  await_token(outgoing);
  return true;
}

void Delivery::settle_token(TokenFetch& fetch, const transport::Completion& completion) {
  std::string trouble;
  std::string token;
  if (completion.status >= 200 && completion.status <= 299) {
    auto parsed = transport::parse_token(completion.response_body);
    if (parsed) {
      token = parsed->text;
      tokens_.put(fetch.token_key, std::move(parsed->text), parsed->lifetime, now_);
    } else {
      trouble = parsed.error().message;
    }
  }
  // Those that waited get it even when it is so short-lived that nobody else will.
  if (!token.empty()) {
    for (const uint64_t id : fetch.waiting) {
      if (Outgoing* outgoing = find_outgoing(id)) send_with_token(*outgoing, token);
    }
    core::wipe(token);
    return;
  }
  transport::Completion failure;
  failure.phase = completion.status != 0 ? transport::Phase::Http : completion.phase;
  failure.network_name = kNoToken;
  failure.timed_out = completion.timed_out;
  failure.detail = failure_text(fetch.url, completion, trouble);
  // An answer that may repeat a secret, or is a token after all, is kept from the caller.
  const bool is_tellable =
      trouble.empty() &&
      std::none_of(fetch.secrets.begin(), fetch.secrets.end(), [&](const std::string& secret) {
        return !secret.empty() && completion.response_body.find(secret) != std::string::npos;
      });
  if (is_tellable) {
    failure.response_headers = completion.response_headers;
    failure.response_body = completion.response_body;
  }
  for (const uint64_t id : fetch.waiting) {
    failure.id = id;
    Outgoing* const outgoing = find_outgoing(id);
    if (!outgoing) continue;
    outgoing->token_key.clear();  // it ends now
    if (const auto place = verifications_.find(id); place != verifications_.end()) {
      place->second->is_token_missing = true;
      place->second->token_status = completion.status;
      place->second->token_network_name = completion.network_name;
    }
    settle(failure);
  }
}

// Null for one that was cancelled, or never was.
Delivery::Outgoing* Delivery::find_outgoing(uint64_t request_id) {
  if (const auto found = attempts_.find(request_id); found != attempts_.end()) {
    return found->second.get();
  }
  const auto found = verifications_.find(request_id);
  return found == verifications_.end() ? nullptr : found->second.get();
}

void Delivery::cancel_token_fetches() {
  for (const auto& [id, fetch] : token_fetches_) transport_.cancel(id);
  token_fetches_.clear();
}

void Delivery::settings_changed() {
  for (const core::AddressRule rule : {core::AddressRule::Any, core::AddressRule::Public}) {
    auto policy = std::make_shared<core::AddressPolicy>();
    policy->rule = rule;
    policy->allow = *core::parse_networks(settings_.address_allow);
    policy->deny = *core::parse_networks(settings_.address_deny);
    policy->ports = *core::parse_ports(settings_.address_ports);
    addresses_[static_cast<size_t>(rule)] = std::move(policy);
  }
}

// A webhook may be stricter than the engine, never laxer (decision 10).
const std::shared_ptr<const core::AddressPolicy>& Delivery::addresses_of(
    const core::DeliverySettings& settings) const {
  const auto rule = std::max(settings.address_rule, settings_.webhook.address_rule);
  return addresses_[static_cast<size_t>(rule)];
}

// Only where the new ones go: to the same origin (design 2a).
void Delivery::retry_with_new_credentials(Record& record, const core::Webhook& before) {
  const core::Webhook& now = *record.webhook;
  if (is_same_credentials(before, now)) return;
  for (const auto& target : record.targets) {
    if (target->webhook->origin == now.origin) scheduler_.retry_now(target->endpoint, now_);
  }
}

// An attempt that was under way when its credentials were corrected has tried the old ones only.
void Delivery::retry_if_outdated(const Outgoing& outgoing,
                                 const transport::Completion& completion) {
  if (completion.status != 401 && completion.status != 403) return;
  const auto found = records_.find(outgoing.webhook->generation);
  if (found == records_.end()) return;
  Record& record = *found->second;
  // What goes to another origin keeps its credentials.
  if (record.webhook->origin != outgoing.webhook->origin) return;
  retry_with_new_credentials(record, *outgoing.webhook);
}

// The log calls the host, which may hold its locks while webhooks change; so the line waits for the
// end of the step.
void Delivery::note_unverified(const core::WebhookPtr& webhook) {
  if (!webhook->settings.tls_verify) unverified_.push_back(webhook);
}

void Delivery::warn_of_unverified() {
  for (const core::WebhookPtr& webhook : std::exchange(unverified_, {})) {
    log_.write(LogLevel::Warning,
               fmt::format("webhook {} has tls.verify=off: whoever is on the way to its target can "
                           "read and change what it gets",
                           webhook->id),
               webhook->id);
  }
}

}  // namespace posthaste::engine
