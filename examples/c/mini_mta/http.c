/*
 * The tracking pixels and redirects over HTTP.
 */
#include "http.h"

#include <stdlib.h>
#include <string.h>

#include "headers.h"

/* A transparent GIF of one pixel. */
static const unsigned char kPixel[] = {
    'G',  'I',  'F',  '8',  '9',  'a',  0x01, 0x00, 0x01, 0x00, 0x80, 0x00, 0x00, 0x00, 0x00,
    0x00, 0xff, 0xff, 0xff, 0x21, 0xf9, 0x04, 0x01, 0x00, 0x00, 0x00, 0x00, 0x2c, 0x00, 0x00,
    0x00, 0x00, 0x01, 0x00, 0x01, 0x00, 0x00, 0x02, 0x02, 0x44, 0x01, 0x00, 0x3b};

struct request {
  struct span method;
  struct span path; /* without the query */
  struct span headers;
};

static void respond(struct buffer* out, const char* status, const char* fields, struct span body,
                    int with_body) {
  buffer_format(out, "HTTP/1.1 %s\r\n%sContent-Length: %lu\r\nConnection: close\r\n\r\n", status,
                fields, (unsigned long)body.size);
  if (with_body) buffer_append_span(out, body);
}

static void respond_error(struct buffer* out, const char* status, const char* fields) {
  struct buffer body = {0};
  buffer_format(&body, "%s\n", status);
  struct buffer all_fields = {0};
  buffer_format(&all_fields, "%sContent-Type: text/plain\r\n", fields);
  respond(out, status, all_fields.data, buffer_span(&body), 1);
  buffer_free(&body);
  buffer_free(&all_fields);
}

/* Reads the request line: method, target, version. Returns 0 when it is not one. */
static int parse_line(struct span line, struct request* out) {
  size_t first = span_find(line, 0, " ");
  if (first == line.size) return 0;
  size_t second = span_find(line, first + 1, " ");
  if (second == line.size) return 0;
  struct span target = span_part(line, first + 1, second);
  for (size_t i = 0; i < target.size; i++) {
    if (!ascii_is_graphic(target.data[i])) return 0;
  }
  out->method = span_part(line, 0, first);
  out->path = span_part(target, 0, span_find(target, 0, "?"));
  return span_starts_with(span_part(line, second + 1, line.size), "HTTP/1.") && target.size > 0 &&
         target.data[0] == '/';
}

/* Takes `/o/TOKEN.gif` or `/c/TOKEN/INDEX` apart; returns the entry, or null. out_link: null for
 * the pixel. */
static struct tracked* resolve(struct http_server* server, struct span path,
                               struct link** out_link) {
  int is_click = span_starts_with(path, "/c/");
  *out_link = NULL;
  if ((!is_click && !span_starts_with(path, "/o/")) || path.size < 3 + TRACKING_TOKEN_SIZE)
    return NULL;
  struct span token = span_part(path, 3, 3 + TRACKING_TOKEN_SIZE);
  struct span rest = span_part(path, 3 + TRACKING_TOKEN_SIZE, path.size);
  struct tracked* tracked = tracking_find(server->tracking, token);
  if (tracked == NULL || !is_click) return span_equals(rest, ".gif") ? tracked : NULL;
  if (rest.size < 2 || rest.size > 6 || rest.data[0] != '/') return NULL;
  size_t index = 0;
  for (size_t i = 1; i < rest.size; i++) {
    if (rest.data[i] < '0' || rest.data[i] > '9') return NULL;
    index = index * 10 + (size_t)(rest.data[i] - '0');
  }
  if (index >= tracked->link_count) return NULL;
  *out_link = &tracked->links[index];
  return tracked;
}

static void tell_event(struct http_server* server, const struct request* request, const char* peer,
                       const struct tracked* tracked, const struct link* link) {
  struct buffer user_agent = {0};
  struct buffer language = {0};
  headers_find(request->headers, "user-agent", &user_agent);
  headers_find(request->headers, "accept-language", &language);
  struct visitor visitor = {peer, user_agent.data, language.data};
  if (link == NULL) {
    events_open(server->events, tracked, &visitor);
  } else {
    events_click(server->events, tracked, link, &visitor);
  }
  buffer_free(&user_agent);
  buffer_free(&language);
}

static void answer(struct http_server* server, const struct request* request, const char* peer,
                   struct buffer* out) {
  int is_get = span_equals(request->method, "GET");
  if (!is_get && !span_equals(request->method, "HEAD")) {
    respond_error(out, "405 Method Not Allowed", "Allow: GET, HEAD\r\n");
    return;
  }
  struct link* link;
  struct tracked* tracked = resolve(server, request->path, &link);
  if (tracked == NULL) {
    respond_error(out, "404 Not Found", "");
    return;
  }
  if (is_get) tell_event(server, request, peer, tracked, link);
  struct span pixel = {(const char*)kPixel, sizeof kPixel};
  struct span nothing = {"", 0};
  if (link == NULL) {
    respond(out, "200 OK", "Content-Type: image/gif\r\nCache-Control: no-store\r\n", pixel, is_get);
  } else {
    struct buffer fields = {0};
    buffer_format(&fields, "Location: %s\r\nCache-Control: no-store\r\n", link->url);
    respond(out, "302 Found", fields.data, nothing, 1);
    buffer_free(&fields);
  }
}

int http_feed(struct http_server* server, struct span input, const char* peer, struct buffer* out) {
  size_t end = span_find(input, 0, "\r\n\r\n");
  if (end == input.size) {
    if (input.size < HTTP_HEAD_SIZE_MAX) return 0;
    respond_error(out, "431 Request Header Fields Too Large", "");
    return 1;
  }
  size_t line_end = span_find(input, 0, "\r\n");
  struct request request;
  request.headers = span_part(input, line_end + 2, end + 2);
  if (parse_line(span_part(input, 0, line_end), &request)) {
    answer(server, &request, peer, out);
  } else {
    respond_error(out, "400 Bad Request", "");
  }
  return 1;
}
