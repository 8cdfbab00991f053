/*
 * Byte buffers, spans, ASCII, random digits and clocks for the rest of the server.
 */
#include "buffer.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

__attribute__((noreturn)) static void fail(const char* what) {
  fprintf(stderr, "%s\n", what);
  exit(1);
}

void* allocate(size_t size) {
  void* memory = calloc(1, size);
  if (memory == NULL) fail("out of memory");
  return memory;
}

static void reserve(struct buffer* buffer, size_t more) {
  size_t needed = buffer->size + more + 1;
  if (needed < more) fail("out of memory");
  if (needed <= buffer->capacity) return;
  size_t capacity = buffer->capacity < 64 ? 64 : buffer->capacity;
  while (capacity < needed) capacity *= 2;
  char* data = realloc(buffer->data, capacity);
  if (data == NULL) fail("out of memory");
  buffer->data = data;
  buffer->capacity = capacity;
}

void buffer_free(struct buffer* buffer) {
  free(buffer->data);
  memset(buffer, 0, sizeof *buffer);
}

void buffer_clear(struct buffer* buffer) {
  buffer->size = 0;
  if (buffer->data != NULL) buffer->data[0] = '\0';
}

void buffer_append(struct buffer* buffer, const void* data, size_t size) {
  reserve(buffer, size);
  if (size > 0) memcpy(buffer->data + buffer->size, data, size);
  buffer->size += size;
  buffer->data[buffer->size] = '\0';
}

void buffer_append_span(struct buffer* buffer, struct span span) {
  buffer_append(buffer, span.data, span.size);
}

void buffer_append_text(struct buffer* buffer, const char* text) {
  buffer_append(buffer, text, strlen(text));
}

void buffer_format(struct buffer* buffer, const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  int size = vsnprintf(NULL, 0, format, arguments);
  va_end(arguments);
  if (size < 0) fail("a text could not be formatted");
  reserve(buffer, (size_t)size);
  va_start(arguments, format);
  vsnprintf(buffer->data + buffer->size, (size_t)size + 1, format, arguments);
  va_end(arguments);
  buffer->size += (size_t)size;
}

void buffer_consume(struct buffer* buffer, size_t size) {
  if (size == 0) return;
  memmove(buffer->data, buffer->data + size, buffer->size - size);
  buffer->size -= size;
  buffer->data[buffer->size] = '\0';
}

struct span buffer_span(const struct buffer* buffer) {
  struct span span = {buffer->data == NULL ? "" : buffer->data, buffer->size};
  return span;
}

struct span span_of(const char* text) {
  struct span span = {text, strlen(text)};
  return span;
}

struct span span_part(struct span span, size_t begin, size_t end) {
  struct span part = {span.data + begin, end - begin};
  return part;
}

struct span span_trim(struct span span) {
  while (span.size > 0 && ascii_is_space(span.data[0])) {
    span.data++;
    span.size--;
  }
  while (span.size > 0 && ascii_is_space(span.data[span.size - 1])) span.size--;
  return span;
}

int span_starts_with(struct span span, const char* text) {
  size_t i = 0;
  for (; text[i] != '\0'; i++) {
    if (i >= span.size || ascii_lower(span.data[i]) != ascii_lower(text[i])) return 0;
  }
  return 1;
}

int span_equals(struct span span, const char* text) {
  return span.size == strlen(text) && span_starts_with(span, text);
}

size_t span_find(struct span span, size_t from, const char* text) {
  for (size_t i = from; i < span.size; i++) {
    if (span_starts_with(span_part(span, i, span.size), text)) return i;
  }
  return span.size;
}

char* span_copy(struct span span) {
  char* copy = allocate(span.size + 1);
  if (span.size > 0) memcpy(copy, span.data, span.size);
  return copy;
}

char ascii_lower(char character) {
  return character >= 'A' && character <= 'Z' ? (char)(character + ('a' - 'A')) : character;
}

int ascii_is_letter(char character) {
  return ascii_lower(character) >= 'a' && ascii_lower(character) <= 'z';
}

int ascii_is_space(char character) {
  return character == ' ' || (character >= '\t' && character <= '\r');
}

int ascii_is_graphic(char character) {
  return character > ' ' && character < 0x7f;
}

void random_hex(char* out, size_t size) {
  unsigned char bytes[32];
  size_t count = size / 2;
  int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
  if (fd < 0 || count > sizeof bytes || read(fd, bytes, count) != (ssize_t)count)
    fail("no random numbers");
  close(fd);
  for (size_t i = 0; i < count; i++) snprintf(out + 2 * i, 3, "%02x", (unsigned)bytes[i]);
}

static int64_t clock_ms(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t wall_ms(void) {
  return clock_ms(CLOCK_REALTIME);
}

int64_t monotonic_ms(void) {
  return clock_ms(CLOCK_MONOTONIC);
}
