// Requests in the model: whose credentials an attempt carries, how its body is coded and signed,
// and when it may wait for its coding or for a token before it is sent.
#include <algorithm>
#include <vector>

#include "simulation/ledger.h"
#include "simulation/requests.h"
#include "support/decoding.h"

namespace posthaste::simulation {

namespace {

constexpr std::string_view kTestBody = R"([{"msys":{}}])";

}  // namespace

// Attempts that began since the last look; what must be coded first, or needs a token, is not sent
// yet. Their order within the step cannot be seen, so that of sealing is taken for it.
void Ledger::scan_begun() {
  const core::RetryScheduler& scheduler = engine_->delivery().scheduler();
  if (scheduler.in_flight_count() == running_count_) return;
  for (const auto& [sequence, batch] : scheduler.batches()) {
    const auto place = live_.find(sequence);
    if (!batch->is_in_flight || place == live_.end() || place->second->is_in_flight) continue;
    begin_attempt(*place->second);
  }
}

void Ledger::begin_attempt(Batch& batch) {
  check_begin(batch);
  check_turn(batch);
  Webhook& webhook = *batch.webhook;
  Endpoint& endpoint = *batch.endpoint;
  batch.is_in_flight = true;
  batch.is_sent = false;
  batch.tries_count = 0;
  batch.token.clear();
  batch.begun = engine_->clock().wall_now();
  batch.begun_version = webhook.applied;
  // Credentials are those of now while they go to the same origin (design 2a).
  batch.carries = webhook.current().origin == endpoint.origin ? webhook.versions[webhook.applied]
                                                              : endpoint.last;
  batch.is_probe = endpoint.is_in_trouble;
  batch.is_of_family = batch.is_suspect && !batch.is_probe;
  if (batch.is_of_family) ++endpoint.families[batch.family()].running_count;
  endpoint.waiting.erase(batch.sequence);
  const core::DeliverySettings& rates = webhook.current().settings;
  core::Duration space{};
  if (rates.rate_requests_per_second > 0) {
    space = core::Duration(std::chrono::seconds(1)) / rates.rate_requests_per_second;
  }
  if (rates.rate_events_per_second > 0) {
    const auto events = static_cast<int64_t>(batch.count);
    space = std::max(
        space, core::Duration(std::chrono::seconds(1)) * events / rates.rate_events_per_second);
  }
  webhook.rate_next = engine_->clock().now() + space;
  ++endpoint.running_count;
  ++running_count_;
  if (batch.is_probe) ++probes_count_;
  ++counts_[batch.failures_count > 0 ? "attempt again" : "attempt first"];
}

void Ledger::check_request(Batch& batch, const transport::Request& request) {
  ++batch.tries_count;
  const core::Webhook& carried = *batch.carries;
  if (!has_header(request, carried.settings.auth_header, carried.auth_token)) {
    fail("credentials", "batch {} has another token header than webhook {}", batch.id, carried.id);
  }
  check_authorization(batch, request);
  const std::string coding = batch.refuses_coding ? std::string() : coding_of(carried.settings);
  batch.is_coded = !coding.empty();
  if (!has_header(request, "Content-Encoding", coding)) {
    fail("coding", "batch {} should be coded by '{}'", batch.id, coding);
  }
  ++counts_[batch.is_coded ? "sent " + coding : "sent plain"];
  const bool is_signed = !carried.settings.signing_secrets.empty();
  const int64_t begun_s = core::unix_ms(batch.begun) / 1000;
  const bool is_right = has_header(request, "webhook-id", is_signed ? batch.id : std::string()) &&
                        has_header(request, "webhook-timestamp",
                                   is_signed ? std::to_string(begun_s) : std::string()) &&
                        (find_header(request, "webhook-signature") != nullptr) == is_signed;
  if (!is_right) fail("signature", "batch {} is not signed as it should be", batch.id);
  if (is_signed) ++counts_[batch.is_coded ? "sent signed and coded" : "sent signed"];
}

void Ledger::check_authorization(Batch& batch, const transport::Request& request) {
  const core::DeliverySettings& settings = batch.carries->settings;
  const std::string before = std::exchange(batch.token, token_of(request));
  const bool is_again = batch.tries_count > 1;
  if (is_again && (!uses_tokens(*batch.carries) || batch.tries_count > 2)) {
    fail("token", "batch {} is sent {} times in one attempt", batch.id, batch.tries_count);
  }
  if (settings.auth_type == core::AuthType::OAuth2) {
    ++counts_[is_again ? "sent again with another token" : "sent with a token"];
    if (const auto finding = tokens_.check_use(token_key_of(settings), batch.token, before,
                                               engine_->clock().now())) {
      fail("token", "batch {}: {}", batch.id, *finding);
    }
    return;
  }
  const std::string expected = authorization_of(settings);
  if (!expected.empty()) {
    ++counts_[settings.auth_type == core::AuthType::Basic ? "sent basic" : "sent bearer"];
  }
  if (!has_header(request, "Authorization", expected)) {
    fail("credentials", "batch {} does not carry what webhook {} says", batch.id,
         batch.carries->id);
  }
}

// The JSON is what was sealed, in every attempt and whatever the coding.
void Ledger::check_body(const Batch& batch, const test::SimExchange& exchange) {
  const bool is_whole = exchange.completion.status != 0 && !exchange.is_cancelled;
  const std::string expected = text_of(batch);
  const std::string* const coding = find_header(exchange.request, "Content-Encoding");
  const std::string body =
      test::decoded_so_far(coding ? std::string_view(*coding) : "", exchange.body);
  const bool is_same =
      body.size() <= expected.size() && expected.compare(0, body.size(), body) == 0;
  if (!is_same || exchange.has_changed_body || (is_whole && body.size() != expected.size())) {
    fail("same_bytes", "the body of batch {} is not what was sealed", batch.id);
  }
  check_signature(batch, exchange.request, expected);
}

void Ledger::check_signature(const Batch& batch, const transport::Request& request,
                             const std::string& text) {
  const std::string* const given = find_header(request, "webhook-signature");
  if (!given) return;
  const std::string expected = signature_of(batch.carries->settings.signing_secrets, batch.id,
                                            header_of(request, "webhook-timestamp"), text);
  if (*given != expected) fail("signature", "batch {} has a wrong signature", batch.id);
}

void Ledger::check_test_post(const test::SimExchange& exchange) {
  const std::string* const coding = find_header(exchange.request, "Content-Encoding");
  const std::string body =
      test::decoded_so_far(coding ? std::string_view(*coding) : "", exchange.body);
  if (kTestBody.substr(0, body.size()) != body) {
    fail("coding", "a test POST to {} has another body", exchange.request.url);
  }
  if (coding) ++counts_["test POST coded"];
}

// Nothing was sent, since there was no token.
void Ledger::settle_without_end(Batch& batch, const spool::AttemptRecord& attempt) {
  const bool is_known =
      batch.is_in_flight && !batch.is_sent && uses_tokens(*batch.carries) &&
      tokens_.has_failed(token_key_of(batch.carries->settings), engine_->clock().now());
  if (!is_known) fail("token", "batch {} fails for want of a token", batch.id);
  transport::Completion completion;
  completion.network_name = attempt.network_name;
  batch.completion = completion;
}

void Ledger::check_renewal(const Batch& batch, const transport::Completion& completion) {
  const bool is_refused = completion.status == 400 || completion.status == 401;
  if (!is_refused || !uses_tokens(*batch.carries) || batch.tries_count > 1) return;
  ++counts_["token not renewed within a minute"];
  if (tokens_.must_renew(token_key_of(batch.carries->settings), batch.token,
                         engine_->clock().now())) {
    fail("token", "batch {} is not sent again with another token", batch.id);
  }
}

// Its token was refused, and another one is asked for.
bool Ledger::may_stay_unsettled(const Batch& batch) const {
  const int32_t status = batch.completion->status;
  return (status == 400 || status == 401) && batch.tries_count == 1 &&
         uses_tokens(*batch.carries) && tokens_.is_running(token_key_of(batch.carries->settings));
}

bool Ledger::awaits_nobody(const Batch& batch) const {
  if (!batch.is_in_flight || batch.is_sent || engine_->encoder().jobs_count() > 0) return false;
  return !uses_tokens(*batch.carries) || !tokens_.is_running(token_key_of(batch.carries->settings));
}

// Then it goes again as JSON, unless this was its last attempt.
bool Ledger::is_coding_refused(const Batch& batch, const transport::Completion& completion) const {
  const Webhook& webhook = *batch.webhook;
  return completion.status == 415 && batch.is_coded &&
         !(webhook.is_removal_applied && webhook.drops_queued) &&
         engine_->clock().now() < batch.expires;
}

}  // namespace posthaste::simulation
