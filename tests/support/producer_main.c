/* A short-lived process that pushes events through libposthaste_producer and leaves by _exit, as a
 * mail server's delivery process does. Used by integration tests.
 *
 *   posthaste-test-producer DIRECTORY GROUP UID FIRST COUNT SIZE
 *
 * For each event that was accepted it writes one line to its standard output, the event's id and
 * the microseconds that the push took; for one that was refused, the code with a minus. With
 * COUNT 0 it does nothing at all: what the process itself costs. */
#include <posthaste/posthaste.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static long long now_us(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static posthaste_t* make_producer(const char* directory, const char* group) {
  posthaste_conf_t* conf = posthaste_conf_new();
  posthaste_error_t* error = posthaste_error_new();
  posthaste_t* ph = NULL;
  int32_t code = posthaste_conf_set(conf, "role", "producer", error);
  if (code == POSTHASTE_OK) code = posthaste_conf_set(conf, "spool.dir", directory, error);
  if (code == POSTHASTE_OK && *group) {
    code = posthaste_conf_set(conf, "spool.group", group, error);
    if (code == POSTHASTE_OK) code = posthaste_conf_set(conf, "spool.file_mode", "0660", error);
  }
  if (code == POSTHASTE_OK) code = posthaste_new(conf, &ph, error);
  if (code == POSTHASTE_OK) code = posthaste_start(ph, error);
  if (code != POSTHASTE_OK) {
    fprintf(stderr, "%s: %s\n", posthaste_error_name(code), posthaste_error_message(error));
    _exit(1);
  }
  posthaste_conf_free(conf);
  posthaste_error_free(error);
  return ph;
}

static void push(posthaste_t* ph, long number, size_t size) {
  char line[64];
  char* payload = malloc(size + 64);
  int used = sprintf(payload, "{\"event_id\":\"%ld\",\"padding\":\"", number);
  long long begin;
  long long end;
  int32_t code;
  if (payload == NULL) _exit(1);
  memset(payload + used, 'x', size);
  strcpy(payload + used + size, "\"}");
  begin = now_us();
  code = posthaste_push(ph, "delivery", payload, strlen(payload));
  end = now_us();
  used = sprintf(line, "%s%ld %lld\n", code == POSTHASTE_OK ? "" : "-",
                 code == POSTHASTE_OK ? number : (long)code, end - begin);
  /* One write, so that lines of many processes do not mix. */
  if (write(STDOUT_FILENO, line, (size_t)used) != used) _exit(1);
  free(payload);
}

int main(int count, char** arguments) {
  long i;
  long first;
  long events;
  size_t size;
  uid_t uid;
  posthaste_t* ph;
  if (count != 7) return 2;
  uid = (uid_t)atol(arguments[3]);
  first = atol(arguments[4]);
  events = atol(arguments[5]);
  size = (size_t)atol(arguments[6]);
  if (uid != 0) {
    /* The spool's group is the only thing that the two users share. */
    if (setgid((gid_t)atol(arguments[2])) != 0 || setuid(uid) != 0) return 3;
  }
  if (events == 0) _exit(0);
  ph = make_producer(arguments[1], arguments[2]);
  for (i = first; i < first + events; ++i) push(ph, i, size);
  _exit(0);
}
