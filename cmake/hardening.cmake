# What a release is compiled with beside -O2: the usual defences against memory errors, and symbols
# for the panic report.
set(CMAKE_C_FLAGS_RELEASE "-O2 -g -DNDEBUG")
if(CMAKE_BUILD_TYPE STREQUAL "Release" AND NOT TWOKEY_SANITIZE)
  add_compile_options(-D_FORTIFY_SOURCE=2 -fstack-protector-strong -fstack-clash-protection -fPIE)
  include(CheckIPOSupported)
  check_ipo_supported(RESULT TWOKEY_IPO OUTPUT TWOKEY_IPO_WHY LANGUAGES C)
  set(CMAKE_INTERPROCEDURAL_OPTIMIZATION ${TWOKEY_IPO})
  add_link_options(-pie -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack)
endif()
