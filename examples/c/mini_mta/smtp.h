/*
 * The server's side of SMTP (RFC 5321 with PIPELINING, SIZE, 8BITMIME and ENHANCEDSTATUSCODES) as a
 * state machine without sockets: bytes go in, replies come out, complete messages go to the queue.
 * One thread.
 */
#ifndef MINI_MTA_SMTP_H
#define MINI_MTA_SMTP_H

#include "buffer.h"
#include "message.h"
#include "queue.h"

enum {
  SMTP_COMMAND_SIZE_MAX = 1024,   /* RFC 5321 asks for 512, and more with extensions */
  SMTP_TEXT_LINE_SIZE_MAX = 1000, /* with CRLF, without a stuffed dot */
  SMTP_MESSAGE_SIZE_MAX = 10 * 1024 * 1024,
  SMTP_RECIPIENTS_MAX = 100,
  SMTP_ERRORS_MAX = 20 /* then the client is sent away */
};

enum smtp_state { SMTP_COMMANDS, SMTP_DATA, SMTP_CLOSED };

struct smtp_session {
  struct queue* queue;
  char peer[46];
  enum smtp_state state;
  int is_extended;         /* EHLO, not HELO */
  char* helo;              /* null before the greeting */
  struct message* message; /* from MAIL to the end of DATA */
  const char* data_error; /* why the text that is coming in will be refused; null when it is fine */
  int in_line;            /* the text stands in the middle of a line */
  unsigned error_count;
};

/* Starts a session and writes the greeting. */
void smtp_open(struct smtp_session* session, struct queue* queue, const char* peer,
               struct buffer* out);
/* Takes what it can of the input and writes replies. Returns how many bytes it took. */
size_t smtp_feed(struct smtp_session* session, struct span input, struct buffer* out);
void smtp_free(struct smtp_session* session);

#endif
