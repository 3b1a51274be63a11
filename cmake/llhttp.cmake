# llhttp: the system's library where there is one, else built from Debian's node-llhttp sources.
# Strict mode is a property of the target, so that every user of the header has it too.
find_path(LLHTTP_INCLUDE llhttp.h PATHS /usr/share/include/llhttp)
find_library(LLHTTP_LIBRARY llhttp)

if(LLHTTP_LIBRARY AND NOT LLHTTP_INCLUDE STREQUAL "/usr/share/include/llhttp")
  add_library(llhttp UNKNOWN IMPORTED)
  set_target_properties(llhttp PROPERTIES IMPORTED_LOCATION ${LLHTTP_LIBRARY}
                        INTERFACE_INCLUDE_DIRECTORIES ${LLHTTP_INCLUDE})
else()
  add_library(llhttp STATIC /usr/share/llhttp/llhttp.c /usr/share/llhttp/http.c
              /usr/share/llhttp/api.c)
  target_include_directories(llhttp SYSTEM PUBLIC ${LLHTTP_INCLUDE})
  target_compile_definitions(llhttp PUBLIC LLHTTP_STRICT_MODE=1)
  target_compile_options(llhttp PRIVATE -w -O2)
endif()
