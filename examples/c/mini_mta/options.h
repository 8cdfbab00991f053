/*
 * The command line.
 */
#ifndef MINI_MTA_OPTIONS_H
#define MINI_MTA_OPTIONS_H

#include <stdint.h>

struct options {
  unsigned short smtp_port;
  unsigned short http_port;
  unsigned short api_port;
  int has_api;
  const char* maildir;
  const char* users;
  const char* domain;
  const char* webhook_file; /* null: none */
  const char* target;       /* null: none */
  const char* token;
  const char* events;
  const char* batch_age;
  const char* activation_delay;
  const char* suppressed;
  const char* tracking_key; /* null: a random one */
  int64_t retry_ms;
  int is_verbose;
};

/* Returns 1; 0 after --help; -1 with a line on stderr. */
int options_parse(int count, char** arguments, struct options* out);

#endif
