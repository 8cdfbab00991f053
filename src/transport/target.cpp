#include "transport/target.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <fmt/format.h>
#include <strings.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <utility>

namespace posthaste::transport {
namespace {

using core::ErrorCode;
using core::Result;

struct UrlFree {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};
using Url = std::unique_ptr<CURLU, UrlFree>;

core::Error bad(std::string message) {
  return {ErrorCode::BadTarget, std::move(message), "target"};
}

bool is_control(char c) {
  return (c >= 0 && c < 0x20) || c == 0x7f;
}

bool is_ascii(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) { return c < 0; });
}

size_t scheme_size(std::string_view text) {
  for (const std::string_view prefix : {"http://", "https://"}) {
    if (text.size() >= prefix.size() &&
        strncasecmp(text.data(), prefix.data(), prefix.size()) == 0) {
      return prefix.size();
    }
  }
  return 0;
}

std::string_view authority_of(std::string_view text, size_t begin) {
  const size_t end = std::min(text.find_first_of("/?#", begin), text.size());
  return text.substr(begin, end - begin);
}

// The parts of the text that are the target's own, credentials and fragment cut out.
struct Pieces {
  std::string url;
  std::string_view user_info;
  bool has_user_info = false;
};

Pieces split(std::string_view text, size_t begin) {
  const std::string_view authority = authority_of(text, begin);
  const std::string_view without_fragment = text.substr(0, text.find('#'));
  const size_t at = authority.rfind('@');
  if (at == std::string_view::npos) return {std::string(without_fragment), {}, false};
  Pieces pieces;
  pieces.url.append(text.substr(0, begin)).append(without_fragment.substr(begin + at + 1));
  pieces.user_info = authority.substr(0, at);
  pieces.has_user_info = true;
  return pieces;
}

core::Error check_bytes(std::string_view text) {
  if (text.empty()) return bad("the target is empty");
  if (text.size() > kTargetBytesMax) {
    return bad(fmt::format("the target has {} bytes, at most {} are allowed", text.size(),
                           kTargetBytesMax));
  }
  if (std::any_of(text.begin(), text.end(), is_control)) {
    return bad("the target contains a control character");
  }
  if (text.find(' ') != std::string_view::npos) return bad("the target contains a space");
  return {};
}

// A scheme is only echoed when it is one; anything else could be the beginning of credentials.
core::Error bad_scheme(std::string_view text) {
  const size_t colon = text.find("://");
  const std::string_view scheme = text.substr(0, colon == std::string_view::npos ? 0 : colon);
  const bool is_scheme = !scheme.empty() && scheme.size() <= 20 &&
                         scheme.find_first_not_of(
                             "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                             "0123456789+-.") == std::string_view::npos;
  if (is_scheme) {
    return bad(fmt::format("the target's scheme '{}' is not http or https", scheme));
  }
  return bad("the target does not begin with http:// or https://");
}

core::Error bad_url(CURLUcode code) {
  switch (code) {
    case CURLUE_BAD_PORT_NUMBER:
      return bad("the target's port is not a number from 1 to 65535");
    case CURLUE_NO_HOST:
      return bad("the target has no host");
    case CURLUE_BAD_IPV6:
      return bad("the target's IPv6 address is malformed");
    case CURLUE_BAD_HOSTNAME:
      return bad("the target's host name is malformed");
    default:
      return bad(fmt::format("the target is not a valid URL: {}", curl_url_strerror(code)));
  }
}

// Empty when the part is absent.
Result<std::string> get(CURLU* url, CURLUPart part, unsigned flags = 0) {
  char* text = nullptr;
  const CURLUcode code = curl_url_get(url, part, &text, flags);
  if (code != CURLUE_OK) return bad_url(code);
  std::string copy(text);
  curl_free(text);
  return copy;
}

// Percent-decoding of one half of `user:password`; nothing when it is malformed or hides a control
// character.
std::optional<std::string> decode(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '%') {
      unsigned value = 0;
      if (i + 2 >= text.size()) return std::nullopt;
      const auto [end, error] = std::from_chars(&text[i + 1], &text[i + 1] + 2, value, 16);
      if (error != std::errc{} || end != &text[i + 1] + 2) return std::nullopt;
      c = static_cast<char>(value);
      i += 2;
    }
    if (is_control(c)) return std::nullopt;
    out.push_back(c);
  }
  return out;
}

Result<BasicCredentials> parse_user_info(std::string_view user_info) {
  const size_t colon = user_info.find(':');
  const bool has_password = colon != std::string_view::npos;
  const auto user = decode(user_info.substr(0, colon));
  const auto password = decode(has_password ? user_info.substr(colon + 1) : std::string_view());
  if (!user || !password) return bad("the target's user name or password is malformed");
  // RFC 7617 section 2: the first colon ends the user name.
  if (user->find(':') != std::string::npos) return bad("the target's user name contains a colon");
  return BasicCredentials{*user, *password};
}

