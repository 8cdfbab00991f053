/*
 * HTTP for tracking links.
 */
#include "http.h"

#include <stdlib.h>
#include <string.h>

#include "headers.h"

/* A request's head, in parts that point into the input. */
struct head {
  struct span method;
  struct span target;
  struct span headers;
  size_t size; /* with the empty line */
};

static const char* reason_of(int32_t status) {
  static const struct {
    int32_t status;
    const char* reason;
  } kReasons[] = {{200, "OK"},
                  {302, "Found"},
                  {400, "Bad Request"},
                  {404, "Not Found"},
                  {405, "Method Not Allowed"},
                  {413, "Content Too Large"},
                  {431, "Request Header Fields Too Large"},
                  {503, "Service Unavailable"}};
  for (size_t i = 0; i < sizeof kReasons / sizeof kReasons[0]; i++) {
    if (kReasons[i].status == status) return kReasons[i].reason;
  }
  return "Error";
}

/* with_body: 0 for an answer to HEAD, which has the length of a body and not the body. */
static void respond(const posthaste_response_t* response, int with_body, struct buffer* out) {
  int32_t status = posthaste_response_status(response);
  struct span body;
  body.data = posthaste_response_body(response, &body.size);
  buffer_format(out, "HTTP/1.1 %d %s\r\n", (int)status, reason_of(status));
  for (size_t i = 0; i < posthaste_response_header_count(response); i++) {
    buffer_format(out, "%s: %s\r\n", posthaste_response_header_name(response, i),
                  posthaste_response_header_value(response, i));
  }
  buffer_format(out, "Content-Length: %lu\r\nConnection: close\r\n\r\n", (unsigned long)body.size);
  if (with_body) buffer_append_span(out, body);
}

static void respond_error(int32_t status, struct buffer* out) {
  const char* reason = reason_of(status);
  posthaste_response_t* response = posthaste_response_new(status);
  posthaste_response_add_header(response, "Content-Type", "text/plain");
  posthaste_response_set_body(response, reason, strlen(reason));
  respond(response, 1, out);
  posthaste_response_free(response);
}

/* Reads the request line: method, target, version. Returns 0 when it is not one. */
static int parse_line(struct span line, struct head* out) {
  size_t first = span_find(line, 0, " ");
  if (first == line.size) return 0;
  size_t second = span_find(line, first + 1, " ");
  if (second == line.size) return 0;
  out->method = span_part(line, 0, first);
  out->target = span_part(line, first + 1, second);
  for (size_t i = 0; i < out->target.size; i++) {
    if (!ascii_is_graphic(out->target.data[i])) return 0;
  }
  return span_starts_with(span_part(line, second + 1, line.size), "HTTP/1.") &&
         span_starts_with(out->target, "/");
}

/* Returns the size of the body, or HTTP_BODY_SIZE_MAX + 1 when it is too large or not told by a
 * number. */
static size_t body_size(const struct head* head) {
  struct buffer length = {0};
  struct buffer coding = {0};
  headers_find(head->headers, "content-length", &length);
  headers_find(head->headers, "transfer-encoding", &coding);
  size_t size = 0;
  for (size_t i = 0; i < length.size && size <= HTTP_BODY_SIZE_MAX; i++) {
    int is_digit = length.data[i] >= '0' && length.data[i] <= '9';
    size = is_digit ? size * 10 + (size_t)(length.data[i] - '0') : HTTP_BODY_SIZE_MAX + 1;
  }
  if (coding.size > 0) size = HTTP_BODY_SIZE_MAX + 1;
  buffer_free(&length);
  buffer_free(&coding);
  return size;
}

/* Adds a header field. Returns 0 when it is none. */
static int add_field(posthaste_request_t* request, struct span field) {
  size_t colon = span_find(field, 0, ":");
  if (colon == field.size) return 0;
  char* name = span_copy(span_part(field, 0, colon));
  char* value = span_copy(span_trim(span_part(field, colon + 1, field.size)));
  int32_t code = posthaste_request_add_header(request, name, value);
  free(name);
  free(value);
  return code == POSTHASTE_OK;
}

/* Makes the library's request; null when the client's is malformed. */
static posthaste_request_t* request_of(const struct head* head, struct span body,
                                       const char* peer) {
  char* method = span_copy(head->method);
  char* target = span_copy(head->target);
  posthaste_request_t* request = posthaste_request_new(method, target);
  free(method);
  free(target);
  int is_good = request != NULL;
  size_t position = 0;
  struct span field;
  while (is_good && headers_next(head->headers, &position, &field))
    is_good = add_field(request, field);
  if (is_good) {
    posthaste_request_set_peer(request, peer);
    posthaste_request_set_body(request, body.data, body.size);
    return request;
  }
  posthaste_request_free(request);
  return NULL;
}

/* The engine is in memory mode, so that nothing here waits for a disk. */
static void answer(struct http_server* server, const struct head* head, struct span body,
                   const char* peer, struct buffer* out) {
  posthaste_response_t* response = NULL;
  posthaste_request_t* request = request_of(head, body, peer);
  if (request == NULL) {
    respond_error(400, out);
  } else if (posthaste_engagement_handle(server->tracking->links, server->engine, request, 0,
                                         &response, NULL) != POSTHASTE_OK) {
    respond_error(503, out);
  } else {
    respond(response, !span_equals(head->method, "HEAD"), out);
  }
  posthaste_response_free(response);
  posthaste_request_free(request);
}

int http_feed(struct http_server* server, struct span input, const char* peer, struct buffer* out) {
  size_t end = span_find(input, 0, "\r\n\r\n");
  if (end == input.size) {
    if (input.size < HTTP_HEAD_SIZE_MAX) return 0;
    respond_error(431, out);
    return 1;
  }
  size_t line_end = span_find(input, 0, "\r\n");
  struct head head;
  head.headers = span_part(input, line_end + 2, end + 2);
  head.size = end + 4;
  if (!parse_line(span_part(input, 0, line_end), &head)) {
    respond_error(400, out);
    return 1;
  }
  size_t size = body_size(&head);
  if (size > HTTP_BODY_SIZE_MAX) {
    respond_error(413, out);
    return 1;
  }
  if (input.size < head.size + size) return 0;
  answer(server, &head, span_part(input, head.size, head.size + size), peer, out);
  return 1;
}
