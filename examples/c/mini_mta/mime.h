/*
 * Tracking in a whole message: walks its MIME structure (RFC 2045, 2046) and rewrites the text/html
 * parts, whatever their transfer encoding. All other bytes stay as they are; so do attachments,
 * signed and encrypted parts.
 */
#ifndef MINI_MTA_MIME_H
#define MINI_MTA_MIME_H

#include "buffer.h"
#include "tracking.h"

/* Writes the message with tracked links and one pixel, in its first HTML part. */
void mime_track(struct span message, struct tracked* tracked, const char* base_url,
                struct buffer* out);

#endif
