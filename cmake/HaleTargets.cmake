# SPDX-License-Identifier: Apache-2.0
# The only ways to declare a target here. Include directories are PRIVATE and per layer: a file
# that includes "bus/feed.h" from a target that does not say USES bus does not compile.
#
#   hale_layer(NAME   SOURCES … USES layers… LIBS deps… EXPOSES deps…)   a library under common/
#   hale_program(NAME CORE sources… MAIN main.c USES layers… LIBS deps…) a program: <name>_core + main
#   USES links a layer; SEES only shows its headers (deploy and haled: child_proto.h).
#   hale_unit_test(NAME LAYER dir SOURCES … USES layers… LINK targets…)  one cmocka executable
#
# LIBS are seen by the target alone; EXPOSES also by its users (json_t, uv_loop_t).

set(HALE_LAYERS_DIR ${CMAKE_BINARY_DIR}/layers)

function(hale_compile_options target)
  target_compile_definitions(${target} PRIVATE _GNU_SOURCE HALE_VERSION="${PROJECT_VERSION}")
  target_compile_options(${target} PRIVATE
    -Wall -Wextra -Werror -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes
    -Wformat=2 -Wundef -Wpointer-arith -Wvla -Wwrite-strings -Wimplicit-fallthrough
    $<$<C_COMPILER_ID:GNU>:-Wno-format-truncation>
    -fno-omit-frame-pointer -fstack-protector-strong)
  if(HALE_FUZZ) # libFuzzer must see which way the code under test goes
    target_compile_options(${target} PRIVATE -fsanitize=fuzzer-no-link)
  endif()
  if(HALE_SANITIZE)
    target_compile_options(${target} PRIVATE -fsanitize=${HALE_SANITIZE} -fno-sanitize-recover=all)
    target_link_options(${target} PUBLIC -fsanitize=${HALE_SANITIZE})
  else()
    target_compile_options(${target} PRIVATE $<$<CONFIG:RelWithDebInfo>:-D_FORTIFY_SOURCE=2>)
    target_link_options(${target} PRIVATE -Wl,-z,relro,-z,now)
  endif()
endfunction()

# A layer's headers are reached as "layer/header.h" through a directory that holds that layer alone.
function(hale_layer_dir layer out)
  set(dir ${HALE_LAYERS_DIR}/${layer})
  if(NOT EXISTS ${dir}/${layer})
    file(MAKE_DIRECTORY ${dir})
    file(CREATE_LINK ${CMAKE_SOURCE_DIR}/common/${layer} ${dir}/${layer} SYMBOLIC)
  endif()
  set(${out} ${dir} PARENT_SCOPE)
endfunction()

function(hale_use target)
  cmake_parse_arguments(A "" "" "USES;LIBS;SEES" ${ARGN})
  foreach(layer IN LISTS A_SEES)
    hale_layer_dir(${layer} dir)
    target_include_directories(${target} PRIVATE ${dir})
  endforeach()
  foreach(layer IN LISTS A_USES)
    hale_layer_dir(${layer} dir)
    target_include_directories(${target} PRIVATE ${dir})
    target_link_libraries(${target} PUBLIC hale_${layer})
  endforeach()
  foreach(dep IN LISTS A_LIBS)
    if(NOT DEFINED HALE_DEP_${dep})
      message(FATAL_ERROR "${target}: no library named '${dep}' in cmake/HaleDependencies.cmake")
    endif()
    target_link_libraries(${target} PRIVATE ${HALE_DEP_${dep}})
  endforeach()
endfunction()

function(hale_layer layer)
  cmake_parse_arguments(A "" "" "SOURCES;USES;LIBS;EXPOSES;SEES" ${ARGN})
  set(target hale_${layer})
  add_library(${target} STATIC ${A_SOURCES})
  hale_compile_options(${target})
  hale_layer_dir(${layer} dir)
  target_include_directories(${target} PRIVATE ${dir})
  hale_use(${target} USES ${A_USES} LIBS ${A_LIBS} SEES ${A_SEES})
  foreach(dep IN LISTS A_EXPOSES)
    target_link_libraries(${target} PUBLIC ${HALE_DEP_${dep}})
  endforeach()
endfunction()

function(hale_program name)
  cmake_parse_arguments(A "DESCRIBES" "MAIN" "CORE;USES;LIBS;SEES" ${ARGN})
  string(REPLACE "-" "_" core ${name})
  set(core ${core}_core)
  if(A_CORE)
    add_library(${core} STATIC ${A_CORE})
    hale_compile_options(${core})
    target_include_directories(${core} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
    hale_use(${core} USES ${A_USES} LIBS ${A_LIBS} SEES ${A_SEES})
  endif()
  add_executable(${name} ${A_MAIN})
  # A layer's libraries reach all its users; a program loads only those it calls. It is what a
  # restart within a millisecond or two is made of.
  target_link_options(${name} PRIVATE -Wl,--as-needed)
  hale_compile_options(${name})
  target_include_directories(${name} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
  hale_use(${name} USES ${A_USES} LIBS ${A_LIBS} SEES ${A_SEES})
  if(A_CORE)
    target_link_libraries(${name} PRIVATE ${core})
  endif()
  if(A_DESCRIBES)
    hale_manifest(${name})
    install(TARGETS ${name} RUNTIME DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/hale)
  else()
    install(TARGETS ${name} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  endif()
endfunction()

# PROGRAM --describe, collected at build time: haled validates the configuration by these.
function(hale_manifest name)
  set(dir ${CMAKE_BINARY_DIR}/share/hale/manifests)
  file(MAKE_DIRECTORY ${dir})
  add_custom_command(TARGET ${name} POST_BUILD
    COMMAND ${CMAKE_COMMAND} -E env ASAN_OPTIONS=detect_leaks=0 sh -c
      [["$0" --describe > "$1.new" && mv "$1.new" "$1"]] $<TARGET_FILE:${name}> ${dir}/${name}.json
    VERBATIM)
  set_property(GLOBAL APPEND PROPERTY HALE_DESCRIBERS ${name})
  install(FILES ${dir}/${name}.json DESTINATION ${CMAKE_INSTALL_DATADIR}/hale/manifests)
endfunction()

function(hale_unit_test name)
  cmake_parse_arguments(A "" "LAYER" "SOURCES;USES;LIBS;LINK" ${ARGN})
  string(REPLACE "/" "_" folder ${A_LAYER})
  set(target test_${folder}_${name})
  add_executable(${target} ${A_SOURCES})
  hale_compile_options(${target})
  set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  if(IS_DIRECTORY ${CMAKE_SOURCE_DIR}/${A_LAYER}) # a program: its headers are its own folder's
    target_include_directories(${target} PRIVATE ${CMAKE_SOURCE_DIR}/${A_LAYER})
  endif()
  hale_use(${target} USES ${A_USES} LIBS ${A_LIBS})
  target_link_libraries(${target} PRIVATE ${A_LINK} cmocka)
  string(REPLACE "/" "." path ${A_LAYER})
  add_test(NAME unit.${path}.${name} COMMAND ${target})
  set_tests_properties(unit.${path}.${name} PROPERTIES TIMEOUT 120)
endfunction()
