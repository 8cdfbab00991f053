/*
 * posthaste-admin-host: an engine with the HTTP listener, for tests of both. It prints
 * `key modify KEY`, `key view KEY` and `listening on URL`, pushes the lines it reads (`TYPE JSON`),
 * flushes at a line `flush`, and closes at the end of its input.
 *   posthaste-admin-host [conf:KEY=VALUE | admin:KEY=VALUE | mount=PREFIX | stop=MS]...
 * mount: answered with what the request has, but with nothing at `nothing` and an error at `error`.
 * stop: how long stopping the listener may take, 2000 when it is left out.
 */
#include <posthaste/admin.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static posthaste_error_t* error;

static void check(int32_t code) {
  if (code == POSTHASTE_OK) return;
  fprintf(stderr, "%s: %s\n", posthaste_error_name(code), posthaste_error_message(error));
  exit(1);
}

static void log_line(int32_t level, const char* line, void* user_data) {
  fprintf((FILE*)user_data, "log %d %s\n", (int)level, line);
}

/* Splits "KEY=VALUE" and gives the value. */
static char* value_of(char* text) {
  char* const equals = strchr(text, '=');
  if (!equals) exit(2);
  *equals = '\0';
  return equals + 1;
}

static void make_key(posthaste_t* ph, const char* name, int32_t grant) {
  posthaste_text_t* text = NULL;
  const char* key;
  check(posthaste_key_create(ph, name, grant, -1, &text, error));
  key = strstr(posthaste_text_data(text), "\"key\":\"");
  if (!key) exit(1);
  key += strlen("\"key\":\"");
  printf("key %s %.*s\n", name, (int)strcspn(key, "\""), key);
  posthaste_text_free(text);
}

static void push_lines(posthaste_t* ph) {
  static char line[1 << 16];
  while (fgets(line, sizeof line, stdin)) {
    char* payload;
    line[strcspn(line, "\n")] = '\0';
    if (strcmp(line, "flush") == 0) {
      posthaste_flush(ph, 5000, NULL);
      continue;
    }
    payload = strchr(line, ' ');
    if (!payload) exit(2);
    *payload++ = '\0';
    printf("pushed %d\n", (int)posthaste_push(ph, line, payload, strlen(payload)));
  }
}

/* Answers what was asked. */
static int32_t answer_mounted(posthaste_t* ph, const posthaste_request_t* request,
                              int32_t timeout_ms, posthaste_response_t** out, void* user_data) {
  static const char prefix[] = "/mounted/";
  const char* const target = posthaste_request_target(request);
  const size_t header_count = posthaste_request_header_count(request);
  char text[512];
  size_t body_size = 0;
  size_t i;
  const char* host = "";
  if (strcmp(target, "/mounted/nothing") == 0) return POSTHASTE_OK;
  if (strcmp(target, "/mounted/error") == 0 || user_data != error) return POSTHASTE_E_STATE;
  posthaste_request_body(request, &body_size);
  for (i = 0; i < header_count; ++i) {
    if (strcmp(posthaste_request_header_name(request, i), "Host") == 0)
      host = posthaste_request_header_value(request, i);
  }
  snprintf(text, sizeof text, "%s %.200s %s %s %d %d %d", posthaste_request_method(request),
           target + sizeof prefix - 1, posthaste_request_peer(request), host, (int)body_size,
           (int)timeout_ms, ph != NULL);
  *out = posthaste_response_new(200);
  posthaste_response_add_header(*out, "X-Asked", text);
  return posthaste_response_set_body(*out, text, strlen(text));
}

int main(int argc, char** argv) {
  posthaste_t* ph;
  posthaste_admin_t* admin;
  posthaste_conf_t* conf = posthaste_conf_new();
  posthaste_admin_conf_t* admin_conf = posthaste_admin_conf_new();
  int32_t stop_ms = 2000;
  int i;
  error = posthaste_error_new();
  setvbuf(stdout, NULL, _IOLBF, 0);
  for (i = 1; i < argc; ++i) {
    char* const value = value_of(argv[i]);
    if (strncmp(argv[i], "conf:", 5) == 0) {
      check(posthaste_conf_set(conf, argv[i] + 5, value, error));
    } else if (strncmp(argv[i], "admin:", 6) == 0) {
      check(posthaste_admin_conf_set(admin_conf, argv[i] + 6, value, error));
    } else if (strcmp(argv[i], "mount") == 0) {
      check(posthaste_admin_conf_mount(admin_conf, value, answer_mounted, error, error));
    } else if (strcmp(argv[i], "stop") == 0) {
      stop_ms = (int32_t)strtol(value, NULL, 10);
    } else {
      return 2;
    }
  }
  check(posthaste_new(conf, &ph, error));
  check(posthaste_set_log(ph, log_line, stdout));
  check(posthaste_start(ph, error));
  make_key(ph, "modify", POSTHASTE_GRANT_MODIFY);
  make_key(ph, "view", POSTHASTE_GRANT_VIEW);
  check(posthaste_admin_start(ph, admin_conf, &admin, error));
  printf("listening on %s\n", posthaste_admin_url(admin));
  push_lines(ph);
  printf("stopped %d\n", (int)posthaste_admin_stop(admin, stop_ms, error));
  posthaste_close(ph, 2000, NULL);
  posthaste_admin_free(admin);
  posthaste_free(ph);
  posthaste_admin_conf_free(admin_conf);
  posthaste_conf_free(conf);
  posthaste_error_free(error);
  return 0;
}
