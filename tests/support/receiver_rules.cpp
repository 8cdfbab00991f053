// See receiver_rules.h: matching, and the text form as one table of keys.
#include "receiver_rules.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <utility>

namespace posthaste::testing {
namespace {

using core::ErrorCode;

template <typename T>
bool parse_number(std::string_view text, T& out) {
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), out);
  return problem == std::errc() && end == text.data() + text.size() && !text.empty();
}

bool parse_optional(std::string_view text, std::optional<uint64_t>& out) {
  return parse_number(text, out.emplace());
}

bool parse_ms(std::string_view text, Clock::duration& out) {
  uint32_t ms = 0;
  if (!parse_number(text, ms)) return false;
  out = std::chrono::milliseconds(ms);
  return true;
}

bool parse_status(std::string_view text, int& out) {
  return parse_number(text, out) && out >= 100 && out <= 999;
}

bool parse_statuses(std::string_view text, std::vector<int>& out) {
  while (true) {
    const size_t comma = text.find(',');
    if (!parse_status(text.substr(0, comma), out.emplace_back())) return false;
    if (comma == std::string_view::npos) return true;
    text.remove_prefix(comma + 1);
  }
}

bool parse_header(std::string_view text, std::vector<Header>& out) {
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos || colon == 0) return false;
  const size_t value = text.find_first_not_of(' ', colon + 1);
  out.push_back({std::string(text.substr(0, colon)),
                 value == std::string_view::npos ? "" : std::string(text.substr(value))});
  return true;
}

template <typename T>
using Names = std::initializer_list<std::pair<std::string_view, T>>;

template <typename T>
bool parse_name(std::string_view text, T& out, Names<T> names) {
  for (const auto& [name, value] : names) {
    if (name != text) continue;
    out = value;
    return true;
  }
  return false;
}

struct Key {
  std::string_view name;
  bool (*set)(Rule& rule, std::string_view value);
};

// Conditions, then the reply, then the intake; rule_help() lists them in this order.
constexpr std::array kKeys = {
    Key{"path", [](Rule& rule, std::string_view v) { return rule.path = v, true; }},
    Key{"marker", [](Rule& rule, std::string_view v) { return rule.marker = v, !v.empty(); }},
    Key{"larger-than",
        [](Rule& rule, std::string_view v) { return parse_optional(v, rule.larger_than); }},
    Key{"first", [](Rule& rule, std::string_view v) { return parse_number(v, rule.first); }},
    Key{"every", [](Rule& rule, std::string_view v) { return parse_number(v, rule.every); }},
    Key{"statuses", [](Rule& rule, std::string_view v) { return parse_statuses(v, rule.statuses); }},
    Key{"status", [](Rule& rule, std::string_view v) { return parse_status(v, rule.reply.status); }},
    Key{"header", [](Rule& rule, std::string_view v) { return parse_header(v, rule.reply.headers); }},
    Key{"body", [](Rule& rule, std::string_view v) { return rule.reply.body = v, true; }},
    Key{"fill-bytes",
        [](Rule& rule, std::string_view v) { return parse_number(v, rule.reply.fill_bytes); }},
    Key{"endless",
        [](Rule& rule, std::string_view v) {
          return parse_name(v, rule.reply.endless, {{"yes", true}, {"no", false}});
        }},
    Key{"length-error",
        [](Rule& rule, std::string_view v) { return parse_number(v, rule.reply.length_error); }},
    Key{"raw", [](Rule& rule, std::string_view v) { return rule.reply.raw = v, true; }},
    Key{"delay-ms", [](Rule& rule, std::string_view v) { return parse_ms(v, rule.reply.delay); }},
    Key{"framing",
        [](Rule& rule, std::string_view v) {
          return parse_name(v, rule.reply.framing,
                            {{"length", Framing::Length},
                             {"chunked", Framing::Chunked},
                             {"chunked-garbage", Framing::ChunkedGarbage},
                             {"until-close", Framing::UntilClose}});
        }},
    Key{"stop-at",
        [](Rule& rule, std::string_view v) {
          return parse_name(v, rule.reply.stop_at,
                            {{"before-head", StopAt::BeforeHead},
                             {"after-head", StopAt::AfterHead},
                             {"mid-body", StopAt::MidBody}});
        }},
    Key{"stop-action",
        [](Rule& rule, std::string_view v) {
          return parse_name(v, rule.reply.stop_action,
                            {{"hang", StopAction::Hang},
                             {"close", StopAction::Close},
                             {"reset", StopAction::Reset}});
        }},
    Key{"keep-alive",
        [](Rule& rule, std::string_view v) {
          return parse_name(v, rule.reply.keep_alive,
                            {{"yes", KeepAlive::Yes},
                             {"no", KeepAlive::No},
                             {"silent-close", KeepAlive::SilentClose}});
        }},
    Key{"read",
        [](Rule& rule, std::string_view v) {
          return parse_name(v, rule.intake.never_read, {{"never", true}, {"yes", false}});
        }},
    Key{"continue",
        [](Rule& rule, std::string_view v) {
          return parse_name(v, rule.intake.answer_continue, {{"never", false}, {"yes", true}});
        }},
    Key{"read-delay-ms",
        [](Rule& rule, std::string_view v) { return parse_ms(v, rule.intake.read_delay); }},
    Key{"reset-after",
        [](Rule& rule, std::string_view v) {
          return parse_optional(v, rule.intake.reset_after_bytes);
        }},
    Key{"body-max",
        [](Rule& rule, std::string_view v) { return parse_optional(v, rule.intake.body_bytes_max); }},
};

