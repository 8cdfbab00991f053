/*
 * multipart/report (RFC 6522): a text for people, a part for programs, and the returned message or
 * its headers. Reports are written by many programs, some of them careless: whatever is understood
 * counts, the rest is left out.
 */
#include "report.h"

#include <stdlib.h>
#include <string.h>

#include "../c/mini_mta/codec.h"
#include "../c/mini_mta/headers.h"

enum { kPartsMax = 50 };

/* ---- Parts */

/* Tells whether a line is the boundary's delimiter: 0 no, 1 yes, 2 the closing one. */
static int delimiter_kind(struct span line, struct span boundary) {
  if (line.size < boundary.size + 2 || memcmp(line.data, "--", 2) != 0) return 0;
  if (memcmp(line.data + 2, boundary.data, boundary.size) != 0) return 0;
  struct span rest = span_trim(span_part(line, boundary.size + 2, line.size));
  if (rest.size == 0) return 1;
  return span_equals(rest, "--") ? 2 : 0;
}

/* Takes the next part of a multipart body; returns 0 behind the last. A part that nothing closes
 * goes to the end: reports are often cut. */
static int next_part(struct span body, struct span boundary, size_t* position,
                     struct span* out_part) {
  size_t begin = body.size;
  int is_inside = 0;
  for (size_t line = *position; line < body.size;) {
    const char* feed = memchr(body.data + line, '\n', body.size - line);
    size_t next = feed == NULL ? body.size : (size_t)(feed - body.data) + 1;
    int kind = delimiter_kind(span_part(body, line, next), boundary);
    if (kind > 0 && is_inside) {
      *out_part = span_part(body, begin, line);
      *position = line;
      return 1;
    }
    if (kind == 2) break;
    if (kind == 1) {
      is_inside = 1;
      begin = next;
    }
    line = next;
  }
  *position = body.size;
  *out_part = span_part(body, begin, body.size);
  return is_inside;
}

/* Writes what a part holds, decoded. */
static void decode_part(struct span headers, struct span body, struct buffer* out) {
  struct buffer encoding = {0};
  headers_find(headers, "content-transfer-encoding", &encoding);
  struct span name = header_token(buffer_span(&encoding));
  if (span_equals(name, "base64")) {
    base64_decode(body, out);
  } else if (span_equals(name, "quoted-printable")) {
    quoted_printable_decode(body, 0, out);
  } else {
    buffer_append_span(out, body);
  }
  buffer_free(&encoding);
}

/* ---- Fields of the part for programs */

/* Writes a field's value without the type in front: `rfc822; a@b` is `a@b`. */
static void find_typed(struct span fields, const char* name, struct buffer* out) {
  struct buffer value = {0};
  headers_find(fields, name, &value);
  struct span text = buffer_span(&value);
  size_t end = span_find(text, 0, ";");
  buffer_append_span(out, span_trim(end == text.size ? text : span_part(text, end + 1, text.size)));
  buffer_free(&value);
}

/* Writes an address without angle brackets. */
static void append_address(struct span value, struct buffer* out) {
  buffer_append_span(out, header_address(value));
}

static struct report_recipient* add_recipient(struct report* report, struct span address) {
  if (address.size == 0 || report->recipient_count == REPORT_RECIPIENTS_MAX) return NULL;
  struct report_recipient* recipient = &report->recipients[report->recipient_count++];
  append_address(address, &recipient->address);
  return recipient;
}

/* One recipient of a DSN (RFC 3464 section 2.3). */
static void read_recipient(struct report* report, struct span fields) {
  struct buffer action = {0};
  struct buffer address = {0};
  headers_find(fields, "action", &action);
  find_typed(fields, "original-recipient", &address);
  if (address.size == 0) find_typed(fields, "final-recipient", &address);
  /* Delays, deliveries and relays are no bounces. */
  struct report_recipient* recipient = span_equals(header_token(buffer_span(&action)), "failed")
                                           ? add_recipient(report, buffer_span(&address))
                                           : NULL;
  if (recipient != NULL) {
    struct buffer status = {0};
    headers_find(fields, "status", &status);
    /* Some put a comment behind it. */
    struct span text = span_trim(buffer_span(&status));
    buffer_append_span(&recipient->status, span_part(text, 0, span_find(text, 0, " ")));
    find_typed(fields, "diagnostic-code", &recipient->diagnostic);
    buffer_free(&status);
  }
  buffer_free(&address);
  buffer_free(&action);
}

/* A DSN's fields come in groups with empty lines between: first the message's, then each
 * recipient's. */
static void read_delivery_status(struct report* report, struct span content) {
  struct span group;
  struct span rest = content;
  for (int groups = 0; rest.size > 0 && groups <= REPORT_RECIPIENTS_MAX; groups++) {
    struct span following;
    headers_split(rest, &group, &following);
    if (report->reporter.size == 0) find_typed(group, "reporting-mta", &report->reporter);
    if (group.size > 0) read_recipient(report, group);
    rest = following;
  }
  if (report->recipient_count > 0) report->kind = REPORT_BOUNCE;
}

