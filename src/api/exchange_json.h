// A test POST and its answer as JSON: `"response":{"status","headers","body"}` of the original, and
// `"request":{"method","url","headers","body"}` of ours.
#pragma once

#include "engine/report.h"
#include "json/writer.h"

namespace posthaste::api {

void write_response(json::Writer& writer, const engine::VerifyAnswer& answer);
void write_request(json::Writer& writer, const engine::VerifyAnswer& answer);

}  // namespace posthaste::api
