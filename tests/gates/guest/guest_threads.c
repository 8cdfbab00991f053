/*
 * Checks the library's threads: names, stacks, blocked signals; that signals sent to the process
 * run on host threads only; and that a signal which every host thread blocks stays pending rather
 * than run on a library thread.
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"
#include "watch.h"

enum { SIGNALS_SENT = 200 };

static atomic_int handled;
static atomic_int handled_elsewhere;
static atomic_int host_thread;

static void on_signal(int number) {
  (void)number;
  if ((int)syscall(SYS_gettid) != atomic_load(&host_thread))
    atomic_fetch_add(&handled_elsewhere, 1);
  atomic_fetch_add(&handled, 1);
}

static void pause_ms(long ms) {
  struct timespec time;
  time.tv_sec = 0;
  time.tv_nsec = ms * 1000000;
  nanosleep(&time, NULL);
}

static void* wait_for_signals(void* argument) {
  sigset_t none;
  (void)argument;
  atomic_store(&host_thread, (int)syscall(SYS_gettid));
  sigemptyset(&none);
  pthread_sigmask(SIG_SETMASK, &none, NULL);
  while (atomic_load(&handled) < SIGNALS_SENT) pause_ms(1000);
  return NULL;
}

static void check_signals_reach_the_host(posthaste_t* engine) {
  sigset_t set;
  pthread_t waiter;
  int sent;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  CHECK(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);

  /* Blocked by every host thread: it waits, whatever the library's threads do. */
  CHECK(kill(getpid(), SIGUSR1) == 0);
  CHECK_CODE(POSTHASTE_OK, guest_push(engine));
  pause_ms(100);
  CHECK(atomic_load(&handled) == 0);
  CHECK(sigpending(&set) == 0 && sigismember(&set, SIGUSR1) == 1);

  CHECK(pthread_create(&waiter, NULL, wait_for_signals, NULL) == 0);
  for (sent = 1; sent <= SIGNALS_SENT; ++sent) {
    /* The first is the one that waits already. Equal pending signals merge, so each waits for the
     * last. */
    if (sent > 1) CHECK(kill(getpid(), SIGUSR1) == 0);
    CHECK_CODE(POSTHASTE_OK, guest_push(engine));
    while (atomic_load(&handled) < sent) pause_ms(1);
  }
  CHECK(pthread_join(waiter, NULL) == 0);
  CHECK(atomic_load(&handled_elsewhere) == 0);
  printf("%d signals, all on a host thread\n", atomic_load(&handled));
}

int main(void) {
  struct sigaction action;
  long before[WATCH_THREADS_MAX];
  int before_count;
  int port = 0;
  const int listener = guest_listen(&port);
  posthaste_t* engine = guest_engine(NULL);
  guest_set_time_limit(60);
  memset(&action, 0, sizeof action);
  action.sa_handler = on_signal;
  CHECK(sigaction(SIGUSR1, &action, NULL) == 0);

  guest_put(engine, "threads", port);
  before_count = watch_list_threads(before);
  CHECK(before_count >= 1);
  watch_begin_threads();
  CHECK_CODE(POSTHASTE_OK, posthaste_start(engine, NULL));
  CHECK_CODE(POSTHASTE_OK, guest_push(engine));
  guest_wait_for_connection(listener);
  watch_end_threads();

  watch_check_threads(before, before_count);
  check_signals_reach_the_host(engine);
  posthaste_free(engine);
  return 0;
}
