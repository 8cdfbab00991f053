# The clock and the network of the simulation. Links nothing, so that it serves both the library as it is and the
# build with deliberate breaks; whoever uses it links one of them.
add_library(posthaste_test_sim STATIC ${CMAKE_CURRENT_LIST_DIR}/sim_transport.cpp)
target_include_directories(posthaste_test_sim PUBLIC ${PROJECT_SOURCE_DIR}/tests ${PROJECT_SOURCE_DIR}/src)
target_compile_options(posthaste_test_sim PRIVATE ${POSTHASTE_WARNINGS})
