// What a request says beside its events: credentials, content coding, signature. For the ledgers,
// which know what must be there, and for the receivers, which look at it.
#pragma once

#include <cstdint>
#include <string>

#include "core/webhook.h"
#include "transport/transport.h"

namespace posthaste::simulation {

// Null when there is none of that name.
const std::string* find_header(const transport::Request& request, const std::string& name);
// Its value; empty when there is none.
std::string header_of(const transport::Request& request, const std::string& name);
// Whether it has that value; an empty one: whether it is not there.
bool has_header(const transport::Request& request, const std::string& name,
                const std::string& value);

bool uses_tokens(const core::Webhook& webhook);
// What Authorization must be without OAuth 2; empty: it must not be there.
std::string authorization_of(const core::DeliverySettings& settings);
// What Content-Encoding must be; empty: it must not be there.
std::string coding_of(const core::DeliverySettings& settings);
// Standard Webhooks 1.0: what webhook-signature must be, by all secrets.
std::string signature_of(const std::string& secrets, const std::string& id,
                         const std::string& timestamp, const std::string& json);

// As the receiver's framework gives it to the receiver.
std::string json_of(const transport::Request& request);
// Whether it has that secret of kSecrets, in whatever header; a token ends with the one that it was
// got with.
bool carries(const transport::Request& request, const std::string& secret);
// The answer to a token request, which is for that token.
std::string token_answer(const transport::Request& request, uint64_t number, int lifetime_s);
// Of the token in a request; ~0 when it has none.
uint64_t token_number_of(const transport::Request& request);

}  // namespace posthaste::simulation
