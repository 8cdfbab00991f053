/*
 * The transfer encodings of RFC 2045, base64 and quoted-printable, both ways. Decoders take
 * anything and never fail on single bad characters, as the RFC asks of robust readers.
 */
#ifndef MINI_MTA_CODEC_H
#define MINI_MTA_CODEC_H

#include "buffer.h"

/* Returns 0, or -1 when data follows the padding: such a text cannot be put together again as it
 * was. */
int base64_decode(struct span text, struct buffer* out);
/* Lines of 76 characters that end in CRLF. */
void base64_encode(struct span bytes, struct buffer* out);
/* underscore_is_space: the variant of RFC 2047 for header words. */
void quoted_printable_decode(struct span text, int underscore_is_space, struct buffer* out);
/* CRLF in the input stays a line break; lines have at most 76 characters. */
void quoted_printable_encode(struct span bytes, struct buffer* out);

#endif
