/*
 * The milter: what Postfix shows it of each message becomes injection events and the context of the
 * later ones; DSNs and complaints become out_of_band and spam_complaint. It changes and refuses
 * nothing.
 */
#ifndef POSTFIX_MILTER_H
#define POSTFIX_MILTER_H

#include "contexts.h"
#include "options.h"

/* Serves until SIGTERM or SIGINT. Returns 0, with one line in `error`, when it could not listen.
 * Once in a process: libmilter keeps its own state. */
int milter_run(posthaste_t* engine, const struct options* options, struct contexts* contexts,
               struct buffer* error);

#endif
