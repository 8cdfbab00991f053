#include "engagement/engagement.h"

#include <memory>

#include "engagement/html_rewriter.h"
#include "engagement/target.h"
#include "json/utf8.h"

namespace posthaste::engagement {
namespace {

using core::ErrorCode;

constexpr size_t kHeaderSizeMax = 1024;  // of what a client says about itself
// Keeps a first visit of a machine apart from the first one of a person.
constexpr uint64_t kMachineMark = 0x9e3779b97f4a7c15u;

// A transparent GIF of one pixel.
constexpr char kPixel[] =
    "GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff\x21\xf9\x04\x01\x00\x00\x00\x00"
    "\x2c\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02\x44\x01\x00\x3b";
// Asked for by GET, a list-unsubscribe URL changes nothing (RFC 8058, section 3.2).
constexpr std::string_view kQuestion =
    "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Unsubscribe</title>"
    "<meta name=\"viewport\" content=\"width=device-width\"></head><body>"
    "<form method=\"post\"><p>Do you want to unsubscribe?</p>"
    "<button name=\"List-Unsubscribe\" value=\"One-Click\">Unsubscribe</button></form>"
    "</body></html>\n";
constexpr std::string_view kUnsubscribed = "You are unsubscribed.\n";

constexpr char kPlainText[] = "text/plain; charset=utf-8";

Answer text_answer(int32_t status, std::string_view text) {
  Answer answer;
  answer.status = status;
  answer.content_type = kPlainText;
  answer.body = text;
  return answer;
}

Answer not_allowed(const char* allowed) {
  Answer answer = text_answer(405, "method not allowed\n");
  answer.header_name = "Allow";
  answer.header_value = allowed;
  return answer;
}

struct EventFree {
  void operator()(posthaste_event_t* event) const { posthaste_event_free(event); }
};

void set_text(posthaste_event_t* event, const char* key, std::string_view text) {
  text = text.substr(0, kHeaderSizeMax);
  if (!text.empty()) posthaste_event_set_text(event, key, text.data(), text.size());
}

bool has_target(LinkKind kind) {
  return kind == LinkKind::Click || kind == LinkKind::Unsubscribe;
}

}  // namespace

// One request for a link that is ours.
struct Engagement::Visit {
  posthaste_t* ph;
  const Hit& hit;
  const Hints hints;
  const VerifiedLink& verified;
  const bool is_get;  // or HEAD

