// libcurl's sockets: how those of outgoing connections are opened and closed, and what the others
// need. Used by Transfer and CurlTransport. A check of the address a connection goes to belongs
// into open_connection_socket, the one place all pass through.
#pragma once

#include <curl/curl.h>

namespace posthaste::transport {

// A close-on-exec socket for the address, or CURL_SOCKET_BAD with errno set.
curl_socket_t open_connection_socket(const curl_sockaddr& address);

// CURLOPT_CLOSESOCKETFUNCTION. Shuts the connection down before closing it: a forked child of the
// host may hold a copy of the descriptor, and then close alone would hide the end from the
// receiver. Ignores its datum, because a connection outlives the transfer that opened it.
int close_connection_socket(void* user_data, curl_socket_t socket);

// A multi handle whose own descriptors are close-on-exec, as all of ours are. libcurl makes the
// pair behind curl_multi_wakeup without that and keeps its numbers to itself, so the pair is looked
// for where the system puts new descriptors. Null when memory is short.
CURLM* make_multi();

}  // namespace posthaste::transport
