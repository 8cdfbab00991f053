/*
 * Building and pushing events. Setters write each field in its wire type and repair bad UTF-8; the
 * first error sticks to the builder, so only the push is checked. Fields without a value are left
 * out.
 */
#include "events.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fields.h"
#include "outcome.h"

void events_open(struct events* events, posthaste_t* engine, const struct options* options) {
  events->engine = engine;
  events->event = posthaste_event_new("injection");
  events->options = options;
  if (events->event == NULL) abort();
}

void events_close(struct events* events) {
  posthaste_event_free(events->event);
}

/* Starts an event with what is the same in all; returns 0 when nobody wants it. */
static int begin(struct events* events, const char* type) {
  if (!posthaste_wants(events->engine, type)) return 0;
  posthaste_event_reset(events->event, type);
  posthaste_event_set(events->event, "customer_id", events->options->customer_id);
  posthaste_event_set(events->event, "node_name", events->options->node_name);
  return 1;
}

static void set_text(struct events* events, const char* name, struct span value) {
  if (value.size > 0) posthaste_event_set_text(events->event, name, value.data, value.size);
}

static void set_fields(struct events* events, struct span fields) {
  struct buffer name = {0};
  struct buffer value = {0};
  size_t position = 0;
  while (fields_next_text(fields, &position, &name) && fields_next_text(fields, &position, &value))
    set_text(events, name.data, buffer_span(&value));
  buffer_free(&value);
  buffer_free(&name);
}

static struct span domain_of(struct span address) {
  size_t at = address.size;
  while (at > 0 && address.data[at - 1] != '@') at--;
  return span_part(address, at > 0 ? at : address.size, address.size);
}

/* Letters of other alphabets keep their case: a local part is the receiver's to read. */
static void set_lower(struct events* events, const char* name, struct span value) {
  char* lower = span_copy(value);
  for (size_t i = 0; i < value.size; i++) lower[i] = ascii_lower(lower[i]);
  struct span text = {lower, value.size};
  set_text(events, name, text);
  free(lower);
}

static void set_recipient(struct events* events, struct span address) {
  set_lower(events, "rcpt_to", address);
  set_text(events, "raw_rcpt_to", address);
  set_lower(events, "recipient_domain", domain_of(address));
}

static void set_failure(struct events* events, struct span dsn, struct span text, unsigned code) {
  struct span reply = outcome_reply(text);
  struct buffer reason = {0};
  if (code == 0) code = outcome_code(reply);
  if (code > 0) posthaste_event_set_int(events->event, "error_code", code);
  posthaste_event_set_int(events->event, "bounce_class", outcome_bounce_class(dsn, reply));
  outcome_normalise(reply, &reason);
  set_text(events, "reason", buffer_span(&reason));
  set_text(events, "raw_reason", reply);
  buffer_free(&reason);
}

static void set_time_and_id(struct events* events, const struct log_line* line, struct span seed) {
  char id[33];
  event_id_of(seed, id);
  posthaste_event_set(events->event, "event_id", id);
  posthaste_event_set_int(events->event, "timestamp", line->time_s);
}

int32_t events_injection(struct events* events, struct span queue_id, struct span fields,
                         char* const* recipients, size_t recipient_count) {
  if (!begin(events, "injection")) return POSTHASTE_OK;
  set_fields(events, fields);
  set_text(events, "msg_spoolname", queue_id);
  /* What is the same for all recipients is built once; each round goes back to the mark. */
  posthaste_event_mark(events->event);
  for (size_t i = 0; i < recipient_count; i++) {
    posthaste_event_rewind(events->event);
    set_recipient(events, span_of(recipients[i]));
    set_lower(events, "routing_domain", domain_of(span_of(recipients[i])));
    int32_t code = posthaste_push_event(events->engine, events->event);
    if (code != POSTHASTE_OK) return code;
  }
  return POSTHASTE_OK;
}

/* "1.2" seconds in milliseconds. */
static int64_t delay_ms(struct span delay) {
  char text[32] = "";
  if (delay.size >= sizeof text) return 0;
  memcpy(text, delay.data, delay.size);
  return (int64_t)(strtod(text, NULL) * 1000 + 0.5);
}

