/*
 * Reads the two kinds of mail that tell what became of other mail: delivery status notifications
 * (RFC 3464) that come back as bounces, and abuse reports (RFC 5965). An example module of its own:
 * bytes in, a structure out, nothing of Postfix or Posthaste.
 */
#ifndef POSTFIX_REPORT_H
#define POSTFIX_REPORT_H

#include "../c/mini_mta/buffer.h"

enum report_kind {
  REPORT_NONE = 0, /* not a report, or one that says nothing failed */
  REPORT_BOUNCE,   /* some recipients failed for good */
  REPORT_COMPLAINT /* somebody calls a message unwanted */
};

enum { REPORT_RECIPIENTS_MAX = 100 };

/* Buffers are empty where the report does not say. */
struct report_recipient {
  struct buffer address;    /* as it was given at first, if the report says so */
  struct buffer status;     /* enhanced status code, such as 5.1.1 */
  struct buffer diagnostic; /* the reply of the server that refused */
};

struct report {
  enum report_kind kind;
  struct report_recipient* recipients;
  size_t recipient_count;
  struct buffer feedback_type; /* such as abuse */
  struct buffer user_agent;    /* the program that made the complaint */
  struct buffer reporter;      /* the host, or else the domain, that reports */
  struct buffer sender;        /* envelope sender of the message complained about */
  struct buffer source_ip;     /* from where that message came */
  struct buffer headers;       /* of the returned message, raw */
  struct buffer message_id;    /* its Message-ID without angle brackets */
  struct buffer from;          /* the address in its From */
  struct buffer subject;       /* its Subject, decoded */
};

/* Reads a whole message, headers and body, with any line ends. Never fails: what is no report is
 * REPORT_NONE. report_free ends it in any case. */
void report_read(struct span message, struct report* out);
void report_free(struct report* report);
/* Writes a header of the returned message, decoded; empty when it has none. */
void report_returned_header(const struct report* report, const char* name, struct buffer* out);

#endif
