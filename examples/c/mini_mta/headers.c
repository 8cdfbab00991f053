/*
 * Header fields of a message or a MIME part (RFC 5322, 2045, 2047).
 */
#include "headers.h"

#include <iconv.h>
#include <stdlib.h>
#include <string.h>

#include "codec.h"

/* Returns the index behind the line feed that ends the line at `from`. */
static size_t line_end(struct span text, size_t from) {
  const char* feed = memchr(text.data + from, '\n', text.size - from);
  return feed == NULL ? text.size : (size_t)(feed - text.data) + 1;
}

void headers_split(struct span part, struct span* out_headers, struct span* out_body) {
  size_t line = 0;
  while (line < part.size) {
    size_t next = line_end(part, line);
    if (span_trim(span_part(part, line, next)).size == 0 && part.data[line] != ' ' &&
        part.data[line] != '\t') {
      *out_headers = span_part(part, 0, line);
      *out_body = span_part(part, next, part.size);
      return;
    }
    line = next;
  }
  *out_headers = part;
  *out_body = span_part(part, part.size, part.size);
}

int headers_next(struct span headers, size_t* position, struct span* out_field) {
  size_t begin = *position;
  if (begin >= headers.size) return 0;
  size_t end = line_end(headers, begin);
  while (end < headers.size && (headers.data[end] == ' ' || headers.data[end] == '\t'))
    end = line_end(headers, end);
  *out_field = span_part(headers, begin, end);
  *position = end;
  return 1;
}

int header_has_name(struct span field, const char* name) {
  size_t size = strlen(name);
  if (!span_starts_with(field, name)) return 0;
  while (size < field.size && (field.data[size] == ' ' || field.data[size] == '\t')) size++;
  return size < field.size && field.data[size] == ':';
}

void headers_find(struct span headers, const char* name, struct buffer* out) {
  size_t position = 0;
  struct span field;
  while (headers_next(headers, &position, &field)) {
    if (!header_has_name(field, name)) continue;
    struct span value = span_trim(span_part(field, span_find(field, 0, ":") + 1, field.size));
    for (size_t i = 0; i < value.size; i++) {
      if (value.data[i] != '\r' && value.data[i] != '\n') buffer_append(out, value.data + i, 1);
    }
    return;
  }
}

/* Takes one parameter's text, quoted or not, from `*position`, and moves behind it. */
static void take_value(struct span value, size_t* position, struct buffer* out) {
  size_t i = *position;
  if (i < value.size && value.data[i] == '"') {
    for (i++; i < value.size && value.data[i] != '"'; i++) {
      if (value.data[i] == '\\' && i + 1 < value.size) i++;
      buffer_append(out, value.data + i, 1);
    }
  } else {
    for (; i < value.size && value.data[i] != ';' && !ascii_is_space(value.data[i]); i++)
      buffer_append(out, value.data + i, 1);
  }
  while (i < value.size && value.data[i] != ';') i++;
  *position = i;
}

void header_parameter(struct span value, const char* name, struct buffer* out) {
  size_t position = span_find(value, 0, ";");
  while (position < value.size) {
    size_t equals = position + 1;
    while (equals < value.size && value.data[equals] != '=' && value.data[equals] != ';') equals++;
    if (equals == value.size) return;
    if (value.data[equals] == ';') {
      position = equals;
      continue;
    }
    struct span key = span_trim(span_part(value, position + 1, equals));
    position = equals + 1;
    while (position < value.size && ascii_is_space(value.data[position])) position++;
    struct buffer found = {0};
    take_value(value, &position, &found);
    if (span_equals(key, name)) {
      buffer_append_span(out, buffer_span(&found));
      buffer_free(&found);
      return;
    }
    buffer_free(&found);
  }
}

struct span header_token(struct span value) {
  return span_trim(span_part(value, 0, span_find(value, 0, ";")));
}

/* Appends bytes of a charset as UTF-8; 0, with nothing appended, when that cannot be done. */
static int append_converted(struct span charset, struct span bytes, struct buffer* out) {
  char* name = span_copy(charset);
  size_t capacity = bytes.size * 4 + 16;
  char* converted = allocate(capacity);
  char* copy = span_copy(bytes);
  char* input = copy;
  char* output = converted;
  size_t left = bytes.size;
  size_t room = capacity;
  iconv_t converter = iconv_open("UTF-8", name);
  int is_done =
      converter != (iconv_t)-1 && iconv(converter, &input, &left, &output, &room) != (size_t)-1;
  if (is_done) buffer_append(out, converted, capacity - room);
  if (converter != (iconv_t)-1) iconv_close(converter);
  free(copy);
  free(converted);
  free(name);
  return is_done;
}

/* Decodes the encoded word =?charset?B or Q?text?= at `at`; returns its size, or 0 when there is
 * none. */
static size_t decode_word(struct span value, size_t at, struct buffer* out) {
  struct span rest = span_part(value, at, value.size);
  if (!span_starts_with(rest, "=?")) return 0;
  size_t charset_end = span_find(rest, 2, "?");
  if (charset_end + 2 >= rest.size || rest.data[charset_end + 2] != '?') return 0;
  size_t text_end = span_find(rest, charset_end + 3, "?");
  if (text_end + 1 >= rest.size || rest.data[text_end + 1] != '=') return 0;
  struct span charset = span_part(rest, 2, charset_end);
  struct span text = span_part(rest, charset_end + 3, text_end);
  char encoding = ascii_lower(rest.data[charset_end + 1]);
  if (encoding != 'b' && encoding != 'q') return 0;
  struct buffer bytes = {0};
  if (encoding == 'b') {
    base64_decode(text, &bytes);
  } else {
    quoted_printable_decode(text, 1, &bytes);
  }
  /* UTF-8 goes as it is: who takes the text repairs it where it is broken. */
  int is_decoded = span_equals(charset, "utf-8") || span_equals(charset, "us-ascii");
  if (is_decoded) {
    buffer_append_span(out, buffer_span(&bytes));
  } else {
    is_decoded = append_converted(charset, buffer_span(&bytes), out);
  }
  buffer_free(&bytes);
  return is_decoded ? text_end + 2 : 0;
}

void header_decode(struct span value, struct buffer* out) {
  size_t i = 0;
  while (i < value.size) {
    size_t size = decode_word(value, i, out);
    if (size == 0) {
      buffer_append(out, value.data + i, 1);
      i++;
      continue;
    }
    i += size;
    /* Blanks between two encoded words only fold the line (RFC 2047 section 6.2). */
    size_t next = i;
    while (next < value.size && ascii_is_space(value.data[next])) next++;
    if (next > i && span_starts_with(span_part(value, next, value.size), "=?")) i = next;
  }
}

struct span header_address(struct span value) {
  size_t open = span_find(value, 0, "<");
  if (open == value.size) return span_trim(value);
  size_t close = span_find(value, open, ">");
  return span_trim(span_part(value, open + 1, close));
}
