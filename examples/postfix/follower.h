/*
 * Follows Postfix's log on a thread of its own and pushes what it tells: delivery, delay, bounce
 * and policy_rejection, joined with what the milter knows of the message.
 */
#ifndef POSTFIX_FOLLOWER_H
#define POSTFIX_FOLLOWER_H

#include "contexts.h"
#include "options.h"

struct follower;

/* Starts the thread. Returns null on failure, with one line in `error`. The others must outlive it.
 */
struct follower* follower_start(posthaste_t* engine, const struct options* options,
                                struct contexts* contexts, struct buffer* error);
/* Ends the thread, and saves how far the log was read. null is allowed. */
void follower_stop(struct follower* follower);

#endif
