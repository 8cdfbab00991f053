/*
 * Sockets: two listeners on loopback and one poll loop for everything, the engine's report
 * descriptor included. No call in the loop blocks on the network; delivery into a Maildir waits for
 * the disk, as a mail server must before it accepts.
 */
#ifndef MINI_MTA_SERVER_H
#define MINI_MTA_SERVER_H

#include "http.h"
#include "queue.h"

struct server {
  struct queue* queue;
  struct http_server* http;
  int smtp_fd;
  int http_fd;
  int signal_fd; /* readable: a signal came; its number is the byte */
  int report_fd; /* of the engine */
  /* Called when report_fd is readable. */
  void (*on_reports)(void* user_data);
  /* Called with a signal's number; returns 1 to end the loop. */
  int (*on_signal)(int number, void* user_data);
  void* user_data;
};

/* Listens on 127.0.0.1; port 0 lets the system choose. Returns the descriptor, or -1 with a line on
 * stderr. */
int server_listen(unsigned short port, unsigned short* out_port);
/* Serves until on_signal says so, then closes all connections. */
void server_run(struct server* server);

#endif
