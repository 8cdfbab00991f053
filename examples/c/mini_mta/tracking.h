/*
 * Tracking links of libposthaste_engagement: URLs that carry, signed, which recipient of which
 * message they belong to. Nothing is stored here, nobody without the key can forge an open, and no
 * URL leads anywhere but where the mail's own link led.
 */
#ifndef MINI_MTA_TRACKING_H
#define MINI_MTA_TRACKING_H

#include <posthaste/engagement.h>

#include "buffer.h"

struct tracking {
  posthaste_engagement_t* links;
  int32_t parts; /* POSTHASTE_REWRITE_* that are put into HTML */
};

/* Makes links that begin with http://127.0.0.1:PORT. key: null for a random one, with which links
 * end when the server does. suppressed: a type of events that no link shall tell; may be null.
 * Returns 0 on failure. */
int tracking_start(struct tracking* tracking, unsigned short port, const char* key,
                   const char* suppressed, posthaste_error_t* error);
/* Writes HTML with its links replaced and, with_pixels, both pixels put in. context: JSON of the
 * fields that the events of this copy have. Returns 0, with nothing written, when it cannot be. */
int tracking_rewrite(const struct tracking* tracking, struct span html, const char* context,
                     int with_pixels, struct buffer* out);
/* Writes the fields for one-click unsubscription (RFC 8058), or nothing when no link can be made.
 * A real server makes such links with https, and signs these fields by DKIM. */
void tracking_list_unsubscribe(const struct tracking* tracking, const char* context,
                               struct buffer* out);
void tracking_free(struct tracking* tracking);

#endif
