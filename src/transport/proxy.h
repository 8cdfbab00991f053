// Which proxy a request goes through. Decided here and not by libcurl, so that it is known before
// anything is sent: of a connection to a proxy an address policy sees the proxy only. Asked by
// Transfer for each request.
#pragma once

#include <string>
#include <string_view>

#include "transport/transport.h"

namespace posthaste::transport {

// getenv, or a stand-in: the value of a variable, null when there is none.
using Environment = const char* (*)(const char* name);
const char* process_environment(const char* name);

// The proxy's URL, empty for none. As usual, https_proxy and all_proxy of the environment are read
// in either case of letters and http_proxy in lower case only: a CGI program's HTTP_PROXY is what a
// client sent (CVE-2016-5385).
std::string proxy_of(const ConnectionOptions& options, std::string_view url,
                     Environment environment = process_environment);

// Whether a host is in a no-proxy list: items between commas or blanks, each a host name with all
// names below it, an address, a network such as 10.0.0.0/8, or `*` for everything.
bool is_excluded(std::string_view host, std::string_view no_proxy);

}  // namespace posthaste::transport
