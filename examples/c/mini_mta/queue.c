/*
 * The mail queue: delivery, bounces, delays.
 */
#include "queue.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "headers.h"
#include "maildir.h"
#include "mime.h"

enum { kAttemptsMax = 12, kRetryDelayMaxMs = 300000, kDeferredBytesMax = 64 * 1024 * 1024 };

struct delivery {
  struct message* message;
  size_t recipient;
  unsigned failures;
  int64_t next_try_ms;
  struct delivery* next;
};

/* User names become directory names, so they may not climb. */
static int is_user_name(struct span name) {
  if (name.size == 0 || name.size > 64 || name.data[0] == '.') return 0;
  for (size_t i = 0; i < name.size; i++) {
    char letter = name.data[i];
    int is_digit = letter >= '0' && letter <= '9';
    if (!ascii_is_letter(letter) && !is_digit && strchr("._-", letter) == NULL) return 0;
  }
  return 1;
}

static void directory_of(const struct queue* queue, const char* user, struct buffer* out) {
  buffer_format(out, "%s/%s", queue->maildir, user);
}

int queue_add_users(struct queue* queue, const char* list) {
  struct span rest = span_of(list);
  while (rest.size > 0) {
    size_t comma = span_find(rest, 0, ",");
    struct span name = span_trim(span_part(rest, 0, comma));
    rest = span_part(rest, comma < rest.size ? comma + 1 : comma, rest.size);
    if (!is_user_name(name) || queue->user_count == QUEUE_USERS_MAX) {
      fprintf(stderr, "mini_mta: bad user name or too many users: %s\n", list);
      return -1;
    }
    char* user = span_copy(name);
    queue->users[queue->user_count++] = user;
    struct buffer directory = {0};
    directory_of(queue, user, &directory);
    int code = maildir_create(directory.data);
    if (code != 0)
      fprintf(stderr, "mini_mta: cannot make %s: %s\n", directory.data, strerror(code));
    buffer_free(&directory);
    if (code != 0) return -1;
  }
  return 0;
}

int queue_is_local(const struct queue* queue, const char* domain) {
  return span_equals(span_of(domain), queue->domain);
}

int queue_has_room(const struct queue* queue) {
  return queue->deferred_bytes < kDeferredBytesMax;
}

/* Returns the user of a local address, or null. */
static const char* find_user(const struct queue* queue, const struct recipient* recipient) {
  const char* at = strrchr(recipient->lower, '@');
  struct span local = {recipient->lower,
                       at == NULL ? strlen(recipient->lower) : (size_t)(at - recipient->lower)};
  for (size_t i = 0; i < queue->user_count; i++) {
    if (span_equals(local, queue->users[i])) return queue->users[i];
  }
  return NULL;
}

/* Writes the message with links and pixels that tell its events, and with the fields by which its
 * reader unsubscribes, unless it has its own. */
static void emit_tracked(const struct queue* queue, const struct message* message,
                         const struct recipient* recipient, struct buffer* out) {
  struct span data = buffer_span(&message->data);
  struct span headers;
  struct span body;
  struct buffer unsubscribe = {0};
  posthaste_text_t* context = events_context(queue->events, message, recipient);
  headers_split(data, &headers, &body);
  headers_find(headers, "list-unsubscribe", &unsubscribe);
  if (unsubscribe.size == 0)
    tracking_list_unsubscribe(queue->tracking, posthaste_text_data(context), out);
  mime_track(data, queue->tracking, posthaste_text_data(context), out);
  posthaste_text_free(context);
  buffer_free(&unsubscribe);
}

/* Writes the trace fields (RFC 5321 section 4.4) and the tracked message. */
static void compose(const struct queue* queue, const struct message* message,
                    const struct recipient* recipient, struct buffer* out) {
  char date[64];
  time_t seconds = (time_t)(message->injected_ms / 1000);
  struct tm utc;
  gmtime_r(&seconds, &utc);
  strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S +0000", &utc);
  buffer_format(out, "Return-Path: <%s>\r\nDelivered-To: %s\r\n", message->from,
                recipient->address);
  buffer_format(out, "Received: from %s ([%s]) by %s with %s id %s;\r\n\t%s\r\n", message->helo,
                message->peer, queue->domain,
                strcmp(message->recv_method, "esmtp") == 0 ? "ESMTP" : "SMTP", message->id, date);
  emit_tracked(queue, message, recipient, out);
}

