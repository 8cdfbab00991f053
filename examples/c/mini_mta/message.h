/*
 * One accepted message and its recipients: the facts that its events tell. Counted references,
 * because the queue and an SMTP session may each hold on to it. One thread.
 */
#ifndef MINI_MTA_MESSAGE_H
#define MINI_MTA_MESSAGE_H

#include "buffer.h"

enum { MESSAGE_ID_SIZE = 20 };

struct recipient {
  char* address;      /* as the client wrote it */
  char* lower;        /* the same in lower case */
  const char* domain; /* points into lower */
};

struct message {
  char id[MESSAGE_ID_SIZE + 1]; /* the one message_id of all its events */
  char* from;                   /* envelope sender; empty for bounces of others */
  char* helo;
  char* peer; /* the client's IP address */
  const char* recv_method;
  char* subject;       /* UTF-8; empty when there is none */
  char* friendly_from; /* address of the From header */
  int64_t injected_ms;
  struct buffer data; /* as received, CRLF line ends; freed when the last recipient is done */
  size_t size;        /* of data, remembered */
  struct recipient* recipients;
  size_t recipient_count;
  size_t pending; /* recipients neither delivered nor bounced */
  int references;
};

/* Makes a message with an id of its own and one reference. Every text is copied. */
struct message* message_new(const char* from, const char* helo, const char* peer,
                            const char* recv_method);
void message_add_recipient(struct message* message, struct span address);
/* Reads subject and From once the data is complete, and stamps the time of injection. */
void message_finish(struct message* message);
struct message* message_retain(struct message* message);
/* Drops a reference; null is allowed. */
void message_release(struct message* message);
/* Returns the domain of an address, or "" for one without. */
const char* address_domain(const char* address);

#endif
