// Attempts and test POSTs: from a batch that may go out to what its end means.
#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "core/attempt_outcome.h"
#include "core/deliberate_break.h"
#include "engine/delivery_parts.h"
#include "engine/delivery_requests.h"
#include "transport/retry_after.h"
#include "transport/target.h"

namespace posthaste::engine {
namespace {

using transport::HeaderField;

void count_drop(metrics::WebhookCounters& counters, DropReason reason, uint64_t events_count) {
  counters.batches_dropped.add();
  switch (reason) {
    case DropReason::Expired:
      counters.events_dropped_expired.add(events_count);
      break;
    case DropReason::Quota:
      counters.events_dropped_quota.add(events_count);
      break;
    case DropReason::Removed:
      counters.events_dropped_removed.add(events_count);
      break;
    case DropReason::Closed:
      counters.events_dropped_closed.add(events_count);
      break;
    case DropReason::Purged:
      counters.events_dropped_purged.add(events_count);
      break;
    case DropReason::Refused:
      counters.events_dropped_refused.add(events_count);
      break;
    default:
      counters.events_dropped_unreadable.add(events_count);
  }
}

std::string ending_of(const transport::Completion& completion) {
  const bool is_redirect = completion.status >= 300 && completion.status <= 399;
  if (is_redirect && !completion.location.empty()) {
    return fmt::format("HTTP {}, which is not followed, to {}", completion.status,
                       transport::printable_url(completion.location));
  }
  if (completion.status != 0) return fmt::format("HTTP {}", completion.status);
  return completion.network_name.empty()
             ? completion.detail
             : fmt::format("{} ({})", completion.network_name, completion.detail);
}

}  // namespace

// An attempt that is broken off may have reached the receiver, which will then see the batch again.
void Delivery::log_cancelled(const core::Batch& batch) {
  const Record& record = *static_cast<Target*>(batch.endpoint->owner)->record;
  transport::Completion completion;
  completion.network_name = "ECANCELED";
  log_attempt(record, batch, completion, core::AttemptOutcome::MuteFailure);
}

void Delivery::settle(const transport::Completion& completion) {
  if (auto fetch = token_fetches_.extract(completion.id)) {
    settle_token(*fetch.mapped(), completion);
    return;
  }
  if (Outgoing* outgoing = find_outgoing(completion.id);
      outgoing && renew_token(*outgoing, completion)) {
    return;
  }
  if (auto attempt = attempts_.extract(completion.id)) {
    settle_attempt(*attempt.mapped(), completion);
    retry_if_outdated(*attempt.mapped(), completion);
  } else if (auto verification = verifications_.extract(completion.id)) {
    settle_verification(*verification.mapped(), completion);
  }
}

void Delivery::settle_attempt(Attempt& attempt, const transport::Completion& completion) {
  if (resend_uncoded(attempt, completion)) return;
  core::Batch& batch = *attempt.batch;
  core::Endpoint& endpoint = *batch.endpoint;
  Record& record = *static_cast<Target*>(endpoint.owner)->record;
  const core::AttemptResult result = result_of(attempt, completion);
  if (completion.status == 0 && attempt.is_unreadable) {
    scheduler_.cancel(batch, now_);
    log_attempt(record, batch, completion, result.outcome);
    drop(batch, DropReason::Unreadable);
    enforce_limits(record);
    tidy(record);
    return;
  }
  const core::Verdict verdict = scheduler_.settle(batch, result, now_);
  batch.last_status = completion.status;
  batch.last_network_name = completion.network_name;
  log_attempt(record, batch, completion, result.outcome);

  Report report = report_of(batch, completion);
  if (verdict.kind == core::Verdict::Kind::Delivered) {
    report.kind = ReportKind::Delivered;
    report.message =
        fmt::format("delivered {} events, {}", report.events_count, ending_of(completion));
    reports_.push(std::move(report));
    record.counters->batches_delivered.add();
    if (!core::is_broken(core::Break::MiscountDelivered)) {
      record.counters->events_delivered.add(batch.body.events_count());
    }
    record.counters->bytes_delivered.add(batch.body.size_bytes());
    end(batch, nullptr);
  } else if (attempt.is_unreadable) {
    drop(batch, DropReason::Unreadable);
  } else if (record.drops_failed) {
    drop(batch, DropReason::Removed);
  } else if (verdict.kind == core::Verdict::Kind::Expired) {
    drop(batch, DropReason::Expired);
  } else if (verdict.kind == core::Verdict::Kind::Refused) {
    drop(batch, DropReason::Refused);
  } else {
    report_failure(batch, std::move(report), completion, verdict.next_try);
    if (!verdict.is_to_split || !split(batch, Halving::Once)) {
      write_attempt(batch);
      detach(batch);
    }
  }
  if (verdict.endpoint_fell) detach_waiting(endpoint);
  follow_endpoint(*static_cast<Target*>(endpoint.owner), completion, verdict);
  enforce_limits(record);
  tidy(record);
}

// What all reports of an attempt tell.
Report Delivery::report_of(const core::Batch& batch,
                           const transport::Completion& completion) const {
  Report report;
  report.webhook_id = static_cast<Target*>(batch.endpoint->owner)->record->webhook->id;
  report.batch_id = batch.id;
  report.reached = completion.reached;
  report.status = completion.status;
  report.network_name = completion.network_name;
  report.attempts_count = batch.attempts_count;
  report.events_count = batch.body.events_count();
  report.count = 1;
  report.bytes = batch.body.size_bytes();
  report.time_ms = core::unix_ms(wall_now_);
  report.timings = completion.timings;
  return report;
}

core::AttemptResult Delivery::result_of(const Attempt& attempt,
                                        const transport::Completion& completion) const {
  const int32_t status = completion.status;
  core::AttemptResult result;
  result.outcome =
      core::outcome_of({completion.status, completion.timed_out, completion.upload_began});
  // What we could not read is no fault of the endpoint's.
  result.is_ours = status == 0 && (attempt.is_unreadable || attempt.is_cut_short);
  if (result.is_ours) result.outcome = core::AttemptOutcome::ContentFailure;
  result.is_too_large = status == 413;
  result.is_slow = status == 0 && completion.timed_out && completion.connected;
  if (status == 429 || status == 503) {
    const auto asked = transport::parse_retry_after(completion.retry_after, wall_now_);
    result.retry_after = asked.value_or(core::Duration::zero());
    result.is_throttling = status == 429 || asked;
  }
  return result;
}

void Delivery::report_failure(const core::Batch& batch, Report report,
                              const transport::Completion& completion, core::Instant next_try) {
  report.kind = ReportKind::Retrying;
  report.message = ending_of(completion);
  report.next_try_ms = core::unix_ms(wall_now_ + std::max(next_try - now_, core::Duration()));
  if (log_.is_on(LogLevel::Warning)) {
    log_.write(LogLevel::Warning,
               fmt::format("webhook {} batch {} attempt {} failed: {}", report.webhook_id, batch.id,
                           batch.attempts_count, report.message),
               report.webhook_id, batch.id);
  }
  reports_.push(std::move(report));
}

void Delivery::log_attempt(const Record& record, const core::Batch& batch,
                           const transport::Completion& completion, core::AttemptOutcome outcome) {
  const bool is_delivered = outcome == core::AttemptOutcome::Delivered;
  counters_.attempts.add();
  record.counters->attempts.add();
  if (!is_delivered) {
    counters_.attempts_failed.add();
    record.counters->attempts_failed.add();
  }
  spool::AttemptRecord entry;
  entry.webhook_id = record.webhook->id;
  entry.batch_id = batch.id;
  entry.sealed = batch.sealed;
  entry.time = wall_now_;
  entry.attempt_count = batch.attempts_count;
  entry.failures_count = batch.failures_count;
  entry.is_delivered = is_delivered;
  entry.status = completion.status;
  entry.network_name = completion.network_name;
  entry.latency = completion.timings.total;
  entry.size_bytes = batch.body.size_bytes();
  entry.events_count = batch.body.events_count();
  store_.log_attempt(entry);
}

void Delivery::settle_verification(Verification& verification,
                                   const transport::Completion& completion) {
  counters_.verifications.add();
  const bool takes_2xx = verification.webhook->settings.verify_accept == core::VerifyAccept::Any2xx;
  const bool is_2xx = completion.status >= 200 && completion.status <= 299;
  VerifyAnswer& answer = *verification.answer;
  answer.is_of_token = verification.is_token_missing;
  answer.status = answer.is_of_token ? verification.token_status : completion.status;
  answer.phase = answer.status != 0 ? transport::Phase::Http : completion.phase;
  if (answer.status == 0) {
    answer.network_name = answer.is_of_token && !verification.token_network_name.empty()
                              ? verification.token_network_name
                              : completion.network_name;
  }
  answer.headers = completion.response_headers;
  answer.body = completion.response_body;
  Outcome outcome;
  outcome.webhook_id = verification.webhook->id;
  outcome.verify_answer = std::move(verification.answer);
  if (completion.status != 200 && !(takes_2xx && is_2xx)) {
    counters_.verifications_failed.add();
    outcome.error.code = core::ErrorCode::VerifyFailed;
    outcome.error.key = answer.is_of_token ? "oauth2.url" : "target";
    // The first words are the original's (momentum.md, 7.1); clients look for them.
    outcome.error.message =
        answer.is_of_token ? fmt::format("POST to webhook tokens URL failed: {}", completion.detail)
        : is_2xx
            ? fmt::format(
                  "POST to webhook target URL failed with response code {} where 200 is needed",
                  completion.status)
        : completion.status != 0
            ? fmt::format("POST to webhook target URL failed with non-2xx response code {}",
                          completion.status)
            : fmt::format("POST to webhook target URL failed with error code {}: {}",
                          completion.network_name, completion.detail);
  }
  verification.done(std::move(outcome));
}

void Delivery::start_attempts() {
  for (core::Turn turn = scheduler_.next(now_); turn.batch; turn = scheduler_.next(now_)) {
    if (turn.is_to_split) {
      Record& record = *static_cast<Target*>(turn.batch->endpoint->owner)->record;
      split(*turn.batch, Halving::ToLimit);
      enforce_limits(record);
    } else {
      start(*turn.batch);
    }
  }
}

void Delivery::start(core::Batch& batch) {
  const Target& target = *static_cast<Target*>(batch.endpoint->owner);
  Record& record = *target.record;
  record.last_start = now_;
  auto attempt = std::make_unique<Attempt>();
  attempt->batch = &batch;
  attempt->spool = spool_;
  // Credentials and headers are those of now while they go to the same origin, else those of
  // sealing (design 2a).
  const core::Webhook& now = *record.webhook;
  const bool is_same_origin =
      now.origin == target.webhook->origin && !core::is_broken(core::Break::SealedCredentials);
  const core::WebhookPtr headers_of = is_same_origin ? record.webhook : target.webhook;
  transport::Request request = request_for(*headers_of, batch.id);
  request.url = target.webhook->target;
  if (core::is_broken(core::Break::OldTargetForgotten)) request.url = now.target;
  if (core::is_broken(core::Break::ChangedId) && batch.attempts_count > 1) {
    request = request_for(*headers_of, ids_.next(wall_now_));
  }
  request.body = attempt.get();
  if (core::is_broken(core::Break::RowGoneEarly)) write_end(batch, nullptr);
  Attempt& begun = *attempts_.emplace(request.id, std::move(attempt)).first->second;
  if (!begin_coding(begun, request, headers_of)) send(begun, std::move(request), headers_of);
}

void Delivery::start_verifications() {
  while (!waiting_verifications_.empty() &&
         verifications_.size() < settings_.verify_max_in_flight) {
    std::unique_ptr<Verification> verification = std::move(waiting_verifications_.front());
    waiting_verifications_.pop_front();
    const std::string batch_id = ids_.next(wall_now_);
    transport::Request request = request_for(*verification->webhook, batch_id);
    request.body = verification.get();
    request.keep_response = true;
    if (auto error = code_verification(*verification, request, batch_id);
        error.code != core::ErrorCode::Ok) {
      verification->done({std::move(error), nullptr, verification->webhook->id});
      continue;
    }
    verification->answer = std::make_shared<VerifyAnswer>();
    verification->answer->sent_url = request.url;
    verification->answer->sent_headers = shown_headers(request.headers);
    verification->answer->sent_body = verification->json;
    Outgoing& outgoing = *verification;
    verifications_.emplace(request.id, std::move(verification));
    send(outgoing, std::move(request), outgoing.webhook);
  }
}

transport::Request Delivery::request_for(const core::Webhook& webhook,
                                         const std::string& batch_id) {
  transport::Request request;
  request.id = next_request_id_++;
  request.url = webhook.target;
  request.headers = {{"Content-Type", "application/json"},
                     {"User-Agent", "posthaste/" POSTHASTE_VERSION},
                     {"X-MessageSystems-Batch-ID", batch_id}};
  if (!webhook.auth_token.empty()) {
    request.headers.push_back({webhook.settings.auth_header, webhook.auth_token});
  }
  add_authorization(webhook, request);
  for (const auto& [name, value] : webhook.headers) request.headers.push_back({name, value});
  const core::DeliverySettings& settings = webhook.settings;
  set_connection(settings, request);
  request.addresses = addresses_of(settings);
  return request;
}

void Delivery::drop_expired() {
  for (core::Batch* batch : scheduler_.expired(now_)) {
    Record& record = *static_cast<Target*>(batch->endpoint->owner)->record;
    drop(*batch, DropReason::Expired);
    tidy(record);
  }
}

void Delivery::drop(core::Batch& batch, DropReason reason) {
  const Record& record = *static_cast<Target*>(batch.endpoint->owner)->record;
  const uint64_t events_count = batch.body.events_count();
  metrics::WebhookCounters& counters = *record.counters;
  // Who asked for it keeps what expired or was refused; a purge and a quota are meant to get rid of
  // it.
  const bool is_end = reason == DropReason::Expired || reason == DropReason::Refused;
  const bool is_kept =
      spool_ && is_end && batch.body.is_journaled() && record.webhook->settings.dead_letter;
  if (is_kept) {
    counters.batches_dead_lettered.add();
    counters.events_dead_lettered.add(events_count);
  } else {
    count_drop(counters, reason, events_count);
    if (reason == DropReason::Closed) given_up_events_count_ += events_count;
  }
  Report report;
  report.kind = is_kept ? ReportKind::DeadLettered : ReportKind::Dropped;
  report.webhook_id = record.webhook->id;
  report.batch_id = batch.id;
  report.message = drop_reason_name(reason);
  report.reason = reason;
  report.reached = batch.attempts_count > 0 ? transport::Reached::Maybe : transport::Reached::No;
  report.attempts_count = batch.attempts_count;
  report.events_count = events_count;
  report.count = 1;
  report.bytes = batch.body.size_bytes();
  report.time_ms = core::unix_ms(wall_now_);
  if (log_.is_on(LogLevel::Warning)) {
    log_.write(LogLevel::Warning,
               fmt::format("webhook {} batch {} dropped with {} events after {} attempts: {}",
                           report.webhook_id, batch.id, events_count, batch.attempts_count,
                           report.message),
               report.webhook_id, batch.id);
  }
  end(batch, &report);
  if (core::is_broken(core::Break::DroppedTwice)) reports_.push(report);
  const bool is_silent = core::is_broken(core::Break::SilentClose) && reason == DropReason::Closed;
  if (!is_silent) reports_.push(std::move(report));
}

// The batch is over: its memory, its place and its part of the gauges go.
void Delivery::end(core::Batch& batch, const Report* drop) {
  Record& record = *static_cast<Target*>(batch.endpoint->owner)->record;
  if (spool_) write_end(batch, drop);
  if (spool_ && batch.body.is_journaled()) {
    record.spooled_bytes -= batch.body.size_bytes();
    record.counters->spooled_bytes.set(record.spooled_bytes);
  }
  record.counters->waiting_batches.subtract(1);
  record.counters->waiting_events.subtract(batch.body.events_count());
  record.charged_bytes -= batch.body.owned_bytes();
  charged_bytes_ -= batch.body.owned_bytes();
  record.counters->waiting_memory_bytes.set(record.charged_bytes);
  scheduler_.finish(batch, now_);
}

}  // namespace posthaste::engine
