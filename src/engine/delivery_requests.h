// Parts of a request that follow from a webhook's settings alone. Used by the delivery step for
// batches, test POSTs and token requests.
#pragma once

#include <vector>

#include "core/webhook.h"
#include "transport/transport.h"

namespace posthaste::engine {

// Connection and time-outs.
void set_connection(const core::DeliverySettings& settings, transport::Request& request);
// The Authorization header, unless it takes a token that is to be fetched.
void add_authorization(const core::Webhook& webhook, transport::Request& request);
// For people: the values of headers that the webhook's owner chose are masked, since any of them
// may be a secret.
std::vector<transport::HeaderField> shown_headers(
    const std::vector<transport::HeaderField>& headers);
// Whether two versions of a webhook say who sends in the same way.
bool is_same_credentials(const core::Webhook& a, const core::Webhook& b);

}  // namespace posthaste::engine
