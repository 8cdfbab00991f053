/*
 * Tracking in a whole message: walks its MIME structure (RFC 2045, 2046) and rewrites the text/html
 * parts, whatever their transfer encoding. All other bytes stay as they are; so do attachments,
 * signed and encrypted parts.
 */
#ifndef MINI_MTA_MIME_H
#define MINI_MTA_MIME_H

#include "buffer.h"
#include "tracking.h"

/* Writes the message with tracked links, and the pixels in its first HTML part. context: as for
 * tracking_rewrite. */
void mime_track(struct span message, const struct tracking* tracking, const char* context,
                struct buffer* out);

#endif
