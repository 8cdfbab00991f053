#include "simulation/ledger.h"

#include <algorithm>

#include "core/webhook.h"

namespace posthaste::simulation {

using core::Duration;
using core::Instant;

namespace {

// Of what the simulation changes.
bool is_same_credentials(const core::Webhook& a, const core::Webhook& b) {
  const core::DeliverySettings& one = a.settings;
  const core::DeliverySettings& other = b.settings;
  return a.auth_token == b.auth_token && one.auth_type == other.auth_type &&
         one.auth_user == other.auth_user && one.auth_password == other.auth_password &&
         one.auth_bearer == other.auth_bearer && one.oauth2_url == other.oauth2_url &&
         one.oauth2_client_id == other.oauth2_client_id &&
         one.oauth2_client_secret == other.oauth2_client_secret &&
         one.oauth2_body == other.oauth2_body;
}

}  // namespace

void Ledger::attach(test::SimEngine& engine) {
  engine_ = &engine;
  settings_ = engine.settings();
  waiting_limit_ = settings_.waiting_max_bytes;
  has_all_kinds_ = settings_.report_kinds == core::kAllReportKinds;
  max_age_seen_ = settings_.webhook.retry_max_age;
}

void Ledger::on_push(core::EventTypeId type, uint32_t size_bytes, core::ErrorCode code) {
  const uint64_t used = engine_->intake().used_bytes();
  if (code == core::ErrorCode::QueueFull) {
    ++counts_["push queue full"];
    const uint64_t wanted = 2 * core::kSegmentSize + size_bytes;
    if (used + wanted <= settings_.intake_max_bytes) {
      fail("memory", "push was refused with {} bytes of {} in use", used,
           settings_.intake_max_bytes);
    }
    return;
  }
  if (code != core::ErrorCode::Ok) {
    if (!is_closing_) fail("one_place", "push answered {}", static_cast<int>(code));
    return;
  }
  ++accepted_count_;
  ++counts_[size_bytes > core::kSegmentSize / 4 ? "push large" : "push"];
  const uint64_t number = events_.size();
  const Instant pushed = engine_->clock().coarse_now();
  events_.push_back({type, size_bytes, pushed});
  for (auto& [generation, webhook] : webhooks_) {
    const core::Webhook& latest = webhook.latest();
    if (webhook.is_removed || !core::takes_events(latest) || !latest.types[type]) continue;
    if (pushed < latest.activates_at) {
      ++counts_["push before activation"];
      continue;
    }
    webhook.stream.push_back({number, webhook.versions.size() - 1});
  }
}

void Ledger::on_control(const engine::Control& control) {
  Posted posted;
  if (const auto* webhook = std::get_if<engine::WebhookControl>(&control)) {
    post_change(*webhook);
    return;
  }
  if (const auto* settings = std::get_if<engine::SettingsControl>(&control)) {
    posted.kind = Posted::Kind::Settings;
    posted.settings = settings->settings;
    has_all_kinds_ = has_all_kinds_ && settings->settings.report_kinds == core::kAllReportKinds;
  } else if (std::get_if<engine::FlushControl>(&control)) {
    posted.kind = Posted::Kind::Flush;
    posted.version = flushes_.size();
    cut_everywhere();
    Flush flush;
    for (const auto& [generation, webhook] : webhooks_) {
      flush.positions[generation] = webhook.stream.size();
    }
    flushes_.push_back(std::move(flush));
  } else if (std::get_if<engine::VerifyControl>(&control)) {
    posted.kind = Posted::Kind::Verify;
  } else {
    posted.kind = Posted::Kind::Close;
    is_closing_ = true;
    cut_everywhere();
  }
  posted_.push_back(std::move(posted));
}

void Ledger::cut_everywhere() {
  for (auto& [generation, webhook] : webhooks_) webhook.cuts.insert(webhook.stream.size());
}

void Ledger::post_change(const engine::WebhookControl& control) {
  const auto& [before, after] = control.change;
  const core::WebhookPtr& either = after ? after : before;
  Webhook& webhook = webhooks_[either->generation];
  Posted posted;
  posted.generation = either->generation;
  if (!before) {
    webhook.quota = after->settings.max_waiting_bytes;
  } else if (after) {
    posted.kind = Posted::Kind::Change;
    const bool cuts = before->target_revision != after->target_revision ||
                      before->types != after->types ||
                      core::takes_events(*before) != core::takes_events(*after);
    if (before->is_disabled != after->is_disabled) {
      ++counts_[after->is_disabled ? "webhook disabled" : "webhook enabled"];
    }
    if (cuts) webhook.cuts.insert(webhook.stream.size());
  } else {
    posted.kind = Posted::Kind::Remove;
    webhook.is_removed = true;
    webhook.drops_queued = control.drops_queued;
    webhook.cuts.insert(webhook.stream.size());
  }
  if (after) {
    webhook.versions.push_back(after);
    generation_by_settings_[&after->settings] = after->generation;
    webhook.endpoints[after->target_revision].url = after->target;
    webhook.endpoints[after->target_revision].origin = after->origin;
    max_age_seen_ = std::max(max_age_seen_, after->settings.retry_max_age);
  }
  posted.version = webhook.versions.size() - 1;
  posted_.push_back(std::move(posted));
}

// Takes over what the delivery step has taken from the queue of controls.
void Ledger::sync_controls() {
  while (applied_count_ < engine_->controls_taken_count()) apply(posted_[applied_count_++]);
}

void Ledger::apply(const Posted& posted) {
  switch (posted.kind) {
    case Posted::Kind::Settings:
      settings_ = posted.settings;
      waiting_limit_ = std::max(waiting_limit_, settings_.waiting_max_bytes);
      return;
    case Posted::Kind::Flush:
      flushes_[posted.version].is_taken = true;
      return;
    case Posted::Kind::Verify:
    case Posted::Kind::Close:
      return;
    case Posted::Kind::Add:
    case Posted::Kind::Change:
    case Posted::Kind::Remove:
      break;
  }
  Webhook& webhook = webhooks_.at(posted.generation);
  const bool was_held = webhook.is_held();
  const bool was_stopped = webhook.is_stopped();
  const bool is_edit =
      posted.kind == Posted::Kind::Change &&
      !core::is_same_declaration(webhook.current(), *webhook.versions[posted.version]);
  const core::WebhookPtr before =
      posted.kind == Posted::Kind::Change ? webhook.versions[webhook.applied] : nullptr;
  webhook.applied = posted.version;
  if (posted.kind != Posted::Kind::Remove) {
    webhook.endpoints.at(webhook.current().target_revision).last = webhook.versions[posted.version];
  }
  webhook.is_removal_applied = posted.kind == Posted::Kind::Remove;
  webhook.quota = std::max(webhook.quota, webhook.current().settings.max_waiting_bytes);
  apply_hold(webhook, was_held);
  for (auto& [revision, endpoint] : webhook.endpoints) {
    if (is_edit) endpoint.limit = {};
    if (was_stopped == webhook.is_stopped()) continue;
    apply_stop(webhook, endpoint);
    // Who is enabled again is tried at once.
    if (!webhook.is_stopped() && !webhook.is_removal_applied) make_due(endpoint);
  }
  if (before) correct_credentials(webhook, *before);
}

// Where the new ones go everything is tried at once.
void Ledger::correct_credentials(Webhook& webhook, const core::Webhook& before) {
  const core::Webhook& now = webhook.current();
  if (is_same_credentials(before, now)) return;
  for (auto& [revision, endpoint] : webhook.endpoints) {
    if (endpoint.origin != now.origin) continue;
    if (endpoint.is_in_trouble) ++counts_["credentials corrected in trouble"];
    make_due(endpoint);
  }
}

void Ledger::make_due(Endpoint& endpoint) const {
  const Instant now = engine_->clock().now();
  endpoint.not_before = std::min(endpoint.not_before, now);
  endpoint.not_after = std::min(endpoint.not_after, now);
  for (auto& [number, family] : endpoint.families) {
    family.not_before = std::min(family.not_before, now);
    family.not_after = std::min(family.not_after, now);
  }
}

// Pause and resume: clocks of waiting batches stand still and go on.
void Ledger::apply_hold(Webhook& webhook, bool was_held) {
  const bool is_held = webhook.is_held();
  if (is_held == was_held) return;
  for (auto& [revision, endpoint] : webhook.endpoints) {
    for (auto& [sequence, batch] : endpoint.waiting) {
      if (is_held) {
        freeze_clock(*batch);
      } else if (batch->left > Duration::zero()) {
        batch->expires = engine_->clock().now() + std::exchange(batch->left, Duration::zero());
      }
    }
  }
}

// The clocks of what a disabled webhook holds run.
void Ledger::apply_stop(const Webhook& webhook, Endpoint& endpoint) {
  for (auto& [sequence, batch] : endpoint.waiting) {
    if (webhook.is_stopped()) {
      start_clock(*batch);
    } else if (!endpoint.is_in_trouble && batch->failures_count == 0 && !batch->keeps_clock) {
      batch->expires = core::kNever;
      batch->left = Duration::zero();
    }
  }
}

void Ledger::on_flush_done(size_t flush) {
  ++counts_["flush done"];
  if (flushes_[flush].is_done) fail("flush", "flush {} ended twice", flush);
  flushes_[flush].is_done = true;
}

void Ledger::on_report(const engine::Report& report) {
  trace_.line("report {} {} {} {} {} {}", report_kind_name(report.kind), report.webhook_id,
              report.batch_id, report.count, report.events_count, report.message);
  ++counts_[std::string("report ") + report_kind_name(report.kind)];
  switch (report.kind) {
    case engine::ReportKind::Delivered:
    case engine::ReportKind::Retrying:
      ++polled_attempt_reports_;
      break;
    case engine::ReportKind::Overflow:
      polled_overflow_ += report.count;
      break;
    case engine::ReportKind::Dropped:
      if (report.count > 1) ++counts_["report of joined drops"];
      polled_drops_[static_cast<size_t>(report.reason)] += report.events_count;
      polled_drop_batches_ += report.count;
      break;
    default:
      break;
  }
}

}  // namespace posthaste::simulation
