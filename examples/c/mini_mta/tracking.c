/*
 * Tracking links: keys, HTML, the header fields.
 */
#include "tracking.h"

#include <stdio.h>
#include <string.h>

enum { kRandomKeySize = 64 };

static int32_t parts_without(const char* suppressed) {
  static const struct {
    const char* type;
    int32_t part;
  } kParts[] = {{"click", POSTHASTE_REWRITE_LINKS},
                {"open", POSTHASTE_REWRITE_OPEN},
                {"initial_open", POSTHASTE_REWRITE_INITIAL_OPEN}};
  int32_t parts = POSTHASTE_REWRITE_ALL;
  for (size_t i = 0; suppressed != NULL && i < sizeof kParts / sizeof kParts[0]; i++) {
    if (strcmp(kParts[i].type, suppressed) == 0) parts &= ~kParts[i].part;
  }
  return parts;
}

int tracking_start(struct tracking* tracking, unsigned short port, const char* key,
                   const char* suppressed, posthaste_error_t* error) {
  char url[64];
  char random_key[kRandomKeySize + 1];
  snprintf(url, sizeof url, "http://127.0.0.1:%d", port);
  random_hex(random_key, kRandomKeySize);
  posthaste_engagement_conf_t* conf = posthaste_engagement_conf_new();
  int32_t code = posthaste_engagement_conf_set(conf, "url", url, error);
  if (code == POSTHASTE_OK)
    code = posthaste_engagement_conf_set(conf, "keys", key == NULL ? random_key : key, error);
  if (code == POSTHASTE_OK) code = posthaste_engagement_new(conf, &tracking->links, error);
  posthaste_engagement_conf_free(conf);
  tracking->parts = parts_without(suppressed);
  return code == POSTHASTE_OK;
}

int tracking_rewrite(const struct tracking* tracking, struct span html, const char* context,
                     int with_pixels, struct buffer* out) {
  int32_t parts = tracking->parts & (with_pixels ? POSTHASTE_REWRITE_ALL : POSTHASTE_REWRITE_LINKS);
  posthaste_text_t* text = NULL;
  if (posthaste_engagement_rewrite(tracking->links, html.data, html.size, context, parts, &text,
                                   NULL) != POSTHASTE_OK)
    return 0;
  buffer_append(out, posthaste_text_data(text), posthaste_text_size(text));
  posthaste_text_free(text);
  return 1;
}

void tracking_list_unsubscribe(const struct tracking* tracking, const char* context,
                               struct buffer* out) {
  posthaste_text_t* url = NULL;
  if (posthaste_engagement_url(tracking->links, POSTHASTE_LINK_LIST_UNSUBSCRIBE, context, NULL,
                               NULL, &url, NULL) != POSTHASTE_OK)
    return;
  buffer_format(out,
                "List-Unsubscribe: <%s>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n",
                posthaste_text_data(url));
  posthaste_text_free(url);
}

void tracking_free(struct tracking* tracking) {
  posthaste_engagement_free(tracking->links);
}
