/*
 * The HTTP listener as a guest of its process: nothing of the process changes, every descriptor is
 * close-on-exec and closed by free, threads have the library's names, stacks and signal masks, and
 * a signal that every host thread blocks stays pending while requests are answered.
 */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "admin_host.h"
#include "guest.h"
#include "watch.h"

enum { REQUESTS = 20 };

static void check_signal_stays_pending(int port) {
  static const char path[] = "/api/v1/webhooks/events/samples"; /* of a closed engine, too */
  sigset_t set;
  int i;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
  CHECK(kill(getpid(), SIGUSR1) == 0);
  for (i = 0; i < REQUESTS; ++i) admin_check(port, path, "200 OK");
  CHECK(sigpending(&set) == 0 && sigismember(&set, SIGUSR1) == 1);
}

int main(void) {
  static char before[WATCH_STATE_BYTES];
  int descriptors[WATCH_DESCRIPTORS_MAX];
  long threads[WATCH_THREADS_MAX];
  struct admin_host host;
  int descriptor_count;
  int thread_count;
  int started_count;
  int idle;
  int waiting;
  guest_set_time_limit(60);
  watch_make_state_unusual();
  /* A listener loads what it needs once; a first one is not what is judged. */
  admin_host_start(&host, NULL);
  posthaste_admin_free(host.admin);
  watch_read_state(before);
  descriptor_count = watch_list_descriptors(descriptors);
  thread_count = watch_list_threads(threads);

  watch_begin_threads();
  host.admin = admin_listener(host.engine, NULL);
  watch_end_threads();
  watch_check_threads(threads, thread_count);
  watch_check_state(before, "start");
  started_count = watch_check_descriptors(descriptors, descriptor_count);
  CHECK(started_count >= 3);

  idle = admin_connect(posthaste_admin_port(host.admin));
  CHECK(idle >= 0);
  waiting = admin_wait_for_receiver(&host);
  admin_ask(idle, "GET", "/api/v1/webhooks");
  admin_expect(idle, "200 OK");
  watch_check_state(before, "requests");
  /* Both ends of two connections, at the least. */
  CHECK(watch_check_descriptors(descriptors, descriptor_count) >= started_count + 4);

  CHECK_CODE(POSTHASTE_E_TIMEOUT, posthaste_admin_stop(host.admin, 0, NULL));
  watch_check_state(before, "stop");
  admin_expect_end(idle);
  admin_expect_end(waiting);
  CHECK_CODE(POSTHASTE_OK, posthaste_close(host.engine, 0, NULL));
  posthaste_admin_free(host.admin);
  watch_check_state(before, "free");
  host.admin = admin_listener(host.engine, NULL);
  check_signal_stays_pending(posthaste_admin_port(host.admin));
  posthaste_admin_free(host.admin);
  posthaste_free(host.engine);
  close(host.receiver);
  printf("nothing of the process changed; descriptors are close-on-exec and closed by free\n");
  return 0;
}
