/*
 * The REST API and the web page, on a port of their own: the listener of libposthaste_admin. A
 * server with its own HTTP stack would call posthaste_api_handle from there instead.
 */
#ifndef MINI_MTA_API_H
#define MINI_MTA_API_H

#include <posthaste/admin.h>

/* Listens on 127.0.0.1 and makes an API key, which is printed: it is not kept anywhere. Returns
 * null on failure, with the reason in `error`. */
posthaste_admin_t* api_start(posthaste_t* engine, unsigned short port, posthaste_error_t* error);

#endif
