/*
 * Posthaste for Postfix: a milter and a follower of the log around one engine.
 *   posthaste-postfix /etc/posthaste-postfix/posthaste-postfix.conf
 *
 * One process for both: they share the engine with its webhooks, and what is known of a message is
 * there before Postfix can write the first line about it.
 */
#include <posthaste/posthaste.h>
#include <stdio.h>
#include <stdlib.h>

#include "contexts.h"
#include "follower.h"
#include "milter.h"
#include "options.h"

enum { kClose_ms = 10000 };

/* Lines for systemd, whose journal reads the level in front. */
static void print_log(int32_t level, const char* line, void* user_data) {
  static const int kPriorities[] = {6, 3, 4, 6, 7};
  (void)user_data;
  fprintf(stderr, "<%d>%s\n", kPriorities[level >= 0 && level <= 4 ? level : 0], line);
}

/* Makes and starts the engine with the webhooks of the file. */
static posthaste_t* start_engine(const struct options* options, struct buffer* error) {
  posthaste_t* engine = NULL;
  posthaste_error_t* reason = posthaste_error_new();
  int32_t code = posthaste_new(options->engine, &engine, reason);
  if (code == POSTHASTE_OK) code = posthaste_set_log(engine, print_log, NULL);
  if (code == POSTHASTE_OK) code = posthaste_load(engine, options->webhooks, NULL, reason);
  if (code == POSTHASTE_OK) code = posthaste_start(engine, reason);
  if (code != POSTHASTE_OK) {
    buffer_append_text(error, posthaste_error_message(reason));
    posthaste_free(engine);
    engine = NULL;
  }
  posthaste_error_free(reason);
  return engine;
}

/* Runs until a signal ends the milter. */
static int serve(posthaste_t* engine, const struct options* options, struct contexts* contexts,
                 struct buffer* error) {
  struct follower* follower = follower_start(engine, options, contexts, error);
  int is_served = follower != NULL && milter_run(engine, options, contexts, error);
  follower_stop(follower);
  return is_served;
}

int main(int argc, char** argv) {
  struct options options;
  struct buffer error = {0};
  int is_served = 0;
  /* Else the C library looks at /etc/localtime for each line of the log. */
  setenv("TZ", ":/etc/localtime", 0);
  if (argc != 2) {
    fprintf(stderr, "usage: posthaste-postfix CONFIGURATION\n");
    return 2;
  }
  if (options_read(&options, argv[1], &error)) {
    struct contexts* contexts = contexts_open(options.state, options.context_max_bytes, &error);
    posthaste_t* engine = contexts == NULL ? NULL : start_engine(&options, &error);
    if (engine != NULL) is_served = serve(engine, &options, contexts, &error);
    posthaste_close(engine, kClose_ms, NULL);
    posthaste_free(engine);
    contexts_close(contexts);
  }
  if (!is_served) fprintf(stderr, "posthaste-postfix: %s\n", error.data);
  options_free(&options);
  buffer_free(&error);
  return is_served ? 0 : 1;
}
