# The clock, the network and the disk of the simulation, and engines without threads around them. They link nothing, so
# that they serve both the library as it is and the build with deliberate breaks; whoever uses them links one of those.
add_library(posthaste_test_sim STATIC
  ${CMAKE_CURRENT_LIST_DIR}/fault_file_system.cpp
  ${CMAKE_CURRENT_LIST_DIR}/fault_vfs.cpp
  ${CMAKE_CURRENT_LIST_DIR}/sim_disk.cpp
  ${CMAKE_CURRENT_LIST_DIR}/sim_engine.cpp
  ${CMAKE_CURRENT_LIST_DIR}/sim_host.cpp
  ${CMAKE_CURRENT_LIST_DIR}/sim_records.cpp
  ${CMAKE_CURRENT_LIST_DIR}/sim_spool_engine.cpp
  ${CMAKE_CURRENT_LIST_DIR}/sim_transport.cpp)
target_include_directories(posthaste_test_sim PUBLIC ${PROJECT_SOURCE_DIR}/tests ${PROJECT_SOURCE_DIR}/src)
target_link_libraries(posthaste_test_sim PRIVATE fmt::fmt-header-only)
target_compile_options(posthaste_test_sim PRIVATE ${POSTHASTE_WARNINGS})
