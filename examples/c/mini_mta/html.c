/*
 * Tracking in HTML text. Works on bytes, which is right for every charset that has ASCII at its
 * place.
 */
#include "html.h"

#include <stdlib.h>
#include <string.h>

/* One attribute of a tag; spans point into the document. `value` is without its quotes. */
struct attribute {
  struct span name;
  struct span value;
  size_t value_begin; /* of the value with its quotes, in the document */
  size_t value_end;
};

struct scanner {
  struct span html;
  size_t position;
  struct tracked* tracked;
  const char* base_url;
  struct buffer* out;
  size_t pixel_position; /* in out */
  int has_pixel_position;
};

/* Writes the document up to `end` and moves there. */
static void copy_to(struct scanner* scanner, size_t end) {
  buffer_append_span(scanner->out, span_part(scanner->html, scanner->position, end));
  scanner->position = end;
}

static void skip_spaces(struct span html, size_t* position) {
  while (*position < html.size && ascii_is_space(html.data[*position])) ++*position;
}

static int ends_name(char character) {
  return ascii_is_space(character) || character == '=' || character == '>' || character == '/';
}

/* Reads an attribute's value at `*position`, with or without quotes; returns 0 when the document
 * ends in it. */
static int next_value(struct span html, size_t* position, struct attribute* out) {
  size_t i = *position;
  out->value_begin = i;
  char quote = i < html.size ? html.data[i] : '\0';
  if (quote == '"' || quote == '\'') {
    const char* end = memchr(html.data + i + 1, quote, html.size - i - 1);
    if (end == NULL) return 0;
    size_t at = (size_t)(end - html.data);
    out->value = span_part(html, i + 1, at);
    i = at + 1;
  } else {
    while (i < html.size && !ascii_is_space(html.data[i]) && html.data[i] != '>') i++;
    out->value = span_part(html, out->value_begin, i);
  }
  out->value_end = i;
  *position = i;
  return 1;
}

/* Reads the next attribute of a tag; returns 0 at the tag's end, where `*position` then stands, or
 * at the document's. */
static int next_attribute(struct span html, size_t* position, struct attribute* out) {
  size_t i = *position;
  while (i < html.size && (ascii_is_space(html.data[i]) || html.data[i] == '/')) i++;
  *position = i;
  if (i == html.size || html.data[i] == '>') return 0;
  size_t begin = i;
  /* The first character is always part of the name, even an equals sign, so that each round moves
   * on. */
  for (i++; i < html.size && !ends_name(html.data[i]);) i++;
  memset(out, 0, sizeof *out);
  out->name = span_part(html, begin, i);
  out->value = span_part(html, i, i);
  *position = i;
  skip_spaces(html, &i);
  if (i == html.size || html.data[i] != '=') return 1;
  i++;
  skip_spaces(html, &i);
  if (!next_value(html, &i, out)) {
    *position = html.size;
    return 0;
  }
  *position = i;
  return 1;
}

static void append_code_point(unsigned long code, struct buffer* out) {
  char bytes[4];
  size_t size = 0;
  if (code < 0x80) {
    bytes[size++] = (char)code;
  } else if (code < 0x800) {
    bytes[size++] = (char)(unsigned char)(0xc0 | code >> 6);
  } else if (code < 0x10000) {
    bytes[size++] = (char)(unsigned char)(0xe0 | code >> 12);
    bytes[size++] = (char)(unsigned char)(0x80 | (code >> 6 & 0x3f));
  } else {
    bytes[size++] = (char)(unsigned char)(0xf0 | code >> 18);
    bytes[size++] = (char)(unsigned char)(0x80 | (code >> 12 & 0x3f));
    bytes[size++] = (char)(unsigned char)(0x80 | (code >> 6 & 0x3f));
  }
  if (code >= 0x80) bytes[size++] = (char)(unsigned char)(0x80 | (code & 0x3f));
  buffer_append(out, bytes, size);
}

/* Decodes the character reference at the start of `text`; returns its size, or 0 when there is
 * none. */
static size_t decode_reference(struct span text, struct buffer* out) {
  static const struct {
    const char* name;
    const char* text;
  } kNamed[] = {{"&amp;", "&"}, {"&lt;", "<"}, {"&gt;", ">"}, {"&quot;", "\""}, {"&apos;", "'"}};
  for (size_t i = 0; i < sizeof kNamed / sizeof kNamed[0]; i++) {
    if (!span_starts_with(text, kNamed[i].name)) continue;
    buffer_append_text(out, kNamed[i].text);
    return strlen(kNamed[i].name);
  }
  if (!span_starts_with(text, "&#")) return 0;
  char digits[9] = {0};
  int is_hex = text.size > 2 && ascii_lower(text.data[2]) == 'x';
  size_t begin = is_hex ? 3 : 2;
  size_t count = 0;
  while (count < 8 && begin + count < text.size && text.data[begin + count] != ';') {
    digits[count] = text.data[begin + count];
    count++;
  }
  if (begin + count >= text.size || text.data[begin + count] != ';' || count == 0) return 0;
  char* end = NULL;
  unsigned long code = strtoul(digits, &end, is_hex ? 16 : 10);
  if (*end != '\0' || code == 0 || code > 0x10ffff) return 0;
  append_code_point(code, out);
  return begin + count + 1;
}

