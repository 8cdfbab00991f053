/*
 * The REST API and the web page.
 */
#include "api.h"

#include <stdio.h>
#include <string.h>

/* Prints the member `key` of the JSON that made it. Everything else in it is known. */
static void print_key(const char* json) {
  static const char kMember[] = "\"key\":\"";
  const char* begin = strstr(json, kMember);
  if (begin == NULL) return;
  begin += sizeof kMember - 1;
  printf("api-key %.*s\n", (int)strcspn(begin, "\""), begin);
}

posthaste_admin_t* api_start(posthaste_t* engine, unsigned short port, posthaste_error_t* error) {
  char listen[32];
  snprintf(listen, sizeof listen, "127.0.0.1:%d", port);
  posthaste_admin_t* admin = NULL;
  posthaste_text_t* key = NULL;
  posthaste_admin_conf_t* conf = posthaste_admin_conf_new();
  int32_t code = posthaste_admin_conf_set(conf, "listen", listen, error);
  if (code == POSTHASTE_OK)
    code = posthaste_key_create(engine, "mini_mta", POSTHASTE_GRANT_MODIFY, -1, &key, error);
  if (code == POSTHASTE_OK) code = posthaste_admin_start(engine, conf, &admin, error);
  posthaste_admin_conf_free(conf);
  if (code == POSTHASTE_OK) {
    print_key(posthaste_text_data(key));
    printf("api %s\n", posthaste_admin_url(admin));
    fflush(stdout);
  }
  posthaste_text_free(key);
  return admin;
}
