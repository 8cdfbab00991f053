/* What of a process a guest must leave alone, and its descriptors; see watch.h. */
#include <dirent.h>
#include <fcntl.h>
#include <locale.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guest.h"
#include "watch.h"

extern char** environ;

enum { SIGNAL_COUNT = 64 };

static void append(char* state, const char* key, const char* value) {
  const size_t used = strlen(state);
  CHECK((size_t)snprintf(state + used, WATCH_STATE_BYTES - used, "%s=%s\n", key, value) <
        WATCH_STATE_BYTES - used);
}

static void append_bytes(char* state, const char* key, const void* data, size_t size) {
  const unsigned char* bytes = data;
  char text[1024];
  size_t i;
  CHECK(size * 2 < sizeof text);
  for (i = 0; i < size; ++i) snprintf(text + 2 * i, 3, "%02x", bytes[i]);
  append(state, key, text);
}

static void append_mask(char* state, const char* key, const sigset_t* mask) {
  char members[SIGNAL_COUNT + 1];
  int number;
  for (number = 1; number <= SIGNAL_COUNT; ++number) {
    members[number - 1] = sigismember(mask, number) == 1 ? '1' : '0';
  }
  members[SIGNAL_COUNT] = '\0';
  append(state, key, members);
}

static void append_signals(char* state) {
  sigset_t mask;
  int number;
  for (number = 1; number <= SIGNAL_COUNT; ++number) {
    struct sigaction action;
    char key[64];
    /* 32 and 33 are the C library's own. */
    if (number == 32 || number == 33) continue;
    CHECK(sigaction(number, NULL, &action) == 0);
    snprintf(key, sizeof key, "signal %d, flags %x", number, (unsigned)action.sa_flags);
    append_bytes(state, key, &action.sa_handler, sizeof action.sa_handler);
    append_mask(state, key, &action.sa_mask);
  }
  CHECK(pthread_sigmask(SIG_SETMASK, NULL, &mask) == 0);
  append_mask(state, "signal mask", &mask);
}

void watch_read_state(char* state) {
  char path[1024];
  char line[128];
  struct stat error_file;
  char** entry;
  int resource;
  FILE* status = fopen("/proc/self/status", "re");
  state[0] = '\0';
  while (fgets(line, sizeof line, status) != NULL) {
    if (strncmp(line, "Umask:", 6) == 0) append(state, "umask", line + 6);
  }
  fclose(status);
  for (entry = environ; *entry != NULL; ++entry) append(state, "environment", *entry);
  append(state, "locale", setlocale(LC_ALL, NULL));
  append(state, "directory", getcwd(path, sizeof path));
  append_signals(state);
  for (resource = 0; resource < RLIM_NLIMITS; ++resource) {
    struct rlimit limit;
    memset(&limit, 0, sizeof limit);
    CHECK(getrlimit((unsigned)resource, &limit) == 0);
    append_bytes(state, "limit", &limit, sizeof limit);
  }
  CHECK(fstat(STDERR_FILENO, &error_file) == 0);
  append_bytes(state, "bytes on standard error", &error_file.st_size, sizeof error_file.st_size);
}

/* Prints the first line that differs, of both. */
static void print_difference(const char* before, const char* now) {
  size_t line = 0;
  size_t i;
  for (i = 0; before[i] == now[i]; ++i) {
    if (before[i] == '\n') line = i + 1;
  }
  printf("before: %.*s\n", (int)strcspn(before + line, "\n"), before + line);
  printf("after:  %.*s\n", (int)strcspn(now + line, "\n"), now + line);
}

void watch_check_state(const char* before, const char* step) {
  static char now[WATCH_STATE_BYTES];
  watch_read_state(now);
  if (strcmp(before, now) == 0) return;
  printf("changed by %s\n", step);
  print_difference(before, now);
  exit(1);
}

int watch_list_descriptors(int* descriptors) {
  int count = 0;
  const struct dirent* entry;
  DIR* directory = opendir("/proc/self/fd");
  CHECK(directory != NULL);
  while ((entry = readdir(directory)) != NULL) {
    const int descriptor = (int)strtol(entry->d_name, NULL, 10);
    if (entry->d_name[0] == '.' || descriptor == dirfd(directory)) continue;
    CHECK(count < WATCH_DESCRIPTORS_MAX);
    descriptors[count++] = descriptor;
  }
  closedir(directory);
  return count;
}

int watch_check_descriptors(const int* before, int before_count) {
  int now[WATCH_DESCRIPTORS_MAX];
  const int count = watch_list_descriptors(now);
  int new_count = 0;
  int i;
  int j;
  for (i = 0; i < count; ++i) {
    int is_old = 0;
    for (j = 0; j < before_count; ++j) is_old |= now[i] == before[j];
    if (is_old) continue;
    ++new_count;
    if ((fcntl(now[i], F_GETFD) & FD_CLOEXEC) == 0) {
      printf("descriptor %d would be inherited by a program that the host executes\n", now[i]);
      exit(1);
    }
  }
  return new_count;
}

void watch_make_state_unusual(void) {
  struct sigaction action;
  FILE* error_file = tmpfile();
  memset(&action, 0, sizeof action);
  action.sa_handler = SIG_IGN;
  CHECK(error_file != NULL && dup2(fileno(error_file), STDERR_FILENO) == STDERR_FILENO);
  CHECK(fcntl(fileno(error_file), F_SETFD, FD_CLOEXEC) == 0);
  umask(0137);
  setenv("TZ", "Asia/Kathmandu", 1);
  setenv("http_proxy", "http://127.0.0.1:9", 1);
  setlocale(LC_ALL, "C.UTF-8");
  CHECK(sigaction(SIGUSR2, &action, NULL) == 0);
}
