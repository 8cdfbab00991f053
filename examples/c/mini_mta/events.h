/*
 * Where the mail server meets Posthaste: each function tells one thing that happened, with the
 * catalogue's fields. Pushing never waits for network or disk, so these are called from the middle
 * of the mail's own work. Everything else in this folder is an ordinary small mail server.
 */
#ifndef MINI_MTA_EVENTS_H
#define MINI_MTA_EVENTS_H

#include <posthaste/posthaste.h>

#include "message.h"

struct events {
  posthaste_t* engine;
  posthaste_event_t*
      event; /* one builder for all events: it is reusable, and this server has one thread */
  const char* node_name;
  const char* suppressed; /* a type that is never pushed, for trying out what its absence does; null
                             for none */
};

/* Why a recipient could not be served, in the terms of the catalogue. */
struct failure {
  int64_t error_code;   /* SMTP reply code */
  int64_t bounce_class; /* 10 invalid recipient, 24 time-out, 54 relaying denied, 70 transient... */
  const char* reason;   /* with variable parts taken out, so that reports can group by it */
  const char* raw_reason; /* exactly as it happened */
};

/* The message was taken: one event for each recipient. */
void events_injection(struct events* events, const struct message* message);
/* num_retries: failed attempts before. */
void events_delivery(struct events* events, const struct message* message,
                     const struct recipient* recipient, unsigned num_retries);
void events_bounce(struct events* events, const struct message* message,
                   const struct recipient* recipient, unsigned num_retries,
                   const struct failure* failure);
void events_delay(struct events* events, const struct message* message,
                  const struct recipient* recipient, unsigned num_retries,
                  const struct failure* failure);
/* A recipient was refused during the SMTP dialogue; it is not among the message's recipients. */
void events_policy_rejection(struct events* events, const struct message* message,
                             struct span rcpt_to, const struct failure* failure);
/* Returns, as JSON, what opens, clicks and unsubscriptions of one recipient's copy shall tell about
 * the message; null when memory is short. They are pushed by libposthaste_engagement when a link of
 * the copy is followed (tracking.h). The caller frees it. */
posthaste_text_t* events_context(struct events* events, const struct message* message,
                                 const struct recipient* recipient);

#endif
