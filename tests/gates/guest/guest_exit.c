/*
 * Ends the process without close while TLS requests are open. Usage: guest_exit URL CA_FILE COUNT
 * HOW WAIT_US URL: of a receiver that takes requests and never answers; HOW: exit, return or thread
 * (exit on a second thread); WAIT_US: how long after the last connection stands. The exit status is
 * 0; a crash shows as a signal.
 */
#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"

static void wait_us(long us) {
  struct timespec time;
  time.tv_sec = us / 1000000;
  time.tv_nsec = us % 1000000 * 1000;
  nanosleep(&time, NULL);
}

static int count_sockets(void) {
  char path[300];
  char link[64];
  int count = 0;
  const struct dirent* entry;
  DIR* directory = opendir("/proc/self/fd");
  CHECK(directory != NULL);
  while ((entry = readdir(directory)) != NULL) {
    ssize_t size;
    snprintf(path, sizeof path, "/proc/self/fd/%s", entry->d_name);
    size = readlink(path, link, sizeof link - 1);
    if (size > 0 && strncmp(link, "socket:", 7) == 0) ++count;
  }
  closedir(directory);
  return count;
}

static void put(posthaste_t* engine, const char* url, const char* ca_file, long index) {
  char id[32];
  char target[512];
  posthaste_webhook_t* webhook = posthaste_webhook_new();
  snprintf(id, sizeof id, "exit-%ld", index);
  snprintf(target, sizeof target, "%s/%s", url, id);
  CHECK_CODE(POSTHASTE_OK, posthaste_webhook_set(webhook, "name", id, NULL));
  CHECK_CODE(POSTHASTE_OK, posthaste_webhook_set(webhook, "target", target, NULL));
  CHECK_CODE(POSTHASTE_OK, posthaste_webhook_set(webhook, "events", "*", NULL));
  CHECK_CODE(POSTHASTE_OK, posthaste_webhook_set(webhook, "batch.max_events", "1", NULL));
  CHECK_CODE(POSTHASTE_OK, posthaste_webhook_set(webhook, "tls.ca_file", ca_file, NULL));
  CHECK_CODE(POSTHASTE_OK, posthaste_put(engine, id, webhook, NULL));
  posthaste_webhook_free(webhook);
}

static void* exit_here(void* argument) {
  (void)argument;
  exit(0);
}

int main(int argc, char** argv) {
  long count;
  long i;
  int waits = 0;
  posthaste_t* engine;
  CHECK(argc == 6);
  count = strtol(argv[3], NULL, 10);
  guest_set_time_limit(30);
  engine = guest_engine(NULL);
  for (i = 0; i < count; ++i) put(engine, argv[1], argv[2], i);
  CHECK_CODE(POSTHASTE_OK, posthaste_start(engine, NULL));
  CHECK_CODE(POSTHASTE_OK, guest_push(engine));
  while (count_sockets() < count) {
    CHECK(++waits < 10000);
    wait_us(1000);
  }
  wait_us(strtol(argv[5], NULL, 10));
  if (strcmp(argv[4], "return") == 0) return 0;
  if (strcmp(argv[4], "thread") == 0) {
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, exit_here, NULL) == 0);
    for (;;) pause();
  }
  exit(0);
}
