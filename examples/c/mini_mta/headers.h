/*
 * Header fields of a message or a MIME part (RFC 5322, 2045, 2047): finding one, its parameters,
 * readable text of it. Works on the raw bytes and never changes them.
 */
#ifndef MINI_MTA_HEADERS_H
#define MINI_MTA_HEADERS_H

#include "buffer.h"

/* Splits at the first empty line, which belongs to neither; a part without one has no body. */
void headers_split(struct span part, struct span* out_headers, struct span* out_body);
/* Takes the next field with its continuation lines from `headers` at `*position`; returns 0 at the
 * end. */
int headers_next(struct span headers, size_t* position, struct span* out_field);
/* Tells whether a field from headers_next has this name. */
int header_has_name(struct span field, const char* name);
/* Writes the unfolded value of the first field of this name; empty when there is none. */
void headers_find(struct span headers, const char* name, struct buffer* out);
/* Writes a parameter of a value such as `text/html; charset="utf-8"`; empty when there is none. */
void header_parameter(struct span value, const char* name, struct buffer* out);
/* Returns the value without its parameters: `text/html`. */
struct span header_token(struct span value);
/* Writes a value with its encoded words (RFC 2047) as UTF-8; words in charsets that iconv does not
 * know stay as they are. */
void header_decode(struct span value, struct buffer* out);
/* Returns the address in a From value: what stands in angle brackets, else all of it. */
struct span header_address(struct span value);

#endif
