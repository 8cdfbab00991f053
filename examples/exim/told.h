/*
 * Remembers for which recipients of a message the last word was said, so that none is missing when
 * Exim dies between a delivery and telling of it. Exim notes a delivery in the message's journal
 * first; after a crash it completes the message without telling again, and without a line in its
 * log.
 *
 * A message of one recipient is told and completed by one process, and needs no file. One with
 * several has a file in `posthaste` below Exim's spool directory, from the first recipient told to
 * the message's end.
 */
#ifndef TOLD_H
#define TOLD_H

enum told_outcome { TOLD_DELIVERED = 'D', TOLD_FAILED = 'F' };

/* Whether this process noted that outcome before: Exim tells some failures twice. */
int told_has(const char* recipient, enum told_outcome outcome);

/* Notes a recipient of the message that Exim is at, once the event is pushed: a crash between the
 * two tells twice rather than never. */
void told_note(const char* recipient, enum told_outcome outcome);

/*
 * Ends the message: calls `found` for each recipient of its envelope of which nothing was said, and
 * removes the file. Where Exim redirected one of several recipients it cannot be told who is
 * missing, and none is named.
 */
void told_complete(void (*found)(const char* recipient));

#endif
