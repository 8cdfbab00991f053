/*
 * Messages in memory, in a tree by queue id and in a list by age, and the state file behind them.
 */
#include "contexts.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fields.h"

/* Postfix gives up after maximal_queue_lifetime, five days by default. */
static const int64_t kAgeMax_ms = INT64_C(10) * 86400 * 1000;
/* The file is written anew when it is this much, and four times what is needed. */
enum { kGarbage_bytes = 4 << 20 };
static const char kTitle[] = "posthaste-postfix state 1\n";

/* A recipient that is deferred. */
struct attempt {
  struct attempt* next;
  char* recipient;
  unsigned failures;
  struct buffer line; /* service and message, escaped */
};

struct message {
  char* queue_id;
  int64_t injected_ms;
  struct buffer fields; /* escaped, see fields.h */
  struct attempt* attempts;
  struct message* older;
  struct message* younger;
  int is_dirty;   /* differs from what the file says */
  int is_in_file; /* the file has a line that must be taken back */
};

struct contexts {
  pthread_mutex_t mutex;
  void* tree;
  struct message* oldest;
  struct message* youngest;
  size_t bytes;
  size_t bytes_max;
  struct buffer ended; /* E lines of the next save */
  struct buffer place;
  char* path;
  int fd;
  uint64_t file_bytes;
};

static int compare(const void* left, const void* right) {
  return strcmp(((const struct message*)left)->queue_id, ((const struct message*)right)->queue_id);
}

static size_t size_of(const struct message* message) {
  size_t size = sizeof *message + strlen(message->queue_id) + message->fields.capacity;
  for (const struct attempt* attempt = message->attempts; attempt != NULL; attempt = attempt->next)
    size += sizeof *attempt + strlen(attempt->recipient) + attempt->line.capacity;
  return size;
}

static struct message* find(struct contexts* contexts, struct span queue_id) {
  struct message key = {.queue_id = span_copy(queue_id)};
  void* found = tfind(&key, &contexts->tree, compare);
  free(key.queue_id);
  return found == NULL ? NULL : *(struct message**)found;
}

static struct message* add(struct contexts* contexts, struct span queue_id, int64_t injected_ms) {
  struct message* message = allocate(sizeof *message);
  message->queue_id = span_copy(queue_id);
  message->injected_ms = injected_ms;
  message->older = contexts->youngest;
  if (contexts->youngest != NULL) contexts->youngest->younger = message;
  if (contexts->oldest == NULL) contexts->oldest = message;
  contexts->youngest = message;
  contexts->bytes += size_of(message);
  if (tsearch(message, &contexts->tree, compare) == NULL) abort();
  return message;
}

static void free_attempt(struct attempt* attempt) {
  free(attempt->recipient);
  buffer_free(&attempt->line);
  free(attempt);
}

static void discard(struct contexts* contexts, struct message* message) {
  contexts->bytes -= size_of(message);
  tdelete(message, &contexts->tree, compare);
  if (message->older != NULL) message->older->younger = message->younger;
  if (message->younger != NULL) message->younger->older = message->older;
  if (contexts->oldest == message) contexts->oldest = message->younger;
  if (contexts->youngest == message) contexts->youngest = message->older;
  while (message->attempts != NULL) {
    struct attempt* attempt = message->attempts;
    message->attempts = attempt->next;
    free_attempt(attempt);
  }
  buffer_free(&message->fields);
  free(message->queue_id);
  free(message);
}

/* Ends a message, in the file with the next save. */
static void end(struct contexts* contexts, struct message* message) {
  if (message->is_in_file)
    buffer_format(&contexts->ended, "E\t%s\t%" PRId64 "\n", message->queue_id,
                  message->injected_ms);
  discard(contexts, message);
}

static void forget_oldest(struct contexts* contexts) {
  while (contexts->oldest != NULL && contexts->oldest != contexts->youngest &&
         (contexts->bytes > contexts->bytes_max ||
          contexts->oldest->injected_ms < wall_ms() - kAgeMax_ms))
    end(contexts, contexts->oldest);
}

/* The queue id, the time and the fields, or all that is known. */
static void write_message(struct buffer* out, const struct message* message, int is_whole) {
  buffer_format(out, "%s\t%s\t%" PRId64, is_whole ? "M" : "C", message->queue_id,
                message->injected_ms);
  for (const struct attempt* attempt = message->attempts; is_whole && attempt != NULL;
       attempt = attempt->next) {
    buffer_append_text(out, "\t@");
    fields_append_text(out, span_of(attempt->recipient));
    buffer_format(out, "\t%u", attempt->failures);
    buffer_append_span(out, buffer_span(&attempt->line));
  }
  buffer_append_span(out, buffer_span(&message->fields));
  buffer_append_text(out, "\n");
}

