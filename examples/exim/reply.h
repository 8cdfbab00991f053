/* What the text of an SMTP answer says: its code, its class among bounces, its text without what
 * varies. */
#ifndef REPLY_H
#define REPLY_H

#include <stddef.h>

/*
 * Finds the answer in a text of Exim's, such as
 * "SMTP error from remote mail server after RCPT TO:<a@b.test>: 550 5.1.1 no such user".
 * Returns: where its code begins; the text itself when it holds no answer.
 */
const char* reply_find(const char* text);

/* Returns the code at the start of an answer; 0 when there is none. */
int reply_code(const char* reply);

/* Returns the number by which bounces are classified, from the enhanced status code (RFC 3463),
 * else from the code; 1, undetermined, when there is neither. */
int reply_bounce_class(const char* reply);

/* Copies a text with each IPv4 address as `a.b.c.d` and without what stands in angle brackets, so
 * that equal reasons are equal texts. Cut at `room` bytes, NUL included. */
void reply_normalise(const char* text, char* out, size_t room);

#endif
