// What the delivery step makes of its endpoints' states: reports and counters of their changes,
// limits that were learned, and webhooks that the rules disable.
#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "core/limits.h"
#include "engine/delivery_parts.h"

namespace posthaste::engine {
namespace {

const char* health_name(core::EndpointHealth health) {
  switch (health) {
    case core::EndpointHealth::Healthy:
      return "healthy";
    case core::EndpointHealth::Throttled:
      return "throttled";
    case core::EndpointHealth::Failing:
      return "failing";
  }
  return "?";
}

constexpr int32_t kGone = 410;

}  // namespace

// After each outcome.
void Delivery::follow_endpoint(Target& target, const transport::Completion& completion,
                               const core::Verdict& verdict) {
  Record& record = *target.record;
  const core::EndpointHealth health = target.endpoint.health();
  const core::EndpointHealth before = std::exchange(target.reported_health, health);
  record.counters->endpoint_health.set(
      static_cast<uint64_t>(record.targets.back()->endpoint.health()));
  if (health != before) {
    if (verdict.endpoint_fell) record.counters->endpoint_falls.add();
    if (health == core::EndpointHealth::Throttled) record.counters->endpoint_throttles.add();
    if (health == core::EndpointHealth::Healthy) record.counters->endpoint_recoveries.add();
    report_endpoint(target, completion);
  }
  if (verdict.learned_limit) learn_limit(target);
  if (&target != record.targets.back().get()) return;
  if (verdict.kind == core::Verdict::Kind::Delivered) {
    record.failing_since = core::kNever;
    record.is_warned = false;
  } else {
    record.failing_since = std::min(record.failing_since, now_);
    consider_disabling(target, completion);
  }
}

void Delivery::report_endpoint(const Target& target, const transport::Completion& completion) {
  Report report;
  report.kind = ReportKind::Endpoint;
  report.webhook_id = target.record->webhook->id;
  report.message = health_name(target.endpoint.health());
  report.status = completion.status;
  report.network_name = completion.network_name;
  report.time_ms = core::unix_ms(wall_now_);
  if (target.endpoint.is_in_trouble) {
    const core::Duration left = target.endpoint.probe_due - now_;
    report.next_try_ms = core::unix_ms(wall_now_ + std::max(left, core::Duration::zero()));
  }
  reports_.push(std::move(report));
}

// ---- Learned limits

void Delivery::learn_limit(Target& target) {
  Record& record = *target.record;
  const core::BatchLimit& limit = target.endpoint.limit;
  record.counters->limits_learned.add();
  if (&target == record.targets.back().get()) {
    record.subscriber.learned_events_max = limit.events_max;
    record.subscriber.learned_bytes_max = limit.bytes_max;
    record.counters->learned_events_max.set(limit.events_max);
    record.counters->learned_bytes_max.set(limit.bytes_max);
  }
  Report report;
  report.kind = ReportKind::Limit;
  report.webhook_id = record.webhook->id;
  report.message = fmt::format("learned that {} events of {} bytes together are the most it takes",
                               limit.events_max, limit.bytes_max);
  report.events_count = limit.events_max;
  report.bytes = limit.bytes_max;
  report.time_ms = core::unix_ms(wall_now_);
  if (log_.is_on(LogLevel::Info)) {
    log_.write(LogLevel::Info, fmt::format("webhook {}: {}", report.webhook_id, report.message),
               report.webhook_id, {});
  }
  reports_.push(std::move(report));
}

// It has become old, or the webhook was edited.
void Delivery::forget_limit(Record& record) {
  for (const auto& target : record.targets) target->endpoint.limit = {};
  if (std::exchange(record.subscriber.learned_events_max, 0) == 0) return;
  record.subscriber.learned_bytes_max = 0;
  record.counters->learned_events_max.set(0);
  record.counters->learned_bytes_max.set(0);
  Report report;
  report.kind = ReportKind::Limit;
  report.webhook_id = record.webhook->id;
  report.message = "forgot what was learned";
  report.time_ms = core::unix_ms(wall_now_);
  reports_.push(std::move(report));
}

// ---- Disabling

void Delivery::consider_disabling(const Target& target, const transport::Completion& completion) {
  Record& record = *target.record;
  const core::DeliverySettings& settings = record.webhook->settings;
  if (record.is_removed || record.webhook->is_disabled) return;
  if (completion.status == kGone && settings.http_gone == core::GonePolicy::Disable) {
    return disable(record, "its endpoint answers 410");
  }
  const core::Duration limit = settings.disable_after;
  if (limit == core::Duration::zero()) return;
  const core::Duration age = now_ - record.failing_since;
  const auto seconds = [](core::Duration duration) {
    return std::chrono::duration_cast<std::chrono::seconds>(duration).count();
  };
  if (age >= limit) {
    disable(record, fmt::format("nothing but failure for {} s", seconds(age)));
  } else if (age >= limit / 2 && !std::exchange(record.is_warned, true)) {
    Report report;
    report.kind = ReportKind::Endpoint;
    report.webhook_id = record.webhook->id;
    report.message = fmt::format("nothing but failure for {} s; after {} s it is disabled",
                                 seconds(age), seconds(limit));
    report.status = completion.status;
    report.network_name = completion.network_name;
    report.time_ms = core::unix_ms(wall_now_);
    report.next_try_ms = core::unix_ms(wall_now_ + (limit - age));
    log_.write(LogLevel::Warning, fmt::format("webhook {}: {}", report.webhook_id, report.message),
               report.webhook_id, {});
    reports_.push(std::move(report));
  }
}

void Delivery::disable(const Record& record, const std::string& why) {
  const core::Webhook& webhook = *record.webhook;
  log_.write(LogLevel::Warning, fmt::format("webhook {} is disabled: {}", webhook.id, why),
             webhook.id, {});
  if (disable_) disable_(webhook.id, webhook.generation);
}

}  // namespace posthaste::engine
