/*
 * A C host with the HTTP listener, and a plain client of it, for the guest tests of
 * libposthaste_admin. Every failure ends the process like CHECK.
 */
#ifndef POSTHASTE_TESTS_ADMIN_HOST_H
#define POSTHASTE_TESTS_ADMIN_HOST_H

#include <posthaste/admin.h>

struct admin_host {
  posthaste_t* engine;
  posthaste_admin_t* admin;
  int receiver; /* takes connections and answers nothing; the target of the webhook `hook` */
};

/* Makes a started engine with the webhook `hook` and an API key, and a listener on it. settings: of
 * the listener, pairs up to a null key; may be null. */
void admin_host_start(struct admin_host* host, const char* const* settings);
/* Starts the listener only. */
posthaste_admin_t* admin_listener(posthaste_t* engine, const char* const* settings);
/* Frees all of it, in the order of the header. */
void admin_host_free(struct admin_host* host);

/* Connects to a port of loopback; -1 when it is refused. */
int admin_connect(int port);
/* Sends a request with the key. */
void admin_ask(int connection, const char* method, const char* path);
/* Reads until `text` has come, at most ten seconds. */
void admin_expect(int connection, const char* text);
/* Requires that the listener ends the connection, at most ten seconds from now. */
void admin_expect_end(int connection);
/* One request on a connection of its own. */
void admin_check(int port, const char* path, const char* text);
/* A call that waits for the receiver: returns the connection once the receiver has been asked. */
int admin_wait_for_receiver(const struct admin_host* host);

#endif
