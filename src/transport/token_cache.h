// OAuth 2 access tokens by the credentials they were got with. The delivery step asks for one
// before it sends, and says which were refused. Pure: it fetches nothing and takes the time from
// its caller.
#pragma once

#include <cstddef>
#include <map>
#include <string>

#include "core/time.h"

namespace posthaste::transport {

inline constexpr size_t kTokensMax = 4096;
// Between two fetches because a receiver did not like the token: whether the token or something
// else is wrong cannot be told from a 400.
inline constexpr core::Duration kTokenRenewalInterval = std::chrono::minutes(1);

// Purpose: remembers tokens until shortly before they expire. Ownership: owns the texts, and
// overwrites them when they go. Threads: one. Invariants: at most kTokensMax tokens; equal
// credentials have one token, whoever uses them.
class TokenCache {
 public:
  TokenCache() = default;
  ~TokenCache();
  TokenCache(const TokenCache&) = delete;
  TokenCache& operator=(const TokenCache&) = delete;

  // Null when one must be fetched. Lives until the next call that is not const.
  const std::string* find(const std::string& credentials, core::Instant now) const;
  void put(const std::string& credentials, std::string token, core::Duration lifetime,
           core::Instant now);
  // A receiver answered 400 or 401 to this token. True: it is worth sending again, with the token
  // that find has by now, or with one to be fetched; false when that was tried within the last
  // minute.
  bool renew(const std::string& credentials, const std::string& refused_token, core::Instant now);
  size_t count() const { return entries_.size(); }

 private:
  struct Entry {
    std::string token;
    core::Instant fetched_at{};
    core::Instant expires{};
  };
  using Entries = std::map<std::string, Entry>;

  void make_room(core::Instant now);
  Entries::iterator erase(Entries::iterator entry);

  Entries entries_;
};

}  // namespace posthaste::transport
