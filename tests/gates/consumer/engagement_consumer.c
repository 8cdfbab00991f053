/*
 * The least host with tracking links: rewrites a text, prints the library's version. Built by
 * check_install.py against an installed Posthaste.
 */
#include <posthaste/engagement.h>
#include <stdio.h>
#include <string.h>

int main(void) {
  static const char kHtml[] = "<a href=\"https://example.com/\">x</a>";
  posthaste_engagement_t* engagement = NULL;
  posthaste_text_t* out = NULL;
  posthaste_engagement_conf_t* conf = posthaste_engagement_conf_new();
  posthaste_engagement_conf_set(conf, "url", "https://links.example.com", NULL);
  posthaste_engagement_conf_set(conf, "keys", "a-key-for-the-consumer", NULL);
  if (posthaste_engagement_new(conf, &engagement, NULL) != POSTHASTE_OK) return 2;
  if (posthaste_engagement_rewrite(engagement, kHtml, strlen(kHtml), "{\"message_id\":\"m\"}",
                                   POSTHASTE_REWRITE_ALL, &out, NULL) != POSTHASTE_OK)
    return 3;
  if (strstr(posthaste_text_data(out), "https://links.example.com/t/") == NULL) return 4;
  posthaste_text_free(out);
  posthaste_engagement_free(engagement);
  posthaste_engagement_conf_free(conf);
  puts(posthaste_version());
  return 0;
}
