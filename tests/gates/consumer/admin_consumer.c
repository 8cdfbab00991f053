/*
 * The least host with a listener: an engine, a port that the system chooses, the library's version.
 * Built by check_install.py against an installed Posthaste.
 */
#include <posthaste/admin.h>
#include <stdio.h>

int main(void) {
  posthaste_t* engine = NULL;
  posthaste_admin_t* admin = NULL;
  if (posthaste_new(NULL, &engine, NULL) != POSTHASTE_OK) return 1;
  if (posthaste_admin_start(engine, NULL, &admin, NULL) != POSTHASTE_OK) return 2;
  if (posthaste_admin_port(admin) == 0) return 3;
  posthaste_admin_free(admin);
  posthaste_free(engine);
  puts(posthaste_version());
  return 0;
}
