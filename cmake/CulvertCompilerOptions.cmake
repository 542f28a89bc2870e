# culvert_options(TARGET): what every target of ours is compiled with. Nothing here reaches users of
# the SDK: all options are PRIVATE.
set(CULVERT_WARNINGS
    -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wnon-virtual-dtor
    -Wold-style-cast -Woverloaded-virtual -Wnull-dereference -Wimplicit-fallthrough)
if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  # The loop thread is a capability: members guarded by it are checked at compile time.
  list(APPEND CULVERT_WARNINGS -Wthread-safety)
endif()
if(CULVERT_SANITIZE AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC advises against the two where it adds checks of its own: it warns of std::regex itself (GCC bug
  # 105562).
  list(APPEND CULVERT_WARNINGS -Wno-maybe-uninitialized -Wno-null-dereference)
endif()
if(CMAKE_UNITY_BUILD)
  # A local variable may have the name of a constant of another source, and each source but the first
  # is taken for a header.
  list(APPEND CULVERT_WARNINGS -Wno-shadow)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    list(APPEND CULVERT_WARNINGS -Wno-subobject-linkage)
  endif()
endif()

if(CULVERT_SANITIZE)
  add_compile_options(-fsanitize=${CULVERT_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${CULVERT_SANITIZE})
endif()

if(CULVERT_HARDEN)
  set(CMAKE_POSITION_INDEPENDENT_CODE ON)
  include(CheckPIESupported)
  check_pie_supported()
  add_compile_options(-fstack-protector-strong -fstack-clash-protection -D_FORTIFY_SOURCE=2
                      -D_GLIBCXX_ASSERTIONS)
  if(CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64")
    add_compile_options(-fcf-protection)
  endif()
  add_link_options(-Wl,-z,relro,-z,now,-z,noexecstack -Wl,--as-needed)
endif()

function(culvert_options target)
  target_compile_options(${target} PRIVATE ${CULVERT_WARNINGS})
  if(CULVERT_WERROR)
    target_compile_options(${target} PRIVATE -Werror)
  endif()
endfunction()

# culvert_module(NAME SOURCES... [DEPS...]): one static library per folder of src/.
function(culvert_module name)
  cmake_parse_arguments(ARG "" "" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
  add_library(culvert_${name} STATIC ${ARG_SOURCES})
  add_library(culvert::${name} ALIAS culvert_${name})
  target_include_directories(culvert_${name} PUBLIC ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/include)
  target_link_libraries(culvert_${name} PUBLIC ${ARG_PUBLIC} PRIVATE ${ARG_PRIVATE})
  culvert_options(culvert_${name})
endfunction()
