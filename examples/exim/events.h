/*
 * The events that this module makes of what Exim tells, each pushed to a producer of the process.
 * Called by the functions that the configuration names (posthaste_exim.c). Nothing here keeps mail
 * from going its way: an event that cannot be written is lost, and Exim's log says so.
 */
#ifndef EVENTS_H
#define EVENTS_H

/*
 * Opens the producer, once in each process. spool_dir: of the `posthaste serve` that delivers.
 * Returns 0 when that fails; then there is nothing to push to.
 */
int events_open(const char* spool_dir);

/* Each sends one event, for one recipient, about the message that Exim is at. They return "" or why
 * the event is lost. */
const char* events_injection(const char* recipient);
const char* events_delivery(const char* recipient);
const char* events_bounce(const char* recipient, const char* text);
const char* events_delay(const char* recipient, const char* text);
/* Likewise, before there is a host. */
const char* events_routing_delay(const char* recipient, const char* text);
/* Builds a delay that is pushed when the process ends, unless another event comes before. */
void events_hold_delay(const char* recipient, const char* text);
/* The recipient is tried again at once. */
void events_drop_delay(void);
/* recipient: null when the client had not named one. text: the answer to the client. */
const char* events_policy_rejection(const char* recipient, const char* text);

/* A delivery of which Exim knows only that it took place. */
const char* events_late_delivery(const char* recipient);

/* Waits until all that this process pushed is on disk. Returns: as above. */
const char* events_sync(void);

#endif
