# The example hosts and the demo, end to end. Their tests are Python programs of the standard library alone.
if(NOT TARGET mini_mta)
  return()
endif()

foreach(name quickstart mini_mta mini_mta_hostile demo)
  add_test(NAME "integration: ${name}"
    COMMAND ${Python3_EXECUTABLE} -B ${CMAKE_CURRENT_LIST_DIR}/${name}_test.py)
  set_tests_properties("integration: ${name}" PROPERTIES
    LABELS integration
    TIMEOUT 120
    ENVIRONMENT "PYTHONPATH=${PROJECT_SOURCE_DIR}/tests/support:${CMAKE_CURRENT_LIST_DIR}/mail;POSTHASTE_RECEIVER=$<TARGET_FILE:posthaste-receiver>;POSTHASTE_MINI_MTA=$<TARGET_FILE:mini_mta>;POSTHASTE_QUICKSTART=$<TARGET_FILE:quickstart>;POSTHASTE_BUILD=${CMAKE_BINARY_DIR}")
endforeach()
