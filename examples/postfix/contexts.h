/*
 * What is known of the messages in Postfix's queue, by queue id, and the place in the log up to
 * which it is known: one file, the state. The milter puts messages in, the follower of the log adds
 * what it reads and ends them.
 *
 * The state is a file of lines, only ever appended to, and written anew when most of it is past:
 *
 *   C <queue id> <injected ms> <fields>            a message, as the milter saw it; holds at once
 *   M <queue id> <injected ms> <service, line>...  the same with what the log added; see below
 *   E <queue id> <injected ms>                     the message is done; see below
 *   P <place>                                      the log is read up to here
 *
 * M and E hold when a P follows: what was read of the log and how far it was read change together,
 * whenever the process ends. A line that the end of the process tore is cut off at the next start.
 */
#ifndef POSTFIX_CONTEXTS_H
#define POSTFIX_CONTEXTS_H

#include <stdint.h>

#include "../c/mini_mta/buffer.h"

struct contexts;

/* Opens or makes the state. bytes_max: memory for messages; beyond it the oldest are forgotten, and
 * their events lack what only the milter knew. Returns null when the file cannot be used; error
 * then holds one line. */
struct contexts* contexts_open(const char* path, size_t bytes_max, struct buffer* error);
void contexts_close(struct contexts* contexts);

/* All of the following may be called by any thread. */

/* Puts a message in, or replaces what an earlier one under the same id has left. */
void contexts_put(struct contexts* contexts, struct span queue_id, int64_t injected_ms,
                  struct span fields);
/* Appends the message's fields to `out`. Returns when it was injected, in ms; 0 when it is not
 * known. */
int64_t contexts_find(struct contexts* contexts, struct span queue_id, struct buffer* out);
/* Adds a field that is not there yet; also to a message that the milter has not seen, which was
 * injected now_ms then. */
void contexts_add(struct contexts* contexts, struct span queue_id, int64_t now_ms, const char* name,
                  struct span value);
/* Remembers the last line about a recipient that will be tried again. Returns how often it failed
 * before. */
unsigned contexts_defer(struct contexts* contexts, struct span queue_id, struct span recipient,
                        struct span service, struct span message);
/* Forgets a recipient. Returns how often it failed before. */
unsigned contexts_finish(struct contexts* contexts, struct span queue_id, struct span recipient);
/* Takes a recipient that is deferred out, with its last line; returns 0 when none is left.
 * out_failures: how often it failed. */
int contexts_take_deferred(struct contexts* contexts, struct span queue_id, struct buffer* service,
                           struct buffer* message, unsigned* out_failures);
/* Forgets a message. */
void contexts_end(struct contexts* contexts, struct span queue_id);

/* Writes what changed, and the place up to which the log was read. Returns 0 when the file could
 * not be written. */
int contexts_save(struct contexts* contexts, struct span place);
/* Writes the place that was saved last; empty when there is none. */
void contexts_place(struct contexts* contexts, struct buffer* out);

#endif
