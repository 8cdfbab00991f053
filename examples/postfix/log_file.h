/*
 * Reads a log file line by line for ever, whatever rotates it: rename with a new file, compression
 * (gzip) right after, or a copy and a truncation. A place in the log is the first bytes of a file,
 * by which it is known again under any name, and how far it was read; so reading goes on where it
 * ended after a restart, too, through any number of rotated files that are still there.
 */
#ifndef POSTFIX_LOG_FILE_H
#define POSTFIX_LOG_FILE_H

#include <stdint.h>

#include "../c/mini_mta/buffer.h"

struct log_file;

/*
 * Begins behind `place`, from log_file_place; an empty one is the end of the file as it is now, or
 * the beginning of one that is yet to come. Rotated files are looked for beside it: their names
 * begin with the log's own and a dot or a hyphen. Never fails: a file that is not there may come.
 */
struct log_file* log_file_open(const char* path, struct span place);
void log_file_close(struct log_file* file);
/*
 * Takes the next whole line, without its line feed; it lives until the next call. out_offset: where
 * it begins in its file, which no rotation changes. Returns 0 when there is none now.
 */
int log_file_next(struct log_file* file, struct span* out_line, uint64_t* out_offset);
/* Writes the place behind the last line that was taken. */
void log_file_place(const struct log_file* file, struct buffer* out);
/* Returns how often a place was not found again, and everything newer was read instead. */
unsigned log_file_gaps(const struct log_file* file);

#endif
