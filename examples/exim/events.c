/*
 * Building and pushing events. The builder writes each field in its wire type and repairs bad
 * UTF-8; the library adds `timestamp` and `event_id`. The fields and where they come from are
 * listed in README.md, which the test reads.
 */
#include "events.h"

#include <posthaste/posthaste.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "exim_api.h"
#include "reply.h"

/* Longer reasons are cut; raw_reason has them whole. */
#define REASON_MAX 1024

/* One producer and one builder for each process. A child forked from it goes on with them: the
 * producer gives it files of its own. */
static posthaste_t* producer;
static posthaste_event_t* event;
static pid_t failed_in; /* the process in which it could not be opened; a child tries again */
/* Whether the builder has a delay that is pushed unless something supersedes it. */
static int is_held;

/* Once in each process is enough to know. */
static const char* complain(const char* what, const char* why) {
  static pid_t complained_in;
  if (complained_in != getpid()) log_write(0, LOG_MAIN, "posthaste: %s: %s", what, why);
  complained_in = getpid();
  return why;
}

/* Exim runs as root and as its own user; the files are its group's. */
static int set_up(posthaste_conf_t* conf, const char* spool_dir, posthaste_error_t* error) {
  const struct {
    const char *key, *value;
  } kSettings[] = {{"role", "producer"},
                   {"spool.dir", spool_dir},
                   {"spool.group", exim_value("$exim_gid")},
                   {"spool.file_mode", "0660"}};
  for (size_t i = 0; i < sizeof kSettings / sizeof kSettings[0]; i++) {
    int32_t code = posthaste_conf_set(conf, kSettings[i].key, kSettings[i].value, error);
    if (code != POSTHASTE_OK) return code;
  }
  int32_t code = posthaste_new(conf, &producer, error);
  return code == POSTHASTE_OK ? posthaste_start(producer, error) : code;
}

int events_open(const char* spool_dir) {
  static int is_open;
  if (is_open) return 1;
  if (failed_in == getpid()) return 0;
  posthaste_conf_t* conf = posthaste_conf_new();
  posthaste_error_t* error = posthaste_error_new();
  if (event == NULL) event = posthaste_event_new("injection");
  is_open = conf != NULL && event != NULL && set_up(conf, spool_dir, error) == POSTHASTE_OK;
  if (!is_open) {
    complain("no events", posthaste_error_message(error));
    posthaste_free(producer);
    producer = NULL;
    failed_in = getpid();
  }
  posthaste_error_free(error);
  posthaste_conf_free(conf);
  return is_open;
}

/* Fields without a value are left out. */
static void set_text(const char* key, const char* value) {
  if (value != NULL && value[0] != '\0') posthaste_event_set(event, key, value);
}

/* RFC 2047 words are decoded by Exim. Where it does not know their character set, the subject stays
 * as it is. */
static void set_subject(void) {
  char* raw = exim_header("Subject");
  if (raw == NULL) return;
  uschar* error = NULL;
  int size = 0;
  uschar charset[] = "UTF-8";
  uschar* copy = string_copy((const uschar*)raw);
  const uschar* text = rfc2047_decode(copy, FALSE, charset, 0, &size, &error);
  if (text != NULL && error == NULL && size > 0) {
    posthaste_event_set_text(event, "subject", (const char*)text, (size_t)size);
  } else {
    set_text("subject", raw);
  }
  free(raw);
}

static void set_sender(void) {
  const char* from = exim_value("${address:$rh_from:}");
  const char* at = strrchr(from, '@');
  set_text("friendly_from", from);
  if (at != NULL) set_text("sending_domain", at + 1);
  set_text("msg_from", exim_value("$sender_address"));
}

/* Exim tells whole seconds. */
static void set_injection_time(void) {
  char text[32];
  time_t seconds = (time_t)strtoll(exim_value("$received_time"), NULL, 10);
  struct tm utc;
  if (seconds == 0 || gmtime_r(&seconds, &utc) == NULL) return;
  strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S.000Z", &utc);
  set_text("injection_time", text);
}

/* For an attempt Exim writes local parts in lower case; the envelope has them as they came. */
static const char* as_it_came(const char* recipient) {
  for (int i = 0; i < recipients_count; i++) {
    const char* raw = (const char*)recipients_list[i].address;
    if (strcasecmp(raw, recipient) == 0) return raw;
  }
  return recipient;
}

static void set_recipient(const char* recipient) {
  char* lower = strdup(recipient);
  if (lower == NULL) return;
  for (char* letter = lower; *letter != '\0'; letter++) {
    if (*letter >= 'A' && *letter <= 'Z') *letter = (char)(*letter - 'A' + 'a');
  }
  const char* at = strrchr(lower, '@');
  set_text("raw_rcpt_to", as_it_came(recipient));
  set_text("rcpt_to", lower);
  if (at != NULL) set_text("recipient_domain", at + 1);
  free(lower);
}

