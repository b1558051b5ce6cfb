# Warnings are errors; third-party headers are SYSTEM. Hardening belongs to release builds.
add_compile_definitions(_GNU_SOURCE HINOMI_VERSION="${PROJECT_VERSION}")
add_compile_options(
  -Werror -Wall -Wextra -Wconversion -Wsign-conversion -Wshadow -Wvla -Wundef -Wcast-qual -Wformat=2
  -Wstrict-prototypes -Wmissing-prototypes -Wimplicit-fallthrough -Wswitch-enum -Wdouble-promotion
  -Wframe-larger-than=16384 -fno-strict-aliasing -fno-math-errno -fvisibility=hidden)
if(CMAKE_C_COMPILER_ID MATCHES "Clang")
  add_compile_options(-Wno-format-nonliteral -Wno-string-conversion -Wno-double-promotion) # gcc knows that a va_list function with the attribute passes its format on
endif()
if(HINOMI_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
if(HINOMI_SANITIZE)
  add_compile_options(-fsanitize=${HINOMI_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all -O1 -g)
  add_link_options(-fsanitize=${HINOMI_SANITIZE})
  # The sanitizers' redzones enlarge frames; the frame limit is a matter of the release build.
  add_compile_options(-Wno-frame-larger-than)
endif()
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|amd64")
  # SSE4.2 (2008) and PCLMUL are in every server CPU of the last decade; wider code is chosen at run time.
  add_compile_options(-msse4.2 -mpclmul -mpopcnt)
endif()
if(CMAKE_BUILD_TYPE STREQUAL "Release")
  add_compile_options(-O2 -g1 -flto=auto -fno-fat-lto-objects
    -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -fstack-protector-strong -fstack-clash-protection
    -ftrivial-auto-var-init=zero -fPIE)
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|amd64")
    add_compile_options(-fcf-protection=full)
  endif()
  add_link_options(-flto=auto -pie -Wl,-z,relro,-z,now,-z,noexecstack)
  set(CMAKE_C_FLAGS_RELEASE "")  # asserts stay on: no -DNDEBUG
endif()
find_program(CCACHE ccache)
if(CCACHE AND NOT CMAKE_C_COMPILER_LAUNCHER)
  set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE})
endif()
