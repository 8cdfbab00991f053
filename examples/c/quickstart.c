/*
 * The shortest useful host: one webhook, three events, and what became of them.
 *   quickstart http://127.0.0.1:8080/hook
 */
#include <posthaste/posthaste.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static posthaste_error_t* error;

/* Ends the program when a call failed, with the library's one line about the culprit. */
static void check(int32_t code) {
  if (code == POSTHASTE_OK) return;
  fprintf(stderr, "%s: %s\n", posthaste_error_name(code), posthaste_error_message(error));
  exit(1);
}

int main(int argc, char** argv) {
  static const char* const kTypes[] = {"injection", "delivery", "bounce"};
  static const char kPayload[] =
      "{\"message_id\":\"0000d0678854f761a402\",\"rcpt_to\":\"a@b.test\"}";
  posthaste_t* ph;
  posthaste_report_t* report;
  if (argc != 2) {
    fprintf(stderr, "usage: quickstart URL\n");
    return 2;
  }
  error = posthaste_error_new();

  /* A webhook is a set of texts: where to, what, and optionally a token, headers, limits. */
  posthaste_webhook_t* webhook = posthaste_webhook_new();
  check(posthaste_webhook_set(webhook, "target", argv[1], error));
  check(posthaste_webhook_set(webhook, "name", "quickstart", error));
  check(posthaste_webhook_set(webhook, "events", "injection,delivery,bounce", error));

  /* put declares it under an id of our own, at every start: active at once, no test request. */
  check(posthaste_new(NULL, &ph, error));
  check(posthaste_put(ph, "quickstart", webhook, error));
  check(posthaste_start(ph, error));
  posthaste_webhook_free(webhook);

  /* push copies the payload and never waits; type, timestamp and event_id are added. */
  for (int i = 0; i < 3; i++) check(posthaste_push(ph, kTypes[i], kPayload, strlen(kPayload)));

  /* A batch leaves after 10,000 events or 30 seconds; flush sends it now. */
  check(posthaste_flush(ph, 10000, error));
  posthaste_close(ph, 2000, NULL);

  /* Reports tell the fate of every batch: delivered, retrying, dropped. */
  while (posthaste_poll(ph, 0, &report) == POSTHASTE_OK) {
    const char* kind = posthaste_report_kind_name(posthaste_report_kind(report));
    printf("%s: %s\n", kind, posthaste_report_message(report));
    posthaste_report_free(report);
  }
  posthaste_free(ph);
  posthaste_error_free(error);
  return 0;
}
