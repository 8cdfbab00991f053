/*
 * Ends the process without stop or close while a listener with TLS answers the deliveries of its
 * own engine and further connections are in every stage. Usage: guest_admin_exit FOLDER HOW WAIT_US
 * FOLDER: has server.pem, server.key and ca.pem; HOW: exit, return or thread (exit on a second
 * thread); WAIT_US: how long after the first request was answered. The exit status is 0; a crash
 * shows as a signal.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "admin_host.h"
#include "guest.h"

enum { WEBHOOKS = 100, CONNECTIONS = 5, PATH_BYTES = 400 };

/* The engine is the listener's client: each delivery is a handshake and a request that is refused,
 * and soon tried again. */
static void put(posthaste_t* engine, const char* folder, int port, int index) {
  char text[PATH_BYTES];
  posthaste_webhook_t* webhook = posthaste_webhook_new();
  snprintf(text, sizeof text, "exit-%d", index);
  CHECK_CODE(POSTHASTE_OK, posthaste_webhook_set(webhook, "name", text, NULL));
  CHECK_CODE(POSTHASTE_OK, posthaste_webhook_set(webhook, "retry.base", "1ms", NULL));
  CHECK_CODE(POSTHASTE_OK, posthaste_webhook_set(webhook, "retry.max", "1ms", NULL));
  CHECK_CODE(POSTHASTE_OK, posthaste_webhook_set(webhook, "events", "*", NULL));
  CHECK_CODE(POSTHASTE_OK, posthaste_webhook_set(webhook, "batch.max_events", "1", NULL));
  snprintf(text, sizeof text, "%s/ca.pem", folder);
  CHECK_CODE(POSTHASTE_OK, posthaste_webhook_set(webhook, "tls.ca_file", text, NULL));
  snprintf(text, sizeof text, "https://localhost:%d/api/v1/webhooks/%d", port, index);
  CHECK_CODE(POSTHASTE_OK, posthaste_webhook_set(webhook, "target", text, NULL));
  snprintf(text, sizeof text, "exit-%d", index);
  CHECK_CODE(POSTHASTE_OK, posthaste_put(engine, text, webhook, NULL));
  posthaste_webhook_free(webhook);
}

static void wait_us(long us) {
  struct timespec time;
  time.tv_sec = us / 1000000;
  time.tv_nsec = us % 1000000 * 1000;
  nanosleep(&time, NULL);
}

static void* exit_here(void* argument) {
  (void)argument;
  exit(0);
}

static void wait_for_an_answer(posthaste_t* engine) {
  posthaste_report_t* report = NULL;
  int32_t status = 0;
  while (status == 0) {
    CHECK_CODE(POSTHASTE_OK, posthaste_poll(engine, 10000, &report));
    status = posthaste_report_status(report);
    posthaste_report_free(report);
  }
}

int main(int argc, char** argv) {
  char certificate[PATH_BYTES];
  char key[PATH_BYTES];
  const char* settings[] = {"tls.certificate", certificate, "tls.key", key, NULL};
  struct admin_host host;
  int port;
  int i;
  CHECK(argc == 4);
  guest_set_time_limit(30);
  snprintf(certificate, sizeof certificate, "%s/server.pem", argv[1]);
  snprintf(key, sizeof key, "%s/server.key", argv[1]);
  admin_host_start(&host, settings);
  port = posthaste_admin_port(host.admin);
  for (i = 0; i < WEBHOOKS; ++i) put(host.engine, argv[1], port, i);
  for (i = 0; i < CONNECTIONS; ++i) CHECK(admin_connect(port) >= 0);
  CHECK_CODE(POSTHASTE_OK, guest_push(host.engine));
  wait_for_an_answer(host.engine);
  wait_us(strtol(argv[3], NULL, 10));
  if (strcmp(argv[2], "return") == 0) return 0;
  if (strcmp(argv[2], "thread") == 0) {
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, exit_here, NULL) == 0);
    for (;;) pause();
  }
  exit(0);
}
