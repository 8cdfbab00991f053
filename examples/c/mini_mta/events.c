/*
 * Building and pushing events. Setters write each field in its wire type (`msg_size` is a string
 * there) and repair bad UTF-8; the first error sticks to the builder, so only the push is checked.
 * The library adds `timestamp` and `event_id`.
 */
#include "events.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Starts an event; returns 0 when nobody wants it, which costs next to nothing to ask. */
static int begin(struct events* events, const char* type) {
  if (events->suppressed != NULL && strcmp(events->suppressed, type) == 0) return 0;
  if (!posthaste_wants(events->engine, type)) return 0;
  return posthaste_event_reset(events->event, type) == POSTHASTE_OK;
}

/* An event that cannot be queued is lost, never the mail: the failure is told and the server goes
 * on. */
static void push(struct events* events) {
  int32_t code = posthaste_push_event(events->engine, events->event);
  if (code == POSTHASTE_OK) return;
  posthaste_error_t* error = posthaste_error_new();
  int is_built = posthaste_event_check(events->event, error) == POSTHASTE_OK;
  fprintf(stderr, "mini_mta: event lost: %s\n",
          is_built ? posthaste_strerror(code) : posthaste_error_message(error));
  posthaste_error_free(error);
}

/* Fields without a value are left out. */
static void set_text(struct events* events, const char* key, const char* value) {
  if (value != NULL && value[0] != '\0') posthaste_event_set(events->event, key, value);
}

static void set_int(struct events* events, const char* key, int64_t value) {
  posthaste_event_set_int(events->event, key, value);
}

/* Fields that all events of one message share. */
static void set_message(struct events* events, const struct message* message) {
  set_text(events, "message_id", message->id);
  set_text(events, "customer_id", "1");
  set_text(events, "node_name", events->node_name);
  set_text(events, "msg_from", message->from);
  set_text(events, "friendly_from", message->friendly_from);
  set_text(events, "sending_ip", "127.0.0.1");
  if (message->friendly_from != NULL)
    set_text(events, "sending_domain", address_domain(message->friendly_from));
}

/* Fields that are known once the message's data has come. */
static void set_content(struct events* events, const struct message* message) {
  char text[40];
  time_t seconds = (time_t)(message->injected_ms / 1000);
  struct tm utc;
  gmtime_r(&seconds, &utc);
  size_t size = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
  snprintf(text + size, sizeof text - size, ".%03dZ", (int)(message->injected_ms % 1000));
  set_text(events, "injection_time", text);
  set_text(events, "subject", message->subject);
  set_int(events, "msg_size", (int64_t)message->size);
  posthaste_event_set_bool(events->event, "open_tracking", 1);
  posthaste_event_set_bool(events->event, "click_tracking", 1);
}

static void set_recipient(struct events* events, const struct recipient* recipient) {
  set_text(events, "rcpt_to", recipient->lower);
  set_text(events, "raw_rcpt_to", recipient->address);
  set_text(events, "recipient_domain", recipient->domain);
}

static void set_failure(struct events* events, const struct failure* failure) {
  set_int(events, "error_code", failure->error_code);
  set_int(events, "bounce_class", failure->bounce_class);
  set_text(events, "reason", failure->reason);
  set_text(events, "raw_reason", failure->raw_reason);
}

/* Fields of an attempt to deliver. */
static void set_attempt(struct events* events, const struct message* message,
                        const struct recipient* recipient, unsigned num_retries) {
  set_message(events, message);
  set_content(events, message);
  set_recipient(events, recipient);
  set_text(events, "routing_domain", recipient->domain);
  set_text(events, "recv_method", message->recv_method);
  set_text(events, "delv_method", "maildir");
  set_text(events, "ip_address", "127.0.0.1");
  set_int(events, "num_retries", num_retries);
}

void events_injection(struct events* events, const struct message* message) {
  if (!begin(events, "injection")) return;
  set_message(events, message);
  set_content(events, message);
  set_text(events, "recv_method", message->recv_method);
  /* What is the same for all recipients is built once; each round goes back to the mark. */
  posthaste_event_mark(events->event);
  for (size_t i = 0; i < message->recipient_count; i++) {
    posthaste_event_rewind(events->event);
    set_recipient(events, &message->recipients[i]);
    set_text(events, "routing_domain", message->recipients[i].domain);
    push(events);
  }
}

void events_delivery(struct events* events, const struct message* message,
                     const struct recipient* recipient, unsigned num_retries) {
  if (!begin(events, "delivery")) return;
  set_attempt(events, message, recipient, num_retries);
  set_int(events, "queue_time", wall_ms() - message->injected_ms);
  push(events);
}

void events_bounce(struct events* events, const struct message* message,
                   const struct recipient* recipient, unsigned num_retries,
                   const struct failure* failure) {
  if (!begin(events, "bounce")) return;
  set_attempt(events, message, recipient, num_retries);
  set_failure(events, failure);
  push(events);
}

void events_delay(struct events* events, const struct message* message,
                  const struct recipient* recipient, unsigned num_retries,
                  const struct failure* failure) {
  if (!begin(events, "delay")) return;
  set_attempt(events, message, recipient, num_retries);
  set_int(events, "queue_time", wall_ms() - message->injected_ms);
  set_failure(events, failure);
  push(events);
}

void events_policy_rejection(struct events* events, const struct message* message,
                             struct span rcpt_to, const struct failure* failure) {
  if (!begin(events, "policy_rejection")) return;
  char* address = span_copy(rcpt_to);
  char* lower = span_copy(rcpt_to);
  for (char* letter = lower; *letter != '\0'; letter++) *letter = ascii_lower(*letter);
  struct recipient recipient = {address, lower, address_domain(lower)};
  set_message(events, message);
  set_recipient(events, &recipient);
  set_text(events, "recv_method", message->recv_method);
  set_text(events, "remote_addr", message->peer);
  set_failure(events, failure);
  push(events);
  free(address);
  free(lower);
}

posthaste_text_t* events_context(struct events* events, const struct message* message,
                                 const struct recipient* recipient) {
  posthaste_text_t* context = NULL;
  posthaste_event_reset(events->event, "click");
  set_message(events, message);
  set_content(events, message);
  set_recipient(events, recipient);
  posthaste_event_set_bool(events->event, "initial_pixel", 1);
  set_text(events, "routing_domain", recipient->domain);
  set_text(events, "recv_method", message->recv_method);
  set_text(events, "delv_method", "maildir");
  posthaste_event_json(events->event, &context, NULL);
  return context;
}