// libcurl converts international names by the process's locale, which is the host's: the same
// target would be good in one program and bad in another.
Result<std::string> ascii_host(CURLU* url) {
  auto host = get(url, CURLUPART_HOST);
  if (!host || is_ascii(*host)) return host;
  return bad("the target's host name is not ASCII, write it as xn--...");
}

Result<Origin> parse_origin(CURLU* url) {
  char* zone = nullptr;
  if (curl_url_get(url, CURLUPART_ZONEID, &zone, 0) == CURLUE_OK) {
    curl_free(zone);
    return bad("the target's IPv6 address has a zone, which is not supported");
  }
  auto scheme = get(url, CURLUPART_SCHEME);
  if (!scheme) return scheme.error();
  auto host = ascii_host(url);
  if (!host) return host.error();
  auto port_text = get(url, CURLUPART_PORT, CURLU_DEFAULT_PORT);
  if (!port_text) return port_text.error();
  uint16_t port = 0;
  const char* end = port_text->data() + port_text->size();
  if (std::from_chars(port_text->data(), end, port).ptr != end || port == 0) {
    return bad_url(CURLUE_BAD_PORT_NUMBER);
  }
  Origin origin{*scheme, *host, port};
  for (std::string* text : {&origin.scheme, &origin.host}) {
    std::transform(text->begin(), text->end(), text->begin(), [](char c) {
      return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
  }
  return origin;
}

}  // namespace

Result<Target> parse_target(std::string_view text) {
  if (core::Error error = check_bytes(text); error.code != ErrorCode::Ok) return error;
  const size_t begin = scheme_size(text);
  if (begin == 0) return bad_scheme(text);
  Pieces pieces = split(text, begin);
  // libcurl forgives a third slash, and takes what follows for the host.
  if (authority_of(pieces.url, begin).empty()) return bad_url(CURLUE_NO_HOST);

  Target target;
  if (pieces.has_user_info) {
    auto credentials = parse_user_info(pieces.user_info);
    if (!credentials) return credentials.error();
    target.credentials = std::move(*credentials);
  }
  const Url url(curl_url());
  if (url == nullptr) return {ErrorCode::NoMemory, "libcurl has no memory"};
  const CURLUcode code = curl_url_set(url.get(), CURLUPART_URL, pieces.url.c_str(),
                                      CURLU_PATH_AS_IS | CURLU_URLENCODE | CURLU_DISALLOW_USER);
  if (code != CURLUE_OK) return bad_url(code);
  auto origin = parse_origin(url.get());
  if (!origin) return origin.error();
  target.origin = std::move(*origin);
  if (is_ascii(pieces.url)) {
    target.url = std::move(pieces.url);
    return target;
  }
  auto encoded = get(url.get(), CURLUPART_URL);
  if (!encoded) return encoded.error();
  target.url = std::move(*encoded);
  return target;
}

std::string origin_text(const Origin& origin) {
  const bool is_own_port = origin.port == (origin.scheme == "https" ? 443 : 80);
  if (is_own_port) return fmt::format("{}://{}", origin.scheme, origin.host);
  return fmt::format("{}://{}:{}", origin.scheme, origin.host, origin.port);
}

std::string_view host_of_url(std::string_view url) {
  const std::string_view authority = authority_of(url, scheme_size(url));
  if (authority.starts_with('[')) return authority.substr(1, authority.find(']') - 1);
  return authority.substr(0, authority.find(':'));
}

std::optional<core::Address> address_of_url(std::string_view text) {
  const Url url(curl_url());
  if (url == nullptr || curl_url_set(url.get(), CURLUPART_URL, std::string(text).c_str(),
                                     CURLU_PATH_AS_IS) != CURLUE_OK) {
    return std::nullopt;
  }
  const auto host = get(url.get(), CURLUPART_HOST);
  if (!host) return std::nullopt;
  const bool is_bracketed = host->starts_with('[') && host->ends_with(']');
  const std::string_view name = *host;
  return core::Address::parse(is_bracketed ? name.substr(1, name.size() - 2) : name);
}

bool is_address_literal_url(std::string_view url) {
  const std::string host(host_of_url(url));
  in_addr address{};
  return host.find(':') != std::string::npos || inet_pton(AF_INET, host.c_str(), &address) == 1;
}

std::string printable_url(std::string_view text) {
  constexpr size_t kPrintedBytesMax = 256;
  std::string url(text);
  const size_t scheme_end = url.find("://");
  const bool is_relative = url.compare(0, 2, "//") == 0;
  const size_t host = is_relative ? 2 : scheme_end == std::string::npos ? 0 : scheme_end + 3;
  const size_t host_end = url.find_first_of("/?#\\", host);
  const size_t at = url.rfind('@', host_end);
  if (at != std::string::npos && at >= host) url.erase(host, at + 1 - host);
  const auto is_control = [](char c) { return (c >= 0 && c < ' ') || c == 0x7f; };
  std::replace_if(url.begin(), url.end(), is_control, '?');
  if (url.size() > kPrintedBytesMax) url.resize(kPrintedBytesMax);
  return url;
}

}  // namespace posthaste::transport
