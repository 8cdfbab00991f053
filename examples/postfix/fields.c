/*
 * Escaping and its undoing.
 */
#include "fields.h"

#include <string.h>

void fields_append_text(struct buffer* line, struct span text) {
  static const char kSpecial[] = "\t\n\\";
  static const char kLetters[] = "tn\\";
  buffer_append_text(line, "\t");
  for (size_t i = 0; i < text.size; i++) {
    char character = text.data[i];
    const char* special = character == '\0' ? NULL : strchr(kSpecial, character);
    if (character == '\0') {
      buffer_append_text(line, "\\0");
    } else if (special != NULL) {
      buffer_append_text(line, "\\");
      buffer_append(line, &kLetters[special - kSpecial], 1);
    } else {
      buffer_append(line, &character, 1);
    }
  }
}

void fields_add(struct buffer* line, const char* name, struct span value) {
  if (value.size == 0) return;
  fields_append_text(line, span_of(name));
  fields_append_text(line, value);
}

int fields_next_text(struct span line, size_t* position, struct buffer* out) {
  size_t i = *position;
  if (i >= line.size || line.data[i] != '\t') return 0;
  buffer_clear(out);
  for (i++; i < line.size && line.data[i] != '\t'; i++) {
    char character = line.data[i];
    if (character == '\\' && i + 1 < line.size) {
      character = line.data[++i];
      if (character == 't') character = '\t';
      if (character == 'n') character = '\n';
      if (character == '0') character = '\0';
    }
    buffer_append(out, &character, 1);
  }
  *position = i;
  return 1;
}

int fields_have(struct span line, const char* name) {
  struct buffer text = {0};
  size_t position = 0;
  int is_found = 0;
  while (!is_found && fields_next_text(line, &position, &text)) {
    is_found = span_equals(buffer_span(&text), name);
    if (!fields_next_text(line, &position, &text)) break;
  }
  buffer_free(&text);
  return is_found;
}
