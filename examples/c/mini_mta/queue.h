/*
 * The mail queue: local recipients are delivered into their Maildirs at once, before the client is
 * told that the message was accepted; unknown ones bounce; what fails for now is tried again with
 * growing delays. The queue is in memory: it is where this example is least like a real server. One
 * thread.
 */
#ifndef MINI_MTA_QUEUE_H
#define MINI_MTA_QUEUE_H

#include "events.h"
#include "message.h"
#include "tracking.h"

enum { QUEUE_USERS_MAX = 64 };

struct delivery; /* one recipient that waits for its next attempt */

struct queue {
  struct events* events;
  const struct tracking* tracking;
  const char* domain;  /* the one local domain */
  const char* maildir; /* holds one Maildir for each user */
  char* users[QUEUE_USERS_MAX];
  size_t user_count;
  int64_t retry_ms; /* delay before the second attempt; doubles */
  struct delivery* deferred;
  size_t deferred_bytes;
};

/* Adds the users of a comma-separated list and makes their Maildirs. Returns 0, or -1 with a line
 * on stderr. */
int queue_add_users(struct queue* queue, const char* list);
/* Tells whether messages for the domain are ours to deliver. */
int queue_is_local(const struct queue* queue, const char* domain);
/* Returns 0 when so much mail waits that a client should come back later. */
int queue_has_room(const struct queue* queue);
/* Takes a finished message: pushes its injections, delivers, bounces, defers. */
void queue_accept(struct queue* queue, struct message* message);
/* Tries what is due. Returns the time of the next attempt on the monotonic clock; -1 when nothing
 * waits. */
int64_t queue_run(struct queue* queue, int64_t now_ms);
/* Frees everything. Returns how many recipients were still waiting, which are lost. */
size_t queue_free(struct queue* queue);

#endif
