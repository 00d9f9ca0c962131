# The build's own vocabulary. One call a module: sockeye_library(wire PUBLIC model PRIVATE ZLIB::ZLIB).
include(layers)

add_library(sockeye_flags INTERFACE)
target_compile_options(sockeye_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Wnon-virtual-dtor -Wold-style-cast -Werror
  -fno-omit-frame-pointer -ffile-prefix-map=${CMAKE_SOURCE_DIR}=.)
if(NOT SOCKEYE_SANITIZE AND NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
  # Against what a fault in parsing strangers' bytes could be made into: canaries, no stack that jumps its guard page,
  # checked string functions, landing pads for indirect jumps, and no table of functions that stays writable.
  target_compile_options(sockeye_flags INTERFACE -fstack-protector-strong -fstack-clash-protection -D_FORTIFY_SOURCE=2)
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|i686")
    target_compile_options(sockeye_flags INTERFACE -fcf-protection=full)
  endif()
  target_link_options(sockeye_flags INTERFACE -pie -Wl,-z,relro,-z,now,-z,noexecstack)
endif()
if(SOCKEYE_SANITIZE)
  target_compile_options(sockeye_flags INTERFACE -fsanitize=${SOCKEYE_SANITIZE} -fno-sanitize-recover=all)
  target_link_options(sockeye_flags INTERFACE -fsanitize=${SOCKEYE_SANITIZE})
  if(SOCKEYE_SANITIZE STREQUAL "thread")
    target_compile_options(sockeye_flags INTERFACE -Wno-tsan)  # Asio's fences: TSan does not model them, GCC says so
  endif()
endif()
if(SOCKEYE_SANITIZE AND NOT SOCKEYE_FUZZ)
  # Joined, as the release build (sockeye_join) and though these are Debug: sanitizers are built whole, and from nothing. What only
  # differs by file here (what shadows what, whose type is local) is no news.
  set(CMAKE_UNITY_BUILD ON)
  set(CMAKE_UNITY_BUILD_BATCH_SIZE 8)
  target_compile_options(sockeye_flags INTERFACE -Wno-shadow -Wno-subobject-linkage)
endif()
if(SOCKEYE_FUZZ)
  # Clang 14 cannot emit the prologue that -fsanitize=function (Clang's alone) wants for a coroutine.
  target_compile_options(sockeye_flags INTERFACE -fsanitize=fuzzer-no-link -fno-sanitize=function)
endif()

# sockeye_heavy(TARGET): Beast's composed operations make symbols by the megabyte; with line tables and UBSan's checks GCC
# takes minutes and gigabytes for one file. Their module goes without both, and unoptimised under sanitizers. ASan and TSan
# stay on. By target and not by file, so that its files are joined: each spends more on Beast's headers than on itself.
function(sockeye_heavy target)
  target_compile_options(${target} PRIVATE -g0)
  if(SOCKEYE_SANITIZE)
    target_compile_options(${target} PRIVATE -O0)
  endif()
  if(SOCKEYE_SANITIZE MATCHES undefined)
    target_compile_options(${target} PRIVATE -fno-sanitize=undefined)
  endif()
endfunction()

# sockeye_library(NAME [PUBLIC module...] [PRIVATE module-or-library...])
# Sources are src/*.cc, public headers include/sockeye/NAME/*.h, tests test/*_test.cc, fuzz targets fuzz/*_fuzz.cc.
function(sockeye_library name)
  cmake_parse_arguments(ARG "" "" "PUBLIC;PRIVATE" ${ARGN})
  set(target sockeye_${name})
  file(GLOB sources CONFIGURE_DEPENDS src/*.cc)
  file(GLOB headers CONFIGURE_DEPENDS include/sockeye/${name}/*.h)
  _sockeye_check_layers(${name} ${ARG_PUBLIC} ${ARG_PRIVATE})

  if(sources)
    add_library(${target} STATIC ${sources})
    set(scope PUBLIC)
    target_link_libraries(${target} PRIVATE sockeye_flags)
    sockeye_join(${target})
  else()
    add_library(${target} INTERFACE)
    set(scope INTERFACE)
  endif()
  add_library(sockeye::${name} ALIAS ${target})
  target_sources(${target} ${scope} FILE_SET HEADERS BASE_DIRS include FILES ${headers})
  foreach(dep ${ARG_PUBLIC})
    target_link_libraries(${target} ${scope} sockeye::${dep})
  endforeach()
  if(NOT sources)
    set(ARG_PRIVATE)  # a module that is headers so far has nothing to hide
  endif()
  foreach(dep ${ARG_PRIVATE})
    if(DEFINED SOCKEYE_LAYER_${dep})
      target_link_libraries(${target} PRIVATE sockeye::${dep})
    else()
      target_link_libraries(${target} PRIVATE ${dep})
    endif()
  endforeach()
  # Every public header compiles on its own: `cmake --build . --target all_verify_interface_header_sets`.
  set_target_properties(${target} PROPERTIES VERIFY_INTERFACE_HEADER_SETS ON)

  _sockeye_tests(${name} ${target})
  _sockeye_fuzzers(${name} ${target})
endfunction()

# A module that names a project module outside its row of the table stops the configure step.
function(_sockeye_check_layers name)
  if(NOT DEFINED SOCKEYE_LAYER_${name})
    message(FATAL_ERROR "module '${name}' has no row in cmake/layers.cmake")
  endif()
  foreach(dep ${ARGN})
    if(DEFINED SOCKEYE_LAYER_${dep} AND NOT dep IN_LIST SOCKEYE_LAYER_${name})
      message(FATAL_ERROR "layering: '${name}' may not link '${dep}' (allowed: ${SOCKEYE_LAYER_${name}}); see cmake/layers.cmake")
    endif()
  endforeach()
endfunction()

# Most of a file's time goes to its headers, so files of a module are compiled joined. A developer's build leaves them apart:
# there one changes at a time, and each must stand on its own. A helper that two files of a module want is in a header they
# share; where two only have the same name, one of them takes another.
function(sockeye_join target)
  if(NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
    set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 8)
    target_compile_options(${target} PRIVATE -Wno-subobject-linkage)  # whose types are local is no news in a joined file
  endif()
endfunction()

# What is tested is optimised; its tests compile in half the time without.
function(sockeye_test_options target)
  target_compile_options(${target} PRIVATE -O0 -U_FORTIFY_SOURCE)
  sockeye_join(${target})
endfunction()

# One test binary a module, one ctest entry a binary (gtest prints the cases): process start dominates tiny cases.
function(_sockeye_tests name target)
  file(GLOB tests CONFIGURE_DEPENDS test/*_test.cc)
  if(NOT SOCKEYE_TESTS OR NOT tests)
    return()
  endif()
  add_executable(${name}_test ${tests})
  target_link_libraries(${name}_test PRIVATE sockeye_flags ${target} GTest::gtest GTest::gtest_main Threads::Threads)
  target_include_directories(${name}_test PRIVATE test)
  target_compile_definitions(${name}_test PRIVATE SOCKEYE_TEST_DIR="${CMAKE_CURRENT_SOURCE_DIR}/test")
  set_target_properties(${name}_test PROPERTIES CXX_STANDARD 20)
  sockeye_test_options(${name}_test)
  add_test(NAME ${name} COMMAND ${name}_test --gtest_brief=1)
  set_tests_properties(${name} PROPERTIES TIMEOUT 900)
  if(name STREQUAL "sqlite")
    set_tests_properties(${name} PROPERTIES COST 100)  # by far the longest: begun first, the others run beside it
  endif()
endfunction()

# Each fuzz/x_fuzz.cc is built twice: as a libFuzzer binary under SOCKEYE_FUZZ, and everywhere else as a ctest entry that
# replays fuzz/corpus/x/* through the same LLVMFuzzerTestOneInput.
function(_sockeye_fuzzers name target)
  file(GLOB fuzzers CONFIGURE_DEPENDS fuzz/*_fuzz.cc)
  foreach(source ${fuzzers})
    get_filename_component(stem ${source} NAME_WE)
    string(REPLACE "_fuzz" "" short ${stem})
    set(binary ${name}_${stem})
    if(SOCKEYE_FUZZ)
      add_executable(${binary} ${source})
      target_link_options(${binary} PRIVATE -fsanitize=fuzzer)
    elseif(SOCKEYE_TESTS)
      add_executable(${binary} ${source} ${CMAKE_SOURCE_DIR}/tests/fuzz/replay_main.cc)
      add_test(NAME fuzz_replay_${name}_${short} COMMAND ${binary} ${CMAKE_CURRENT_SOURCE_DIR}/fuzz/corpus/${short})
    else()
      continue()
    endif()
    target_link_libraries(${binary} PRIVATE sockeye_flags ${target})
  endforeach()
endfunction()
