# Programs of bench/ that are run by hand: cmake --build build --target distribution_streams
add_executable(distribution_streams EXCLUDE_FROM_ALL bench/distribution_streams.c)
target_link_libraries(distribution_streams PRIVATE observe base)
add_executable(distribution_tick EXCLUDE_FROM_ALL bench/distribution_tick.c)
target_link_libraries(distribution_tick PRIVATE watch change proxy config observe base)
foreach(name distribution_streams distribution_tick)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bench)
endforeach()
