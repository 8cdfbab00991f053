/*
 * The daemon's configuration file: a name and a value a line.
 */
#ifndef POSTFIX_OPTIONS_H
#define POSTFIX_OPTIONS_H

#include <posthaste/posthaste.h>

#include "../c/mini_mta/buffer.h"

/* A header of the message whose text becomes a field of its events. */
struct header_field {
  char* field;
  char* header;
};

struct options {
  char* milter;        /* libmilter's form, such as inet:8891@127.0.0.1 or unix:/path */
  char* log;           /* a file, "journal", or "journal:FOLDER" */
  char* state;         /* the file of contexts.h */
  char* webhooks;      /* a Momentum webhooks file */
  char* node_name;     /* the host's name when not given */
  char* customer_id;   /* "1" when not given */
  char* syslog_name;   /* Postfix's syslog_name; "postfix" when not given */
  int is_event_needed; /* a message whose events cannot be kept is answered with 451 */
  size_t context_max_bytes;
  struct header_field* headers;
  size_t header_count;
  char** reports; /* patterns of addresses that get DSNs and ARF reports */
  size_t report_count;
  posthaste_conf_t* engine;
};

/* Reads the file. Returns 0 with one line in `error` when it cannot be used. */
int options_read(struct options* options, const char* path, struct buffer* error);
void options_free(struct options* options);

#endif
