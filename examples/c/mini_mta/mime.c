/*
 * Tracking in a whole message: the MIME walk, decoding and encoding of the parts that change.
 */
#include "mime.h"

#include <string.h>

#include "codec.h"
#include "headers.h"

/* Multiparts nested deeper than this stay as they are; mail that people write has three or four
 * levels. */
enum { kDepthMax = 16, kLineSizeMax = 998 };

struct walk {
  const struct tracking* tracking;
  const char* context;
  struct buffer* out;
  int has_pixels;
};

static void track_entity(struct walk* walk, struct span entity, int depth);

/* Charsets in which a byte that looks like ASCII may be half of another character. */
static int has_ascii_bytes(struct span charset) {
  static const char* const kOthers[] = {"utf-16", "utf-32", "utf-7",  "iso-2022",
                                        "hz-gb",  "ucs-",   "ebcdic", "cp037"};
  for (size_t i = 0; i < sizeof kOthers / sizeof kOthers[0]; i++) {
    if (span_starts_with(charset, kOthers[i])) return 0;
  }
  return 1;
}

static int has_long_line(struct span text) {
  size_t line = 0;
  for (size_t i = 0; i < text.size; i++) {
    if (text.data[i] == '\n') {
      line = i + 1;
    } else if (i - line >= kLineSizeMax) {
      return 1;
    }
  }
  return 0;
}

/* Writes the headers with another transfer encoding. */
static void emit_headers_as(struct span headers, const char* encoding, struct buffer* out) {
  size_t position = 0;
  struct span field;
  while (headers_next(headers, &position, &field)) {
    if (!header_has_name(field, "content-transfer-encoding")) buffer_append_span(out, field);
  }
  buffer_format(out, "Content-Transfer-Encoding: %s\r\n", encoding);
}

/* Writes an HTML part, tracked; returns 0, with nothing written, when its encoding is not
 * understood or it cannot be tracked. */
static int emit_html(struct walk* walk, struct span headers, struct span body,
                     struct span encoding) {
  struct buffer decoded = {0};
  struct buffer tracked = {0};
  int is_base64 = span_equals(encoding, "base64");
  int is_quoted = span_equals(encoding, "quoted-printable");
  int is_plain = encoding.size == 0 || span_equals(encoding, "7bit") ||
                 span_equals(encoding, "8bit") || span_equals(encoding, "binary");
  if (is_quoted) quoted_printable_decode(body, 0, &decoded);
  int is_known = is_plain || is_quoted || (is_base64 && base64_decode(body, &decoded) >= 0);
  if (!is_known || !tracking_rewrite(walk->tracking, is_plain ? body : buffer_span(&decoded),
                                     walk->context, !walk->has_pixels, &tracked)) {
    buffer_free(&decoded);
    return 0;
  }
  walk->has_pixels = 1;
  /* A tracking URL may make a plain line too long for SMTP. */
  int is_too_long = is_plain && has_long_line(buffer_span(&tracked));
  if (is_too_long) {
    emit_headers_as(headers, "quoted-printable", walk->out);
  } else {
    buffer_append_span(walk->out, headers);
  }
  buffer_append_text(walk->out, "\r\n");
  if (is_base64) {
    base64_encode(buffer_span(&tracked), walk->out);
  } else if (is_quoted || is_too_long) {
    quoted_printable_encode(buffer_span(&tracked), walk->out);
  } else {
    buffer_append_span(walk->out, buffer_span(&tracked));
  }
  buffer_free(&decoded);
  buffer_free(&tracked);
  return 1;
}

/* Tells whether a line is a delimiter of the boundary (RFC 2046 section 5.1.1): 0 no, 1 yes, 2 the
 * closing one. */
static int delimiter_kind(struct span line, struct span boundary) {
  if (line.size < boundary.size + 2 || memcmp(line.data, "--", 2) != 0) return 0;
  if (memcmp(line.data + 2, boundary.data, boundary.size) != 0) return 0;
  struct span rest = span_trim(span_part(line, boundary.size + 2, line.size));
  if (rest.size == 0) return 1;
  return span_equals(rest, "--") ? 2 : 0;
}

