/*
 * From lines to events. The log is a queue that outlives this process: how far it was read is saved
 * only when the events of what was read are safe, and whatever is read again after a crash gives
 * the same events with the same ids.
 */
#include "follower.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "events.h"
#include "log_file.h"
#include "log_journal.h"
#include "log_line.h"

enum { kPause_ms = 100, kSave_ms = 1000, kSaveLines = 5000, kSync_ms = 10000, kFull_ms = 50 };

struct follower {
  posthaste_t* engine;
  const struct options* options;
  struct contexts* contexts;
  struct events events;
  struct log_file* file; /* one of the two */
  struct log_journal* journal;
  pthread_t thread;
  atomic_int is_stopping;
  unsigned unsaved;      /* lines since the last save */
  int64_t saved_ms;      /* when that was, monotonic */
  int64_t complained_ms; /* likewise of the last complaint */
  unsigned gaps;
  struct buffer place; /* behind the last line whose events are pushed */
};

static void pause_for(int milliseconds) {
  struct timespec pause = {.tv_nsec = (long)milliseconds * 1000000};
  nanosleep(&pause, NULL);
}

/* Says the same thing once a minute at most. */
static void complain(struct follower* follower, const char* text) {
  int64_t now = monotonic_ms();
  if (follower->complained_ms != 0 && now - follower->complained_ms < 60000) return;
  follower->complained_ms = now;
  posthaste_log(follower->engine, POSTHASTE_LOG_ERROR, text);
}

/* ---- Events */

/* What the id of an event is made of: all of the line, and where it stands. out is emptied. */
static void make_seed(const struct follower* follower, struct span line, uint64_t offset,
                      struct buffer* out) {
  buffer_clear(out);
  if (follower->journal != NULL) {
    log_journal_place(follower->journal, out);
  } else {
    buffer_format(out, "%" PRIu64 " ", offset);
  }
  buffer_append_span(out, line);
}

/* Tells whether a push is to be tried again. Lost are only events that could never be pushed. */
static int must_wait(struct follower* follower, int32_t code) {
  if (code == POSTHASTE_OK) return 0;
  if (code == POSTHASTE_E_QUEUE_FULL || code == POSTHASTE_E_SPOOL_FULL ||
      code == POSTHASTE_E_SPOOL_IO || code == POSTHASTE_E_NO_MEMORY) {
    complain(follower, "the log waits: there is no room for its events");
    pause_for(kFull_ms);
    return 1;
  }
  if (code != POSTHASTE_E_STATE) {
    struct buffer text = {0};
    buffer_format(&text, "an event of the log is lost: %s", posthaste_strerror(code));
    posthaste_log(follower->engine, POSTHASTE_LOG_ERROR, text.data);
    buffer_free(&text);
  }
  return 0;
}

/* Pushes an attempt until there is room; returns 0 when the follower is to stop before. */
static int push_attempt(struct follower* follower, const struct log_line* line, unsigned failures,
                        struct span seed) {
  struct buffer fields = {0};
  int32_t code;
  contexts_find(follower->contexts, line->queue_id, &fields);
  do {
    code = events_attempt(&follower->events, line, buffer_span(&fields), failures, seed);
  } while (must_wait(follower, code) && !atomic_load(&follower->is_stopping));
  buffer_free(&fields);
  return code == POSTHASTE_OK || !atomic_load(&follower->is_stopping);
}

static int push_rejection(struct follower* follower, const struct log_line* line,
                          struct span seed) {
  int32_t code;
  do {
    code = events_rejection(&follower->events, line, seed);
  } while (must_wait(follower, code) && !atomic_load(&follower->is_stopping));
  return code == POSTHASTE_OK || !atomic_load(&follower->is_stopping);
}

/* qmgr gives up a message: the log has no line for each recipient, but each had one when it was
 * deferred last. */
