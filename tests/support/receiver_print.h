// Texts of a recorded request for people and for files; used by the posthaste-receiver command.
#pragma once

#include <string>

#include "receiver_log.h"

namespace posthaste::testing {

// The request as a reader expects it: request line, headers, blank line, and the body, indented if
// it is JSON (its numbers and the order of its keys as received).
std::string printed_request(const Request& request);

// One line of JSON with connection_index, request_index, method, target, headers (pairs, in order)
// and body.
std::string recorded_line(const Request& request);

}  // namespace posthaste::testing