/* Writes a multipart body; preamble, delimiters and epilogue as they are. */
static void emit_multipart(struct walk* walk, struct span body, struct span boundary, int depth) {
  size_t done = 0; /* everything before it is written */
  int in_part = 0;
  size_t line = 0;
  while (line < body.size) {
    const char* feed = memchr(body.data + line, '\n', body.size - line);
    size_t next = feed == NULL ? body.size : (size_t)(feed - body.data) + 1;
    int kind = delimiter_kind(span_part(body, line, next), boundary);
    if (kind > 0) {
      /* The line end before a delimiter belongs to the delimiter. */
      size_t end = line;
      if (in_part && end > done && body.data[end - 1] == '\n') end--;
      if (in_part && end > done && body.data[end - 1] == '\r') end--;
      if (in_part) {
        track_entity(walk, span_part(body, done, end), depth + 1);
        done = end;
      }
      buffer_append_span(walk->out, span_part(body, done, next));
      done = next;
      in_part = kind == 1;
    }
    line = next;
  }
  struct span rest = span_part(body, done, body.size);
  if (in_part) {
    track_entity(walk, rest, depth + 1);
  } else {
    buffer_append_span(walk->out, rest);
  }
}

/* Writes a multipart entity; returns 0, with nothing written, when it has no boundary. */
static int emit_container(struct walk* walk, struct span entity, struct span body,
                          struct span content_type, int depth) {
  struct buffer boundary = {0};
  header_parameter(content_type, "boundary", &boundary);
  int has_boundary = boundary.size > 0;
  if (has_boundary) {
    buffer_append_span(walk->out, span_part(entity, 0, entity.size - body.size));
    emit_multipart(walk, body, buffer_span(&boundary), depth);
  }
  buffer_free(&boundary);
  return has_boundary;
}

static int is_attachment(struct span headers) {
  struct buffer disposition = {0};
  headers_find(headers, "content-disposition", &disposition);
  int result = span_equals(header_token(buffer_span(&disposition)), "attachment");
  buffer_free(&disposition);
  return result;
}

/* Writes an HTML entity; returns 0, with nothing written, when it is one to leave alone. */
static int emit_html_entity(struct walk* walk, struct span headers, struct span body,
                            struct span content_type) {
  struct buffer charset = {0};
  struct buffer encoding = {0};
  header_parameter(content_type, "charset", &charset);
  headers_find(headers, "content-transfer-encoding", &encoding);
  int is_written = has_ascii_bytes(buffer_span(&charset)) && !is_attachment(headers) &&
                   emit_html(walk, headers, body, header_token(buffer_span(&encoding)));
  buffer_free(&charset);
  buffer_free(&encoding);
  return is_written;
}

/* Writes a message or a part with its headers. */
static void track_entity(struct walk* walk, struct span entity, int depth) {
  struct span headers;
  struct span body;
  struct buffer content_type = {0};
  headers_split(entity, &headers, &body);
  headers_find(headers, "content-type", &content_type);
  struct span type = header_token(buffer_span(&content_type));
  int is_sealed = span_equals(type, "multipart/signed") || span_equals(type, "multipart/encrypted");
  int is_written = 0;
  if (span_starts_with(type, "multipart/") && !is_sealed && depth < kDepthMax)
    is_written = emit_container(walk, entity, body, buffer_span(&content_type), depth);
  /* Without the empty line there is no body, and nothing to add a pixel to. */
  if (span_equals(type, "text/html") && headers.size < entity.size)
    is_written = emit_html_entity(walk, headers, body, buffer_span(&content_type));
  if (!is_written) buffer_append_span(walk->out, entity);
  buffer_free(&content_type);
}

void mime_track(struct span message, const struct tracking* tracking, const char* context,
                struct buffer* out) {
  struct walk walk = {tracking, context, out, 0};
  track_entity(&walk, message, 0);
}
