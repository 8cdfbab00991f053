// Parts of a request that follow from a webhook's settings alone. Used by the delivery step for
// batches, test POSTs and token requests.
#pragma once

#include "core/webhook.h"
#include "transport/transport.h"

namespace posthaste::engine {

// Connection and time-outs.
void set_connection(const core::DeliverySettings& settings, transport::Request& request);
// The Authorization header, unless it takes a token that is to be fetched.
void add_authorization(const core::Webhook& webhook, transport::Request& request);
// Whether two versions of a webhook say who sends in the same way.
bool is_same_credentials(const core::Webhook& a, const core::Webhook& b);

}  // namespace posthaste::engine
