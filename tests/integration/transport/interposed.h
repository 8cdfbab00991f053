// Stand-ins for functions of the C library and libcurl that this test program defines in their
// place, so that failures which cannot be had from outside can be told to happen. They pass
// everything through until told.
#pragma once

#include <atomic>
#include <string>

namespace posthaste::testing {

// Names that end in ".hanging.test" keep getaddrinfo busy while this is set; afterwards they do not
// resolve.
extern std::atomic<bool> is_resolver_hanging;
// How many threads hang in it.
extern std::atomic<int> hanging_resolver_count;
// Names that end in ".loopback.test" resolve to 127.0.0.1 after this many milliseconds.
extern std::atomic<int> resolver_delay_ms;
// Names that end in ".chosen.test" resolve to these addresses, blanks between them, in this order.
extern std::atomic<const char*> chosen_addresses;

// While set, curl_multi_perform and curl_multi_poll fail.
extern std::atomic<bool> is_perform_failing;
extern std::atomic<bool> is_poll_failing;
extern std::atomic<int> failed_poll_count;

}  // namespace posthaste::testing
