# One executable a file: tests/unit/<folder>/<module>_test.c, linked with everything below cli.
find_library(CMOCKA_LIBRARY cmocka REQUIRED)
file(GLOB_RECURSE unit_tests CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/unit/*_test.c)
if(TWOKEY_SANITIZE STREQUAL "thread")
  # these run on one thread: walking all their orders under this sanitizer shows nothing
  list(FILTER unit_tests EXCLUDE REGEX "/tests/unit/(change|detect|config)/|/tests/unit/observe/(kinds|monitor)_test")
endif()
foreach(source ${unit_tests})
  file(RELATIVE_PATH name ${CMAKE_SOURCE_DIR}/tests/unit ${source})
  string(REPLACE "/" "_" name ${name})
  string(REPLACE ".c" "" name ${name})
  add_executable(${name} ${source})
  if(name MATCHES "^cli_") # cli is no library: its test is built with the one file that it tests
    string(REGEX REPLACE ".*/tests/unit/(.*)_test\\.c$" "${CMAKE_SOURCE_DIR}/\\1.c" tested ${source})
    target_sources(${name} PRIVATE ${tested})
  endif()
  target_compile_options(${name} PRIVATE -Wno-conversion)
  target_link_libraries(${name} PRIVATE admin watch change tls proxy proxy_http proxy_route proxy_balance config
                        observe base ${CMOCKA_LIBRARY})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/unit)
  add_test(NAME unit_${name} COMMAND ${name} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
endforeach()

# the longest first, or one goes on alone at the end
foreach(name change_model proxy_upstream_registry observe_observer observe_kinds change_audit_state observe_monitor)
  if(TEST unit_${name}_test)
    set_tests_properties(unit_${name}_test PROPERTIES COST 100)
  endif()
endforeach()