/* Appends to the file, all or nothing. */
static int append(struct contexts* contexts, struct span lines) {
  size_t done = 0;
  while (done < lines.size) {
    ssize_t count = write(contexts->fd, lines.data + done, lines.size - done);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) {
      /* A line cut short would join the next one. */
      if (ftruncate(contexts->fd, (off_t)contexts->file_bytes) != 0) return 0;
      return 0;
    }
    done += (size_t)count;
  }
  contexts->file_bytes += lines.size;
  return 1;
}

/* Writes all of it into a new file beside the old one, and puts it in its place. */
static int write_anew(struct contexts* contexts) {
  struct buffer lines = {0};
  struct buffer path = {0};
  buffer_append_text(&lines, kTitle);
  for (const struct message* message = contexts->oldest; message != NULL;
       message = message->younger)
    write_message(&lines, message, 1);
  buffer_append_text(&lines, "P");
  buffer_append_span(&lines, buffer_span(&contexts->place));
  buffer_append_text(&lines, "\n");
  buffer_format(&path, "%s.new", contexts->path);
  struct contexts fresh = {.file_bytes = 0};
  fresh.fd = open(path.data, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
  int is_done = fresh.fd >= 0 && append(&fresh, buffer_span(&lines)) && fsync(fresh.fd) == 0 &&
                rename(path.data, contexts->path) == 0;
  if (is_done) {
    if (contexts->fd >= 0) close(contexts->fd);
    contexts->fd = fresh.fd;
    contexts->file_bytes = fresh.file_bytes;
    buffer_clear(&contexts->ended);
    for (struct message* message = contexts->oldest; message != NULL; message = message->younger) {
      message->is_dirty = 0;
      message->is_in_file = 1;
    }
  } else if (fresh.fd >= 0) {
    close(fresh.fd);
    unlink(path.data);
  }
  buffer_free(&path);
  buffer_free(&lines);
  return is_done;
}

static struct attempt* add_attempt(struct message* message, struct span recipient) {
  struct attempt* attempt = allocate(sizeof *attempt);
  attempt->recipient = span_copy(recipient);
  attempt->next = message->attempts;
  message->attempts = attempt;
  return attempt;
}

/* Takes the deferred recipients of an M line; what is left are its fields. */
static void read_attempts(struct span line, size_t* position, struct message* message) {
  struct buffer text = {0};
  size_t next = *position;
  while (fields_next_text(line, &next, &text) && span_equals(buffer_span(&text), "@")) {
    if (!fields_next_text(line, &next, &text)) break;
    struct attempt* attempt = add_attempt(message, buffer_span(&text));
    if (!fields_next_text(line, &next, &text)) break;
    attempt->failures = (unsigned)strtoul(text.data, NULL, 10);
    for (int piece = 0; piece < 2 && fields_next_text(line, &next, &text); piece++)
      fields_append_text(&attempt->line, buffer_span(&text));
    *position = next;
  }
  buffer_free(&text);
}

/* One line of the file; `line` begins with its letter and ends before the line feed. */
static void read_line(struct contexts* contexts, struct span line, int is_settled) {
  char letter = line.size == 0 ? '\0' : line.data[0];
  struct buffer queue_id = {0};
  struct buffer injected = {0};
  size_t position = 1;
  if (letter == 'P') {
    buffer_clear(&contexts->place);
    buffer_append_span(&contexts->place, span_part(line, 1, line.size));
  } else if ((letter == 'C' || (is_settled && (letter == 'M' || letter == 'E'))) &&
             fields_next_text(line, &position, &queue_id) &&
             fields_next_text(line, &position, &injected)) {
    int64_t injected_ms = strtoll(injected.data, NULL, 10);
    struct message* message = find(contexts, buffer_span(&queue_id));
    /* The id may have been used again: a line about the message before does not concern it. */
    int is_same = message != NULL && message->injected_ms == injected_ms;
    if (message != NULL && (letter != 'E' || is_same)) discard(contexts, message);
    if (letter != 'E') {
      message = add(contexts, buffer_span(&queue_id), injected_ms);
      message->is_in_file = 1;
      contexts->bytes -= size_of(message);
      if (letter == 'M') read_attempts(line, &position, message);
      buffer_append_span(&message->fields, span_part(line, position, line.size));
      contexts->bytes += size_of(message);
    }
  }
  buffer_free(&injected);
  buffer_free(&queue_id);
}

static void read_lines(struct contexts* contexts, struct span text) {
  size_t settled = 0; /* where the last P begins */
  for (size_t i = text.size; i > 0 && settled == 0; i--) {
    if (text.data[i - 1] == '\n' && i < text.size && text.data[i] == 'P') settled = i;
  }
  size_t begin = sizeof kTitle - 1;
  while (begin < text.size) {
    const char* feed = memchr(text.data + begin, '\n', text.size - begin);
    size_t stop = (size_t)(feed - text.data);
    read_line(contexts, span_part(text, begin, stop), begin < settled);
    begin = stop + 1;
  }
}

/* Reads the file up to its last whole line; returns 0 when it is not such a file. */
static int load(struct contexts* contexts, struct buffer* error) {
  struct buffer text = {0};
  char piece[65536];
  ssize_t count;
  while ((count = read(contexts->fd, piece, sizeof piece)) > 0)
    buffer_append(&text, piece, (size_t)count);
  size_t size = text.size;
  while (size > 0 && text.data[size - 1] != '\n') size--;
  struct span whole = span_part(buffer_span(&text), 0, size);
  int is_ours = size == 0 || span_starts_with(whole, kTitle);
  if (count < 0 || !is_ours) {
    buffer_format(error, "%s: %s", contexts->path,
                  count < 0 ? strerror(errno) : "not a state of this version");
  } else if (size > 0) {
    read_lines(contexts, whole);
  }
  buffer_free(&text);
  return count == 0 && is_ours;
}

struct contexts* contexts_open(const char* path, size_t bytes_max, struct buffer* error) {
  struct contexts* contexts = allocate(sizeof *contexts);
  pthread_mutex_init(&contexts->mutex, NULL);
  contexts->path = span_copy(span_of(path));
  contexts->bytes_max = bytes_max;
  contexts->fd = open(path, O_RDONLY | O_CLOEXEC);
  int is_usable = contexts->fd >= 0 ? load(contexts, error) : errno == ENOENT;
  if (!is_usable && error->size == 0) buffer_format(error, "%s: %s", path, strerror(errno));
  /* Written anew, it has neither a torn line nor one that does not hold. */
  if (is_usable && !write_anew(contexts)) {
    buffer_format(error, "%s: %s", path, strerror(errno));
    is_usable = 0;
  }
  if (is_usable) return contexts;
  contexts_close(contexts);
  return NULL;
}

void contexts_close(struct contexts* contexts) {
  if (contexts == NULL) return;
  while (contexts->oldest != NULL) discard(contexts, contexts->oldest);
  if (contexts->fd >= 0) close(contexts->fd);
  buffer_free(&contexts->ended);
  buffer_free(&contexts->place);
  pthread_mutex_destroy(&contexts->mutex);
  free(contexts->path);
  free(contexts);
}

void contexts_put(struct contexts* contexts, struct span queue_id, int64_t injected_ms,
                  struct span fields) {
  struct buffer line = {0};
  pthread_mutex_lock(&contexts->mutex);
  struct message* message = find(contexts, queue_id);
  if (message != NULL) discard(contexts, message);
  message = add(contexts, queue_id, injected_ms);
  buffer_append_span(&message->fields, fields);
  contexts->bytes += message->fields.capacity;
  write_message(&line, message, 0);
  message->is_in_file = append(contexts, buffer_span(&line));
  message->is_dirty = !message->is_in_file;
  forget_oldest(contexts);
  pthread_mutex_unlock(&contexts->mutex);
  buffer_free(&line);
}

int64_t contexts_find(struct contexts* contexts, struct span queue_id, struct buffer* out) {
  pthread_mutex_lock(&contexts->mutex);
  const struct message* message = find(contexts, queue_id);
  if (message != NULL) buffer_append_span(out, buffer_span(&message->fields));
  int64_t injected_ms = message == NULL ? 0 : message->injected_ms;
  pthread_mutex_unlock(&contexts->mutex);
  return injected_ms;
}

void contexts_add(struct contexts* contexts, struct span queue_id, int64_t now_ms, const char* name,
                  struct span value) {
  if (value.size == 0) return;
  pthread_mutex_lock(&contexts->mutex);
  struct message* message = find(contexts, queue_id);
  if (message == NULL) message = add(contexts, queue_id, now_ms);
  if (!fields_have(buffer_span(&message->fields), name)) {
    contexts->bytes -= size_of(message);
    fields_add(&message->fields, name, value);
    contexts->bytes += size_of(message);
    message->is_dirty = 1;
    forget_oldest(contexts);
  }
  pthread_mutex_unlock(&contexts->mutex);
}

/* Finds a recipient, and what points to it. */
static struct attempt** find_attempt(struct message* message, struct span recipient) {
  struct attempt** link = &message->attempts;
  while (*link != NULL && !span_equals(recipient, (*link)->recipient)) link = &(*link)->next;
  return link;
}

unsigned contexts_defer(struct contexts* contexts, struct span queue_id, struct span recipient,
                        struct span service, struct span message_text) {
  pthread_mutex_lock(&contexts->mutex);
  struct message* message = find(contexts, queue_id);
  if (message == NULL) message = add(contexts, queue_id, wall_ms());
  contexts->bytes -= size_of(message);
  struct attempt* attempt = *find_attempt(message, recipient);
  if (attempt == NULL) attempt = add_attempt(message, recipient);
  unsigned failures = attempt->failures++;
  buffer_clear(&attempt->line);
  fields_append_text(&attempt->line, service);
  fields_append_text(&attempt->line, message_text);
  contexts->bytes += size_of(message);
  message->is_dirty = 1;
  forget_oldest(contexts);
  pthread_mutex_unlock(&contexts->mutex);
  return failures;
}

unsigned contexts_finish(struct contexts* contexts, struct span queue_id, struct span recipient) {
  unsigned failures = 0;
  pthread_mutex_lock(&contexts->mutex);
  struct message* message = find(contexts, queue_id);
  struct attempt** link = message == NULL ? NULL : find_attempt(message, recipient);
  if (link != NULL && *link != NULL) {
    struct attempt* attempt = *link;
    contexts->bytes -= size_of(message);
    failures = attempt->failures;
    *link = attempt->next;
    free_attempt(attempt);
    contexts->bytes += size_of(message);
    message->is_dirty = 1;
  }
  pthread_mutex_unlock(&contexts->mutex);
  return failures;
}

int contexts_take_deferred(struct contexts* contexts, struct span queue_id, struct buffer* service,
                           struct buffer* message_text, unsigned* out_failures) {
  pthread_mutex_lock(&contexts->mutex);
  struct message* message = find(contexts, queue_id);
  struct attempt* attempt = message == NULL ? NULL : message->attempts;
  if (attempt != NULL) {
    size_t position = 0;
    fields_next_text(buffer_span(&attempt->line), &position, service);
    fields_next_text(buffer_span(&attempt->line), &position, message_text);
    *out_failures = attempt->failures;
    contexts->bytes -= size_of(message);
    message->attempts = attempt->next;
    free_attempt(attempt);
    contexts->bytes += size_of(message);
    message->is_dirty = 1;
  }
  pthread_mutex_unlock(&contexts->mutex);
  return attempt != NULL;
}

void contexts_end(struct contexts* contexts, struct span queue_id) {
  pthread_mutex_lock(&contexts->mutex);
  struct message* message = find(contexts, queue_id);
  if (message != NULL) end(contexts, message);
  pthread_mutex_unlock(&contexts->mutex);
}

/* What the file must be: messages of which it says something wrong, and the rest of them twice
 * over. */
static int is_mostly_past(const struct contexts* contexts) {
  return contexts->file_bytes > kGarbage_bytes + 4 * (uint64_t)contexts->bytes;
}

int contexts_save(struct contexts* contexts, struct span place) {
  struct buffer lines = {0};
  pthread_mutex_lock(&contexts->mutex);
  forget_oldest(contexts);
  for (const struct message* message = contexts->oldest; message != NULL;
       message = message->younger) {
    if (message->is_dirty) write_message(&lines, message, 1);
  }
  buffer_append_span(&lines, buffer_span(&contexts->ended));
  buffer_append_text(&lines, "P");
  fields_append_text(&lines, place);
  buffer_append_text(&lines, "\n");
  int is_saved = append(contexts, buffer_span(&lines));
  if (is_saved) {
    buffer_clear(&contexts->ended);
    buffer_clear(&contexts->place);
    fields_append_text(&contexts->place, place);
    for (struct message* message = contexts->oldest; message != NULL; message = message->younger) {
      if (message->is_dirty) message->is_in_file = 1;
      message->is_dirty = 0;
    }
    if (is_mostly_past(contexts)) write_anew(contexts);
  }
  pthread_mutex_unlock(&contexts->mutex);
  buffer_free(&lines);
  return is_saved;
}

void contexts_place(struct contexts* contexts, struct buffer* out) {
  size_t position = 0;
  buffer_clear(out);
  pthread_mutex_lock(&contexts->mutex);
  fields_next_text(buffer_span(&contexts->place), &position, out);
  pthread_mutex_unlock(&contexts->mutex);
}
