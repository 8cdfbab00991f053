// The OpenAPI document of the REST API, docs/openapi.json without its white space, compiled in.
#pragma once

#include <string_view>

namespace posthaste::api {

std::string_view openapi_document();

}  // namespace posthaste::api
