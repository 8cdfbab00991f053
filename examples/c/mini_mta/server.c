/*
 * Sockets: listeners, connections, the poll loop.
 */
#include "server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "smtp.h"

enum {
  kConnectionsMax = 64,
  kFixedFds = 4, /* signals, reports, two listeners */
  kInputSizeMax = 64 * 1024,
  kOutputSizeMax = 64 * 1024, /* a client that does not read its replies is not read either */
  kSmtpIdleMs = 300000,       /* RFC 5321 section 4.5.3.2.7 */
  kHttpIdleMs = 15000,
  kLingerMs = 2000 /* a close with unread input would reset the connection */
};

enum phase {
  PHASE_OPEN,
  PHASE_CLOSING,   /* nothing more is answered, but output is left to write */
  PHASE_LINGERING, /* all is written; input is thrown away until the client closes */
  PHASE_GONE
};

struct connection {
  int fd;
  int is_smtp;
  enum phase phase;
  int64_t deadline_ms;
  char peer[46];
  struct buffer input;
  struct buffer output;
  struct smtp_session smtp;
};

struct loop {
  struct server* server;
  struct connection* connections[kConnectionsMax];
  size_t count;
};

static int set_flags(int fd) {
  int flags = fcntl(fd, F_GETFL);
  return flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0 &&
         fcntl(fd, F_SETFD, FD_CLOEXEC) == 0;
}

int server_listen(unsigned short port, unsigned short* out_port) {
  struct sockaddr_in address;
  socklen_t size = sizeof address;
  int yes = 1;
  memset(&address, 0, sizeof address);
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (fd >= 0) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (fd < 0 || !set_flags(fd) || bind(fd, (struct sockaddr*)&address, size) != 0 ||
      listen(fd, 64) != 0 || getsockname(fd, (struct sockaddr*)&address, &size) != 0) {
    fprintf(stderr, "mini_mta: cannot listen on 127.0.0.1:%d: %s\n", port, strerror(errno));
    if (fd >= 0) close(fd);
    return -1;
  }
  *out_port = ntohs(address.sin_port);
  return fd;
}

static void touch(struct connection* connection) {
  connection->deadline_ms = monotonic_ms() + (connection->is_smtp ? kSmtpIdleMs : kHttpIdleMs);
}

static void accept_connection(struct loop* loop, int listener, int is_smtp) {
  struct sockaddr_in address;
  socklen_t size = sizeof address;
  int fd = accept(listener, (struct sockaddr*)&address, &size);
  if (fd < 0) return;
  if (!set_flags(fd)) {
    close(fd);
    return;
  }
  struct connection* connection = allocate(sizeof *connection);
  connection->fd = fd;
  connection->is_smtp = is_smtp;
  inet_ntop(AF_INET, &address.sin_addr, connection->peer, sizeof connection->peer);
  if (is_smtp)
    smtp_open(&connection->smtp, loop->server->queue, connection->peer, &connection->output);
  touch(connection);
  loop->connections[loop->count++] = connection;
}

static void free_connection(struct connection* connection) {
  if (connection->is_smtp) smtp_free(&connection->smtp);
  close(connection->fd);
  buffer_free(&connection->input);
  buffer_free(&connection->output);
  free(connection);
}

static void abandon(struct connection* connection) {
  buffer_free(&connection->output);
  connection->phase = PHASE_GONE;
}

/* Reads what has come; an end or an error of the stream ends the connection at once. */
static void read_input(struct connection* connection) {
  char bytes[16384];
  ssize_t size = recv(connection->fd, bytes, sizeof bytes, 0);
  if (size > 0 && connection->phase == PHASE_OPEN) {
    buffer_append(&connection->input, bytes, (size_t)size);
    touch(connection);
  } else if (size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR)) {
    abandon(connection);
  }
}

static void write_output(struct connection* connection) {
  struct span output = buffer_span(&connection->output);
  if (output.size == 0) return;
  ssize_t size = send(connection->fd, output.data, output.size, MSG_NOSIGNAL);
  if (size > 0) {
    buffer_consume(&connection->output, (size_t)size);
  } else if (size < 0 && errno != EAGAIN && errno != EINTR) {
    abandon(connection);
  }
}

