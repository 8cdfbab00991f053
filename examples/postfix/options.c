/*
 * Reading the configuration file. Every key of the engine is taken as it is and checked by the
 * library.
 */
#include "options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { kLine_bytes_max = 4096, kEntriesMax = 100, kMegabytesMax = 1 << 20 };

static void set(char** option, const char* value) {
  free(*option);
  *option = span_copy(span_of(value));
}

/* Cuts the first word off and returns what follows it. */
static char* cut_word(char* text) {
  char* end = text;
  while (*end != '\0' && !ascii_is_space(*end)) end++;
  if (*end != '\0') *end++ = '\0';
  while (ascii_is_space(*end)) end++;
  return end;
}

static int set_key(struct options* options, const char* key, const char* value,
                   struct buffer* error) {
  posthaste_error_t* reason = posthaste_error_new();
  int is_set = posthaste_conf_set(options->engine, key, value, reason) == POSTHASTE_OK;
  if (!is_set) buffer_append_text(error, posthaste_error_message(reason));
  posthaste_error_free(reason);
  return is_set;
}

/* Fields of text that every event of a message has, and that nothing else fills. */
static int is_free_field(const char* field) {
  static const char* const kFields[] = {
      "binding",       "binding_group", "campaign_id",      "ip_pool",       "scheduled_time",
      "subaccount_id", "template_id",   "template_version", "transactional", "transmission_id"};
  for (size_t i = 0; i < sizeof kFields / sizeof kFields[0]; i++) {
    if (strcmp(field, kFields[i]) == 0) return 1;
  }
  return 0;
}

static int add_header(struct options* options, char* field, struct buffer* error) {
  char* header = cut_word(field);
  if (!is_free_field(field)) {
    buffer_format(error, "%s is not a field that a header can fill", field);
    return 0;
  }
  if (*header == '\0' || options->header_count == kEntriesMax) {
    buffer_append_text(error, "header needs a field and a header's name, at most 100 times");
    return 0;
  }
  options->headers[options->header_count].field = span_copy(span_of(field));
  options->headers[options->header_count++].header = span_copy(span_of(header));
  return 1;
}

static int set_option(struct options* options, const char* name, char* value,
                      struct buffer* error) {
  struct {
    const char* name;
    char** option;
  } const texts[] = {
      {"milter", &options->milter},
      {"log", &options->log},
      {"state", &options->state},
      {"webhooks", &options->webhooks},
      {"node_name", &options->node_name},
      {"customer_id", &options->customer_id},
      {"syslog_name", &options->syslog_name},
  };
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    if (strcmp(name, texts[i].name) != 0) continue;
    set(texts[i].option, value);
    return 1;
  }
  if (strcmp(name, "engine") == 0) {
    char* rest = cut_word(value);
    return set_key(options, value, rest, error);
  }
  if (strcmp(name, "header") == 0) return add_header(options, value, error);
  if (strcmp(name, "reports_to") == 0 && options->report_count < kEntriesMax) {
    for (char* letter = value; *letter != '\0'; letter++) *letter = ascii_lower(*letter);
    options->reports[options->report_count++] = span_copy(span_of(value));
    return 1;
  }
  if (strcmp(name, "without_event") == 0) {
    options->is_event_needed = strcmp(value, "tempfail") == 0;
    if (options->is_event_needed || strcmp(value, "accept") == 0) return 1;
    buffer_append_text(error, "without_event is accept or tempfail");
    return 0;
  }
  if (strcmp(name, "context_max_megabytes") == 0) {
    char* end;
    unsigned long number = strtoul(value, &end, 10);
    options->context_max_bytes = (size_t)number << 20;
    if (*end == '\0' && number >= 1 && number <= kMegabytesMax) return 1;
    buffer_append_text(error, "context_max_megabytes is a number from 1 to 1048576");
    return 0;
  }
  buffer_format(error, "unknown name %s", name);
  return 0;
}

static int read_lines(struct options* options, FILE* file, const char* path, struct buffer* error) {
  char line[kLine_bytes_max];
  for (unsigned number = 1; fgets(line, sizeof line, file) != NULL; number++) {
    struct span trimmed = span_trim(span_of(line));
    if (trimmed.size == 0 || trimmed.data[0] == '#') continue;
    char* name = span_copy(trimmed);
    char* value = cut_word(name);
    struct buffer reason = {0};
    int is_set = *value != '\0' && set_option(options, name, value, &reason);
    if (!is_set)
      buffer_format(error, "%s line %u: %s", path, number,
                    reason.size > 0 ? reason.data : "a name without a value");
    buffer_free(&reason);
    free(name);
    if (!is_set) return 0;
  }
  return 1;
}

int options_read(struct options* options, const char* path, struct buffer* error) {
  char host[256] = "localhost";
  memset(options, 0, sizeof *options);
  options->engine = posthaste_conf_new();
  options->headers = allocate(sizeof *options->headers * kEntriesMax);
  options->reports = allocate(sizeof *options->reports * kEntriesMax);
  options->context_max_bytes = (size_t)64 << 20;
  gethostname(host, sizeof host - 1);
  set(&options->milter, "inet:8891@127.0.0.1");
  set(&options->log, "/var/log/mail.log");
  set(&options->node_name, host);
  set(&options->customer_id, "1");
  set(&options->syslog_name, "postfix");
  FILE* file = fopen(path, "re");
  if (file == NULL) {
    buffer_format(error, "%s: %s", path, strerror(errno));
    return 0;
  }
  int is_read = read_lines(options, file, path, error);
  fclose(file);
  if (is_read && (options->state == NULL || options->webhooks == NULL)) {
    buffer_format(error, "%s: state and webhooks are needed", path);
    return 0;
  }
  return is_read;
}

void options_free(struct options* options) {
  char* texts[] = {options->milter,    options->log,         options->state,      options->webhooks,
                   options->node_name, options->customer_id, options->syslog_name};
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) free(texts[i]);
  for (size_t i = 0; i < options->header_count; i++) {
    free(options->headers[i].field);
    free(options->headers[i].header);
  }
  for (size_t i = 0; i < options->report_count; i++) free(options->reports[i]);
  free(options->headers);
  free(options->reports);
  posthaste_conf_free(options->engine);
  memset(options, 0, sizeof *options);
}
