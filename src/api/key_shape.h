// An API key as the REST API and the C API show it: never the key but once, when it is made.
#pragma once

#include <string>
#include <vector>

#include "engine/api_keys.h"

namespace posthaste::api {

// {id, name, grant, subaccount, created_ms} and, if there is one, the secret as `key`.
std::string key_json(const engine::ApiKey& key, const std::string* secret = nullptr);
// An array of them.
std::string keys_json(const std::vector<engine::ApiKey>& keys);

}  // namespace posthaste::api
