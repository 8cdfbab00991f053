/* The helpers of admin_host.h. */
#include "admin_host.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "guest.h"

enum { ANSWER_BYTES = 16384, WAIT_MS = 10000 };

static const char key[] = "key-of-the-guest-0123456789";

posthaste_admin_t* admin_listener(posthaste_t* engine, const char* const* settings) {
  posthaste_admin_conf_t* conf = posthaste_admin_conf_new();
  posthaste_admin_t* admin = NULL;
  CHECK(conf != NULL);
  for (; settings != NULL && settings[0] != NULL; settings += 2) {
    CHECK_CODE(POSTHASTE_OK, posthaste_admin_conf_set(conf, settings[0], settings[1], NULL));
  }
  CHECK_CODE(POSTHASTE_OK, posthaste_admin_start(engine, conf, &admin, NULL));
  CHECK(posthaste_admin_port(admin) > 0);
  posthaste_admin_conf_free(conf);
  return admin;
}

void admin_host_start(struct admin_host* host, const char* const* settings) {
  int port = 0;
  host->receiver = guest_listen(&port);
  host->engine = guest_engine(NULL);
  guest_put(host->engine, "hook", port);
  CHECK_CODE(POSTHASTE_OK, posthaste_start(host->engine, NULL));
  CHECK_CODE(POSTHASTE_OK,
             posthaste_key_put(host->engine, "guest", key, POSTHASTE_GRANT_MODIFY, -1, NULL, NULL));
  host->admin = admin_listener(host->engine, settings);
}

void admin_host_free(struct admin_host* host) {
  posthaste_close(host->engine, 0, NULL);
  posthaste_admin_free(host->admin);
  posthaste_free(host->engine);
  close(host->receiver);
}

int admin_connect(int port) {
  struct sockaddr_in address;
  const int connection = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  memset(&address, 0, sizeof address);
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons((unsigned short)port);
  CHECK(connection >= 0);
  if (connect(connection, (struct sockaddr*)&address, sizeof address) == 0) return connection;
  close(connection);
  return -1;
}

void admin_ask(int connection, const char* method, const char* path) {
  char request[512];
  const int size = snprintf(request, sizeof request,
                            "%s %s HTTP/1.1\r\nHost: localhost\r\nAuthorization: %s\r\n"
                            "Content-Length: 0\r\n\r\n",
                            method, path, key);
  CHECK(send(connection, request, (size_t)size, MSG_NOSIGNAL) == size);
}

/* Waits for bytes or the end; returns what read does. */
static ssize_t read_some(int connection, char* buffer, size_t size) {
  struct pollfd entry;
  entry.fd = connection;
  entry.events = POLLIN;
  CHECK(poll(&entry, 1, WAIT_MS) == 1);
  return read(connection, buffer, size);
}

void admin_expect(int connection, const char* text) {
  char answer[ANSWER_BYTES];
  size_t filled = 0;
  answer[0] = '\0';
  while (strstr(answer, text) == NULL) {
    const ssize_t count = read_some(connection, answer + filled, sizeof answer - 1 - filled);
    if (count <= 0) printf("expected %s, got %s\n", text, answer);
    CHECK(count > 0);
    filled += (size_t)count;
    answer[filled] = '\0';
  }
}

void admin_expect_end(int connection) {
  char bytes[ANSWER_BYTES];
  while (read_some(connection, bytes, sizeof bytes) > 0) continue;
  close(connection);
}

void admin_check(int port, const char* path, const char* text) {
  const int connection = admin_connect(port);
  CHECK(connection >= 0);
  admin_ask(connection, "GET", path);
  admin_expect(connection, text);
  close(connection);
}

int admin_wait_for_receiver(const struct admin_host* host) {
  const int connection = admin_connect(posthaste_admin_port(host->admin));
  CHECK(connection >= 0);
  admin_ask(connection, "POST", "/api/v1/webhooks/hook/validate");
  guest_wait_for_connection(host->receiver);
  return connection;
}
