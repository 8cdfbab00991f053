/*
 * Compares what belongs to the host's process before and after each step of an engine's life:
 * environment, umask, locale, signal handlers and mask, resource limits, working directory,
 * descriptors, standard error. Also checks that every descriptor the library opens is
 * close-on-exec, with a transfer under way.
 */
#include <stdio.h>

#include "guest.h"
#include "watch.h"

int main(void) {
  static char before[WATCH_STATE_BYTES];
  int descriptors[WATCH_DESCRIPTORS_MAX];
  int descriptor_count;
  int started_count;
  int port = 0;
  int listener;
  posthaste_t* engine;
  guest_set_time_limit(60);
  watch_make_state_unusual();
  listener = guest_listen(&port);
  watch_read_state(before);
  descriptor_count = watch_list_descriptors(descriptors);

  engine = guest_engine(NULL);
  guest_put(engine, "state", port);
  watch_check_state(before, "new");
  CHECK(watch_check_descriptors(descriptors, descriptor_count) == 0);

  CHECK_CODE(POSTHASTE_OK, posthaste_start(engine, NULL));
  watch_check_state(before, "start");
  started_count = watch_check_descriptors(descriptors, descriptor_count);
  CHECK(started_count >= 2);
  CHECK(posthaste_report_fd(engine) > 2);

  CHECK_CODE(POSTHASTE_OK, guest_push(engine));
  guest_wait_for_connection(listener);
  watch_check_state(before, "push");
  CHECK(watch_check_descriptors(descriptors, descriptor_count) > started_count);

  CHECK_CODE(POSTHASTE_E_TIMEOUT, posthaste_close(engine, 0, NULL));
  watch_check_state(before, "close");
  posthaste_free(engine);
  watch_check_state(before, "free");
  CHECK(watch_check_descriptors(descriptors, descriptor_count) == 0);
  printf("nothing of the process changed; all descriptors close-on-exec and closed by free\n");
  return 0;
}
