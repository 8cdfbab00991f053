/*
 * Calls around the end of a listener: stop twice, stop with a call that waits for a receiver, calls
 * on what was stopped, engines that are not started or closed, free without stop, two listeners on
 * one engine.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "admin_host.h"
#include "guest.h"

enum { SLACK_MS = 500 };

static void check_stop(void) {
  struct admin_host host;
  char url[64];
  int64_t begin;
  int waiting;
  int port;
  admin_host_start(&host, NULL);
  port = posthaste_admin_port(host.admin);
  snprintf(url, sizeof url, "http://127.0.0.1:%d", port);
  CHECK(strcmp(posthaste_admin_url(host.admin), url) == 0);
  waiting = admin_wait_for_receiver(&host);
  begin = guest_now_ms();
  CHECK_CODE(POSTHASTE_E_TIMEOUT, posthaste_admin_stop(host.admin, 300, NULL));
  CHECK(guest_now_ms() - begin < 300 + SLACK_MS);
  admin_expect_end(waiting);
  CHECK(admin_connect(port) == -1);
  CHECK_CODE(POSTHASTE_OK, posthaste_admin_stop(host.admin, 300, NULL));
  CHECK_CODE(POSTHASTE_OK, posthaste_admin_stop(host.admin, -1, NULL));
  CHECK(posthaste_admin_port(host.admin) == port);
  CHECK(strcmp(posthaste_admin_url(host.admin), url) == 0);
  CHECK_CODE(POSTHASTE_OK, guest_push(host.engine));
  begin = guest_now_ms();
  admin_host_free(&host);
  CHECK(guest_now_ms() - begin < 1000 + SLACK_MS);
}

static void check_idle_stop(void) {
  struct admin_host host;
  int64_t begin;
  int idle;
  admin_host_start(&host, NULL);
  idle = admin_connect(posthaste_admin_port(host.admin));
  admin_ask(idle, "GET", "/health");
  admin_expect(idle, "200 OK");
  begin = guest_now_ms();
  CHECK_CODE(POSTHASTE_OK, posthaste_admin_stop(host.admin, -1, NULL));
  CHECK(guest_now_ms() - begin < SLACK_MS);
  admin_expect_end(idle);
  admin_host_free(&host);
}

static void check_engine_states(void) {
  posthaste_t* engine = guest_engine(NULL);
  posthaste_admin_t* admin = admin_listener(engine, NULL);
  const int port = posthaste_admin_port(admin);
  admin_check(port, "/api/v1/webhooks", "503 Service Unavailable");
  CHECK_CODE(POSTHASTE_OK, posthaste_start(engine, NULL));
  admin_check(port, "/api/v1/webhooks", "401 Unauthorized");
  CHECK_CODE(POSTHASTE_OK, posthaste_close(engine, 0, NULL));
  admin_check(port, "/api/v1/webhooks", "503 Service Unavailable");
  posthaste_admin_free(admin);
  admin = admin_listener(engine, NULL);
  admin_check(posthaste_admin_port(admin), "/api/v1/webhooks", "503 Service Unavailable");
  posthaste_admin_free(admin);
  posthaste_free(engine);
}

static void check_two_listeners(void) {
  struct admin_host host;
  posthaste_admin_t* other;
  int port;
  admin_host_start(&host, NULL);
  other = admin_listener(host.engine, NULL);
  port = posthaste_admin_port(other);
  CHECK(port != posthaste_admin_port(host.admin));
  posthaste_admin_free(host.admin);
  admin_check(port, "/api/v1/webhooks", "200 OK");
  host.admin = other;
  admin_host_free(&host);
}

int main(void) {
  guest_set_time_limit(60);
  check_stop();
  check_idle_stop();
  check_engine_states();
  check_two_listeners();
  printf("stop and what comes before and after it are as documented\n");
  return 0;
}