  const Link& link() const { return verified.link; }
};

Engagement::Engagement(Settings settings)
    : settings_(std::move(settings)),
      prefix_(settings_.url + "/t/"),
      signer_(settings_.keys),
      seen_(settings_.seen_count_max) {}

core::Result<std::string> Engagement::url_within(const Context& context, LinkKind kind,
                                                 std::string_view target,
                                                 std::string_view name) const {
  for (const std::string* text : {&context.full, &context.essential}) {
    const auto token = signer_.sign({kind, *text, std::string(target), std::string(name)});
    if (!token) return token.error();
    std::string url = prefix_ + *token;
    if (url.size() <= settings_.url_length_max) return url;
  }
  return {ErrorCode::TooLarge, "the link is longer than url.max_length allows", "url.max_length"};
}

core::Result<std::string> Engagement::make_url(LinkKind kind, std::string_view context,
                                               std::string_view target,
                                               std::string_view name) const {
  const auto parsed = Context::parse(context, nullptr, catalogue_);
  if (!parsed) return parsed.error();
  if (!has_target(kind)) return url_within(*parsed, kind, {}, {});
  if (!is_target(target)) {
    return {ErrorCode::BadTarget, "target: not an absolute http or https URL in UTF-8", "target"};
  }
  return url_within(*parsed, kind, target, json::repair_utf8(name));
}

core::Result<std::string> Engagement::rewrite(std::string_view html, std::string_view context,
                                              const Tracking& tracking) const {
  const auto parsed = Context::parse(context, &tracking, catalogue_);
  if (!parsed) return parsed.error();
  const auto make = [&](LinkKind kind, std::string_view target,
                        std::string_view name) -> std::optional<std::string> {
    auto url = url_within(*parsed, kind, target, name);
    return url ? std::optional(std::move(*url)) : std::nullopt;
  };
  return rewrite_html(html, {tracking, prefix_, make});
}

Answer Engagement::handle(posthaste_t* ph, const posthaste_request_t* request, int32_t timeout_ms) {
  const Hit hit(request);
  const auto verified = signer_.verify(hit.token());
  const bool is_ours =
      verified && (!has_target(verified->link.kind) || is_target(verified->link.target));
  if (!is_ours) return text_answer(404, "not found\n");
  const bool is_get = hit.method() == "GET" || hit.method() == "HEAD";
  const Visit visit{ph, hit, hit.hints(), *verified, is_get};
  if (verified->link.kind == LinkKind::ListUnsubscribe) return unsubscribe(visit, timeout_ms);
  if (!is_get) return not_allowed("GET, HEAD");
  return has_target(verified->link.kind) ? follow(visit) : open(visit);
}

Answer Engagement::open(const Visit& visit) {
  if (visit.link().kind == LinkKind::Open) {
    push(visit, "open");
  } else {
    const uint64_t id = visit.verified.id ^ (visit.hints.is_prefetched ? kMachineMark : 0);
    // What could not be told is told by the next visit.
    if (!seen_.note(id) && push(visit, "initial_open") != POSTHASTE_OK) seen_.forget(id);
  }
  Answer answer;
  answer.content_type = "image/gif";
  answer.body = std::string_view(kPixel, sizeof kPixel - 1);
  return answer;
}

Answer Engagement::follow(const Visit& visit) {
  // A robot that looks where the link leads does not unsubscribe anybody.
  const bool is_unsubscription =
      visit.link().kind == LinkKind::Unsubscribe && !visit.hints.is_declared;
  push(visit, is_unsubscription ? "link_unsubscribe" : "click");
  Answer answer;
  answer.status = 302;
  answer.header_name = "Location";
  answer.header_value = location_of(visit.link().target);
  return answer;
}

Answer Engagement::unsubscribe(const Visit& visit, int32_t timeout_ms) {
  if (visit.is_get) {
    Answer answer;
    answer.content_type = "text/html; charset=utf-8";
    answer.body = kQuestion;
    return answer;
  }
  if (visit.hit.method() != "POST") return not_allowed("GET, HEAD, POST");
  if (!visit.hit.is_one_click()) {
    return text_answer(400, "the form must have List-Unsubscribe=One-Click\n");
  }
  // What is answered 200 must not be lost: whoever asked does not ask again.
  if (push(visit, "list_unsubscribe") == POSTHASTE_OK) {
    // In memory mode there is no disk to wait for.
    const int32_t code = posthaste_sync(visit.ph, timeout_ms, nullptr);
    const bool is_kept = code == POSTHASTE_OK || code == POSTHASTE_E_STATE;
    if (is_kept) return text_answer(200, kUnsubscribed);
  }
  Answer answer = text_answer(503, "try again later\n");
  answer.header_name = "Retry-After";
  answer.header_value = "60";
  return answer;
}

int32_t Engagement::push(const Visit& visit, const char* type) const {
  const std::unique_ptr<posthaste_event_t, EventFree> event(posthaste_event_new(type));
  if (!event) return POSTHASTE_E_NO_MEMORY;
  const core::EventTypeInfo info = catalogue_.type_info(catalogue_.find(type).id);
  set_context(visit.link().context, info, event.get());
  set_request(visit, info, event.get());
  const int32_t code = posthaste_push_event(visit.ph, event.get());
  if (code != POSTHASTE_OK) {
    const std::string line =
        std::string("engagement: ") + type + " lost: " + posthaste_strerror(code);
    posthaste_log(visit.ph, POSTHASTE_LOG_WARNING, line.c_str());
  }
  return code;
}

// What the request says, as far as events of the type have it.
void Engagement::set_request(const Visit& visit, const core::EventTypeInfo& type,
                             posthaste_event_t* event) const {
  const auto set = [&](const char* key, std::string_view text) {
    if (has_field(type, key)) set_text(event, key, text);
  };
  set("ip_address", visit.hit.client_address(settings_.proxies));
  set("user_agent", visit.hit.header("user-agent"));
  set("accept_language", visit.hit.header("accept-language"));
  if (has_field(type, "target_link_url") && !visit.link().target.empty()) {
    const std::string& url = visit.link().target;
    posthaste_event_set_text(event, "target_link_url", url.data(), url.size());
    set("target_link_name", visit.link().name);
  }
  if (!has_field(type, "user_agent_parsed")) return;
  posthaste_event_begin_object(event, "user_agent_parsed");
  if (visit.hints.is_mobile) posthaste_event_set_bool(event, "is_mobile", *visit.hints.is_mobile);
  posthaste_event_set_bool(event, "is_proxy", visit.hints.is_proxy);
  posthaste_event_set_bool(event, "is_prefetched", visit.hints.is_prefetched);
  posthaste_event_end(event);
}

}  // namespace posthaste::engagement