/* Makes one attempt. Returns 0, or an errno value. */
static int deliver(struct queue* queue, struct message* message, size_t index, const char* user) {
  const struct recipient* recipient = &message->recipients[index];
  struct buffer text = {0};
  struct buffer directory = {0};
  compose(queue, message, recipient, &text);
  directory_of(queue, user, &directory);
  int code = maildir_deliver(directory.data, buffer_span(&text));
  buffer_free(&text);
  buffer_free(&directory);
  return code;
}

/* One recipient is done; with the last one the message's text is no longer needed, only its facts.
 */
static void settle(struct message* message) {
  if (--message->pending == 0) buffer_free(&message->data);
}

/* Makes an attempt and tells its outcome. Returns 1 when the recipient must be tried again. */
static int attempt(struct queue* queue, struct message* message, size_t index, unsigned failures) {
  const struct recipient* recipient = &message->recipients[index];
  const char* user = find_user(queue, recipient);
  struct buffer raw_reason = {0};
  int must_retry = 0;
  if (user == NULL) {
    buffer_format(&raw_reason, "550 5.1.1 <%s>: no such user here", recipient->address);
    struct failure failure = {550, 10, "550 5.1.1 no such user here", raw_reason.data};
    events_bounce(queue->events, message, recipient, failures, &failure);
    settle(message);
  } else {
    int code = deliver(queue, message, index, user);
    must_retry = code != 0 && failures + 1 < kAttemptsMax;
    buffer_format(&raw_reason, "%s mailbox of <%s> not available: %s",
                  must_retry ? "451 4.2.0" : "554 5.4.7", recipient->address, strerror(code));
    struct failure delay = {451, 70, "451 4.2.0 mailbox not available", raw_reason.data};
    struct failure timeout = {554, 24, "554 5.4.7 mailbox not available for too long",
                              raw_reason.data};
    if (code == 0) {
      events_delivery(queue->events, message, recipient, failures);
    } else if (must_retry) {
      events_delay(queue->events, message, recipient, failures, &delay);
    } else {
      events_bounce(queue->events, message, recipient, failures, &timeout);
    }
    if (!must_retry) settle(message);
  }
  buffer_free(&raw_reason);
  return must_retry;
}

static int64_t delay_ms(const struct queue* queue, unsigned failures) {
  int64_t delay = queue->retry_ms;
  for (unsigned i = 1; i < failures && delay < kRetryDelayMaxMs; i++) delay *= 2;
  return delay < kRetryDelayMaxMs ? delay : kRetryDelayMaxMs;
}

void queue_accept(struct queue* queue, struct message* message) {
  message_retain(message);
  events_injection(queue->events, message);
  for (size_t i = 0; i < message->recipient_count; i++) {
    if (!attempt(queue, message, i, 0)) continue;
    struct delivery* delivery = allocate(sizeof *delivery);
    delivery->message = message_retain(message);
    delivery->recipient = i;
    delivery->failures = 1;
    delivery->next_try_ms = monotonic_ms() + delay_ms(queue, 1);
    delivery->next = queue->deferred;
    queue->deferred = delivery;
    queue->deferred_bytes += message->size;
  }
  message_release(message);
}

static void drop_delivery(struct queue* queue, struct delivery* delivery) {
  queue->deferred_bytes -= delivery->message->size;
  message_release(delivery->message);
  free(delivery);
}

int64_t queue_run(struct queue* queue, int64_t now_ms) {
  int64_t next_ms = -1;
  struct delivery** link = &queue->deferred;
  while (*link != NULL) {
    struct delivery* delivery = *link;
    if (delivery->next_try_ms <= now_ms) {
      if (!attempt(queue, delivery->message, delivery->recipient, delivery->failures)) {
        *link = delivery->next;
        drop_delivery(queue, delivery);
        continue;
      }
      delivery->failures++;
      delivery->next_try_ms = now_ms + delay_ms(queue, delivery->failures);
    }
    if (next_ms < 0 || delivery->next_try_ms < next_ms) next_ms = delivery->next_try_ms;
    link = &delivery->next;
  }
  return next_ms;
}

size_t queue_free(struct queue* queue) {
  size_t waiting = 0;
  while (queue->deferred != NULL) {
    struct delivery* delivery = queue->deferred;
    queue->deferred = delivery->next;
    drop_delivery(queue, delivery);
    waiting++;
  }
  for (size_t i = 0; i < queue->user_count; i++) free(queue->users[i]);
  queue->user_count = 0;
  return waiting;
}