static void decode_references(struct span text, struct buffer* out) {
  for (size_t i = 0; i < text.size;) {
    size_t size = text.data[i] == '&' ? decode_reference(span_part(text, i, text.size), out) : 0;
    if (size == 0) buffer_append(out, text.data + i, 1);
    i += size == 0 ? 1 : size;
  }
}

/* Registers the link; returns its index, or -1 when it stays as it is. */
static int register_link(struct scanner* scanner, struct span href, struct span name) {
  struct buffer url = {0};
  struct buffer decoded_name = {0};
  decode_references(span_trim(href), &url);
  decode_references(span_trim(name), &decoded_name);
  struct span target = buffer_span(&url);
  int is_ours = span_starts_with(target, scanner->base_url);
  int index = is_ours ? -1 : tracked_add_link(scanner->tracked, target, buffer_span(&decoded_name));
  buffer_free(&url);
  buffer_free(&decoded_name);
  return index;
}

/* Writes the tag whose attributes begin at `position`; the first href of a link is the one that
 * browsers follow. */
static void scan_tag(struct scanner* scanner, size_t position, int is_link) {
  struct attribute attribute;
  struct attribute href = {{NULL, 0}, {NULL, 0}, 0, 0};
  struct span name = {"", 0};
  int is_wanted = is_link;
  while (next_attribute(scanner->html, &position, &attribute)) {
    if (!is_link || attribute.value_end == 0) continue;
    if (span_equals(attribute.name, "href") && href.value_end == 0) href = attribute;
    if (span_equals(attribute.name, "data-msys-linkname")) name = attribute.value;
    if (span_equals(attribute.name, "data-msys-clicktrack") && span_equals(attribute.value, "0"))
      is_wanted = 0;
  }
  /* A tag that the document's end cuts off is no link. */
  if (is_wanted && href.value_end > 0 && position < scanner->html.size) {
    int index = register_link(scanner, href.value, name);
    if (index >= 0) {
      copy_to(scanner, href.value_begin);
      buffer_format(scanner->out, "\"%s/c/%s/%d\"", scanner->base_url, scanner->tracked->token,
                    index);
      scanner->position = href.value_end;
    }
  }
  copy_to(scanner, position);
}

/* Elements whose content is text, so that tags in them are none. */
static const char* raw_text_end(struct span name) {
  if (span_equals(name, "script")) return "</script";
  if (span_equals(name, "style")) return "</style";
  if (span_equals(name, "title")) return "</title";
  return span_equals(name, "textarea") ? "</textarea" : NULL;
}

static void remember_pixel_position(struct scanner* scanner) {
  scanner->pixel_position = scanner->out->size;
  scanner->has_pixel_position = 1;
}

/* Handles what begins with the angle bracket at the scanner's position, and moves behind it. */
static void scan_markup(struct scanner* scanner) {
  struct span html = scanner->html;
  struct span rest = span_part(html, scanner->position, html.size);
  if (span_starts_with(rest, "<!--")) {
    size_t end = span_find(html, scanner->position + 4, "-->");
    copy_to(scanner, end);
    return;
  }
  if (span_starts_with(rest, "</body") ||
      (span_starts_with(rest, "</html") && !scanner->has_pixel_position))
    remember_pixel_position(scanner);
  if (rest.size < 2 || !ascii_is_letter(rest.data[1])) {
    copy_to(scanner, scanner->position + 1);
    return;
  }
  size_t end = scanner->position + 1;
  while (end < html.size && !ends_name(html.data[end])) end++;
  struct span name = span_part(html, scanner->position + 1, end);
  scan_tag(scanner, end, span_equals(name, "a") || span_equals(name, "area"));
  const char* closing = raw_text_end(name);
  if (closing != NULL) copy_to(scanner, span_find(html, scanner->position, closing));
}

void html_track(struct span html, struct tracked* tracked, const char* base_url, int with_pixel,
                struct buffer* out) {
  struct scanner scanner = {html, 0, tracked, base_url, out, 0, 0};
  while (scanner.position < html.size) {
    const char* bracket = memchr(html.data + scanner.position, '<', html.size - scanner.position);
    copy_to(&scanner, bracket == NULL ? html.size : (size_t)(bracket - html.data));
    if (bracket != NULL) scan_markup(&scanner);
  }
  if (!with_pixel) return;
  if (!scanner.has_pixel_position) remember_pixel_position(&scanner);
  struct buffer pixel = {0};
  buffer_format(&pixel, "<img src=\"%s/o/%s.gif\" width=\"1\" height=\"1\" alt=\"\">\r\n", base_url,
                tracked->token);
  buffer_insert(out, scanner.pixel_position, buffer_span(&pixel));
  buffer_free(&pixel);
}
