# One fuzzer a file: tests/fuzz/<name>_fuzz.c becomes fuzz/<name>, linked with everything below cli.
# `./dev fuzz` runs them over tests/fuzz/corpus/<name>.
if(NOT CMAKE_C_COMPILER_ID MATCHES "Clang")
  message(FATAL_ERROR "the fuzzers need clang: cmake --preset fuzz")
endif()

# the libraries too, that a second compiler reads every source whatever the fuzzers use
add_custom_target(fuzzers)
add_dependencies(fuzzers admin proxy proxy_http proxy_route proxy_balance config observe base)
file(GLOB fuzz_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/fuzz/*_fuzz.c)
foreach(source ${fuzz_sources})
  get_filename_component(name ${source} NAME_WE)
  string(REGEX REPLACE "_fuzz$" "" name ${name})
  add_executable(fuzz_${name} ${source})
  target_link_libraries(fuzz_${name} PRIVATE admin change proxy proxy_http proxy_route proxy_balance config
                        observe base)
  target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
  set_target_properties(fuzz_${name} PROPERTIES
                        OUTPUT_NAME ${name} RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fuzz)
  add_dependencies(fuzzers fuzz_${name})
endforeach()