static void begin(const char* type, const char* recipient) {
  is_held = 0;
  posthaste_event_reset(event, type);
  set_text("node_name", exim_value("$primary_hostname"));
  set_text("message_id", exim_value("$message_exim_id"));
  set_text("recv_method", exim_value("$received_protocol"));
  set_sender();
  if (recipient != NULL) set_recipient(recipient);
}

/* What is known once the message is there. */
static void begin_message(const char* type, const char* recipient) {
  begin(type, recipient);
  set_injection_time();
  set_subject();
  set_text("msg_size", exim_value("$message_size"));
  set_text("msg_spoolname", exim_value("$message_exim_id"));
}

/* What is known of an attempt. A local delivery's way is its transport's name. */
static void begin_attempt(const char* type, const char* recipient, int is_remote) {
  begin_message(type, recipient);
  set_text("routing_domain", exim_value("$domain"));
  set_text("delv_method", is_remote ? "esmtp" : exim_value("$transport_name"));
}

/* In the process that writes the log, Exim sets the host's name for what it tells about, and the
 * address only with a delivery. */
static int has_host(void) {
  return exim_value("$host")[0] != '\0';
}

static void set_queue_time(void) {
  long long received = strtoll(exim_value("$received_time"), NULL, 10);
  long long age = (long long)time(NULL) - received;
  posthaste_event_set_int(event, "queue_time", received != 0 && age > 0 ? age * 1000 : 0);
}

static void set_addresses(void) {
  set_text("ip_address", exim_value("$host_address"));
  set_text("sending_ip", exim_value("$sending_ip_address"));
}

static void set_reason(const char* text) {
  char normalised[REASON_MAX];
  const char* reply = reply_find(text);
  if (reply_code(reply) != 0) posthaste_event_set_int(event, "error_code", reply_code(reply));
  reply_normalise(reply, normalised, sizeof normalised);
  set_text("reason", normalised);
  set_text("raw_reason", reply);
}

static const char* push(void) {
  int32_t code = posthaste_push_event(producer, event);
  if (code == POSTHASTE_OK) return "";
  posthaste_error_t* error = posthaste_error_new();
  int is_built = posthaste_event_check(event, error) == POSTHASTE_OK;
  const char* why = is_built ? posthaste_strerror(code) : posthaste_error_name(code);
  posthaste_error_free(error);
  return complain("event lost", why);
}

const char* events_injection(const char* recipient) {
  begin_message("injection", recipient);
  return push();
}

const char* events_delivery(const char* recipient) {
  begin_attempt("delivery", recipient, has_host());
  set_queue_time();
  if (has_host()) {
    set_addresses();
    set_text("outbound_tls", exim_value("$tls_out_cipher")[0] != '\0' ? "1" : "0");
  }
  return push();
}

const char* events_late_delivery(const char* recipient) {
  begin_message("delivery", recipient);
  return push();
}

static void set_failure(const char* text) {
  posthaste_event_set_int(event, "bounce_class", reply_bounce_class(reply_find(text)));
  set_reason(text);
}

const char* events_bounce(const char* recipient, const char* text) {
  begin_attempt("bounce", recipient, has_host());
  set_failure(text);
  return push();
}

static void push_held(void) {
  if (is_held) push();
  is_held = 0;
}

void events_hold_delay(const char* recipient, const char* text) {
  static int is_registered;
  /* Only hosts defer: the smtp transport is the one that tells. */
  begin_attempt("delay", recipient, 1);
  set_queue_time();
  set_addresses();
  set_failure(text);
  is_held = 1;
  if (!is_registered) is_registered = atexit(push_held) == 0;
}

void events_drop_delay(void) {
  is_held = 0;
}

const char* events_delay(const char* recipient, const char* text) {
  events_hold_delay(recipient, text);
  is_held = 0;
  return push();
}

const char* events_routing_delay(const char* recipient, const char* text) {
  begin_message("delay", recipient);
  set_text("routing_domain", exim_value("$domain"));
  set_queue_time();
  set_failure(text);
  return push();
}

const char* events_policy_rejection(const char* recipient, const char* text) {
  begin("policy_rejection", recipient);
  set_text("remote_addr", exim_value("$sender_host_address"));
  /* Exim answers 550 where the text has no code of its own. */
  if (reply_code(text) == 0) posthaste_event_set_int(event, "error_code", 550);
  /* 25 is what the administrator decided. */
  posthaste_event_set_int(event, "bounce_class", 25);
  set_reason(text);
  return push();
}

const char* events_sync(void) {
  posthaste_error_t* error = posthaste_error_new();
  int32_t code = posthaste_sync(producer, -1, error);
  const char* why = code == POSTHASTE_OK ? "" : complain("sync", posthaste_strerror(code));
  posthaste_error_free(error);
  return why;
}
