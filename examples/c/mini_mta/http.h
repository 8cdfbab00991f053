/*
 * The tracking pixels and redirects over HTTP (RFC 9112), as functions without sockets: one request
 * in, one response out, then the connection closes. One thread. GET /o/TOKEN.gif    the pixel: an
 * open event GET /c/TOKEN/INDEX  a redirect to the link: a click event HEAD answers likewise but
 * tells no event: it is what link checkers send, not people.
 */
#ifndef MINI_MTA_HTTP_H
#define MINI_MTA_HTTP_H

#include "buffer.h"
#include "events.h"
#include "tracking.h"

enum { HTTP_HEAD_SIZE_MAX = 8192 };

struct http_server {
  struct tracking* tracking;
  struct events* events;
};

/* Answers the request at the start of the input. Returns 0 while it is not complete, else 1. */
int http_feed(struct http_server* server, struct span input, const char* peer, struct buffer* out);

#endif