static void process(struct loop* loop, struct connection* connection) {
  struct span input = buffer_span(&connection->input);
  int is_done = 0;
  if (connection->phase != PHASE_OPEN || input.size == 0) return;
  if (connection->is_smtp) {
    buffer_consume(&connection->input, smtp_feed(&connection->smtp, input, &connection->output));
    is_done = connection->smtp.state == SMTP_CLOSED;
  } else {
    is_done = http_feed(loop->server->http, input, connection->peer, &connection->output);
  }
  if (is_done) connection->phase = PHASE_CLOSING;
}

/* Goes on with a close, and ends what has waited for too long. */
static void advance(struct connection* connection) {
  int64_t now_ms = monotonic_ms();
  if (connection->phase == PHASE_CLOSING && connection->output.size == 0) {
    shutdown(connection->fd, SHUT_WR);
    connection->phase = PHASE_LINGERING;
    connection->deadline_ms = now_ms + kLingerMs;
  }
  if (now_ms < connection->deadline_ms) return;
  if (connection->is_smtp && connection->phase == PHASE_OPEN && connection->output.size == 0)
    buffer_append_text(&connection->output, "421 4.4.2 idle for too long\r\n");
  write_output(connection);
  abandon(connection);
}

static short wanted_events(const struct connection* connection) {
  int may_read = connection->phase == PHASE_LINGERING ||
                 (connection->phase == PHASE_OPEN && connection->input.size < kInputSizeMax &&
                  connection->output.size < kOutputSizeMax);
  return (short)((may_read ? POLLIN : 0) | (connection->output.size > 0 ? POLLOUT : 0));
}

/* Returns how long poll may sleep. */
static int sleep_ms(const struct loop* loop, int64_t now_ms, int64_t next_try_ms) {
  int64_t next_ms = next_try_ms;
  for (size_t i = 0; i < loop->count; i++) {
    int64_t deadline_ms = loop->connections[i]->deadline_ms;
    if (next_ms < 0 || deadline_ms < next_ms) next_ms = deadline_ms;
  }
  if (next_ms < 0) return -1;
  return next_ms <= now_ms ? 0 : (int)(next_ms - now_ms);
}

static void serve_connections(struct loop* loop, const struct pollfd* fds) {
  size_t kept = 0;
  for (size_t i = 0; i < loop->count; i++) {
    struct connection* connection = loop->connections[i];
    if (fds[i].revents & (POLLIN | POLLHUP | POLLERR)) read_input(connection);
    process(loop, connection);
    write_output(connection);
    advance(connection);
    if (connection->phase == PHASE_GONE) {
      free_connection(connection);
    } else {
      loop->connections[kept++] = connection;
    }
  }
  loop->count = kept;
}

static int handle_signals(struct server* server) {
  unsigned char number;
  int must_end = 0;
  while (read(server->signal_fd, &number, 1) == 1)
    must_end |= server->on_signal(number, server->user_data);
  return must_end;
}

void server_run(struct server* server) {
  struct loop loop = {server, {NULL}, 0};
  struct pollfd fds[kFixedFds + kConnectionsMax];
  int must_end = 0;
  while (!must_end) {
    int64_t now_ms = monotonic_ms();
    int64_t next_try_ms = queue_run(server->queue, now_ms);
    int may_accept = loop.count < kConnectionsMax;
    int fixed[kFixedFds] = {server->signal_fd, server->report_fd, may_accept ? server->smtp_fd : -1,
                            may_accept ? server->http_fd : -1};
    for (size_t i = 0; i < kFixedFds; i++) fds[i] = (struct pollfd){fixed[i], POLLIN, 0};
    for (size_t i = 0; i < loop.count; i++)
      fds[kFixedFds + i] =
          (struct pollfd){loop.connections[i]->fd, wanted_events(loop.connections[i]), 0};
    if (poll(fds, kFixedFds + loop.count, sleep_ms(&loop, now_ms, next_try_ms)) < 0) continue;
    if (fds[1].revents) server->on_reports(server->user_data);
    serve_connections(&loop, fds + kFixedFds);
    if (fds[2].revents) accept_connection(&loop, server->smtp_fd, 1);
    if (fds[3].revents && loop.count < kConnectionsMax)
      accept_connection(&loop, server->http_fd, 0);
    if (fds[0].revents) must_end = handle_signals(server);
  }
  for (size_t i = 0; i < loop.count; i++) free_connection(loop.connections[i]);
}
