// Tracking links: made, put into HTML, and answered when somebody follows them. The C functions of
// posthaste/engagement.h are thin covers of this.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/event_catalogue.h"
#include "core/result.h"
#include "engagement/context.h"
#include "engagement/hit.h"
#include "engagement/seen_table.h"
#include "engagement/settings.h"
#include "engagement/token.h"
#include "posthaste/posthaste.h"

namespace posthaste::engagement {

// What an answer is made of.
struct Answer {
  int32_t status = 200;
  std::string header_name;  // one besides those of every answer; empty: none
  std::string header_value;
  std::string content_type;  // empty: there is no body
  std::string_view body;     // static
};

// Purpose: one set of keys and one address that links begin with. Ownership: self-contained; an
// engine is lent to answer. Threads: any number at once. Invariants: a link that it made is
// answered by any other of the same keys.
class Engagement {
 public:
  explicit Engagement(Settings settings);

  // TooLarge when the link cannot be made short enough; BadTarget; what Context::parse gives.
  core::Result<std::string> make_url(LinkKind kind, std::string_view context,
                                     std::string_view target, std::string_view name) const;
  // Everything that is not rewritten stays as it is, byte for byte.
  core::Result<std::string> rewrite(std::string_view html, std::string_view context,
                                    const Tracking& tracking) const;
  // timeout_ms: how long an unsubscription may wait for the disk.
  Answer handle(posthaste_t* ph, const posthaste_request_t* request, int32_t timeout_ms);

 private:
  struct Visit;

  std::optional<std::string> try_url(Link link) const;
  core::Result<std::string> url_within(const Context& context, LinkKind kind,
                                       std::string_view target, std::string_view name) const;
  Answer open(const Visit& visit);
  Answer follow(const Visit& visit);
  Answer unsubscribe(const Visit& visit, int32_t timeout_ms);
  int32_t push(const Visit& visit, const char* type) const;
  void set_request(const Visit& visit, const core::EventTypeInfo& type,
                   posthaste_event_t* event) const;

  const Settings settings_;
  const std::string prefix_;  // what every link begins with
  const core::EventCatalogue catalogue_;
  const TokenSigner signer_;
  SeenTable seen_;
};

}  // namespace posthaste::engagement
