/*
 * The least host: makes an engine, frees it, prints the library's version. Built by
 * check_install.py against an installed Posthaste.
 */
#include <posthaste/posthaste.h>
#include <stdio.h>

int main(void) {
  posthaste_t* engine = NULL;
  if (posthaste_new(NULL, &engine, NULL) != POSTHASTE_OK) return 1;
  posthaste_free(engine);
  puts(posthaste_version());
  return 0;
}
