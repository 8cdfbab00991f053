/*
 * libmilter's callbacks. Each connection of smtpd has a thread and a session of its own; nothing is
 * pushed before the end of a message, and Postfix hears the answer only when the events are on
 * disk.
 */
#include "milter.h"

#include <arpa/inet.h>
#include <fnmatch.h>
#include <libmilter/mfapi.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../c/mini_mta/headers.h"
#include "disk.h"
#include "events.h"
#include "fields.h"
#include "report.h"

enum { kReport_bytes_max = 1 << 20, kPacket_bytes_max = 1 << 20 };

/* What all sessions share; set before the first one and only read then. libmilter gives its
 * callbacks no place for it. */
static struct {
  posthaste_t* engine;
  const struct options* options;
  struct contexts* contexts;
  struct disk* disk;
  atomic_llong complained_ms;
} shared;

/* A connection, and the message that is coming in. */
struct session {
  struct events events;
  posthaste_event_t* checker; /* tries fields that come from headers */
  int is_quiet;               /* Postfix waits for an answer at the end of a message only */
  struct buffer sender;
  char** recipients;
  size_t recipient_count;
  size_t recipient_capacity;
  int is_extended;   /* the client spoke ESMTP, as far as it shows */
  size_t report_for; /* index of the recipient that gets reports; recipient_count for none */
  struct buffer fields;
  struct buffer report; /* the whole message, when it may be a report */
  size_t size;
};

static struct session* session_of(SMFICTX* context) {
  return smfi_getpriv(context);
}

static void reset(struct session* session) {
  for (size_t i = 0; i < session->recipient_count; i++) free(session->recipients[i]);
  session->recipient_count = 0;
  session->report_for = 0;
  session->is_extended = 0;
  session->size = 0;
  buffer_clear(&session->sender);
  buffer_clear(&session->fields);
  /* A report may have been large. */
  buffer_free(&session->report);
}

/* What Postfix gets for everything but the end of a message. */
static sfsistat go_on(const struct session* session) {
  return session->is_quiet ? SMFIS_NOREPLY : SMFIS_CONTINUE;
}

static sfsistat on_negotiate(SMFICTX* context, unsigned long actions, unsigned long steps,
                             unsigned long unused2, unsigned long unused3,
                             unsigned long* out_actions, unsigned long* out_steps,
                             unsigned long* out_unused2, unsigned long* out_unused3) {
  const unsigned long quiet =
      SMFIP_NR_CONN | SMFIP_NR_MAIL | SMFIP_NR_RCPT | SMFIP_NR_HDR | SMFIP_NR_EOH | SMFIP_NR_BODY;
  const unsigned long unwanted = SMFIP_NOHELO | SMFIP_NOUNKNOWN | SMFIP_NODATA;
  (void)actions;
  (void)unused2;
  (void)unused3;
  struct session* session = allocate(sizeof *session);
  events_open(&session->events, shared.engine, shared.options);
  session->checker = posthaste_event_new("injection");
  /* Answers cost a round trip for each header. */
  session->is_quiet = (steps & quiet) == quiet;
  *out_actions = 0;
  *out_steps = (steps & unwanted) | (session->is_quiet ? quiet : 0);
  *out_unused2 = 0;
  *out_unused3 = 0;
  return smfi_setpriv(context, session) == MI_SUCCESS ? SMFIS_CONTINUE : SMFIS_REJECT;
}

static sfsistat on_connect(SMFICTX* context, char* host, _SOCK_ADDR* address) {
  (void)host;
  (void)address;
  return go_on(session_of(context));
}

/* An address as MAIL and RCPT give it, without angle brackets. */
static struct span envelope_address(const char* argument) {
  struct span address = span_of(argument);
  if (address.size >= 2 && address.data[0] == '<' && address.data[address.size - 1] == '>')
    address = span_part(address, 1, address.size - 1);
  return address;
}

static sfsistat on_sender(SMFICTX* context, char** arguments) {
  struct session* session = session_of(context);
  reset(session);
  buffer_append_span(&session->sender, envelope_address(arguments[0]));
  session->is_extended = arguments[1] != NULL || smfi_getsymval(context, "{auth_type}") != NULL ||
                         smfi_getsymval(context, "{tls_version}") != NULL;
  return go_on(session);
}

