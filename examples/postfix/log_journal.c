/*
 * The journal, through libsystemd.
 */
#include "log_journal.h"

#include <stdlib.h>
#include <string.h>

#ifdef POSTFIX_HAS_JOURNAL
#include <systemd/sd-journal.h>

struct log_journal {
  sd_journal* journal;
  struct buffer cursor;
  struct buffer identifier;
  struct buffer message;
};

/* Goes behind the cursor, or to the end. */
static int seek(struct log_journal* journal, struct span place) {
  if (place.size == 0) {
    /* The cursor of the last entry, so that a restart before the next one misses nothing. */
    int result = sd_journal_seek_tail(journal->journal);
    if (result >= 0) result = sd_journal_previous(journal->journal);
    char* cursor = NULL;
    if (result > 0 && sd_journal_get_cursor(journal->journal, &cursor) >= 0)
      buffer_append_text(&journal->cursor, cursor);
    free(cursor);
    return result;
  }
  buffer_append_span(&journal->cursor, place);
  int result = sd_journal_seek_cursor(journal->journal, journal->cursor.data);
  if (result >= 0) result = sd_journal_next(journal->journal);
  /* The entry itself is read already; when it was vacuumed away, the one found is news. */
  if (result > 0 && sd_journal_test_cursor(journal->journal, journal->cursor.data) <= 0)
    result = sd_journal_previous(journal->journal);
  return result;
}

struct log_journal* log_journal_open(const char* folder, struct span place, struct buffer* error) {
  struct log_journal* journal = allocate(sizeof *journal);
  int result = folder == NULL ? sd_journal_open(&journal->journal, SD_JOURNAL_LOCAL_ONLY)
                              : sd_journal_open_directory(&journal->journal, folder, 0);
  /* Facility 2 is mail. */
  if (result >= 0) result = sd_journal_add_match(journal->journal, "SYSLOG_FACILITY=2", 0);
  if (result >= 0) result = seek(journal, place);
  if (result >= 0) return journal;
  buffer_format(error, "the journal cannot be read: %s", strerror(-result));
  log_journal_close(journal);
  return NULL;
}

void log_journal_close(struct log_journal* journal) {
  if (journal == NULL) return;
  sd_journal_close(journal->journal);
  buffer_free(&journal->cursor);
  buffer_free(&journal->identifier);
  buffer_free(&journal->message);
  free(journal);
}

/* Reads one field of the present entry; empty when it has none. */
static void read_field(sd_journal* journal, const char* name, struct buffer* out) {
  const void* data = NULL;
  size_t size = 0;
  size_t skipped = strlen(name) + 1;
  buffer_clear(out);
  if (sd_journal_get_data(journal, name, &data, &size) >= 0 && size >= skipped)
    buffer_append(out, (const char*)data + skipped, size - skipped);
}

int log_journal_next(struct log_journal* journal, const char* syslog_name,
                     struct log_line* out_line, struct span* out_message) {
  for (;;) {
    if (sd_journal_next(journal->journal) <= 0) {
      /* Takes in entries and files that came since; 0 never waits. */
      sd_journal_wait(journal->journal, 0);
      if (sd_journal_next(journal->journal) <= 0) return 0;
    }
    char* cursor = NULL;
    uint64_t time_us = 0;
    if (sd_journal_get_cursor(journal->journal, &cursor) < 0) continue;
    buffer_clear(&journal->cursor);
    buffer_append_text(&journal->cursor, cursor);
    free(cursor);
    read_field(journal->journal, "SYSLOG_IDENTIFIER", &journal->identifier);
    struct span identifier = buffer_span(&journal->identifier);
    size_t size = strlen(syslog_name);
    if (identifier.size <= size || memcmp(identifier.data, syslog_name, size) != 0 ||
        identifier.data[size] != '/')
      continue;
    sd_journal_get_realtime_usec(journal->journal, &time_us);
    read_field(journal->journal, "MESSAGE", &journal->message);
    size_t begin = identifier.size;
    while (identifier.data[begin - 1] != '/') begin--;
    memset(out_line, 0, sizeof *out_line);
    out_line->time_s = (int64_t)(time_us / 1000000);
    out_line->service = span_part(identifier, begin, identifier.size);
    *out_message = buffer_span(&journal->message);
    return 1;
  }
}

void log_journal_place(const struct log_journal* journal, struct buffer* out) {
  buffer_append_span(out, buffer_span(&journal->cursor));
}

#else

struct log_journal* log_journal_open(const char* folder, struct span place, struct buffer* error) {
  (void)folder;
  (void)place;
  buffer_append_text(error, "the journal cannot be read: built without libsystemd");
  return NULL;
}

void log_journal_close(struct log_journal* journal) {
  (void)journal;
}

int log_journal_next(struct log_journal* journal, const char* syslog_name,
                     struct log_line* out_line, struct span* out_message) {
  (void)journal;
  (void)syslog_name;
  (void)out_line;
  (void)out_message;
  return 0;
}

void log_journal_place(const struct log_journal* journal, struct buffer* out) {
  (void)journal;
  (void)out;
}

#endif
