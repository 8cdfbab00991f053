/*
 * Where Postfix meets Posthaste: each function builds and pushes the event of one thing that
 * happened, with the catalogue's fields. It knows neither milter nor log file.
 */
#ifndef POSTFIX_EVENTS_H
#define POSTFIX_EVENTS_H

#include "log_line.h"
#include "options.h"
#include "report.h"

/* One for each thread: the engine is shared, the builder is not. */
struct events {
  posthaste_t* engine;
  posthaste_event_t* event;
  const struct options* options;
};

void events_open(struct events* events, posthaste_t* engine, const struct options* options);
void events_close(struct events* events);

/* Each returns POSTHASTE_OK, or what the first push that failed answered. fields: see fields.h. */

/* The message was taken in: one event for each recipient. */
int32_t events_injection(struct events* events, struct span queue_id, struct span fields,
                         char* const* recipients, size_t recipient_count);
/* A delivery, delay or bounce. failures: failed attempts before. seed: what makes the event's id;
 * the same line gives the same id whenever it is read. */
int32_t events_attempt(struct events* events, const struct log_line* line, struct span fields,
                       unsigned failures, struct span seed);
int32_t events_rejection(struct events* events, const struct log_line* line, struct span seed);
/* One event for each recipient that a DSN or a complaint is about. address: to which it came. */
int32_t events_report(struct events* events, const struct report* report, struct span address);

/* Writes 32 hexadecimal digits that stand for the seed. */
void event_id_of(struct span seed, char out[33]);

#endif
