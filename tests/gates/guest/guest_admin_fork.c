/*
 * Forks a process that has a running listener: what the child may call, what becomes of the
 * sockets, and that parent and child go on, each with its own.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "admin_host.h"
#include "guest.h"

enum { REQUEST_BYTES = 16384 };

static void wait_for(pid_t child) {
  int status = -1;
  CHECK(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static pid_t forked(void) {
  const pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) guest_set_time_limit(30);
  return child;
}

static void live(void) {
  struct admin_host host;
  int waiting;
  admin_host_start(&host, NULL);
  waiting = admin_wait_for_receiver(&host);
  admin_check(posthaste_admin_port(host.admin), "/api/v1/webhooks", "200 OK");
  admin_host_free(&host);
  admin_expect_end(waiting);
}

/* What a child may do with what it inherited; then a whole life of its own, and exit handlers. */
static void check_child(const struct admin_host* host, const char* url) {
  posthaste_admin_t* other = NULL;
  posthaste_error_t* error = posthaste_error_new();
  CHECK(posthaste_admin_port(host->admin) == 0);
  CHECK(strcmp(posthaste_admin_url(host->admin), url) == 0);
  CHECK_CODE(POSTHASTE_E_FORKED, posthaste_admin_stop(host->admin, -1, error));
  CHECK_CODE(POSTHASTE_E_FORKED, posthaste_error_code(error));
  CHECK(posthaste_error_message(error)[0] != '\0');
  CHECK_CODE(POSTHASTE_E_FORKED, posthaste_admin_start(host->engine, NULL, &other, error));
  CHECK(other == NULL);
  posthaste_error_free(error);
  posthaste_admin_free(host->admin);
  posthaste_free(host->engine);
  live();
  exit(0);
}

/* A call under way and an idle connection are the parent's, whatever the child does. */
static void check_calls(void) {
  static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
  struct admin_host host;
  char* request = malloc(REQUEST_BYTES);
  pid_t child;
  int asked;
  int idle;
  int waiting;
  admin_host_start(&host, NULL);
  idle = admin_connect(posthaste_admin_port(host.admin));
  admin_ask(idle, "GET", "/api/v1/webhooks");
  admin_expect(idle, "200 OK");
  waiting = admin_wait_for_receiver(&host);
  child = forked();
  if (child == 0) check_child(&host, posthaste_admin_url(host.admin));
  wait_for(child);
  asked = guest_accept_request(host.receiver, request, REQUEST_BYTES);
  CHECK(send(asked, answer, sizeof answer - 1, MSG_NOSIGNAL) == sizeof answer - 1);
  admin_expect(waiting, "Test POST to endpoint succeeded");
  admin_ask(idle, "GET", "/health");
  admin_expect(idle, "200 OK");
  admin_check(posthaste_admin_port(host.admin), "/health", "200 OK");
  close(asked);
  close(idle);
  close(waiting);
  admin_host_free(&host);
  free(request);
}

/* A child that does nothing with its copies keeps neither the port nor a connection open. */
static void check_shared_sockets(void) {
  struct admin_host host;
  int gate[2];
  char byte;
  pid_t child;
  int idle;
  int port;
  admin_host_start(&host, NULL);
  port = posthaste_admin_port(host.admin);
  idle = admin_connect(port);
  admin_ask(idle, "GET", "/health");
  admin_expect(idle, "200 OK");
  CHECK(pipe(gate) == 0);
  child = forked();
  if (child == 0) {
    close(gate[1]);
    _exit(read(gate[0], &byte, 1) == 0 ? 0 : 1);
  }
  CHECK_CODE(POSTHASTE_OK, posthaste_admin_stop(host.admin, 5000, NULL));
  admin_expect_end(idle);
  CHECK(admin_connect(port) == -1);
  CHECK(waitpid(child, NULL, WNOHANG) == 0);
  close(gate[1]);
  wait_for(child);
  admin_host_free(&host);
}

/* Free in a child lets go of the port, which then ends with the process that listened. */
static void check_port_ends_with_the_parent(void) {
  int port = 0;
  int gate[2];
  int told[2];
  char byte;
  pid_t host_process;
  CHECK(pipe(gate) == 0 && pipe(told) == 0);
  host_process = forked();
  if (host_process == 0) {
    struct admin_host host;
    admin_host_start(&host, NULL);
    port = posthaste_admin_port(host.admin);
    if (forked() == 0) {
      posthaste_admin_free(host.admin);
      close(gate[1]);
      CHECK(write(told[1], &port, sizeof port) == sizeof port);
      _exit(read(gate[0], &byte, 1) == 0 ? 0 : 1);
    }
    for (;;) pause();
  }
  CHECK(read(told[0], &port, sizeof port) == sizeof port);
  admin_check(port, "/health", "200 OK");
  CHECK(kill(host_process, SIGKILL) == 0);
  CHECK(waitpid(host_process, NULL, 0) == host_process);
  CHECK(admin_connect(port) == -1);
  close(gate[1]);
}

int main(void) {
  guest_set_time_limit(60);
  check_calls();
  check_shared_sockets();
  check_port_ends_with_the_parent();
  printf("a forked process leaves the listener to its parent and may have its own\n");
  return 0;
}
