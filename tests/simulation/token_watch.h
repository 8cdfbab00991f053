// OAuth 2 tokens in the model: when one may be asked for, and which one a request may carry. Used
// by the ledgers.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/settings.h"
#include "simulation/trace.h"
#include "support/sim_transport.h"

namespace posthaste::simulation {

// Whether a request is for a token, and not a webhook's.
bool is_token_request(const transport::Request& request);
// Credentials that share one token.
std::string token_key_of(const core::DeliverySettings& settings);
// The same of a token request.
std::string token_request_key(const transport::Request& request);
// The token in a request's Authorization; empty when there is none.
std::string token_of(const transport::Request& request);

// Purpose: knows each token that was got, how long it is good, and who did not like it. Ownership:
// refers to the counts. Threads: one. Invariants: what it answers is the first difference from the
// rules, nothing when there is none. Ends count from the step on that hears of them.
class TokenWatch {
 public:
  explicit TokenWatch(Counts& counts) : counts_(counts) {}

  using Finding = std::optional<std::string>;

  Finding on_begin(const test::SimExchange& exchange, core::Instant now);
  void on_end(const test::SimExchange& exchange);
  // The process ended, and its tokens with it.
  void on_crash() { known_.clear(); }
  // A step hears of the ends.
  void settle(core::Instant now);
  // A receiver answered 400 or 401 to a request with this token.
  void on_refused(const std::string& token);

  // A request with these credentials goes out with this token; `refused`: the one that it went out
  // with before, if any.
  Finding check_use(const std::string& key, const std::string& token, const std::string& refused,
                    core::Instant now) const;
  // A request whose token was refused: whether it must go out once more.
  bool must_renew(const std::string& key, const std::string& token, core::Instant now) const;
  bool is_running(const std::string& key) const;
  // Whoever waited for a token at this moment gets none.
  bool has_failed(const std::string& key, core::Instant now) const;

 private:
  struct Known {
    uint64_t request_id = 0;
    bool is_running = false;
    bool has_ended = false;
    std::string answer;  // when it has ended well; empty otherwise
    std::string token;   // the latest; empty: none yet
    bool is_refused = false;
    core::Instant fetched{};
    core::Instant usable_until{};
    std::optional<core::Instant> failed;
  };

  Counts& counts_;
  std::map<std::string, Known> known_;  // by key
};

}  // namespace posthaste::simulation
