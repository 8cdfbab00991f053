#include "api/openapi.h"

#include "api/openapi_bytes.h"

namespace posthaste::api {

std::string_view openapi_document() {
  return {kOpenapiBytes, sizeof kOpenapiBytes};
}

}  // namespace posthaste::api