const Key* find_key(std::string_view name) {
  for (const Key& key : kKeys) {
    if (key.name == name) return &key;
  }
  return nullptr;
}

bool path_matches(std::string_view pattern, std::string_view path) {
  if (pattern.empty()) return true;
  if (pattern.back() != '*') return pattern == path;
  pattern.remove_suffix(1);
  return path.substr(0, pattern.size()) == pattern;
}

}  // namespace

bool Intake::is_default() const {
  return !never_read && answer_continue && read_delay == Clock::duration::zero() &&
         !reset_after_bytes && !body_bytes_max;
}

core::Result<Rule> parse_rule(std::string_view text) {
  Rule rule;
  while (!text.empty()) {
    const std::string_view pair = text.substr(0, text.find(';'));
    text.remove_prefix(std::min(text.size(), pair.size() + 1));
    if (pair.empty()) continue;
    const size_t equals = pair.find('=');
    const std::string name(pair.substr(0, equals));
    const Key* key = find_key(name);
    if (key == nullptr) return {ErrorCode::UnknownKey, "rule: unknown key " + name, name};
    if (equals == std::string_view::npos || !key->set(rule, pair.substr(equals + 1))) {
      return {ErrorCode::BadValue, "rule: bad value of " + name, name};
    }
  }
  if (!rule.intake.is_default() && (!rule.marker.empty() || rule.larger_than)) {
    return {ErrorCode::BadValue, "rule: a body condition cannot decide how the body is read",
            "marker"};
  }
  return rule;
}

const char* rule_help() {
  return "A rule is key=value pairs separated by ';'. The first rule that matches wins.\n"
         "  conditions: path=/exact or path=/prefix*  marker=TEXT  larger-than=BYTES\n"
         "              first=N  every=N\n"
         "  answer:     status=CODE  statuses=CODE,CODE,...  header=Name: value  body=TEXT\n"
         "              fill-bytes=N  endless=yes  length-error=N  raw=TEXT  delay-ms=N\n"
         "              framing=length|chunked|chunked-garbage|until-close\n"
         "              stop-at=before-head|after-head|mid-body  stop-action=hang|close|reset\n"
         "              keep-alive=yes|no|silent-close\n"
         "  reading:    read=never  continue=never  read-delay-ms=N  reset-after=BYTES  "
         "body-max=BYTES\n";
}

std::optional<AcceptFault> parse_accept_fault(std::string_view text) {
  AcceptFault fault = AcceptFault::None;
  if (!parse_name(text, fault,
                  {{"none", AcceptFault::None},
                   {"never-read", AcceptFault::NeverRead},
                   {"close", AcceptFault::Close},
                   {"reset", AcceptFault::Reset},
                   {"garbage", AcceptFault::Garbage}})) {
    return std::nullopt;
  }
  return fault;
}

void RuleBook::set_accept_fault(AcceptFault fault) {
  const std::lock_guard lock(mutex_);
  accept_fault_ = fault;
}

void RuleBook::set_default(Reply reply) {
  const std::lock_guard lock(mutex_);
  default_ = std::move(reply);
}

void RuleBook::set_rules(std::vector<Rule> rules) {
  const std::lock_guard lock(mutex_);
  rules_.clear();
  for (Rule& rule : rules) rules_.push_back({std::move(rule), 0});
}

void RuleBook::set_decide(Decide decide) {
  const std::lock_guard lock(mutex_);
  decide_ = decide ? std::make_shared<const Decide>(std::move(decide)) : nullptr;
}

AcceptFault RuleBook::accept_fault() const {
  const std::lock_guard lock(mutex_);
  return accept_fault_;
}

Intake RuleBook::intake_for(const Request& head) {
  const std::lock_guard lock(mutex_);
  for (Counted& counted : rules_) {
    const bool is_candidate =
        !counted.rule.intake.is_default() && path_matches(counted.rule.path, head.path);
    if (is_candidate && is_its_turn(counted)) return counted.rule.intake;
  }
  return {};
}

Reply RuleBook::reply_for(const Request& request) {
  std::unique_lock lock(mutex_);
  if (decide_) {
    const std::shared_ptr<const Decide> decide = decide_;
    lock.unlock();
    if (std::optional<Reply> reply = (*decide)(request)) return *std::move(reply);
    lock.lock();
  }
  for (Counted& counted : rules_) {
    if (!counted.rule.intake.is_default() || !matches(counted.rule, request)) continue;
    if (!is_its_turn(counted)) continue;
    Reply reply = counted.rule.reply;
    const std::vector<int>& statuses = counted.rule.statuses;
    if (!statuses.empty()) {
      reply.status = statuses[std::min<uint64_t>(counted.match_count, statuses.size()) - 1];
    }
    return reply;
  }
  return default_;
}

bool RuleBook::needs_body() const {
  const std::lock_guard lock(mutex_);
  if (decide_) return true;
  for (const Counted& counted : rules_) {
    if (!counted.rule.marker.empty()) return true;
  }
  return false;
}

bool RuleBook::matches(const Rule& rule, const Request& request) {
  if (!path_matches(rule.path, request.path)) return false;
  if (rule.larger_than && request.body_size_bytes <= *rule.larger_than) return false;
  return rule.marker.empty() || request.body.find(rule.marker) != std::string::npos;
}

bool RuleBook::is_its_turn(Counted& counted) {
  ++counted.match_count;
  if (counted.rule.first != 0 && counted.match_count > counted.rule.first) return false;
  return counted.rule.every == 0 || counted.match_count % counted.rule.every == 0;
}

}  // namespace posthaste::testing