static int gets_reports(const char* recipient) {
  char* lower = span_copy(span_of(recipient));
  int is_found = 0;
  for (char* letter = lower; *letter != '\0'; letter++) *letter = ascii_lower(*letter);
  for (size_t i = 0; i < shared.options->report_count && !is_found; i++)
    is_found = fnmatch(shared.options->reports[i], lower, 0) == 0;
  free(lower);
  return is_found;
}

static sfsistat on_recipient(SMFICTX* context, char** arguments) {
  struct session* session = session_of(context);
  if (session->recipient_count == session->recipient_capacity) {
    size_t capacity = session->recipient_capacity * 2 + 8;
    char** recipients = realloc(session->recipients, capacity * sizeof *recipients);
    if (recipients == NULL) return SMFIS_TEMPFAIL;
    session->recipients = recipients;
    session->recipient_capacity = capacity;
  }
  char* recipient = span_copy(envelope_address(arguments[0]));
  /* Until one gets reports, report_for is behind the last. */
  if (session->report_for == session->recipient_count && !gets_reports(recipient))
    session->report_for++;
  session->recipients[session->recipient_count++] = recipient;
  return go_on(session);
}

static int is_report(const struct session* session) {
  return session->report_for < session->recipient_count;
}

static void append_report(struct session* session, const void* data, size_t size) {
  if (!is_report(session)) return;
  size_t room = kReport_bytes_max - session->report.size;
  buffer_append(&session->report, data, size < room ? size : room);
}

/* Adds a header's text as a field, decoded and in one line; the first header of a name counts. */
static void add_header(struct session* session, const char* field, struct span value) {
  struct buffer text = {0};
  struct buffer line = {0};
  if (fields_have(buffer_span(&session->fields), field)) return;
  for (size_t i = 0; i < value.size; i++) {
    if (value.data[i] != '\r' && value.data[i] != '\n') buffer_append(&line, value.data + i, 1);
  }
  header_decode(span_trim(buffer_span(&line)), &text);
  /* A field that the catalogue does not take as text would spoil the whole event. */
  posthaste_event_reset(session->checker, "injection");
  if (posthaste_event_set_text(session->checker, field, buffer_span(&text).data, text.size) ==
      POSTHASTE_OK)
    fields_add(&session->fields, field, buffer_span(&text));
  buffer_free(&line);
  buffer_free(&text);
}

static void add_from(struct session* session, struct span value) {
  struct span address = header_address(value);
  size_t at = span_find(address, 0, "@");
  if (fields_have(buffer_span(&session->fields), "friendly_from")) return;
  fields_add(&session->fields, "friendly_from", address);
  if (at == address.size) return;
  char* domain = span_copy(span_part(address, at + 1, address.size));
  for (char* letter = domain; *letter != '\0'; letter++) *letter = ascii_lower(*letter);
  fields_add(&session->fields, "sending_domain", span_of(domain));
  free(domain);
}

static sfsistat on_header(SMFICTX* context, char* name, char* value) {
  struct session* session = session_of(context);
  struct span header = span_of(name);
  struct span text = span_trim(span_of(value));
  session->size += header.size + strlen(value) + strlen(": \r\n");
  append_report(session, name, header.size);
  append_report(session, ": ", 2);
  append_report(session, value, strlen(value));
  append_report(session, "\r\n", 2);
  if (span_equals(header, "subject")) add_header(session, "subject", text);
  if (span_equals(header, "message-id"))
    add_header(session, "message_id", envelope_address(value + (text.data - value)));
  if (span_equals(header, "from")) add_from(session, text);
  for (size_t i = 0; i < shared.options->header_count; i++) {
    if (span_equals(header, shared.options->headers[i].header))
      add_header(session, shared.options->headers[i].field, text);
  }
  return go_on(session);
}

static sfsistat on_headers_end(SMFICTX* context) {
  struct session* session = session_of(context);
  append_report(session, "\r\n", 2);
  session->size += 2;
  return go_on(session);
}

static sfsistat on_body(SMFICTX* context, unsigned char* data, size_t size) {
  struct session* session = session_of(context);
  append_report(session, data, size);
  session->size += size;
  return go_on(session);
}

/* Completes the fields with what is known at the end. */
static void add_envelope(struct session* session, const char* queue_id, int64_t now_ms) {
  char text[40];
  time_t seconds = (time_t)(now_ms / 1000);
  struct tm utc;
  gmtime_r(&seconds, &utc);
  size_t size = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
  snprintf(text + size, sizeof text - size, ".%03dZ", (int)(now_ms % 1000));
  fields_add(&session->fields, "injection_time", span_of(text));
  snprintf(text, sizeof text, "%zu", session->size);
  fields_add(&session->fields, "msg_size", span_of(text));
  fields_add(&session->fields, "msg_from", buffer_span(&session->sender));
  if (session->is_extended) fields_add(&session->fields, "recv_method", span_of("esmtp"));
  if (!fields_have(buffer_span(&session->fields), "message_id"))
    fields_add(&session->fields, "message_id", span_of(queue_id));
}

