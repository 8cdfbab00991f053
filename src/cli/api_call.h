// The REST handler of an engine of this process, asked without a connection. Used by `events`, and
// by the ingest of `serve`, which takes lines as POST /api/v1/events does.
#pragma once

#include <string>
#include <string_view>

#include "cli/handles.h"
#include "core/result.h"

namespace posthaste::cli {

struct ApiAnswer {
  int status = 0;
  std::string body;
};

// The caller may do everything. body: empty for none.
core::Result<ApiAnswer> call_api(posthaste_t* engine, const char* method, const char* target,
                                 std::string_view body, int32_t timeout_ms);

}  // namespace posthaste::cli
