/*
 * Reads Postfix's messages from systemd's journal, for hosts without a log file. A place is a
 * cursor of the journal. Built when libsystemd is there; else opening fails.
 */
#ifndef POSTFIX_LOG_JOURNAL_H
#define POSTFIX_LOG_JOURNAL_H

#include "log_line.h"

struct log_journal;

/* Begins behind `place`, from log_journal_place; an empty one is the end as it is now. folder: of
 * the journal's files; null is the system's own. Returns null on failure, with one line in `error`.
 */
struct log_journal* log_journal_open(const char* folder, struct span place, struct buffer* error);
void log_journal_close(struct log_journal* journal);
/* Takes the next entry of a program whose name begins with syslog_name: its time and service are in
 * out_line then. out_message lives until the next call. Returns 0 when there is none now. */
int log_journal_next(struct log_journal* journal, const char* syslog_name,
                     struct log_line* out_line, struct span* out_message);
/* Writes the cursor of the last entry that was taken. */
void log_journal_place(const struct log_journal* journal, struct buffer* out);

#endif
