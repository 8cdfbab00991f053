#include "engagement/hit.h"

#include <algorithm>
#include <iterator>

#include "engagement/html_scanner.h"
#include "engagement/settings.h"

namespace posthaste::engagement {
namespace {

constexpr size_t kOneClickSizeMax = 4096;
constexpr std::string_view kBlanks = " \t\r\n";

// Image proxies of mailbox providers that name themselves.
constexpr std::string_view kProxies[] = {"googleimageproxy", "ggpht.com", "yahoomailproxy"};
// Programs that fetch by themselves, and say so.
constexpr std::string_view kRobots[] = {"bot/",      "bot-",       "bot)",     "bot (",
                                        "crawl",     "spider",     "scanner",  "slurp",
                                        "linkcheck", "urlcheck",   "preview",  "barracuda",
                                        "mimecast",  "proofpoint", "headless", "externalhit"};
// Libraries and tools: nobody reads mail with them, but somebody may have typed the command.
constexpr std::string_view kTools[] = {"curl/",  "wget/", "python", "go-http-client",   "libwww",
                                       "java/",  "ruby",  "perl",   "node-fetch",       "axios/",
                                       "undici", "php/",  "httpie", "apache-httpclient"};

std::string lower_text(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](char letter) {
    return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter + ('a' - 'A')) : letter;
  });
  return out;
}

template <size_t kCount>
bool has_one_of(const std::string& text, const std::string_view (&words)[kCount]) {
  return std::any_of(std::begin(words), std::end(words),
                     [&](std::string_view word) { return text.find(word) != std::string::npos; });
}

bool is_robot(const std::string& agent) {
  return agent.ends_with("bot") || has_one_of(agent, kRobots);
}

std::string_view trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

// The value of the field `List-Unsubscribe` in a form body is One-Click.
bool has_urlencoded_field(std::string_view body) {
  while (!body.empty()) {
    const std::string_view pair = body.substr(0, body.find('&'));
    if (equals_lower(trimmed(pair), "list-unsubscribe=one-click")) return true;
    body.remove_prefix(std::min(pair.size() + 1, body.size()));
  }
  return false;
}

bool has_multipart_field(const std::string& lower_body) {
  const size_t name = lower_body.find("name=\"list-unsubscribe\"");
  if (name == std::string::npos) return false;
  const size_t head_end = lower_body.find("\r\n\r\n", name);
  return head_end != std::string::npos &&
         std::string_view(lower_body).substr(head_end + 4).starts_with("one-click\r\n");
}

}  // namespace

std::string_view Hit::header(std::string_view lower_name) const {
  const size_t count = posthaste_request_header_count(request_);
  for (size_t i = 0; i < count; ++i) {
    if (equals_lower(posthaste_request_header_name(request_, i), lower_name)) {
      return trimmed(posthaste_request_header_value(request_, i));
    }
  }
  return {};
}

std::string_view Hit::token() const {
  std::string_view path = posthaste_request_target(request_);
  path = path.substr(0, path.find_first_of("?#"));
  const size_t slash = path.rfind('/');
  if (slash == std::string_view::npos || !path.substr(0, slash + 1).ends_with("/t/")) return {};
  return path.substr(slash + 1);
}

std::string Hit::client_address(const std::vector<std::string>& proxies) const {
  const auto is_proxy = [&](const std::string& address) {
    return std::find(proxies.begin(), proxies.end(), address) != proxies.end();
  };
  const std::string peer = posthaste_request_peer(request_);
  std::string client = usual_address(peer);
  // A host may know its peers by something else, such as the path of a socket.
  if (client.empty()) return peer;
  // Each proxy adds the address it was asked from at the end, so those are known from the right.
  for (size_t i = posthaste_request_header_count(request_); i-- > 0;) {
    if (!equals_lower(posthaste_request_header_name(request_, i), "x-forwarded-for")) continue;
    std::string_view list = posthaste_request_header_value(request_, i);
    for (size_t comma = 0; comma != std::string_view::npos && is_proxy(client);) {
      comma = list.rfind(',');
      std::string said = usual_address(
          std::string(trimmed(list.substr(comma == std::string_view::npos ? 0 : comma + 1))));
      if (said.empty()) return client;
      client = std::move(said);
      list = list.substr(0, comma == std::string_view::npos ? 0 : comma);
    }
  }
  return client;
}

bool Hit::is_one_click() const {
  size_t size = 0;
  const char* const data = posthaste_request_body(request_, &size);
  const std::string_view body(data, std::min(size, kOneClickSizeMax));
  const std::string type = lower_text(header("content-type"));
  return type.starts_with("multipart/form-data") ? has_multipart_field(lower_text(body))
                                                 : has_urlencoded_field(body);
}

Hints Hit::hints() const {
  Hints hints;
  const std::string agent = lower_text(header("user-agent"));
  const std::string_view client_hint = header("sec-ch-ua-mobile");
  if (client_hint == "?1" || client_hint == "?0") {
    hints.is_mobile = client_hint == "?1";
  } else if (!agent.empty()) {
    hints.is_mobile = agent.find("mobi") != std::string::npos;
  }
  hints.is_proxy = has_one_of(agent, kProxies);
  hints.is_declared = method() == "HEAD" || is_robot(agent);
  for (const std::string_view name : {"sec-purpose", "purpose", "x-purpose", "x-moz"}) {
    const std::string purpose = lower_text(header(name));
    for (const std::string_view word : {"prefetch", "prerender", "preview"}) {
      hints.is_declared |= purpose.find(word) != std::string::npos;
    }
  }
  // Apple's mail program loads all images when mail arrives, through relays, under this name alone.
  const bool is_relayed = agent == "mozilla/5.0";
  hints.is_proxy |= is_relayed;
  hints.is_prefetched =
      hints.is_declared || is_relayed || agent.empty() || has_one_of(agent, kTools);
  return hints;
}

}  // namespace posthaste::engagement