static int expire(struct follower* follower, const struct log_line* line, struct span seed) {
  struct buffer service = {0};
  struct buffer message = {0};
  struct buffer own_seed = {0};
  unsigned failures = 0;
  int is_pushed = 1;
  while (is_pushed && contexts_take_deferred(follower->contexts, line->queue_id, &service, &message,
                                             &failures)) {
    struct log_line last = {.service = buffer_span(&service)};
    log_line_read(buffer_span(&message), &last);
    if (last.kind != LOG_LINE_DEFERRED) continue;
    last.kind = LOG_LINE_BOUNCED;
    last.time_s = line->time_s;
    buffer_clear(&own_seed);
    buffer_append_span(&own_seed, last.recipient);
    buffer_append_span(&own_seed, seed);
    is_pushed = push_attempt(follower, &last, failures, buffer_span(&own_seed));
  }
  buffer_free(&own_seed);
  buffer_free(&message);
  buffer_free(&service);
  return is_pushed;
}

/* ---- Lines */

static int take_attempt(struct follower* follower, const struct log_line* line, struct span message,
                        struct span seed) {
  unsigned failures = line->kind == LOG_LINE_DEFERRED
                          ? contexts_defer(follower->contexts, line->queue_id, line->recipient,
                                           line->service, message)
                          : contexts_finish(follower->contexts, line->queue_id, line->recipient);
  return push_attempt(follower, line, failures, seed);
}

/* Mail that did not come through the milter, such as Postfix's own bounces, is known from the log.
 */
static void take_queued(struct follower* follower, const struct log_line* line) {
  int64_t time_ms = line->time_s * 1000;
  contexts_add(follower->contexts, line->queue_id, time_ms, "msg_from", line->sender);
  contexts_add(follower->contexts, line->queue_id, time_ms, "msg_size", line->size);
}

/* Takes a line in; returns 0 when the follower is to stop before its events are pushed. */
static int take_line(struct follower* follower, const struct log_line* line, struct span message,
                     struct span seed) {
  switch (line->kind) {
    case LOG_LINE_MESSAGE_ID:
      contexts_add(follower->contexts, line->queue_id, line->time_s * 1000, "message_id",
                   line->message_id);
      return 1;
    case LOG_LINE_QUEUED:
      take_queued(follower, line);
      return 1;
    case LOG_LINE_SENT:
    case LOG_LINE_DEFERRED:
    case LOG_LINE_BOUNCED:
      return take_attempt(follower, line, message, seed);
    case LOG_LINE_EXPIRED:
      return expire(follower, line, seed);
    case LOG_LINE_REMOVED:
      contexts_end(follower->contexts, line->queue_id);
      return 1;
    case LOG_LINE_REJECTED:
      /* cleanup refuses whole messages, the others single commands. */
      if (line->queue_id.size > 0 && span_equals(line->service, "cleanup"))
        contexts_end(follower->contexts, line->queue_id);
      return push_rejection(follower, line, seed);
    case LOG_LINE_OTHER:
      break;
  }
  return 1;
}

/* ---- Reading */

/* Takes one line of the log; returns 0 when there is none, or when it could not be taken in. */
static int take_next(struct follower* follower) {
  struct log_line line;
  struct span message;
  struct span whole;
  uint64_t offset = 0;
  struct buffer seed = {0};
  int is_about_mail;
  if (follower->journal != NULL) {
    if (!log_journal_next(follower->journal, follower->options->syslog_name, &line, &message))
      return 0;
    whole = message;
    is_about_mail = 1;
  } else {
    if (!log_file_next(follower->file, &whole, &offset)) return 0;
    is_about_mail =
        log_line_split(whole, follower->options->syslog_name, wall_ms() / 1000, &line, &message);
  }
  int is_taken = 1;
  if (is_about_mail) {
    log_line_read(message, &line);
    if (line.kind != LOG_LINE_OTHER) {
      make_seed(follower, whole, offset, &seed);
      is_taken = take_line(follower, &line, message, buffer_span(&seed));
    }
  }
  buffer_free(&seed);
  if (!is_taken) {
    /* The contexts have it and the events do not: what is saved must be from before it. */
    follower->unsaved = 0;
    return 0;
  }
  follower->unsaved++;
  buffer_clear(&follower->place);
  if (follower->journal != NULL) {
    log_journal_place(follower->journal, &follower->place);
  } else {
    log_file_place(follower->file, &follower->place);
  }
  return 1;
}

