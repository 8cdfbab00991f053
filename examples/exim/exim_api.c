/* What the module asks of Exim: values of its variables and header lines. */
#include "exim_api.h"

#include <stdlib.h>
#include <string.h>

/* Expansions are written in this module; none is longer. */
#define EXPRESSION_MAX 128

const char* exim_value(const char* expression) {
  char text[EXPRESSION_MAX];
  size_t size = strlen(expression);
  if (size >= sizeof text) return "";
  memcpy(text, expression, size + 1);
  const uschar* value = expand_string((uschar*)text);
  return value != NULL ? (const char*)value : "";
}

/* RFC 5322 section 2.2.3: a fold is a line end before white space; the line end goes. */
static char* unfolded(const char* text, size_t size) {
  char* copy = malloc(size + 1);
  if (copy == NULL) return NULL;
  size_t used = 0;
  for (size_t i = 0; i < size; i++) {
    if (text[i] != '\r' && text[i] != '\n') copy[used++] = text[i];
  }
  while (used > 0 && (copy[used - 1] == ' ' || copy[used - 1] == '\t')) used--;
  copy[used] = '\0';
  return copy;
}

char* exim_header(const char* name) {
  size_t name_size = strlen(name);
  for (header_line* header = header_list; header != NULL; header = header->next) {
    /* A header that Exim deleted has the type '*'. */
    if (header->type == '*' || header->text == NULL) continue;
    if (!header_testname(header, (const uschar*)name, (int)name_size, FALSE)) continue;
    const char* text = strchr((const char*)header->text, ':');
    if (text == NULL) continue;
    for (text++; *text == ' ' || *text == '\t'; text++) {
    }
    return unfolded(text, strlen(text));
  }
  return NULL;
}
