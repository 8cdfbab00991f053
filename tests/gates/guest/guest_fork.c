/*
 * Forks in every state of an engine's life and checks what the header says of the child. Usage:
 * guest_fork STATE with before_new, after_new, after_start, after_close, shared_socket or ids.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest.h"

enum { REQUEST_BYTES = 16384 };

/* A whole life with a request in flight: what a process must be able to do whatever its parent did.
 */
static void live(void) {
  int port = 0;
  const int listener = guest_listen(&port);
  posthaste_t* engine = guest_engine(NULL);
  guest_put(engine, "live", port);
  CHECK_CODE(POSTHASTE_OK, posthaste_start(engine, NULL));
  CHECK_CODE(POSTHASTE_OK, guest_push(engine));
  guest_wait_for_connection(listener);
  CHECK_CODE(POSTHASTE_E_TIMEOUT, posthaste_close(engine, 0, NULL));
  posthaste_free(engine);
  close(listener);
}

/* Runs it in a child that ends by exit, inherited exit handlers included. */
static void in_child(void (*body)(posthaste_t*), posthaste_t* engine) {
  int status = -1;
  const pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    guest_set_time_limit(30);
    body(engine);
    exit(0);
  }
  CHECK(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void live_in_child(posthaste_t* engine) {
  (void)engine;
  live();
}

static void start_inherited(posthaste_t* engine) {
  CHECK_CODE(POSTHASTE_OK, posthaste_start(engine, NULL));
  CHECK_CODE(POSTHASTE_OK, guest_push(engine));
  CHECK_CODE(POSTHASTE_E_TIMEOUT, posthaste_close(engine, 0, NULL));
  posthaste_free(engine);
}

static void check_events_forked(posthaste_t* engine) {
  static const char payload[] = "{\"type\":\"delivery\",\"event_id\":\"1\",\"timestamp\":\"1\"}";
  static const char record[] = "{\"msys\":{\"message_event\":{\"type\":\"delivery\"}}}";
  const size_t size = sizeof payload - 1;
  uint64_t number = 1;
  posthaste_event_t* event = posthaste_event_new("delivery");
  CHECK_CODE(POSTHASTE_E_FORKED, posthaste_push(engine, "delivery", payload, size));
  CHECK_CODE(POSTHASTE_E_FORKED, posthaste_push_trusted(engine, "delivery", payload, size));
  CHECK_CODE(POSTHASTE_E_FORKED, posthaste_push_enveloped(engine, record, sizeof record - 1));
  CHECK_CODE(POSTHASTE_E_FORKED,
             posthaste_push_many(engine, "delivery", payload, size, NULL, NULL, 0));
  CHECK_CODE(POSTHASTE_E_FORKED, posthaste_push_event(engine, event));
  CHECK_CODE(POSTHASTE_E_FORKED, posthaste_check(engine, "delivery", payload, size, NULL));
  CHECK_CODE(POSTHASTE_E_FORKED, posthaste_define_type(engine, "custom", "custom_event", NULL));
  CHECK_CODE(POSTHASTE_E_FORKED, posthaste_flush(engine, 0, NULL));
  CHECK_CODE(POSTHASTE_E_FORKED, posthaste_flush_ticket(engine, &number, NULL));
  CHECK_CODE(POSTHASTE_E_FORKED, posthaste_close_ticket(engine, 0, &number, NULL));
  CHECK(number == 0);
  CHECK_CODE(POSTHASTE_E_FORKED, posthaste_sync(engine, 0, NULL));
  CHECK_CODE(POSTHASTE_E_FORKED, posthaste_sync_ticket(engine, &number, NULL));
  CHECK(posthaste_wants(engine, "delivery") == 0);
  posthaste_event_free(event);
}

static void check_registry_forked(posthaste_t* engine) {
  uint64_t ticket = 1;
  posthaste_webhook_t* found = NULL;
  posthaste_webhook_list_t* list = NULL;
  posthaste_webhook_t* webhook = posthaste_webhook_new();
  posthaste_webhook_set(webhook, "name", "forked", NULL);
  posthaste_webhook_set(webhook, "target", "http://127.0.0.1:9/", NULL);
  posthaste_webhook_set(webhook, "events", "*", NULL);
  CHECK_CODE(POSTHASTE_E_FORKED, posthaste_create(engine, webhook, 0, NULL, NULL));
  CHECK_CODE(POSTHASTE_E_FORKED, posthaste_create_ticket(engine, webhook, &ticket, NULL));
  CHECK_CODE(POSTHASTE_E_FORKED, posthaste_put(engine, "forked", webhook, NULL));
  CHECK_CODE(POSTHASTE_E_FORKED, posthaste_update(engine, "parent", webhook, 0, NULL));
  CHECK_CODE(POSTHASTE_E_FORKED, posthaste_update_ticket(engine, "parent", webhook, &ticket, NULL));
  CHECK_CODE(POSTHASTE_E_FORKED, posthaste_remove(engine, "parent", POSTHASTE_REMOVE_DROP, NULL));
  CHECK_CODE(POSTHASTE_E_FORKED, posthaste_pause(engine, "parent", NULL));
  CHECK_CODE(POSTHASTE_E_FORKED, posthaste_resume(engine, "parent", NULL));
  CHECK_CODE(POSTHASTE_E_FORKED, posthaste_verify(engine, "parent", 0, NULL));
  CHECK_CODE(POSTHASTE_E_FORKED, posthaste_verify_ticket(engine, "parent", &ticket, NULL));
  CHECK_CODE(POSTHASTE_E_FORKED, posthaste_find(engine, "parent", &found, NULL));
  CHECK_CODE(POSTHASTE_E_FORKED, posthaste_list(engine, &list, NULL));
  CHECK_CODE(POSTHASTE_E_FORKED, posthaste_load(engine, "webhooks.json", NULL, NULL));
  CHECK(ticket == 0 && found == NULL && list == NULL);
  posthaste_webhook_free(webhook);
}

static void check_engine_forked(posthaste_t* engine) {
  uint64_t events = 1;
  posthaste_text_t* text = NULL;
  posthaste_report_t* report = NULL;
  CHECK_CODE(POSTHASTE_E_FORKED, posthaste_start(engine, NULL));
  CHECK_CODE(POSTHASTE_E_FORKED, posthaste_set(engine, "log.reports", NULL, NULL));
  CHECK_CODE(POSTHASTE_E_FORKED, posthaste_get(engine, "retry.max_age", &text, NULL));
  CHECK_CODE(POSTHASTE_E_FORKED, posthaste_open_batch(engine, "parent", &events, NULL, NULL));
  CHECK_CODE(POSTHASTE_E_FORKED,
             posthaste_batch_status(engine, "parent", 0, POSTHASTE_STATUS_ALL, &text, NULL));
  CHECK_CODE(POSTHASTE_E_FORKED, posthaste_poll(engine, 0, &report));
  CHECK_CODE(POSTHASTE_E_FORKED, posthaste_stats_json(engine, &text));
  CHECK_CODE(POSTHASTE_E_FORKED, posthaste_set_log(engine, NULL, NULL));
  CHECK_CODE(POSTHASTE_E_FORKED, posthaste_close(engine, 0, NULL));
  CHECK(posthaste_report_fd(engine) <= 0);
  CHECK(events == 0 && text == NULL && report == NULL);
}

static void check_forked_then_live(posthaste_t* engine) {
  posthaste_error_t* error = posthaste_error_new();
  CHECK_CODE(POSTHASTE_E_FORKED, posthaste_flush(engine, 0, error));
  CHECK_CODE(POSTHASTE_E_FORKED, posthaste_error_code(error));
  CHECK(posthaste_error_message(error)[0] != '\0');
  posthaste_error_free(error);
  check_events_forked(engine);
  check_registry_forked(engine);
  check_engine_forked(engine);
  posthaste_free(engine);
  live();
}

static void fork_after_start(int is_closed) {
  int port = 0;
  const int listener = guest_listen(&port);
  posthaste_text_t* text = NULL;
  posthaste_t* engine = guest_engine(NULL);
  guest_put(engine, "parent", port);
  CHECK_CODE(POSTHASTE_OK, posthaste_start(engine, NULL));
  CHECK_CODE(POSTHASTE_OK, guest_push(engine));
  guest_wait_for_connection(listener);
  if (is_closed) CHECK_CODE(POSTHASTE_E_TIMEOUT, posthaste_close(engine, 0, NULL));
  in_child(check_forked_then_live, engine);
  CHECK_CODE(POSTHASTE_OK, posthaste_stats_json(engine, &text));
  posthaste_text_free(text);
  if (!is_closed) CHECK_CODE(POSTHASTE_OK, guest_push(engine));
  posthaste_free(engine);
  close(listener);
}

/* A child with a copy of a transfer's socket must not hide from the receiver that the library
 * closed it. */
static void check_shared_socket(void) {
  static const char* const settings[] = {"request.timeout", "1s", NULL};
  int port = 0;
  int gate[2];
  char byte;
  char* request = malloc(REQUEST_BYTES);
  struct pollfd entry;
  const int listener = guest_listen(&port);
  posthaste_t* engine = guest_engine(settings);
  pid_t child;
  guest_put(engine, "parent", port);
  CHECK_CODE(POSTHASTE_OK, posthaste_start(engine, NULL));
  CHECK_CODE(POSTHASTE_OK, guest_push(engine));
  entry.fd = guest_accept_request(listener, request, REQUEST_BYTES);
  entry.events = POLLIN;
  CHECK(pipe(gate) == 0);
  child = fork();
  if (child == 0) {
    close(gate[1]);
    _exit(read(gate[0], &byte, 1) == 0 ? 0 : 1);
  }
  CHECK(poll(&entry, 1, 5000) == 1);
  CHECK(read(entry.fd, &byte, 1) <= 0);
  CHECK(waitpid(child, NULL, WNOHANG) == 0);
  close(gate[1]);
  CHECK(waitpid(child, NULL, 0) == child);
  close(entry.fd);
  posthaste_free(engine);
  free(request);
}

/* Copies what follows `key` up to `end`. */
static void copy_value(const char* request, const char* key, const char* end, char* out,
                       size_t size) {
  const char* value = strstr(request, key);
  size_t length;
  CHECK(value != NULL);
  value += strlen(key);
  length = strcspn(value, end);
  CHECK(length > 0 && length < size);
  memcpy(out, value, length);
  out[length] = '\0';
}

/* Workers forked from one engine that was made but not started: their ids must differ. */
static void check_ids(void) {
  char ids[2][2][128];
  int i;
  int port = 0;
  char* request = malloc(REQUEST_BYTES);
  const int listener = guest_listen(&port);
  posthaste_t* engine = guest_engine(NULL);
  guest_put(engine, "worker", port);
  for (i = 0; i < 2; ++i) {
    int connection;
    int status = -1;
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
      guest_set_time_limit(30);
      CHECK_CODE(POSTHASTE_OK, posthaste_start(engine, NULL));
      CHECK_CODE(POSTHASTE_OK, guest_push(engine));
      CHECK_CODE(POSTHASTE_OK, posthaste_close(engine, 10000, NULL));
      posthaste_free(engine);
      exit(0);
    }
    connection = guest_accept_request(listener, request, REQUEST_BYTES);
    copy_value(request, "\"event_id\":\"", "\"", ids[i][0], sizeof ids[i][0]);
    copy_value(request, "X-MessageSystems-Batch-ID: ", "\r", ids[i][1], sizeof ids[i][1]);
    CHECK(send(connection, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 38, 0) == 38);
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    close(connection);
  }
  CHECK(strcmp(ids[0][0], ids[1][0]) != 0);
  CHECK(strcmp(ids[0][1], ids[1][1]) != 0);
  posthaste_free(engine);
  free(request);
}

int main(int argc, char** argv) {
  const char* state = argc == 2 ? argv[1] : "";
  guest_set_time_limit(60);
  if (strcmp(state, "before_new") == 0) {
    in_child(live_in_child, NULL);
    live();
  } else if (strcmp(state, "after_new") == 0) {
    int port = 0;
    posthaste_t* engine = guest_engine(NULL);
    guest_listen(&port);
    guest_put(engine, "inherited", port);
    in_child(start_inherited, engine);
    start_inherited(engine);
  } else if (strcmp(state, "after_start") == 0) {
    fork_after_start(0);
  } else if (strcmp(state, "after_close") == 0) {
    fork_after_start(1);
  } else if (strcmp(state, "shared_socket") == 0) {
    check_shared_socket();
  } else {
    CHECK(strcmp(state, "ids") == 0);
    check_ids();
  }
  printf("fork %s: as documented\n", state);
  return 0;
}
