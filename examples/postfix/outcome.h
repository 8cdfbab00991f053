/*
 * What a server's answer means, in the terms of the catalogue: its code, why it was given, which of
 * Momentum's bounce classes it falls into. Pure.
 */
#ifndef POSTFIX_OUTCOME_H
#define POSTFIX_OUTCOME_H

#include "../c/mini_mta/buffer.h"

/* The answer inside Postfix's text, `host x[1.2.3.4] said: 550 no (in reply to RCPT TO command)`;
 * all of the text when there is none. */
struct span outcome_reply(struct span text);
/* The SMTP code at the front of an answer; 0 when it has none. */
unsigned outcome_code(struct span reply);
/* dsn: the enhanced status code, such as 5.1.1; may be empty. Returns a bounce class: 10 invalid
 * recipient, 21 DNS, 22 mailbox full, 23 too large, 24 time-out, 25 configuration, 50 mail block,
 * 51 spam block, 54 relaying denied, 70 transient, 1 undetermined. */
int outcome_bounce_class(struct span dsn, struct span reply);
/* Writes an answer with addresses of hosts and mailboxes taken out, so that reports can group by
 * it. */
void outcome_normalise(struct span reply, struct buffer* out);

#endif
