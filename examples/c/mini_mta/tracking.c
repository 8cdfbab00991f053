/*
 * The table behind tracking URLs: a ring whose slot number is part of the token, so that a look-up
 * is one comparison.
 */
#include "tracking.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct tracked* tracking_add(struct tracking* tracking, struct message* message, size_t recipient) {
  size_t slot = tracking->next;
  tracking->next = (slot + 1) % TRACKING_ENTRIES_MAX;
  struct tracked* tracked = &tracking->entries[slot];
  tracking_remove(tracked);
  snprintf(tracked->token, sizeof tracked->token, "%04x", (unsigned)slot);
  random_hex(tracked->token + 4, TRACKING_TOKEN_SIZE - 4);
  tracked->message = message_retain(message);
  tracked->recipient = recipient;
  return tracked;
}

/* A URL goes into a Location header: no blanks, no control characters, so no header can be smuggled
 * in. */
static int is_trackable(struct span url) {
  if (!span_starts_with(url, "http://") && !span_starts_with(url, "https://")) return 0;
  if (url.size > TRACKING_URL_SIZE_MAX) return 0;
  for (size_t i = 0; i < url.size; i++) {
    unsigned char byte = (unsigned char)url.data[i];
    if (byte <= ' ' || byte == 0x7f) return 0;
  }
  return 1;
}

int tracked_add_link(struct tracked* tracked, struct span url, struct span name) {
  size_t count = tracked->link_count;
  if (!is_trackable(url) || count == TRACKING_LINKS_MAX) return -1;
  struct link* links = realloc(tracked->links, (count + 1) * sizeof *links);
  if (links == NULL) return -1;
  links[count].url = span_copy(url);
  links[count].name = span_copy(name);
  tracked->links = links;
  tracked->link_count = count + 1;
  return (int)count;
}

struct tracked* tracking_find(struct tracking* tracking, struct span token) {
  if (token.size != TRACKING_TOKEN_SIZE) return NULL;
  char digits[5] = {token.data[0], token.data[1], token.data[2], token.data[3], '\0'};
  size_t slot = (size_t)strtoul(digits, NULL, 16);
  if (slot >= TRACKING_ENTRIES_MAX) return NULL;
  struct tracked* tracked = &tracking->entries[slot];
  return memcmp(tracked->token, token.data, TRACKING_TOKEN_SIZE) == 0 ? tracked : NULL;
}

void tracking_remove(struct tracked* tracked) {
  for (size_t i = 0; i < tracked->link_count; i++) {
    free(tracked->links[i].url);
    free(tracked->links[i].name);
  }
  free(tracked->links);
  message_release(tracked->message);
  memset(tracked, 0, sizeof *tracked);
}

void tracking_free(struct tracking* tracking) {
  for (size_t i = 0; i < TRACKING_ENTRIES_MAX; i++) tracking_remove(&tracking->entries[i]);
}
