/*
 * The table behind tracking URLs: which recipient of which message a pixel or a link belongs to.
 * URLs carry only an unguessable token, so nobody can forge an open, read an address from a URL, or
 * use the server as an open redirect. The table is in memory and forgets the oldest entries: a real
 * server would store it or sign the facts into the URL.
 */
#ifndef MINI_MTA_TRACKING_H
#define MINI_MTA_TRACKING_H

#include "buffer.h"
#include "message.h"

enum {
  TRACKING_ENTRIES_MAX = 4096,
  TRACKING_LINKS_MAX = 1000,    /* per recipient; further links stay as they are */
  TRACKING_URL_SIZE_MAX = 4096, /* longer links stay as they are */
  TRACKING_TOKEN_SIZE = 4 + 32  /* slot and secret, in hexadecimal digits */
};

struct link {
  char* url;
  char* name; /* of data-msys-linkname; empty when there is none */
};

struct tracked {
  char token[TRACKING_TOKEN_SIZE + 1]; /* empty: the slot is free */
  struct message* message;
  size_t recipient;
  struct link* links;
  size_t link_count;
};

struct tracking {
  char base_url[64]; /* http://127.0.0.1:PORT */
  struct tracked entries[TRACKING_ENTRIES_MAX];
  size_t next;
};

/* Makes an entry for one recipient's copy; valid until removed or TRACKING_ENTRIES_MAX others were
 * made. */
struct tracked* tracking_add(struct tracking* tracking, struct message* message, size_t recipient);
/* Registers a link; returns its index, or -1 when it cannot be tracked. */
int tracked_add_link(struct tracked* tracked, struct span url, struct span name);
/* Finds the entry of a token from a URL; null for anything else. */
struct tracked* tracking_find(struct tracking* tracking, struct span token);
void tracking_remove(struct tracked* tracked);
void tracking_free(struct tracking* tracking);

#endif
