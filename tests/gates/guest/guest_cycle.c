/*
 * Makes and frees engines, for valgrind. Usage: guest_cycle new|start COUNT
 * new: posthaste_new and free only; start: also a webhook, the threads, one event delivered and a
 * close. Nothing is waited for that hangs: a thread that close had to leave behind is leaked on
 * purpose.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "guest.h"

enum { REQUEST_BYTES = 16384 };

static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

struct server {
  int listener;
  long request_count;
};

/* Answers that many requests with 200, one connection after the other. */
static void* serve(void* argument) {
  const struct server* server = argument;
  long i;
  for (i = 0; i < server->request_count; ++i) {
    char request[REQUEST_BYTES];
    const int connection = guest_accept_request(server->listener, request, sizeof request);
    CHECK(send(connection, answer, sizeof answer - 1, MSG_NOSIGNAL) == sizeof answer - 1);
    close(connection);
  }
  return NULL;
}

static void live_once(int port) {
  posthaste_t* engine = guest_engine(NULL);
  posthaste_report_t* report = NULL;
  guest_put(engine, "cycle", port);
  CHECK_CODE(POSTHASTE_OK, posthaste_start(engine, NULL));
  CHECK_CODE(POSTHASTE_OK, guest_push(engine));
  CHECK_CODE(POSTHASTE_OK, posthaste_close(engine, 60000, NULL));
  CHECK_CODE(POSTHASTE_OK, posthaste_poll(engine, 0, &report));
  CHECK(posthaste_report_kind(report) == POSTHASTE_REPORT_DELIVERED);
  posthaste_free(engine);
  posthaste_report_free(report);
}

static void live_many_times(long count) {
  struct server server;
  pthread_t thread;
  int port = 0;
  long i;
  server.listener = guest_listen(&port);
  server.request_count = count;
  CHECK(pthread_create(&thread, NULL, serve, &server) == 0);
  for (i = 0; i < count; ++i) live_once(port);
  CHECK(pthread_join(thread, NULL) == 0);
  close(server.listener);
}

int main(int argc, char** argv) {
  long count;
  long i;
  CHECK(argc == 3);
  count = strtol(argv[2], NULL, 10);
  CHECK(count > 0);
  if (strcmp(argv[1], "start") == 0) {
    live_many_times(count);
  } else {
    for (i = 0; i < count; ++i) posthaste_free(guest_engine(NULL));
  }
  printf("%ld engines made and freed\n", count);
  return 0;
}
