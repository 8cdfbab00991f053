# posthaste_module(<folder> SOURCES <file>... LINKS <folder or library>...)
#
# One source folder is one object library, compiled once and reused by the shared library, the static library and
# the tests. LINKS states the folder's permitted edges; tests/gates/include_edges checks the #include lines against
# the same list.
function(posthaste_module name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINKS" ${ARGN})
  add_library(posthaste_${name} OBJECT ${ARG_SOURCES})
  target_include_directories(posthaste_${name} PUBLIC ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src)
  target_compile_options(posthaste_${name} PRIVATE ${POSTHASTE_WARNINGS})
  set_target_properties(posthaste_${name} PROPERTIES POSITION_INDEPENDENT_CODE ON)
  foreach(link IN LISTS ARG_LINKS)
    if(IS_DIRECTORY ${PROJECT_SOURCE_DIR}/src/${link})
      target_link_libraries(posthaste_${name} PUBLIC posthaste_${link})
    else()
      target_link_libraries(posthaste_${name} PUBLIC ${link})
    endif()
  endforeach()
  set_property(GLOBAL APPEND PROPERTY POSTHASTE_MODULES posthaste_${name})
endfunction()
