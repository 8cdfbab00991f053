/*
 * Calls after close, close while other threads push, and how long close and free take with an
 * endpoint that hangs.
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "guest.h"

enum { PUSHERS = 4, FREE_MS_MAX = 100, SLACK_MS = 150 };

static void check_events(posthaste_t* engine) {
  static const char payload[] = "{\"type\":\"delivery\",\"event_id\":\"1\",\"timestamp\":\"1\"}";
  static const char record[] = "{\"msys\":{\"message_event\":{\"type\":\"delivery\"}}}";
  const size_t size = sizeof payload - 1;
  size_t consumed = 1;
  uint64_t ticket = 1;
  posthaste_event_t* event = posthaste_event_new("delivery");
  CHECK_CODE(POSTHASTE_E_STATE, posthaste_push(engine, "delivery", payload, size));
  CHECK_CODE(POSTHASTE_E_STATE, posthaste_push_trusted(engine, "delivery", payload, size));
  CHECK_CODE(POSTHASTE_E_STATE, posthaste_push_enveloped(engine, record, sizeof record - 1));
  CHECK_CODE(POSTHASTE_E_STATE,
             posthaste_push_many(engine, "delivery", payload, size, &consumed, NULL, 0));
  CHECK(consumed == 0);
  CHECK_CODE(POSTHASTE_E_STATE, posthaste_push_event(engine, event));
  CHECK_CODE(POSTHASTE_E_STATE, posthaste_define_type(engine, "custom", "custom_event", NULL));
  CHECK_CODE(POSTHASTE_E_STATE, posthaste_flush(engine, 0, NULL));
  CHECK_CODE(POSTHASTE_E_STATE, posthaste_flush_ticket(engine, &ticket, NULL));
  CHECK(ticket == 0);
  CHECK_CODE(POSTHASTE_E_STATE, posthaste_sync(engine, 0, NULL));
  posthaste_event_free(event);
}

static void check_registry(posthaste_t* engine) {
  uint64_t ticket = 1;
  posthaste_webhook_t* webhook = posthaste_webhook_new();
  posthaste_webhook_t* found = NULL;
  posthaste_webhook_set(webhook, "name", "late", NULL);
  posthaste_webhook_set(webhook, "target", "http://127.0.0.1:9/", NULL);
  posthaste_webhook_set(webhook, "events", "*", NULL);
  CHECK_CODE(POSTHASTE_E_STATE, posthaste_create(engine, webhook, 0, NULL, NULL));
  CHECK_CODE(POSTHASTE_E_STATE, posthaste_create_ticket(engine, webhook, &ticket, NULL));
  CHECK_CODE(POSTHASTE_E_STATE, posthaste_put(engine, "late", webhook, NULL));
  CHECK_CODE(POSTHASTE_E_STATE, posthaste_update(engine, "hook", webhook, 0, NULL));
  CHECK_CODE(POSTHASTE_E_STATE, posthaste_remove(engine, "hook", POSTHASTE_REMOVE_DRAIN, NULL));
  CHECK_CODE(POSTHASTE_E_STATE, posthaste_pause(engine, "hook", NULL));
  CHECK_CODE(POSTHASTE_E_STATE, posthaste_resume(engine, "hook", NULL));
  CHECK_CODE(POSTHASTE_E_STATE, posthaste_verify(engine, "hook", 0, NULL));
  CHECK_CODE(POSTHASTE_OK, posthaste_find(engine, "hook", &found, NULL));
  CHECK(strcmp(posthaste_webhook_get(found, "id"), "hook") == 0);
  posthaste_webhook_free(found);
  posthaste_webhook_free(webhook);
}

static void check_reports(posthaste_t* engine) {
  posthaste_report_t* report = NULL;
  int dropped = 0;
  while (posthaste_poll(engine, 0, &report) == POSTHASTE_OK) {
    if (posthaste_report_kind(report) == POSTHASTE_REPORT_DROPPED) {
      CHECK_CODE(POSTHASTE_REASON_CLOSED, posthaste_report_reason(report));
      dropped += (int)posthaste_report_events(report);
    }
    posthaste_report_free(report);
  }
  CHECK(report == NULL);
  CHECK(dropped == 1);
  CHECK_CODE(POSTHASTE_E_EMPTY, posthaste_poll(engine, 0, &report));
}

static void check_calls(void) {
  int port = 0;
  int64_t begin;
  posthaste_text_t* text = NULL;
  const int listener = guest_listen(&port);
  posthaste_t* engine = guest_engine(NULL);
  guest_put(engine, "hook", port);
  CHECK_CODE(POSTHASTE_OK, posthaste_start(engine, NULL));
  CHECK_CODE(POSTHASTE_E_STATE, posthaste_start(engine, NULL));
  CHECK_CODE(POSTHASTE_OK, guest_push(engine));
  guest_wait_for_connection(listener);

  begin = guest_now_ms();
  CHECK_CODE(POSTHASTE_E_TIMEOUT, posthaste_close(engine, 300, NULL));
  CHECK(guest_now_ms() - begin < 300 + SLACK_MS);
  CHECK_CODE(POSTHASTE_OK, posthaste_close(engine, 0, NULL));
  CHECK_CODE(POSTHASTE_E_STATE, posthaste_start(engine, NULL));
  check_events(engine);
  check_registry(engine);
  check_reports(engine);
  CHECK_CODE(POSTHASTE_OK, posthaste_stats_json(engine, &text));
  CHECK(posthaste_text_size(text) > 0);
  posthaste_text_free(text);
  posthaste_free(engine);
}

/* With a close that still runs for a ticket, close and free return in time all the same. */
static void check_ticket(void) {
  int port = 0;
  int64_t begin;
  uint64_t ticket = 0;
  posthaste_report_t* report = NULL;
  const int listener = guest_listen(&port);
  posthaste_t* engine = guest_engine(NULL);
  guest_put(engine, "hook", port);
  CHECK_CODE(POSTHASTE_OK, posthaste_start(engine, NULL));
  CHECK_CODE(POSTHASTE_OK, guest_push(engine));
  guest_wait_for_connection(listener);
  begin = guest_now_ms();
  CHECK_CODE(POSTHASTE_OK, posthaste_close_ticket(engine, 400, &ticket, NULL));
  CHECK(guest_now_ms() - begin < SLACK_MS);
  CHECK_CODE(POSTHASTE_E_STATE, guest_push(engine));
  while (report == NULL) {
    CHECK_CODE(POSTHASTE_OK, posthaste_poll(engine, 5000, &report));
    if (posthaste_report_ticket(report) == ticket) break;
    posthaste_report_free(report);
    report = NULL;
  }
  CHECK(guest_now_ms() - begin >= 400);
  CHECK_CODE(POSTHASTE_E_TIMEOUT, posthaste_report_code(report));
  posthaste_report_free(report);
  posthaste_free(engine);
}