static int32_t push_report(struct session* session) {
  struct report report;
  if (!is_report(session)) return POSTHASTE_OK;
  report_read(buffer_span(&session->report), &report);
  int32_t code =
      events_report(&session->events, &report, span_of(session->recipients[session->report_for]));
  report_free(&report);
  return code;
}

/* Says once a minute that events are lost, or why mail is turned away. */
static void complain(int32_t code) {
  long long now = monotonic_ms();
  long long before = atomic_load(&shared.complained_ms);
  if ((before != 0 && now - before < 60000) ||
      !atomic_compare_exchange_strong(&shared.complained_ms, &before, now))
    return;
  struct buffer text = {0};
  buffer_format(&text, "%s: %s",
                shared.options->is_event_needed ? "mail is turned away, its events cannot be kept"
                                                : "events of mail are lost",
                posthaste_strerror(code));
  posthaste_log(shared.engine, POSTHASTE_LOG_ERROR, text.data);
  buffer_free(&text);
}

static sfsistat on_end(SMFICTX* context) {
  struct session* session = session_of(context);
  const char* queue_id = smfi_getsymval(context, "i");
  if (queue_id == NULL) queue_id = "";
  int64_t now_ms = wall_ms();
  add_envelope(session, queue_id, now_ms);
  /* Before Postfix can write a line about it. */
  contexts_put(shared.contexts, span_of(queue_id), now_ms, buffer_span(&session->fields));
  int32_t code =
      events_injection(&session->events, span_of(queue_id), buffer_span(&session->fields),
                       session->recipients, session->recipient_count);
  if (code == POSTHASTE_OK) code = push_report(session);
  if (code == POSTHASTE_OK) code = disk_wait(shared.disk);
  reset(session);
  if (code == POSTHASTE_OK) return SMFIS_CONTINUE;
  complain(code);
  if (!shared.options->is_event_needed) return SMFIS_CONTINUE;
  contexts_end(shared.contexts, span_of(queue_id));
  return SMFIS_TEMPFAIL;
}

static sfsistat on_abort(SMFICTX* context) {
  struct session* session = session_of(context);
  if (session != NULL) reset(session);
  return SMFIS_CONTINUE;
}

static sfsistat on_close(SMFICTX* context) {
  struct session* session = session_of(context);
  if (session == NULL) return SMFIS_CONTINUE;
  reset(session);
  smfi_setpriv(context, NULL);
  events_close(&session->events);
  posthaste_event_free(session->checker);
  buffer_free(&session->sender);
  buffer_free(&session->fields);
  free(session->recipients);
  free(session);
  return SMFIS_CONTINUE;
}

int milter_run(posthaste_t* engine, const struct options* options, struct contexts* contexts,
               struct buffer* error) {
  static char name[] = "posthaste";
  struct smfiDesc description = {
      .xxfi_name = name,
      .xxfi_version = SMFI_VERSION,
      .xxfi_connect = on_connect,
      .xxfi_envfrom = on_sender,
      .xxfi_envrcpt = on_recipient,
      .xxfi_header = on_header,
      .xxfi_eoh = on_headers_end,
      .xxfi_body = on_body,
      .xxfi_eom = on_end,
      .xxfi_abort = on_abort,
      .xxfi_close = on_close,
      .xxfi_negotiate = on_negotiate,
  };
  shared.engine = engine;
  shared.options = options;
  shared.contexts = contexts;
  /* A header may be larger than the 64 KiB of a packet that libmilter takes by default. */
  smfi_setmaxdatasize(kPacket_bytes_max);
  if (smfi_register(description) != MI_SUCCESS || smfi_setconn(options->milter) != MI_SUCCESS ||
      smfi_opensocket(1) != MI_SUCCESS) {
    buffer_format(error, "the milter cannot listen at %s", options->milter);
    return 0;
  }
  shared.disk = disk_open(engine);
  int is_served = smfi_main() == MI_SUCCESS;
  disk_close(shared.disk);
  if (!is_served) buffer_format(error, "the milter at %s ended", options->milter);
  return is_served;
}
