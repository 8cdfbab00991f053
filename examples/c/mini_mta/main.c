/*
 * mini_mta: a small mail server with webhooks. It accepts mail over SMTP on loopback, tracks opens
 * and links of HTML mail, delivers into Maildirs, and tells all of it to Posthaste. This file is
 * the life of the engine: configure, register the webhooks, start, poll reports, close. events.c
 * shows the pushing.
 */
#include <errno.h>
#include <fcntl.h>
#include <posthaste/posthaste.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api.h"
#include "events.h"
#include "http.h"
#include "maildir.h"
#include "options.h"
#include "queue.h"
#include "server.h"
#include "tracking.h"

/* How long the last batches may take when the server ends. */
enum { kCloseTimeoutMs = 5000 };
/* How long answers that are under way may take then. */
enum { kStopTimeoutMs = 1000 };

struct program {
  struct options options;
  posthaste_t* engine;
  posthaste_error_t* error;
  posthaste_admin_t* api; /* null: not served */
};

static int signal_pipe[2];

/* Handlers may do next to nothing, so the signal's number goes to the poll loop. The library's
 * threads block all signals: this runs on the server's own thread. */
static void on_signal_arrival(int number) {
  int saved_errno = errno;
  unsigned char byte = (unsigned char)number;
  if (write(signal_pipe[1], &byte, 1) < 0) errno = 0;
  errno = saved_errno;
}

static int catch_signals(void) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = on_signal_arrival;
  if (pipe(signal_pipe) != 0) return -1;
  for (int i = 0; i < 2; i++) {
    fcntl(signal_pipe[i], F_SETFL, O_NONBLOCK);
    fcntl(signal_pipe[i], F_SETFD, FD_CLOEXEC);
  }
  return sigaction(SIGTERM, &action, NULL) | sigaction(SIGINT, &action, NULL) |
         sigaction(SIGHUP, &action, NULL);
}

/* Tells why a call of the library failed. Returns 0. */
static int complain(const struct program* program, const char* what) {
  fprintf(stderr, "mini_mta: %s: %s\n", what, posthaste_error_message(program->error));
  return 0;
}

/* Declares the webhook of the command line under an id of our own: it takes events at once. Returns
 * 0 on failure. */
static int put_webhook(struct program* program) {
  const struct options* options = &program->options;
  const char* pairs[][2] = {{"name", "mini_mta"},
                            {"target", options->target},
                            {"events", options->events},
                            {"auth_token", options->token}};
  posthaste_webhook_t* webhook = posthaste_webhook_new();
  int32_t code = POSTHASTE_OK;
  for (size_t i = 0; i < 4 && code == POSTHASTE_OK; i++)
    code = posthaste_webhook_set(webhook, pairs[i][0], pairs[i][1], program->error);
  if (code == POSTHASTE_OK)
    code = posthaste_put(program->engine, "mini-mta", webhook, program->error);
  posthaste_webhook_free(webhook);
  return code == POSTHASTE_OK ? 1 : complain(program, "the webhook was not accepted");
}

/* Reads the webhooks file; again on SIGHUP, when only what differs changes. Returns 0 on failure.
 */
static int load_webhooks(struct program* program) {
  posthaste_text_t* summary = NULL;
  const char* path = program->options.webhook_file;
  if (posthaste_load(program->engine, path, &summary, program->error) != POSTHASTE_OK)
    return complain(program, path);
  printf("webhooks %s: %s\n", path, posthaste_text_data(summary));
  fflush(stdout);
  posthaste_text_free(summary);
  return 1;
}

/* Makes and starts the engine with its webhooks. Returns 0 on failure. */
static int start_engine(struct program* program) {
  const struct options* options = &program->options;
  posthaste_conf_t* conf = posthaste_conf_new();
  int32_t code = POSTHASTE_OK;
  if (options->batch_age != NULL)
    code = posthaste_conf_set(conf, "batch.max_age", options->batch_age, program->error);
  if (code == POSTHASTE_OK && options->activation_delay != NULL)
    code = posthaste_conf_set(conf, "webhook.activation_delay", options->activation_delay,
                              program->error);
  if (code == POSTHASTE_OK) code = posthaste_new(conf, &program->engine, program->error);
  posthaste_conf_free(conf);
  if (code != POSTHASTE_OK) return complain(program, "bad configuration");
  if (options->target != NULL && !put_webhook(program)) return 0;
  if (options->webhook_file != NULL && !load_webhooks(program)) return 0;
  if (posthaste_start(program->engine, program->error) != POSTHASTE_OK)
    return complain(program, "the engine did not start");
  if (!options->has_api) return 1;
  program->api = api_start(program->engine, options->api_port, program->error);
  return program->api != NULL ? 1 : complain(program, "the API cannot be served");
}

