/* The helpers of guest.h: sockets, engines and checks for C hosts. */
#include "guest.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

void guest_check(int holds, const char* condition, const char* file, int line) {
  if (holds) return;
  fprintf(stdout, "%s:%d: does not hold: %s\n", file, line, condition);
  fflush(stdout);
  _exit(1);
}

void guest_check_code(int32_t expected, int32_t found, const char* call, const char* file,
                      int line) {
  if (expected == found) return;
  fprintf(stdout, "%s:%d: %s is %s, expected %s\n", file, line, call, posthaste_error_name(found),
          posthaste_error_name(expected));
  fflush(stdout);
  _exit(1);
}

void guest_set_time_limit(unsigned seconds) {
  alarm(seconds);
}

int guest_listen(int* out_port) {
  struct sockaddr_in address;
  socklen_t size = sizeof address;
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  memset(&address, 0, sizeof address);
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  CHECK(listener >= 0);
  CHECK(bind(listener, (struct sockaddr*)&address, sizeof address) == 0);
  CHECK(listen(listener, 64) == 0);
  CHECK(getsockname(listener, (struct sockaddr*)&address, &size) == 0);
  *out_port = ntohs(address.sin_port);
  return listener;
}

void guest_wait_for_connection(int listener) {
  struct pollfd entry;
  entry.fd = listener;
  entry.events = POLLIN;
  CHECK(poll(&entry, 1, 10000) == 1);
}

/* Whether the head is complete and as much body as Content-Length says has come. */
static int is_complete(const char* request, size_t size) {
  const char* body = strstr(request, "\r\n\r\n");
  const char* line = request;
  if (body == NULL) return 0;
  while ((line = strstr(line, "\r\n")) != NULL && line < body) {
    line += 2;
    if (strncasecmp(line, "content-length:", 15) != 0) continue;
    return size >= (size_t)(body + 4 - request) + strtoul(line + 15, NULL, 10);
  }
  return 0;
}

int guest_accept_request(int listener, char* buffer, size_t size) {
  size_t filled = 0;
  int connection;
  guest_wait_for_connection(listener);
  connection = accept(listener, NULL, NULL);
  CHECK(connection >= 0);
  do {
    const ssize_t count = read(connection, buffer + filled, size - 1 - filled);
    CHECK(count > 0);
    filled += (size_t)count;
    buffer[filled] = '\0';
  } while (!is_complete(buffer, filled));
  return connection;
}

posthaste_t* guest_engine(const char* const* settings) {
  posthaste_conf_t* conf = posthaste_conf_new();
  posthaste_error_t* error = posthaste_error_new();
  posthaste_t* engine = NULL;
  CHECK(conf != NULL);
  for (; settings != NULL && settings[0] != NULL; settings += 2) {
    CHECK_CODE(POSTHASTE_OK, posthaste_conf_set(conf, settings[0], settings[1], error));
  }
  CHECK_CODE(POSTHASTE_OK, posthaste_new(conf, &engine, error));
  posthaste_error_free(error);
  posthaste_conf_free(conf);
  return engine;
}

void guest_put(posthaste_t* engine, const char* id, int port) {
  char target[64];
  posthaste_webhook_t* webhook = posthaste_webhook_new();
  snprintf(target, sizeof target, "http://127.0.0.1:%d/%s", port, id);
  CHECK_CODE(POSTHASTE_OK, posthaste_webhook_set(webhook, "name", id, NULL));
  CHECK_CODE(POSTHASTE_OK, posthaste_webhook_set(webhook, "target", target, NULL));
  CHECK_CODE(POSTHASTE_OK, posthaste_webhook_set(webhook, "events", "*", NULL));
  CHECK_CODE(POSTHASTE_OK, posthaste_webhook_set(webhook, "batch.max_events", "1", NULL));
  CHECK_CODE(POSTHASTE_OK, posthaste_put(engine, id, webhook, NULL));
  posthaste_webhook_free(webhook);
}

int32_t guest_push(posthaste_t* engine) {
  static const char payload[] = "{\"rcpt_to\":\"user@example.com\"}";
  return posthaste_push(engine, "delivery", payload, sizeof payload - 1);
}

int64_t guest_now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