/* RFC 5965 section 3. */
static void read_feedback(struct report* report, struct span content) {
  struct buffer value = {0};
  size_t position = 0;
  struct span field;
  headers_find(content, "feedback-type", &report->feedback_type);
  headers_find(content, "user-agent", &report->user_agent);
  headers_find(content, "source-ip", &report->source_ip);
  find_typed(content, "reporting-mta", &report->reporter);
  headers_find(content, "original-mail-from", &value);
  append_address(buffer_span(&value), &report->sender);
  while (headers_next(content, &position, &field)) {
    if (!header_has_name(field, "original-rcpt-to")) continue;
    add_recipient(report, span_trim(span_part(field, span_find(field, 0, ":") + 1, field.size)));
  }
  buffer_free(&value);
  if (report->feedback_type.size > 0) report->kind = REPORT_COMPLAINT;
}

static void read_returned(struct report* report, struct span content) {
  struct span headers;
  struct span body;
  struct buffer value = {0};
  headers_split(content, &headers, &body);
  buffer_clear(&report->headers);
  buffer_append_span(&report->headers, headers);
  headers_find(headers, "message-id", &value);
  buffer_clear(&report->message_id);
  append_address(buffer_span(&value), &report->message_id);
  buffer_clear(&value);
  headers_find(headers, "from", &value);
  buffer_clear(&report->from);
  append_address(buffer_span(&value), &report->from);
  buffer_clear(&report->subject);
  report_returned_header(report, "subject", &report->subject);
  buffer_free(&value);
}

/* ---- The whole */

static void read_part(struct report* report, struct span part) {
  struct span headers;
  struct span body;
  struct buffer type_value = {0};
  struct buffer content = {0};
  headers_split(part, &headers, &body);
  headers_find(headers, "content-type", &type_value);
  struct span type = header_token(buffer_span(&type_value));
  decode_part(headers, body, &content);
  struct span text = buffer_span(&content);
  if (span_equals(type, "message/delivery-status") ||
      span_equals(type, "message/global-delivery-status")) {
    read_delivery_status(report, text);
  } else if (span_equals(type, "message/feedback-report")) {
    read_feedback(report, text);
  } else if (span_equals(type, "message/rfc822") || span_equals(type, "message/global") ||
             span_equals(type, "text/rfc822-headers") ||
             span_equals(type, "message/rfc822-headers") ||
             span_equals(type, "message/global-headers")) {
    read_returned(report, text);
  }
  buffer_free(&content);
  buffer_free(&type_value);
}

/* What the part for programs left open and other parts tell. */
static void complete(struct report* report, struct span headers) {
  struct buffer value = {0};
  if (report->reporter.size == 0) {
    headers_find(headers, "from", &value);
    struct span from = header_address(buffer_span(&value));
    size_t at = span_find(from, 0, "@");
    if (at < from.size) buffer_append_span(&report->reporter, span_part(from, at + 1, from.size));
  }
  if (report->kind == REPORT_COMPLAINT && report->recipient_count == 0) {
    buffer_clear(&value);
    headers_find(buffer_span(&report->headers), "to", &value);
    add_recipient(report, buffer_span(&value));
  }
  buffer_free(&value);
}

void report_read(struct span message, struct report* out) {
  struct span headers;
  struct span body;
  struct span part;
  struct buffer type = {0};
  struct buffer boundary = {0};
  memset(out, 0, sizeof *out);
  out->recipients = allocate(sizeof *out->recipients * REPORT_RECIPIENTS_MAX);
  headers_split(message, &headers, &body);
  headers_find(headers, "content-type", &type);
  header_parameter(buffer_span(&type), "boundary", &boundary);
  if (span_equals(header_token(buffer_span(&type)), "multipart/report") && boundary.size > 0) {
    size_t position = 0;
    for (int parts = 0;
         parts < kPartsMax && next_part(body, buffer_span(&boundary), &position, &part); parts++)
      read_part(out, part);
    complete(out, headers);
  }
  buffer_free(&boundary);
  buffer_free(&type);
}

void report_free(struct report* report) {
  for (size_t i = 0; report->recipients != NULL && i < report->recipient_count; i++) {
    buffer_free(&report->recipients[i].address);
    buffer_free(&report->recipients[i].status);
    buffer_free(&report->recipients[i].diagnostic);
  }
  free(report->recipients);
  struct buffer* texts[] = {&report->feedback_type, &report->user_agent, &report->reporter,
                            &report->sender,        &report->source_ip,  &report->headers,
                            &report->message_id,    &report->from,       &report->subject};
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) buffer_free(texts[i]);
  memset(report, 0, sizeof *report);
}

void report_returned_header(const struct report* report, const char* name, struct buffer* out) {
  struct buffer value = {0};
  headers_find(buffer_span(&report->headers), name, &value);
  header_decode(buffer_span(&value), out);
  buffer_free(&value);
}
