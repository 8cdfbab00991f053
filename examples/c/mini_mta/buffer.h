/*
 * Byte buffers and spans: the only two ways the example servers hold text. A buffer owns and grows,
 * a span only points. Every caller bounds what it puts in; when memory is short all the same, the
 * process ends, which an example may do and a real mail server must not.
 */
#ifndef MINI_MTA_BUFFER_H
#define MINI_MTA_BUFFER_H

#include <stddef.h>
#include <stdint.h>

/* Bytes that somebody else owns; not NUL-terminated. */
struct span {
  const char* data;
  size_t size;
};

/* Growing bytes; all zero is an empty one. A NUL follows the bytes whenever `data` is not null. */
struct buffer {
  char* data;
  size_t size;
  size_t capacity;
};

void* allocate(size_t size);
void buffer_free(struct buffer* buffer);
/* Empties it and keeps its memory. */
void buffer_clear(struct buffer* buffer);
void buffer_append(struct buffer* buffer, const void* data, size_t size);
void buffer_append_span(struct buffer* buffer, struct span span);
void buffer_append_text(struct buffer* buffer, const char* text);
void buffer_format(struct buffer* buffer, const char* format, ...)
    __attribute__((format(printf, 2, 3)));
/* Removes bytes at the front. */
void buffer_consume(struct buffer* buffer, size_t size);
struct span buffer_span(const struct buffer* buffer);

struct span span_of(const char* text);
struct span span_part(struct span span, size_t begin, size_t end);
/* Without spaces, tabs and line ends at both ends. */
struct span span_trim(struct span span);
/* Comparisons ignore the case of ASCII letters, whatever the locale. */
int span_equals(struct span span, const char* text);
int span_starts_with(struct span span, const char* text);
/* Returns where `text` begins, at `from` or later; span.size when it does not occur. */
size_t span_find(struct span span, size_t from, const char* text);
/* Returns a copy with a NUL; the caller frees it. */
char* span_copy(struct span span);

char ascii_lower(char character);
int ascii_is_letter(char character);
int ascii_is_space(char character);
/* Tells whether it is printable ASCII other than a space. */
int ascii_is_graphic(char character);

/* Fills `out` with random hexadecimal digits and a NUL; size counts the digits and is even. */
void random_hex(char* out, size_t size);
/* Unix time, for events and dates. */
int64_t wall_ms(void);
/* Time that never jumps, for time-outs and retries. */
int64_t monotonic_ms(void);

#endif