static void check_free_during_ticket(void) {
  int port = 0;
  int64_t begin;
  uint64_t ticket = 0;
  const int listener = guest_listen(&port);
  posthaste_t* engine = guest_engine(NULL);
  guest_put(engine, "hook", port);
  CHECK_CODE(POSTHASTE_OK, posthaste_start(engine, NULL));
  CHECK_CODE(POSTHASTE_OK, guest_push(engine));
  guest_wait_for_connection(listener);
  CHECK_CODE(POSTHASTE_OK, posthaste_close_ticket(engine, 1000, &ticket, NULL));
  begin = guest_now_ms();
  posthaste_free(engine);
  CHECK(guest_now_ms() - begin < FREE_MS_MAX + SLACK_MS);
}

static void check_free_time(void) {
  int port = 0;
  int64_t begin;
  const int listener = guest_listen(&port);
  posthaste_t* engine = guest_engine(NULL);
  guest_put(engine, "hook", port);
  CHECK_CODE(POSTHASTE_OK, posthaste_start(engine, NULL));
  CHECK_CODE(POSTHASTE_OK, guest_push(engine));
  guest_wait_for_connection(listener);
  begin = guest_now_ms();
  posthaste_free(engine);
  CHECK(guest_now_ms() - begin < FREE_MS_MAX + SLACK_MS);
}

static void* push_until_closed(void* argument) {
  for (;;) {
    const int32_t code = guest_push(argument);
    if (code == POSTHASTE_E_STATE) return NULL;
    CHECK(code == POSTHASTE_OK || code == POSTHASTE_E_QUEUE_FULL);
  }
}

/* Close races every push; each answers OK, QUEUE_FULL or STATE, and nothing is left running. */
static void check_race(void) {
  static const char* const settings[] = {"intake.max_bytes", "8MiB", NULL};
  pthread_t pushers[PUSHERS];
  int port = 0;
  int i;
  const int listener = guest_listen(&port);
  posthaste_t* engine = guest_engine(settings);
  guest_put(engine, "hook", port);
  CHECK_CODE(POSTHASTE_OK, posthaste_start(engine, NULL));
  for (i = 0; i < PUSHERS; ++i) {
    CHECK(pthread_create(&pushers[i], NULL, push_until_closed, engine) == 0);
  }
  guest_wait_for_connection(listener);
  CHECK_CODE(POSTHASTE_E_TIMEOUT, posthaste_close(engine, 50, NULL));
  for (i = 0; i < PUSHERS; ++i) CHECK(pthread_join(pushers[i], NULL) == 0);
  posthaste_free(engine);
}

int main(void) {
  guest_set_time_limit(60);
  check_calls();
  check_ticket();
  check_free_during_ticket();
  check_free_time();
  check_race();
  printf("calls after close, close beside pushes and the time of free are as documented\n");
  return 0;
}
