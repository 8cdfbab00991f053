/*
 * The command line: a table of names and places.
 */
#include "options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char kUsage[] =
    "usage: mini_mta --maildir DIR [options]\n"
    "  --smtp-port N, --http-port N  on 127.0.0.1; 0, the default, lets the system choose\n"
    "  --maildir DIR         holds one Maildir for each user\n"
    "  --users A,B           local users (alice,bob)\n"
    "  --domain NAME         the local domain (example.test)\n"
    "  --target URL          POST events here, with\n"
    "    --token TEXT          this token\n"
    "    --events A,B          these types (*: all)\n"
    "  --api-port N          the REST API and the web page on 127.0.0.1; 0 lets the system choose\n"
    "  --activation-delay T  a webhook made there takes events after this (60s)\n"
    "  --webhook-file FILE   webhooks as a JSON array; SIGHUP reads it again\n"
    "  --batch-age TIME      send a batch this long after its first event (30s)\n"
    "  --retry-delay MS      wait before the second attempt to deliver (10000)\n"
    "  --suppress TYPE       never push events of this type, nor track mail for them\n"
    "  --tracking-key TEXT   signs tracking links, 20 characters or more; without it they end "
    "with\n"
    "                        the server\n"
    "  --verbose             print what became of each batch\n"
    "Prints `smtp 127.0.0.1:PORT` and `http 127.0.0.1:PORT` when it is ready, before them, with\n"
    "--api-port, `api-key KEY` and `api http://127.0.0.1:PORT`. SIGTERM ends it.\n";

static int parse_number(const char* name, const char* text, long max, long* out) {
  char* end = NULL;
  *out = strtol(text, &end, 10);
  if (*text != '\0' && *end == '\0' && *out >= 0 && *out <= max) return 1;
  fprintf(stderr, "mini_mta: %s: a number from 0 to %ld is needed\n", name, max);
  return 0;
}

/* Stores a text option. Returns 0 when there is none of this name. */
static int set_text(struct options* out, const char* name, const char* value) {
  const struct {
    const char* name;
    const char** place;
  } table[] = {{"--maildir", &out->maildir},
               {"--users", &out->users},
               {"--domain", &out->domain},
               {"--target", &out->target},
               {"--token", &out->token},
               {"--events", &out->events},
               {"--webhook-file", &out->webhook_file},
               {"--activation-delay", &out->activation_delay},
               {"--batch-age", &out->batch_age},
               {"--suppress", &out->suppressed},
               {"--tracking-key", &out->tracking_key}};
  for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
    if (strcmp(table[i].name, name) != 0) continue;
    *table[i].place = value;
    return 1;
  }
  return 0;
}

/* Stores an option. Returns 0 with a line on stderr when it is not one. */
static int set_option(struct options* out, const char* name, const char* value) {
  long number = 0;
  if (set_text(out, name, value)) return 1;
  if (strcmp(name, "--smtp-port") == 0) {
    if (!parse_number(name, value, 65535, &number)) return 0;
    out->smtp_port = (unsigned short)number;
  } else if (strcmp(name, "--http-port") == 0) {
    if (!parse_number(name, value, 65535, &number)) return 0;
    out->http_port = (unsigned short)number;
  } else if (strcmp(name, "--api-port") == 0) {
    if (!parse_number(name, value, 65535, &number)) return 0;
    out->api_port = (unsigned short)number;
    out->has_api = 1;
  } else if (strcmp(name, "--retry-delay") == 0) {
    if (!parse_number(name, value, 3600000, &number)) return 0;
    out->retry_ms = number;
  } else {
    fprintf(stderr, "mini_mta: unknown option %s (--help lists them)\n", name);
    return 0;
  }
  return 1;
}

int options_parse(int count, char** arguments, struct options* out) {
  memset(out, 0, sizeof *out);
  out->users = "alice,bob";
  out->domain = "example.test";
  out->events = "*";
  out->retry_ms = 10000;
  for (int i = 1; i < count; i++) {
    const char* name = arguments[i];
    if (strcmp(name, "--help") == 0) {
      fputs(kUsage, stdout);
      return 0;
    }
    if (strcmp(name, "--verbose") == 0) {
      out->is_verbose = 1;
      continue;
    }
    if (i + 1 == count) {
      fprintf(stderr, "mini_mta: %s: unknown, or its value is missing\n", name);
      return -1;
    }
    if (!set_option(out, name, arguments[++i])) return -1;
  }
  if (out->maildir != NULL) return 1;
  fputs("mini_mta: --maildir is needed (--help explains)\n", stderr);
  return -1;
}
