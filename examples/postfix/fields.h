/*
 * Fields of a message that all its later events share, as one line of text: `\tname\tvalue...`,
 * tabs, line feeds, NULs and backslashes escaped. So a message is one piece of memory and one line
 * of the state file.
 */
#ifndef POSTFIX_FIELDS_H
#define POSTFIX_FIELDS_H

#include "../c/mini_mta/buffer.h"

/* Appends one escaped piece of text behind a tab. */
void fields_append_text(struct buffer* line, struct span text);
/* Appends a field; one without a value is left out. */
void fields_add(struct buffer* line, const char* name, struct span value);
/* Takes the next piece at `*position`, unescaped into `out`, which is emptied first. Returns 0 at
 * the end of the line. */
int fields_next_text(struct span line, size_t* position, struct buffer* out);
/* Tells whether a field is there. */
int fields_have(struct span line, const char* name);

#endif
