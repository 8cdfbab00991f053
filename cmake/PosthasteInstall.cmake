# What `cmake --install` places: the header, both libraries, the one for producers, the CMake package, three pkg-config files and the licence.
# The shared and the static library are separate export sets, because only the static one makes its user find libcurl
# and OpenSSL.
include(CMakePackageConfigHelpers)

# A host in C links with the C compiler, which does not know that the archive needs the C++ run time.
target_link_libraries(posthaste_static INTERFACE $<INSTALL_INTERFACE:stdc++> $<INSTALL_INTERFACE:m>)

set(POSTHASTE_CMAKE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/posthaste)

install(FILES ${PROJECT_SOURCE_DIR}/include/posthaste/posthaste.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/posthaste)
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(TARGETS posthaste EXPORT posthaste-shared LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS posthaste_producer_library LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS posthaste_static EXPORT posthaste-static ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
if(POSTHASTE_BUILD_CLI)
  # Installed beside the library, which it finds wherever the tree is moved to.
  file(RELATIVE_PATH POSTHASTE_BIN_TO_LIB /prefix/${CMAKE_INSTALL_BINDIR} /prefix/${CMAKE_INSTALL_LIBDIR})
  set_target_properties(posthaste_command PROPERTIES INSTALL_RPATH $ORIGIN/${POSTHASTE_BIN_TO_LIB})
  install(TARGETS posthaste_command RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  install(DIRECTORY ${POSTHASTE_MANUAL_DIR}/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 FILES_MATCHING PATTERN *.1)
  install(FILES ${POSTHASTE_MANUAL_DIR}/posthaste.bash
    DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME posthaste)
  install(FILES ${PROJECT_BINARY_DIR}/src/cli/posthaste.service DESTINATION lib/systemd/system)
  install(FILES ${PROJECT_SOURCE_DIR}/src/cli/posthaste.conf DESTINATION ${CMAKE_INSTALL_SYSCONFDIR}/posthaste)
endif()
set(POSTHASTE_PC_PACKAGES posthaste posthaste-static posthaste-producer)
if(POSTHASTE_BUILD_ADMIN)
  install(FILES ${PROJECT_SOURCE_DIR}/include/posthaste/admin.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/posthaste)
  install(TARGETS posthaste_admin EXPORT posthaste-admin-shared LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
  install(TARGETS posthaste_admin_static EXPORT posthaste-admin-static ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
  foreach(kind admin-shared admin-static)
    install(EXPORT posthaste-${kind} NAMESPACE posthaste:: DESTINATION ${POSTHASTE_CMAKE_DIR})
  endforeach()
  list(APPEND POSTHASTE_PC_PACKAGES posthaste-admin)
endif()
if(POSTHASTE_BUILD_ENGAGEMENT)
  install(FILES ${PROJECT_SOURCE_DIR}/include/posthaste/engagement.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/posthaste)
  install(TARGETS posthaste_engagement EXPORT posthaste-engagement-shared LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
  install(TARGETS posthaste_engagement_static EXPORT posthaste-engagement-static ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
  foreach(kind engagement-shared engagement-static)
    install(EXPORT posthaste-${kind} NAMESPACE posthaste:: DESTINATION ${POSTHASTE_CMAKE_DIR})
  endforeach()
  list(APPEND POSTHASTE_PC_PACKAGES posthaste-engagement)
endif()
foreach(kind shared static)
  install(EXPORT posthaste-${kind} NAMESPACE posthaste:: DESTINATION ${POSTHASTE_CMAKE_DIR})
endforeach()

configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/posthaste-config.cmake.in
  ${PROJECT_BINARY_DIR}/posthaste-config.cmake INSTALL_DESTINATION ${POSTHASTE_CMAKE_DIR})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/posthaste-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/posthaste-config.cmake ${PROJECT_BINARY_DIR}/posthaste-config-version.cmake
  DESTINATION ${POSTHASTE_CMAKE_DIR})

# The prefix is stated relative to the .pc file, so that an installed tree can be moved.
file(RELATIVE_PATH POSTHASTE_PC_PREFIX /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
foreach(package IN LISTS POSTHASTE_PC_PACKAGES)
  configure_file(${PROJECT_SOURCE_DIR}/cmake/${package}.pc.in ${PROJECT_BINARY_DIR}/${package}.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/${package}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endforeach()
