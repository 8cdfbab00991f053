/*
 * Makes and frees engines, for valgrind. Usage: guest_cycle new|start COUNT
 * new: posthaste_new and free only; start: also a webhook, the threads, one event and a close.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guest.h"

static void live_once(int port) {
  posthaste_t* engine = guest_engine(NULL);
  posthaste_report_t* report = NULL;
  guest_put(engine, "cycle", port);
  CHECK_CODE(POSTHASTE_OK, posthaste_start(engine, NULL));
  CHECK_CODE(POSTHASTE_OK, guest_push(engine));
  /* The listener never answers, so the batch is dropped and close says so. */
  CHECK_CODE(POSTHASTE_E_TIMEOUT, posthaste_close(engine, 0, NULL));
  CHECK_CODE(POSTHASTE_OK, posthaste_poll(engine, 0, &report));
  posthaste_free(engine);
  posthaste_report_free(report);
}

int main(int argc, char** argv) {
  long count;
  long i;
  int port = 0;
  CHECK(argc == 3);
  count = strtol(argv[2], NULL, 10);
  CHECK(count > 0);
  guest_listen(&port);
  for (i = 0; i < count; ++i) {
    if (strcmp(argv[1], "start") == 0) {
      live_once(port);
    } else {
      posthaste_free(guest_engine(NULL));
    }
  }
  printf("%ld engines made and freed\n", count);
  return 0;
}
