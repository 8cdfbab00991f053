#include "simulation/token_watch.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>

namespace posthaste::simulation {

using core::Instant;
using namespace std::chrono_literals;

namespace {

constexpr std::string_view kTokenHosts = "http://tokens-";
constexpr std::string_view kBearer = "Bearer ";

std::string text_of(const transport::Request& request) {
  std::string text(request.body->size_bytes(), '\0');
  text.resize(request.body->read(0, text.data(), text.size()));
  return text;
}

// The value behind `name` in a flat JSON object, without its quotes.
std::string member_of(const std::string& json, const std::string& name) {
  const size_t at = json.find("\"" + name + "\":");
  if (at == std::string::npos) return {};
  const size_t from = json.find_first_not_of("\" ", at + name.size() + 3);
  return json.substr(from, json.find_first_of("\",}", from) - from);
}

}  // namespace

bool is_token_request(const transport::Request& request) {
  return request.url.starts_with(kTokenHosts);
}

std::string token_key_of(const core::DeliverySettings& settings) {
  const std::string& id = settings.oauth2_client_id;
  const std::string& secret = settings.oauth2_client_secret;
  return settings.oauth2_url + " " +
         (settings.oauth2_body == core::TokenBody::Form
              ? "grant_type=client_credentials&client_id=" + id + "&client_secret=" + secret
              : R"({"grant_type":"client_credentials","client_id":")" + id +
                    R"(","client_secret":")" + secret + "\"}");
}

std::string token_request_key(const transport::Request& request) {
  return request.url + " " + text_of(request);
}

std::string token_of(const transport::Request& request) {
  for (const transport::HeaderField& header : request.headers) {
    if (header.name != "Authorization" || !header.value.starts_with(kBearer)) continue;
    return header.value.substr(kBearer.size());
  }
  return {};
}

TokenWatch::Finding TokenWatch::on_begin(const test::SimExchange& exchange, Instant now) {
  const std::string key = token_request_key(exchange.request);
  Known& known = known_[key];
  if (known.is_running) return "two token requests with equal credentials run to " + key;
  known.is_running = true;
  known.request_id = exchange.request.id;
  if (known.token.empty() || now >= known.usable_until) {
    ++counts_[known.token.empty() ? "token asked for" : "token asked for again"];
    return {};
  }
  if (!known.is_refused) return "a token is asked for while another is good: " + key;
  if (now - known.fetched < 1min) return "a refused token is renewed too soon: " + key;
  ++counts_["token renewed"];
  return {};
}

void TokenWatch::on_end(const test::SimExchange& exchange) {
  for (auto& [key, known] : known_) {
    if (!known.is_running || known.request_id != exchange.request.id) continue;
    if (exchange.is_cancelled) {
      known.is_running = false;
      return;
    }
    known.has_ended = true;
    const int32_t status = exchange.completion.status;
    known.answer = status / 100 == 2 ? exchange.completion.response_body : std::string();
    return;
  }
}

void TokenWatch::settle(Instant now) {
  for (auto& [key, known] : known_) {
    if (!std::exchange(known.has_ended, false)) continue;
    known.is_running = false;
    std::string token = member_of(known.answer, "access_token");
    if (token.empty()) {
      ++counts_["token refused"];
      known.failed = now;
      continue;
    }
    ++counts_["token got"];
    const std::chrono::seconds lifetime(
        std::strtoll(member_of(known.answer, "expires_in").c_str(), nullptr, 10));
    known.token = std::move(token);
    known.is_refused = false;
    known.fetched = now;
    // Not in its last tenth, of which a minute suffices.
    known.usable_until =
        now + lifetime - std::min<core::Duration>(core::Duration(lifetime) / 10, 1min);
  }
}

void TokenWatch::on_refused(const std::string& token) {
  for (auto& [key, known] : known_) {
    if (known.token == token) known.is_refused = true;
  }
}

TokenWatch::Finding TokenWatch::check_use(const std::string& key, const std::string& token,
                                          const std::string& refused, Instant now) const {
  const auto place = known_.find(key);
  if (place == known_.end() || place->second.token != token) {
    return "token " + token + " is not the latest of its credentials";
  }
  if (token == refused) return "token " + token + " is sent again to who refused it";
  const Known& known = place->second;
  // Who waited for a token gets it, however short its life.
  if (now >= known.usable_until && now != known.fetched) return "token " + token + " is too old";
  return {};
}

bool TokenWatch::must_renew(const std::string& key, const std::string& token, Instant now) const {
  const auto place = known_.find(key);
  if (place == known_.end() || place->second.token != token) return true;
  return now - place->second.fetched >= 1min;
}

bool TokenWatch::is_running(const std::string& key) const {
  const auto place = known_.find(key);
  return place != known_.end() && place->second.is_running;
}

bool TokenWatch::has_failed(const std::string& key, Instant now) const {
  const auto place = known_.find(key);
  return place != known_.end() && place->second.failed == now;
}

}  // namespace posthaste::simulation