/* Pulls all reports: what became of each batch. */
static void print_reports(const struct program* program) {
  posthaste_report_t* report = NULL;
  while (posthaste_poll(program->engine, 0, &report) == POSTHASTE_OK) {
    int32_t kind = posthaste_report_kind(report);
    if (program->options.is_verbose || kind == POSTHASTE_REPORT_DROPPED) {
      printf("report %s: %s\n", posthaste_report_kind_name(kind), posthaste_report_message(report));
      fflush(stdout);
    }
    posthaste_report_free(report);
  }
}

/* Empties the pipe first: a report that comes during the polling writes a new byte. */
static void on_reports(void* user_data) {
  const struct program* program = user_data;
  char bytes[64];
  while (read(posthaste_report_fd(program->engine), bytes, sizeof bytes) > 0) continue;
  print_reports(program);
}

static int on_signal(int number, void* user_data) {
  struct program* program = user_data;
  if (number != SIGHUP) return 1;
  if (program->options.webhook_file != NULL) load_webhooks(program);
  return 0;
}

/* Serves until a signal comes. Returns 0 when it could not begin. */
static int serve(struct program* program, struct queue* queue, struct tracking* tracking) {
  const struct options* options = &program->options;
  struct http_server http = {tracking, program->engine};
  unsigned short smtp_port = 0;
  unsigned short http_port = 0;
  int smtp_fd = server_listen(options->smtp_port, &smtp_port);
  int http_fd = server_listen(options->http_port, &http_port);
  int is_ready = smtp_fd >= 0 && http_fd >= 0;
  if (is_ready && !tracking_start(tracking, http_port, options->tracking_key, options->suppressed,
                                  program->error))
    is_ready = complain(program, "no tracking links");
  if (is_ready) {
    printf("smtp 127.0.0.1:%d\nhttp 127.0.0.1:%d\n", smtp_port, http_port);
    fflush(stdout);
    struct server server = {queue,      &http,          smtp_fd,
                            http_fd,    signal_pipe[0], posthaste_report_fd(program->engine),
                            on_reports, on_signal,      program};
    server_run(&server);
  }
  if (smtp_fd >= 0) close(smtp_fd);
  if (http_fd >= 0) close(http_fd);
  return is_ready;
}

static int run(struct program* program) {
  const struct options* options = &program->options;
  struct tracking tracking = {0};
  struct events events = {program->engine, posthaste_event_new("injection"), options->domain,
                          options->suppressed};
  struct queue queue = {0};
  queue.events = &events;
  queue.tracking = &tracking;
  queue.domain = options->domain;
  queue.maildir = options->maildir;
  queue.retry_ms = options->retry_ms;
  int is_done = queue_add_users(&queue, options->users) == 0 && serve(program, &queue, &tracking);
  size_t waiting = queue_free(&queue);
  if (waiting > 0) fprintf(stderr, "mini_mta: %lu recipients lost\n", (unsigned long)waiting);
  tracking_free(&tracking);
  posthaste_event_free(events.event);
  return is_done;
}

int main(int count, char** arguments) {
  struct program program = {0};
  int code = options_parse(count, arguments, &program.options);
  if (code <= 0) return code == 0 ? 0 : 2;
  program.error = posthaste_error_new();
  int directory_code = maildir_create_parent(program.options.maildir);
  int is_done = 0;
  if (directory_code != 0) {
    fprintf(stderr, "mini_mta: cannot make %s: %s\n", program.options.maildir,
            strerror(directory_code));
  } else if (catch_signals() != 0) {
    perror("mini_mta: signals");
  } else {
    is_done = start_engine(&program) && run(&program);
  }
  posthaste_admin_stop(program.api, kStopTimeoutMs, program.error);
  /* What is queued goes out now, for as long as it may take; what does not is reported as dropped.
   */
  posthaste_close(program.engine, kCloseTimeoutMs, program.error);
  print_reports(&program);
  posthaste_admin_free(program.api);
  posthaste_free(program.engine);
  posthaste_error_free(program.error);
  return is_done ? 0 : 1;
}
