#include "transport/token_cache.h"

#include <algorithm>
#include <utility>

#include "core/wipe.h"

namespace posthaste::transport {
namespace {

// A token is not used in its last tenth, so that it does not expire on the way; a minute suffices.
constexpr int kReservedShare = 10;
constexpr core::Duration kReservedMax = std::chrono::minutes(1);

}  // namespace

TokenCache::~TokenCache() {
  for (auto entry = entries_.begin(); entry != entries_.end();) entry = erase(entry);
}

const std::string* TokenCache::find(const std::string& credentials, core::Instant now) const {
  const auto found = entries_.find(credentials);
  if (found == entries_.end() || now >= found->second.expires) return nullptr;
  return &found->second.token;
}

void TokenCache::put(const std::string& credentials, std::string token, core::Duration lifetime,
                     core::Instant now) {
  if (!entries_.contains(credentials)) make_room(now);
  Entry& entry = entries_[credentials];
  core::wipe(entry.token);
  entry.token = std::move(token);
  entry.fetched_at = now;
  entry.expires = now + lifetime - std::min(lifetime / kReservedShare, kReservedMax);
}

bool TokenCache::renew(const std::string& credentials, const std::string& refused_token,
                       core::Instant now) {
  const auto found = entries_.find(credentials);
  // Expired and forgotten meanwhile, or fetched anew for somebody else.
  if (found == entries_.end() || found->second.token != refused_token) return true;
  if (now - found->second.fetched_at < kTokenRenewalInterval) return false;
  found->second.expires = now;
  return true;
}

// Those that have expired go, else the one that was fetched first.
void TokenCache::make_room(core::Instant now) {
  if (entries_.size() < kTokensMax) return;
  for (auto entry = entries_.begin(); entry != entries_.end();) {
    entry = now >= entry->second.expires ? erase(entry) : std::next(entry);
  }
  if (entries_.size() < kTokensMax) return;
  erase(std::min_element(entries_.begin(), entries_.end(), [](const auto& a, const auto& b) {
    return a.second.fetched_at < b.second.fetched_at;
  }));
}

// The key holds the credentials themselves.
TokenCache::Entries::iterator TokenCache::erase(Entries::iterator entry) {
  const auto next = std::next(entry);
  auto node = entries_.extract(entry);
  core::wipe(node.key());
  core::wipe(node.mapped().token);
  return next;
}

}  // namespace posthaste::transport