/* Saves how far the log was read, once the events of it are on disk. In memory mode there is
 * nothing to wait for, and a crash loses what was not delivered. */
static void save(struct follower* follower) {
  int32_t code = posthaste_sync(follower->engine, kSync_ms, NULL);
  follower->saved_ms = monotonic_ms();
  if (code != POSTHASTE_OK && code != POSTHASTE_E_STATE) {
    complain(follower, "what was read of the log is not saved: its events cannot be synced");
    return;
  }
  if (contexts_save(follower->contexts, buffer_span(&follower->place))) {
    follower->unsaved = 0;
  } else {
    complain(follower, "what was read of the log is not saved: the state cannot be written");
  }
  if (follower->file == NULL || log_file_gaps(follower->file) == follower->gaps) return;
  follower->gaps = log_file_gaps(follower->file);
  posthaste_log(follower->engine, POSTHASTE_LOG_WARNING,
                "the place where reading the log ended is gone; lines may be missing");
}

static void* run(void* argument) {
  struct follower* follower = argument;
  follower->saved_ms = monotonic_ms();
  while (!atomic_load(&follower->is_stopping)) {
    int is_idle = !take_next(follower);
    int is_late = monotonic_ms() - follower->saved_ms >= kSave_ms;
    if (follower->unsaved >= kSaveLines || (follower->unsaved > 0 && is_late)) save(follower);
    if (is_idle) pause_for(kPause_ms);
  }
  if (follower->unsaved > 0) save(follower);
  return NULL;
}

/* ---- Life cycle */

static int open_log(struct follower* follower, struct buffer* error) {
  static const char kJournal[] = "journal";
  struct span log = span_of(follower->options->log);
  if (span_starts_with(log, "/")) {
    follower->file = log_file_open(log.data, buffer_span(&follower->place));
    if (follower->place.size == 0) log_file_place(follower->file, &follower->place);
    return 1;
  }
  if (!span_starts_with(log, kJournal) || (log.size > 7 && log.data[7] != ':')) {
    buffer_format(error, "log %s is neither a path, journal, nor journal:FOLDER", log.data);
    return 0;
  }
  follower->journal =
      log_journal_open(log.size > 8 ? log.data + 8 : NULL, buffer_span(&follower->place), error);
  if (follower->journal == NULL) return 0;
  if (follower->place.size == 0) log_journal_place(follower->journal, &follower->place);
  return 1;
}

static void release(struct follower* follower) {
  events_close(&follower->events);
  log_file_close(follower->file);
  log_journal_close(follower->journal);
  buffer_free(&follower->place);
  free(follower);
}

struct follower* follower_start(posthaste_t* engine, const struct options* options,
                                struct contexts* contexts, struct buffer* error) {
  struct follower* follower = allocate(sizeof *follower);
  follower->engine = engine;
  follower->options = options;
  follower->contexts = contexts;
  events_open(&follower->events, engine, options);
  contexts_place(contexts, &follower->place);
  if (open_log(follower, error)) {
    /* Where a first start begins is settled before the first mail comes. */
    contexts_save(contexts, buffer_span(&follower->place));
    if (pthread_create(&follower->thread, NULL, run, follower) == 0) return follower;
    buffer_append_text(error, "no thread for the follower");
  }
  release(follower);
  return NULL;
}

void follower_stop(struct follower* follower) {
  if (follower == NULL) return;
  atomic_store(&follower->is_stopping, 1);
  pthread_join(follower->thread, NULL);
  release(follower);
}
