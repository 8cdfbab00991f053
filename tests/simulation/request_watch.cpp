#include "simulation/request_watch.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <utility>
#include <variant>

#include "simulation/durable_ledger.h"
#include "simulation/requests.h"

namespace posthaste::simulation {
namespace {

const std::string& id_of(const transport::Request& request) {
  return request.headers[2].value;
}

int64_t seconds_of(core::WallTime time) {
  return core::unix_ms(time) / 1000;
}

// What a restart must bring back; not what follows from the engine's settings.
bool is_same(const core::Webhook& a, const core::Webhook& b) {
  return a.id == b.id && a.target == b.target && a.events == b.events &&
         a.auth_token == b.auth_token && a.headers == b.headers && a.active == b.active &&
         a.overrides == b.overrides && a.is_paused == b.is_paused && a.is_disabled == b.is_disabled;
}

// Batches that were taken apart have ids of version 5.
bool is_part(const std::string& id) {
  return id.size() > 14 && id[14] == '5';
}

}  // namespace

// ---- Webhooks

void RequestWatch::on_control(const engine::Control& control) {
  posted_.emplace_back();
  const auto* const change = std::get_if<engine::WebhookControl>(&control);
  if (!change) return;
  const auto& [before, after] = change->change;
  Posted& posted = posted_.back();
  posted.incarnation = incarnation_of((after ? after : before)->target);
  posted.is_removal = !after;
  Book& book = books_[posted.incarnation];
  if (!after) return;
  posted.version = book.versions.size();
  book.versions.push_back(after);
}

void RequestWatch::apply_until(uint64_t controls_taken_count, core::Instant now) {
  for (; taken_count_ < controls_taken_count; ++taken_count_) {
    const Posted& posted = posted_[taken_count_];
    if (posted.incarnation.empty()) continue;
    Book& book = books_.at(posted.incarnation);
    book.is_removed = posted.is_removal;
    if (posted.is_removal) continue;
    book.first = posted.version;
    book.applied_count = posted.version + 1;
    book.applied.resize(book.applied_count, now);
  }
}

void RequestWatch::on_synced(size_t controls_count) {
  for (size_t i = 0; i < controls_count; ++i) {
    const Posted& posted = posted_[i];
    if (posted.incarnation.empty()) continue;
    Book& book = books_.at(posted.incarnation);
    if (posted.is_removal) {
      book.is_removal_owed = true;
    } else {
      book.owed_count = std::max(book.owed_count, posted.version + 1);
    }
  }
}

void RequestWatch::on_crash(uint64_t controls_taken_count) {
  apply_until(controls_taken_count, core::Instant::max());
  for (auto& [incarnation, book] : books_) {
    book.versions.resize(book.applied_count);
    book.first = book.owed_count > 0 ? book.owed_count - 1 : 0;
    // Nobody waits for a token any more.
    book.applied.assign(book.applied_count, core::Instant::min());
  }
  posted_.clear();
  taken_count_ = 0;
  tokens_.on_crash();
  running_.clear();
  asked_.clear();
  uncoded_.clear();
  refusing_.clear();
  ++life_;
}

RequestWatch::Finding RequestWatch::on_open(const std::vector<core::WebhookPtr>& found) {
  std::map<std::string, core::WebhookPtr> by_incarnation;
  for (const core::WebhookPtr& webhook : found) {
    by_incarnation[incarnation_of(webhook->target)] = webhook;
  }
  for (auto& [incarnation, book] : books_) {
    const auto place = by_incarnation.find(incarnation);
    if (place == by_incarnation.end()) {
      if (book.owed_count == 0 || book.is_removed) continue;
      return Violation{"registry", fmt::format("webhook {} is gone", incarnation)};
    }
    if (book.is_removal_owed) {
      return Violation{"registry", fmt::format("webhook {} was removed, and is back", incarnation)};
    }
    size_t count = book.applied_count;
    while (count > book.first && !is_same(*book.versions[count - 1], *place->second)) --count;
    if (count == book.first) {
      return Violation{"registry", fmt::format("webhook {} is not what a sync made safe, nor what "
                                               "it became since",
                                               incarnation)};
    }
    if (count < book.applied_count) ++counts_["change of a webhook undone"];
    const core::Webhook& webhook = *place->second;
    if (webhook.settings.auth_type != core::AuthType::None) ++counts_["credentials found again"];
    if (!webhook.settings.signing_secrets.empty()) ++counts_["signing secrets found again"];
    book.versions.resize(count);
    book.applied.resize(count);
    book.applied_count = count;
    book.first = count - 1;
    book.is_removed = false;
  }
  return {};
}

// ---- Requests

// The credentials of now when they belong to the same origin, else those that its target had last
// (design 2a).
std::vector<RequestWatch::Candidate> RequestWatch::candidates(const std::string& url) const {
  std::vector<Candidate> result;
  const auto place = books_.find(incarnation_of(url));
  if (place == books_.end()) return result;
  const Book& book = place->second;
  const auto add = [&](size_t version, bool is_past, core::Instant until) {
    size_t own = version;
    while (book.versions[own]->target != url) {
      if (own-- == 0) return;
    }
    const bool is_same_origin = book.versions[own]->origin == book.versions[version]->origin;
    result.push_back({book.versions[is_same_origin ? version : own], is_past, until});
  };
  for (size_t i = book.applied_count; i-- > book.first;) add(i, false, {});
  for (size_t i = book.first; i-- > 0;) add(i, true, book.applied[i + 1]);
  return result;
}

// When the last token request with its credentials began.
core::Instant RequestWatch::asked_at(const core::Webhook& webhook) const {
  const auto place = asked_.find(token_key_of(webhook.settings));
  return place == asked_.end() ? core::Instant::max() : place->second;
}

RequestWatch::Finding RequestWatch::on_begin(const test::SimExchange& exchange,
                                             const Moment& moment) {
  apply_until(moment.controls_taken_count, moment.now);
  const transport::Request& request = exchange.request;
  if (is_token_request(request)) {
    const auto finding = tokens_.on_begin(exchange, moment.now);
    asked_[token_request_key(request)] = moment.now;
    if (finding) return Violation{"token", *finding};
    return {};
  }
  const auto seen = seen_.find({request.url, id_of(request)});
  const Seen* const before = seen == seen_.end() ? nullptr : &seen->second;
  Finding first;
  std::vector<core::WebhookPtr> fitting;
  for (const Candidate& candidate : candidates(request.url)) {
    Finding finding = check(request, candidate, before, moment);
    if (!finding) {
      fitting.push_back(candidate.webhook);
    } else if (!first) {
      first = std::move(finding);
    }
  }
  if (fitting.empty()) {
    if (first) return first;
    return Violation{"credentials", request.url + " is nobody's target"};
  }
  count(request, fitting.front(), before);
  seen_[{request.url, id_of(request)}] = {life_, fitting.front(),
                                          header_of(request, "Content-Encoding"),
                                          header_of(request, "webhook-timestamp"), false};
  running_[request.id] = std::move(fitting);
  return {};
}

RequestWatch::Finding RequestWatch::check(const transport::Request& request,
                                          const Candidate& candidate, const Seen* before,
                                          const Moment& moment) const {
  const core::Webhook& webhook = *candidate.webhook;
  const auto fail = [&](const char* invariant, const char* what) {
    return Violation{invariant,
                     fmt::format("batch {} for {} has {}", id_of(request), request.url, what)};
  };
  if (candidate.is_past && !uses_tokens(webhook)) {
    return fail("credentials", "those of an earlier time");
  }
  if (!has_header(request, webhook.settings.auth_header, webhook.auth_token)) {
    return fail("credentials", "another token header than its webhook");
  }
  if (uses_tokens(webhook)) {
    if (Finding finding = check_token(request, candidate, before, moment)) return finding;
  } else if (!has_header(request, "Authorization", authorization_of(webhook.settings))) {
    return fail("credentials", "another Authorization than its webhook says");
  }
  const std::string coding = uncoded_.contains({request.url, id_of(request)})
                                 ? std::string()
                                 : coding_of(webhook.settings);
  const bool is_right = has_header(request, "Content-Encoding", coding) ||
                        (may_refuse_coding(request) && has_header(request, "Content-Encoding", {}));
  if (!is_right) return fail("coding", "another coding than its webhook says");
  return check_signing(request, webhook, before, moment);
}

// What was taken apart after it was refused for its coding goes as JSON as well.
bool RequestWatch::may_refuse_coding(const transport::Request& request) const {
  return is_part(id_of(request)) && refusing_.contains(request.url);
}

RequestWatch::Finding RequestWatch::check_token(const transport::Request& request,
                                                const Candidate& candidate, const Seen* before,
                                                const Moment& moment) const {
  const core::Webhook& webhook = *candidate.webhook;
  const bool is_second_try =
      before && before->life == life_ && before->is_token_refused && before->carries &&
      token_key_of(before->carries->settings) == token_key_of(webhook.settings);
  if (candidate.is_past && !is_second_try && candidate.until < asked_at(webhook)) {
    return Violation{"credentials", fmt::format("batch {} has a token of credentials that were "
                                                "changed before it was asked for",
                                                id_of(request))};
  }
  const auto finding =
      tokens_.check_use(token_key_of(webhook.settings), token_of(request), {}, moment.now);
  if (finding) return Violation{"token", fmt::format("batch {}: {}", id_of(request), *finding)};
  return {};
}

// The time is that of the attempt, which begins before it waits for a token.
RequestWatch::Finding RequestWatch::check_signing(const transport::Request& request,
                                                  const core::Webhook& webhook, const Seen* before,
                                                  const Moment& moment) const {
  const bool is_signed = !webhook.settings.signing_secrets.empty();
  const std::string timestamp = header_of(request, "webhook-timestamp");
  bool is_right = has_header(request, "webhook-id", is_signed ? id_of(request) : std::string()) &&
                  (find_header(request, "webhook-signature") != nullptr) == is_signed &&
                  timestamp.empty() != is_signed;
  if (is_right && is_signed) {
    const int64_t at = std::strtoll(timestamp.c_str(), nullptr, 10);
    int64_t earliest = seconds_of(moment.wall_now);
    if (uses_tokens(webhook) && asked_at(webhook) <= moment.now) {
      earliest = seconds_of(moment.wall_now - (moment.now - asked_at(webhook)));
    }
    const bool is_second_try = uses_tokens(webhook) && before && before->is_token_refused &&
                               before->timestamp == timestamp;
    is_right = at <= seconds_of(moment.wall_now) && (at >= earliest || is_second_try);
  }
  if (is_right) return {};
  return Violation{"signature", fmt::format("batch {} for {} is not signed as it should be",
                                            id_of(request), request.url)};
}

void RequestWatch::count(const transport::Request& request, const core::WebhookPtr& carries,
                         const Seen* before) {
  const core::DeliverySettings& settings = carries->settings;
  const std::string coding = header_of(request, "Content-Encoding");
  ++counts_[coding.empty() ? "sent plain" : "sent " + coding];
  if (!settings.signing_secrets.empty()) {
    ++counts_[coding.empty() ? "sent signed" : "sent signed and coded"];
  }
  if (settings.auth_type == core::AuthType::Basic) ++counts_["sent basic"];
  if (settings.auth_type == core::AuthType::Bearer) ++counts_["sent bearer"];
  if (uses_tokens(*carries)) ++counts_["sent with a token"];
  if (carries->target != request.url) ++counts_["sent to an earlier target of the same origin"];
  const core::WebhookPtr& now = books_.at(incarnation_of(request.url)).versions.back();
  if (now->origin != carries->origin) ++counts_["sent to an earlier origin"];
  if (!before || before->life == life_) return;
  ++counts_["sent again after a restart"];
  if (before->coding != coding) ++counts_["coded otherwise after a restart"];
  const bool is_same_secret =
      before->carries->auth_token == carries->auth_token &&
      authorization_of(before->carries->settings) == authorization_of(settings);
  if (!is_same_secret) ++counts_["other credentials after a restart"];
}

RequestWatch::Finding RequestWatch::on_end(const test::SimExchange& exchange,
                                           const std::string& json, core::Instant now) {
  const transport::Request& request = exchange.request;
  if (is_token_request(request)) {
    tokens_.on_end(exchange);
    tokens_.settle(now);
    return {};
  }
  const auto place = running_.find(request.id);
  if (place == running_.end()) return {};
  const std::vector<core::WebhookPtr> fitting = std::move(place->second);
  running_.erase(place);
  const int32_t status = exchange.is_cancelled ? 0 : exchange.completion.status;
  const std::string& id = id_of(request);
  if (uses_tokens(*fitting.front()) && (status == 400 || status == 401)) {
    tokens_.on_refused(token_of(request));
    seen_[{request.url, id}].is_token_refused = true;
  }
  if (status == 415 && !header_of(request, "Content-Encoding").empty()) {
    ++counts_["coding refused"];
    uncoded_.insert({request.url, id});
    refusing_.insert(request.url);
  }
  const std::string* const given = find_header(request, "webhook-signature");
  const bool is_whole = exchange.body.size() == exchange.body_size_bytes;
  if (!given || !is_whole) return {};
  ++counts_["signature verified"];
  const std::string timestamp = header_of(request, "webhook-timestamp");
  const bool is_right = std::any_of(fitting.begin(), fitting.end(), [&](const auto& webhook) {
    return *given == signature_of(webhook->settings.signing_secrets, id, timestamp, json);
  });
  if (is_right) return {};
  return Violation{"signature", fmt::format("batch {} for {} has a wrong one", id, request.url)};
}

}  // namespace posthaste::simulation
