# Turns events.json, the one list of event types and fields, into static tables at build time. Sets
# POSTHASTE_CATALOGUE_GENERATED to the generated file, which belongs to the sources of core.
set(POSTHASTE_CATALOGUE_GENERATED ${CMAKE_CURRENT_BINARY_DIR}/event_catalogue_tables.inc)
add_custom_command(
  OUTPUT ${POSTHASTE_CATALOGUE_GENERATED}
  COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/cmake/generate_catalogue.py
          ${CMAKE_CURRENT_SOURCE_DIR}/events.json ${POSTHASTE_CATALOGUE_GENERATED}
  DEPENDS ${PROJECT_SOURCE_DIR}/cmake/generate_catalogue.py ${CMAKE_CURRENT_SOURCE_DIR}/events.json
  COMMENT "Generating the event catalogue"
  VERBATIM)
set_source_files_properties(event_catalogue.cpp PROPERTIES
  INCLUDE_DIRECTORIES ${CMAKE_CURRENT_BINARY_DIR}
  OBJECT_DEPENDS ${POSTHASTE_CATALOGUE_GENERATED})
