/*
 * What one line of Postfix's log says about mail. Pure: no file, no clock, no memory of its own;
 * everything found points into the line. Lines that say nothing about mail's fate are OTHER.
 */
#ifndef POSTFIX_LOG_LINE_H
#define POSTFIX_LOG_LINE_H

#include <stdint.h>

#include "../c/mini_mta/buffer.h"

enum log_line_kind {
  LOG_LINE_OTHER = 0,
  LOG_LINE_MESSAGE_ID, /* cleanup: the Message-ID of a message */
  LOG_LINE_QUEUED,     /* qmgr: its sender and size, each time it enters the active queue */
  LOG_LINE_SENT,       /* a delivery agent: one recipient is done */
  LOG_LINE_DEFERRED,   /* one recipient will be tried again */
  LOG_LINE_BOUNCED,    /* one recipient was given up */
  LOG_LINE_EXPIRED,    /* qmgr: whoever is deferred is given up */
  LOG_LINE_REMOVED,    /* qmgr: the message is done */
  LOG_LINE_REJECTED    /* smtpd, postscreen, cleanup: a client's command, or message, was refused */
};

/* Spans are empty where the line does not say. */
struct log_line {
  enum log_line_kind kind;
  int64_t time_s; /* Unix time */
  struct span
      service; /* such as "smtp": the daemon's name without what syslog_name puts before it */
  struct span queue_id;           /* empty for NOQUEUE */
  struct span message_id;         /* without the angle brackets */
  struct span sender;             /* "" is the null sender */
  struct span size;               /* bytes, in digits */
  struct span recipient;          /* after rewriting and aliases */
  struct span original_recipient; /* before, when it differs */
  struct span relay_ip;
  struct span delay; /* seconds since the message came, such as "1.2" */
  struct span dsn;   /* enhanced status code, such as "5.1.1" */
  struct span text;  /* what the other side, or Postfix itself, said */
  struct span client_ip;
  struct span protocol; /* ESMTP or SMTP */
  unsigned reply_code;  /* of a refusal; 0 when the line has none */
};

/*
 * Splits the head that syslog and postlogd write off a line: time, host, and the program with its
 * process id. Both forms of time are known: RFC 3339, and the traditional one with neither year nor
 * zone, which is taken for the last such moment that is not more than a day ahead of now_s.
 * syslog_name: what names of Postfix's programs begin with. Returns 0 when it is not such a line.
 */
int log_line_split(struct span line, const char* syslog_name, int64_t now_s, struct log_line* out,
                   struct span* out_message);

/* Reads the message behind the head; fills everything but time_s and service, which must be set. */
void log_line_read(struct span message, struct log_line* line);

#endif
