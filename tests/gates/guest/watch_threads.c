/* The threads that a library makes: stacks, names, blocked signals; see watch.h. */
#include <dirent.h>
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guest.h"
#include "watch.h"

enum { STACK_BYTES = 512 * 1024, NAME_MS_MAX = 5000 };

static atomic_int is_recording;
static atomic_int threads_created;
static atomic_int stacks_wrong;

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

void watch_begin_threads(void) {
  atomic_store(&is_recording, 1);
}

void watch_end_threads(void) {
  atomic_store(&is_recording, 0);
  CHECK(atomic_load(&threads_created) > 0);
  CHECK(atomic_load(&stacks_wrong) == 0);
  printf("%d threads made, all with stacks of %d bytes\n", atomic_load(&threads_created),
         STACK_BYTES);
}

int watch_list_threads(long* ids) {
  int count = 0;
  const struct dirent* entry;
  DIR* directory = opendir("/proc/self/task");
  CHECK(directory != NULL);
  while ((entry = readdir(directory)) != NULL) {
    if (entry->d_name[0] == '.') continue;
    CHECK(count < WATCH_THREADS_MAX);
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
  const int64_t begin = guest_now_ms();
  unsigned long long blocked;
  int number;
  /* A thread names itself, as the first thing it does. */
  do {
    read_proc(thread, "comm", "", text, sizeof text);
  } while (strncmp(text, "posthaste", 9) != 0 && guest_now_ms() - begin < NAME_MS_MAX);
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

void watch_check_threads(const long* before, int before_count) {
  long now[WATCH_THREADS_MAX];
  const int count = watch_list_threads(now);
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
