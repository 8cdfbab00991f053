/*
 * What stands in the place of examples/exim/posthaste_exim.c in the benchmark: the same functions,
 * loaded and called the same way, which do nothing.
 */
#include <stdio.h>
#define DLFUNC_IMPL
#include <exim4/local_scan.h>

exim_dlfunc_t posthaste_load;
exim_dlfunc_t posthaste_accept;
exim_dlfunc_t posthaste_reject;
exim_dlfunc_t posthaste_event;
exim_dlfunc_t posthaste_put_off;

#define NOTHING(name)                                                                         \
  __attribute__((visibility("default"))) int name(uschar** yield, int argc, uschar* argv[]) { \
    *yield = string_copy(argc > 1 ? argv[1] : (const uschar*)"");                             \
    return OK;                                                                                \
  }

NOTHING(posthaste_load)
NOTHING(posthaste_accept)
NOTHING(posthaste_reject)
NOTHING(posthaste_event)
NOTHING(posthaste_put_off)
