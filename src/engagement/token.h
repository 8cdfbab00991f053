// The signed part of a link: what happened to which message, readable by anybody, made by nobody
// without a key. docs/engagement.md has the format.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace posthaste::engagement {

// Values equal POSTHASTE_LINK_* and stand in links: never change one.
enum class LinkKind : uint8_t {
  Click = 1,
  Unsubscribe = 2,
  ListUnsubscribe = 3,
  Open = 4,
  InitialOpen = 5
};

struct Link {
  LinkKind kind = LinkKind::Click;
  std::string context;  // JSON object
  std::string target;   // empty unless Click or Unsubscribe
  std::string name;     // of the link; may be empty
};

struct VerifiedLink {
  Link link;
  uint64_t id;  // the same for the same link; as good as random otherwise
};

// Characters of a token that are looked at at all.
inline constexpr size_t kTokenSizeMax = 8192;

// Purpose: makes and checks tokens. Ownership: owns the keys and wipes them. Threads: any number,
// all functions are const. Invariants: at least one key.
class TokenSigner {
 public:
  // The first key signs, all verify.
  explicit TokenSigner(std::vector<std::string> keys) : keys_(std::move(keys)) {}
  ~TokenSigner();
  TokenSigner(const TokenSigner&) = delete;
  TokenSigner& operator=(const TokenSigner&) = delete;

  // base64url without padding. Internal when OpenSSL or zlib fail.
  core::Result<std::string> sign(const Link& link) const;
  // Nothing unless this very text was signed with one of the keys.
  std::optional<VerifiedLink> verify(std::string_view token) const;

 private:
  std::vector<std::string> keys_;
};

}  // namespace posthaste::engagement
