/*
 * Checks the library's threads: names, stacks, blocked signals; that signals sent to the process
 * run on host threads only; and that a signal which every host thread blocks stays pending rather
 * than run on a library thread.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"

enum { THREADS_MAX = 64, SIGNALS_SENT = 200, STACK_BYTES = 512 * 1024 };

static atomic_int is_recording;
static atomic_int threads_created;
static atomic_int stacks_wrong;

static atomic_int handled;
static atomic_int handled_elsewhere;
static atomic_int host_thread;

/* Stands before the C library's, so that every stack size asked for is seen. */
__attribute__((visibility("default"))) int pthread_create(pthread_t* thread,
                                                          const pthread_attr_t* attributes,
                                                          void* (*body)(void*), void* argument) {
  int (*next)(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);
  void* const symbol = dlsym(RTLD_NEXT, "pthread_create");
  memcpy(&next, &symbol, sizeof next);
  if (atomic_load(&is_recording)) {
    size_t stack_bytes = 0;
    if (attributes != NULL) pthread_attr_getstacksize(attributes, &stack_bytes);
    atomic_fetch_add(&threads_created, 1);
    if (stack_bytes != STACK_BYTES) atomic_fetch_add(&stacks_wrong, 1);
  }
  return next(thread, attributes, body, argument);
}

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

static int list_threads(long* ids) {
  int count = 0;
  const struct dirent* entry;
  DIR* directory = opendir("/proc/self/task");
  CHECK(directory != NULL);
  while ((entry = readdir(directory)) != NULL) {
    if (entry->d_name[0] == '.') continue;
    CHECK(count < THREADS_MAX);
    ids[count++] = strtol(entry->d_name, NULL, 10);
  }
  closedir(directory);
  return count;
}

/* Copies the rest of the line that begins with `key`; the whole first line when key is "". */
static void read_proc(long thread, const char* file, const char* key, char* out, size_t size) {
  char path[64];
  char line[256];
  FILE* stream;
  snprintf(path, sizeof path, "/proc/self/task/%ld/%s", thread, file);
  stream = fopen(path, "re");
  CHECK(stream != NULL);
  out[0] = '\0';
  while (fgets(line, sizeof line, stream) != NULL) {
    if (strncmp(line, key, strlen(key)) != 0) continue;
    snprintf(out, size, "%s", line + strlen(key));
    break;
  }
  fclose(stream);
}

/* All but faults, which cannot be blocked meaningfully; 32 and 33 are the C library's own. */
static int must_be_blocked(int number) {
  return number != SIGSEGV && number != SIGBUS && number != SIGFPE && number != SIGILL &&
         number != SIGKILL && number != SIGSTOP && number != 32 && number != 33;
}

static void check_thread(long thread) {
  char text[256];
  unsigned long long blocked;
  int number;
  read_proc(thread, "comm", "", text, sizeof text);
  CHECK(strncmp(text, "posthaste", 9) == 0);
  read_proc(thread, "status", "SigBlk:", text, sizeof text);
  blocked = strtoull(text, NULL, 16);
  for (number = 1; number <= 64; ++number) {
    const int is_blocked = (int)(blocked >> (number - 1) & 1);
    if (must_be_blocked(number)) CHECK(is_blocked);
  }
  CHECK((blocked >> (SIGSEGV - 1) & 1) == 0 && (blocked >> (SIGBUS - 1) & 1) == 0);
  CHECK((blocked >> (SIGFPE - 1) & 1) == 0 && (blocked >> (SIGILL - 1) & 1) == 0);
}

static void check_library_threads(const long* before, int before_count) {
  long now[THREADS_MAX];
  const int count = list_threads(now);
  int checked = 0;
  int i;
  int j;
  for (i = 0; i < count; ++i) {
    int is_old = 0;
    for (j = 0; j < before_count; ++j) is_old |= now[i] == before[j];
    if (is_old) continue;
    check_thread(now[i]);
    ++checked;
  }
  CHECK(checked > 0);
  printf("%d library threads: names and signal masks are right\n", checked);
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
  long before[THREADS_MAX];
  int before_count;
  int port = 0;
  const int listener = guest_listen(&port);
  posthaste_t* engine = guest_engine(NULL);
  guest_set_time_limit(60);
  memset(&action, 0, sizeof action);
  action.sa_handler = on_signal;
  CHECK(sigaction(SIGUSR1, &action, NULL) == 0);

  guest_put(engine, "threads", port);
  before_count = list_threads(before);
  CHECK(before_count >= 1);
  atomic_store(&is_recording, 1);
  CHECK_CODE(POSTHASTE_OK, posthaste_start(engine, NULL));
  CHECK_CODE(POSTHASTE_OK, guest_push(engine));
  guest_wait_for_connection(listener);
  atomic_store(&is_recording, 0);
  CHECK(atomic_load(&threads_created) > 0);
  CHECK(atomic_load(&stacks_wrong) == 0);
  printf("%d threads made, all with stacks of %d bytes\n", atomic_load(&threads_created),
         STACK_BYTES);

  check_library_threads(before, before_count);
  check_signals_reach_the_host(engine);
  posthaste_free(engine);
  return 0;
}
