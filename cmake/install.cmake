# cmake --install build --prefix /usr: the program, its unit, and an example configuration.
include(GNUInstallDirs)
if(TARGET twokey)
  install(TARGETS twokey RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
install(FILES deploy/systemd/twokey.service DESTINATION lib/systemd/system)
install(DIRECTORY conf.d/ DESTINATION ${CMAKE_INSTALL_DATADIR}/twokey/conf.d FILES_MATCHING PATTERN "*.json")
install(DIRECTORY deploy/prometheus deploy/alertmanager DESTINATION ${CMAKE_INSTALL_DATADIR}/twokey)
install(FILES README.md CHANGELOG.md LICENSE SECURITY.md DESTINATION ${CMAKE_INSTALL_DOCDIR} OPTIONAL)