int32_t events_attempt(struct events* events, const struct log_line* line, struct span fields,
                       unsigned failures, struct span seed) {
  static const char* const kTypes[] = {"delivery", "delay", "bounce"};
  struct span recipient =
      line->original_recipient.size > 0 ? line->original_recipient : line->recipient;
  if (!begin(events, kTypes[line->kind - LOG_LINE_SENT])) return POSTHASTE_OK;
  set_time_and_id(events, line, seed);
  set_fields(events, fields);
  set_text(events, "msg_spoolname", line->queue_id);
  set_recipient(events, recipient);
  set_lower(events, "routing_domain", domain_of(line->recipient));
  set_text(events, "delv_method", line->service);
  set_text(events, "ip_address", line->relay_ip);
  posthaste_event_set_int(events->event, "num_retries", failures);
  if (line->kind != LOG_LINE_BOUNCED && line->delay.size > 0)
    posthaste_event_set_int(events->event, "queue_time", delay_ms(line->delay));
  if (line->kind != LOG_LINE_SENT) set_failure(events, line->dsn, line->text, 0);
  return posthaste_push_event(events->engine, events->event);
}

int32_t events_rejection(struct events* events, const struct log_line* line, struct span seed) {
  if (!begin(events, "policy_rejection")) return POSTHASTE_OK;
  set_time_and_id(events, line, seed);
  set_text(events, "msg_from", line->sender);
  if (line->recipient.size > 0) set_recipient(events, line->recipient);
  set_lower(events, "recv_method", line->protocol);
  set_text(events, "remote_addr", line->client_ip);
  /* cleanup logs the enhanced code alone; smtpd answers with 550 or 451 then. */
  unsigned code = line->reply_code;
  if (code == 0 && line->dsn.size > 0) code = line->dsn.data[0] == '4' ? 451 : 550;
  set_failure(events, line->dsn, line->text, code);
  return posthaste_push_event(events->engine, events->event);
}

/* What the returned message's own headers say. */
static void set_returned(struct events* events, const struct report* report) {
  set_text(events, "message_id", buffer_span(&report->message_id));
  set_text(events, "friendly_from", buffer_span(&report->from));
  set_lower(events, "sending_domain", domain_of(buffer_span(&report->from)));
  set_text(events, "subject", buffer_span(&report->subject));
  for (size_t i = 0; i < events->options->header_count; i++) {
    struct buffer value = {0};
    report_returned_header(report, events->options->headers[i].header, &value);
    set_text(events, events->options->headers[i].field, buffer_span(&value));
    buffer_free(&value);
  }
}

static void set_bounce(struct events* events, const struct report_recipient* recipient,
                       struct span address) {
  set_text(events, "msg_from", address);
  set_failure(events, buffer_span(&recipient->status), buffer_span(&recipient->diagnostic), 0);
}

static void set_complaint(struct events* events, const struct report* report, struct span address) {
  set_text(events, "fbtype", buffer_span(&report->feedback_type));
  set_text(events, "report_by", buffer_span(&report->reporter));
  set_text(events, "report_to", address);
  set_text(events, "user_str", buffer_span(&report->user_agent));
  set_text(events, "msg_from", buffer_span(&report->sender));
  set_text(events, "sending_ip", buffer_span(&report->source_ip));
}

int32_t events_report(struct events* events, const struct report* report, struct span address) {
  int is_bounce = report->kind == REPORT_BOUNCE;
  if (report->kind == REPORT_NONE) return POSTHASTE_OK;
  if (!begin(events, is_bounce ? "out_of_band" : "spam_complaint")) return POSTHASTE_OK;
  set_returned(events, report);
  posthaste_event_mark(events->event);
  for (size_t i = 0; i < report->recipient_count; i++) {
    struct span recipient = buffer_span(&report->recipients[i].address);
    posthaste_event_rewind(events->event);
    if (is_bounce) {
      set_bounce(events, &report->recipients[i], address);
    } else {
      set_complaint(events, report, address);
    }
    set_recipient(events, recipient);
    set_lower(events, "routing_domain", domain_of(recipient));
    int32_t code = posthaste_push_event(events->engine, events->event);
    if (code != POSTHASTE_OK) return code;
  }
  return POSTHASTE_OK;
}

/* Spreads every bit of a hash over all of it. */
static uint64_t spread(uint64_t hash) {
  hash = (hash ^ hash >> 33) * UINT64_C(0xff51afd7ed558ccd);
  hash = (hash ^ hash >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
  return hash ^ hash >> 33;
}

void event_id_of(struct span seed, char out[33]) {
  /* FNV-1a from two ends, which differ independently enough for ids that nobody forges: who writes
   * the log could write the events. */
  uint64_t forward = UINT64_C(0xcbf29ce484222325);
  uint64_t backward = UINT64_C(0x84222325cbf29ce4);
  for (size_t i = 0; i < seed.size; i++) {
    forward = (forward ^ (unsigned char)seed.data[i]) * UINT64_C(0x100000001b3);
    backward = (backward ^ (unsigned char)seed.data[seed.size - 1 - i]) * UINT64_C(0x100000001b3);
  }
  snprintf(out, 33, "%016" PRIx64 "%016" PRIx64, spread(forward), spread(backward));
}
