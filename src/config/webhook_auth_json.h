// The three fields of the REST shape that say how requests authenticate themselves: auth_type,
// auth_credentials and auth_request_details (spec/momentum.md, section 6), read into the keys
// auth.* and oauth2.* and written from them. A part of webhook_json.
#pragma once

#include <string_view>

#include "config/webhook_keys.h"
#include "json/value.h"
#include "json/writer.h"

namespace posthaste::config {

// Each takes one field: BadValue naming it, or the errors of set_webhook_key.
core::Result<> take_auth_type(core::WebhookSpec& spec, std::string_view field,
                              const json::Value& value);
core::Result<> take_auth_credentials(core::WebhookSpec& spec, std::string_view field,
                                     const json::Value& value);
core::Result<> take_auth_request_details(core::WebhookSpec& spec, std::string_view field,
                                         const json::Value& value);

// All three when the description sets auth.type, else nothing. What the engine holds of a token is
// not among them.
void write_auth(json::Writer& writer, const core::WebhookSpec& spec);

}  // namespace posthaste::config
