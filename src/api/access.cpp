#include "api/access.h"

#include <algorithm>
#include <chrono>

#include "core/address_policy.h"

namespace posthaste::api {
namespace {

constexpr uint32_t kFailuresMax = 20;
constexpr core::Duration kFailuresWindow = std::chrono::minutes(1);
constexpr size_t kPeersMax = 4096;

// Whoever has one IPv6 address has 2^64 of them.
std::string network_of(std::string_view peer) {
  const auto address = core::Address::parse(peer);
  if (!address || address->is_v4()) return std::string(peer);
  return std::string(address->bytes.begin(), address->bytes.begin() + 8);
}

}  // namespace

bool FailureBrake::fail(std::string_view peer, core::Instant now) {
  if (peer.empty()) return false;
  const std::lock_guard lock(mutex_);
  const std::string network = network_of(peer);
  if (failures_.size() >= kPeersMax && !failures_.contains(network)) {
    const auto oldest = std::min_element(
        failures_.begin(), failures_.end(),
        [](const auto& a, const auto& b) { return a.second.since < b.second.since; });
    failures_.erase(oldest);
  }
  Failures& failures = failures_[network];
  if (failures.count == 0 || now - failures.since >= kFailuresWindow) failures = {0, now};
  return ++failures.count > kFailuresMax;
}

Access identify(const HttpRequest& request, engine::Engine& engine, FailureBrake& brake) {
  Access access;
  // An engine that does not run has no keys, and answers nobody.
  const auto keys = engine.api_keys();
  if (!keys) {
    access.refusal = engine_error(keys.error());
    return access;
  }
  access.identity = request.identity;
  if (access.identity) return access;
  const std::string key = api_key_of(request);
  if (const auto found = key.empty() ? std::nullopt : (*keys)->find(key)) {
    access.identity = Identity{found->may_modify, found->subaccount};
    return access;
  }
  access.refusal = error_answer(unauthorized());
  // A missing key is no guess.
  if (!key.empty() && brake.fail(request.peer, engine.now())) {
    access.refusal =
        error_answer({.status = 429, .message = "Too many failed attempts from this address"});
    access.refusal.headers.push_back({"Retry-After", "60"});
  }
  return access;
}

}  // namespace posthaste::api
