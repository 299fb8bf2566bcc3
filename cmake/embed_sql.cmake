# SPDX-License-Identifier: Apache-2.0
# cmake -DFILES=a.sql;b.sql -DDIALECT=sqlite -DOUTPUT=x.c -P embed_sql.cmake: numbered SQL files as a
# C table, so that a program needs no file beside it to bring its store up to date.
set(bodies "")
set(rows "")
set(expected 1)
foreach(file IN LISTS FILES)
  get_filename_component(name ${file} NAME_WE)
  if(NOT name MATCHES "^([0-9][0-9][0-9])_([a-z0-9_]+)$")
    message(FATAL_ERROR "${file}: migrations are named NNN_what_it_does.sql")
  endif()
  math(EXPR version "1${CMAKE_MATCH_1} - 1000")
  if(NOT version EQUAL expected)
    message(FATAL_ERROR "${file}: migration ${expected} is missing; numbers have no gaps")
  endif()
  math(EXPR expected "${expected} + 1")
  file(READ ${file} hex HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
  string(APPEND bodies "static const char sql_${version}[] = {${bytes}0};\n")
  string(APPEND rows "\t{${version}, \"${name}\", sql_${version}},\n")
endforeach()
file(WRITE ${OUTPUT} "/* generated from etc/sql/${DIALECT} by cmake/embed_sql.cmake */
#include \"store_private.h\"
${bodies}
const struct store_migration store_migrations_${DIALECT}[] = {
${rows}\t{0, 0, 0},
};
")
