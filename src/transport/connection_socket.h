// The sockets of outgoing connections: how libcurl's are opened and closed. Used by Transfer as
// libcurl callbacks. A check of the address a connection goes to belongs into
// open_connection_socket, the one place all pass through.
#pragma once

#include <curl/curl.h>

namespace posthaste::transport {

// A close-on-exec socket for the address, or CURL_SOCKET_BAD with errno set.
curl_socket_t open_connection_socket(const curl_sockaddr& address);

// CURLOPT_CLOSESOCKETFUNCTION. Shuts the connection down before closing it: a forked child of the
// host may hold a copy of the descriptor, and then close alone would hide the end from the
// receiver. Ignores its datum, because a connection outlives the transfer that opened it.
int close_connection_socket(void* user_data, curl_socket_t socket);

}  // namespace posthaste::transport
