/*
 * The server for tracking links (RFC 9112), as functions without sockets: one request in, one
 * response out, then the connection closes. One thread. What a request means is for
 * posthaste_engagement_handle to say; this only reads and writes HTTP.
 */
#ifndef MINI_MTA_HTTP_H
#define MINI_MTA_HTTP_H

#include "buffer.h"
#include "tracking.h"

enum { HTTP_HEAD_SIZE_MAX = 8192, HTTP_BODY_SIZE_MAX = 4096 };

struct http_server {
  struct tracking* tracking;
  posthaste_t* engine;
};

/* Answers the request at the start of the input. Returns 0 while it is not complete, else 1. */
int http_feed(struct http_server* server, struct span input, const char* peer, struct buffer* out);

#endif
