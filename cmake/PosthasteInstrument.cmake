# Instrumented builds, for the whole tree: POSTHASTE_SANITIZE names what -fsanitize= gets (comma-separated),
# POSTHASTE_COVERAGE adds gcov counters. Included before any target is made; CMakePresets.json sets the values.
set(POSTHASTE_SANITIZE "" CACHE STRING "Sanitizers of this build, such as address,undefined or thread")
option(POSTHASTE_COVERAGE "Count executed lines with gcov" OFF)

if(POSTHASTE_SANITIZE)
  add_compile_options(-fsanitize=${POSTHASTE_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${POSTHASTE_SANITIZE})
endif()
if(POSTHASTE_COVERAGE)
  add_compile_options(--coverage -fprofile-update=atomic)
  add_link_options(--coverage)
endif()
