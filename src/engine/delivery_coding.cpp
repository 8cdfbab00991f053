// Attempts whose body is compressed or signed (Standard Webhooks 1.0) before it is sent: the
// encoder has it first, then the request goes out with what came of it.
#include <fmt/core.h>

#include <utility>

#include "core/deliberate_break.h"
#include "engine/delivery_parts.h"
#include "transport/body_coding.h"

namespace posthaste::engine {
namespace {

constexpr int32_t kUnsupportedMediaType = 415;

// Names the bytes of a test POST.
struct ConstantInput final : CodingInput {
  explicit ConstantInput(std::string_view bytes) : body(bytes) {}
  const std::string_view body;
  uint64_t size_bytes() const override { return body.size(); }
  size_t read(uint64_t offset, char* out, size_t room) override {
    return body.copy(out, room, static_cast<size_t>(offset));
  }
};

CodingJob job_for(const core::WebhookPtr& webhook, std::string message_id, core::WallTime now) {
  CodingJob job;
  job.webhook = webhook;
  job.compresses = webhook->settings.compression != core::Compression::None;
  job.message_id = std::move(message_id);
  // Of this attempt: receivers refuse what is minutes old.
  job.timestamp_s = core::unix_ms(now) / 1000;
  return job;
}

void add_signature_headers(transport::Request& request, const CodingJob& job) {
  if (job.webhook->settings.signing_secrets.empty()) return;
  request.headers.push_back({"webhook-id", job.message_id});
  request.headers.push_back({"webhook-timestamp", std::to_string(job.timestamp_s)});
}

void add_result_headers(transport::Request& request, const CodingResult& result,
                        core::Compression compression) {
  if (!result.signature.empty()) {
    request.headers.push_back({"webhook-signature", result.signature});
  }
  if (result.coded) {
    request.headers.push_back({"Content-Encoding", transport::content_coding_name(compression)});
  }
}

}  // namespace

// False: the request can go out as it is.
bool Delivery::begin_coding(Attempt& attempt, transport::Request& request,
                            const core::WebhookPtr& webhook) {
  core::Batch& batch = *attempt.batch;
  const bool is_old = core::is_broken(core::Break::OldTimestamp);
  CodingJob job = job_for(webhook, batch.id, is_old ? batch.sealed : wall_now_);
  job.compresses = job.compresses && !batch.refuses_coding;
  if (!job.compresses && webhook->settings.signing_secrets.empty()) return false;
  job.id = request.id;
  attempt.lent = std::make_shared<LentBody>(lent_mutex_, batch, spool_);
  attempt.compression = webhook->settings.compression;
  job.input = attempt.lent;
  add_signature_headers(request, job);
  attempt.request = std::move(request);
  attempt.webhook = webhook;
  encoder_.begin(std::move(job));
  return true;
}

void Delivery::collect_coded() {
  for (const CodingResult& result : encoder_.take()) {
    const auto place = attempts_.find(result.id);
    // Without its attempt it was broken off meanwhile.
    if (place != attempts_.end()) send_coded(*place->second, result);
  }
}

void Delivery::send_coded(Attempt& attempt, const CodingResult& result) {
  const bool is_lost = std::exchange(attempt.lent, nullptr)->is_lost;
  transport::Request request = std::exchange(attempt.request, {});
  if (result.was_read && result.error.code == core::ErrorCode::Ok) {
    attempt.coded = result.coded;
    add_result_headers(request, result, attempt.compression);
    send(attempt, std::move(request), attempt.webhook);
    return;
  }
  attempt.is_unreadable = is_lost;
  attempt.is_cut_short = !is_lost;
  transport::Completion completion;
  completion.id = result.id;
  completion.detail = result.was_read ? result.error.message : "the batch could not be read";
  settle(completion);
}

// A test POST is coded as batches will be, so that a receiver that cannot read them is found when
// the webhook is created. It is so short that the delivery thread does it.
core::Error Delivery::code_verification(Verification& verification, transport::Request& request,
                                        const std::string& batch_id) {
  const core::WebhookPtr& webhook = verification.webhook;
  if (!needs_coding(webhook->settings)) return {};
  CodingJob job = job_for(webhook, batch_id, wall_now_);
  job.input = std::make_shared<ConstantInput>(verification.json);
  add_signature_headers(request, job);
  const CodingResult result = run_coding(job, CodedBudget(), [] { return true; });
  verification.coded = result.coded;
  add_result_headers(request, result, webhook->settings.compression);
  return result.error;
}

// A receiver that took the coding when it was verified may refuse it later. That is no fault of
// what is in the batch, which goes again as JSON. False: there was nothing like it.
bool Delivery::resend_uncoded(const Attempt& attempt, const transport::Completion& completion) {
  if (completion.status != kUnsupportedMediaType || !attempt.coded) return false;
  core::Batch& batch = *attempt.batch;
  const Record& record = *static_cast<Target*>(batch.endpoint->owner)->record;
  // It has had its last attempt.
  if (record.drops_failed || batch.expires <= now_) return false;
  batch.refuses_coding = !core::is_broken(core::Break::CodedAgain);
  batch.last_status = completion.status;
  batch.last_network_name.clear();
  log_attempt(record, batch, completion, core::AttemptOutcome::ContentFailure);
  Report report = report_of(batch, completion);
  report.kind = ReportKind::Retrying;
  report.message =
      fmt::format("HTTP {}: {} is refused, the batch goes uncompressed", completion.status,
                  transport::content_coding_name(attempt.compression));
  report.next_try_ms = report.time_ms;
  if (log_.is_on(LogLevel::Warning)) {
    log_.write(LogLevel::Warning,
               fmt::format("webhook {} batch {} attempt {}: {}", report.webhook_id, batch.id,
                           batch.attempts_count, report.message),
               report.webhook_id, batch.id);
  }
  reports_.push(std::move(report));
  write_attempt(batch);
  scheduler_.cancel(batch, now_);
  return true;
}

}  // namespace posthaste::engine
