/*
 * Writing messages into Maildirs: a file appears in `new` only when it is complete and on disk.
 */
#ifndef MINI_MTA_MAILDIR_H
#define MINI_MTA_MAILDIR_H

#include "buffer.h"

/* Makes the directory that holds the Maildirs. Returns 0, or an errno value. */
int maildir_create_parent(const char* directory);
/* Makes the directory and its tmp, new and cur. Returns 0, or an errno value. */
int maildir_create(const char* directory);
/* Writes one message, CRLF line ends becoming LF. Returns 0, or an errno value; then nothing is
 * left behind. */
int maildir_deliver(const char* directory, struct span message);

#endif
