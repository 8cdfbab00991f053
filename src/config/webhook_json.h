// Webhook descriptions as JSON: the REST shape of the original, read and written, and Momentum's
// webhooks files. Used by the C API, the file loader and the REST handler. Each field goes through
// the same checks as its key.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/webhook_keys.h"
#include "json/value.h"
#include "json/writer.h"

namespace posthaste::config {

// Sets the fields of the REST shape (name, target, events, auth_token, auth_type,
// auth_credentials, auth_request_details, custom_headers, active, subaccount_id,
// exception_subaccounts, settings: an object of keys of the property table); other fields are
// ignored.
// BadJson and its kin for a broken text, BadValue naming a field of the wrong kind, else the errors
// of set_webhook_key. All or nothing.
core::Result<> set_webhook_json(core::WebhookSpec& spec, std::string_view text);
core::Result<> set_webhook_json(core::WebhookSpec& spec, const json::Value& object);
core::Result<core::WebhookSpec> spec_from_json(std::string_view text);

// A Momentum webhooks file: an array of {name?, events, target, auth_token?, custom_headers?}, in
// the file's order, a missing name left open. BadFile, with entry and field, or with line and
// column.
core::Result<std::vector<core::WebhookSpec>> parse_webhooks_file(std::string_view text);

// The REST shape of a description, fields that it leaves open left out; with facts, also those,
// times that never were as null. Secrets are written as they stand in the spec (see spec_of).
void write_webhook_fields(json::Writer& writer, const core::WebhookSpec& spec);
std::string webhook_json(const core::WebhookSpec& spec, const WebhookFacts* facts = nullptr);

}  // namespace posthaste::config
