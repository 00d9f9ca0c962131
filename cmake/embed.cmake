# cmake -DOUT=FILE.cc -DHEADER=NAME.h -DNAMESPACE=ns -DTYPE=Struct -DFUNCTION=name -DFILES=a;b -P embed.cmake
# Writes text files into a source file as raw strings, in the order given: FUNCTION() returns a span of TYPE{file, text}.
set(body "")
foreach(file IN LISTS FILES)
  file(READ ${file} text)
  get_filename_component(name ${file} NAME)
  # A literal may have 64 KiB: cut into pieces, which the compiler joins.
  string(LENGTH "${text}" left)
  string(APPEND body "    {\"${name}\",\n")
  set(at 0)
  while(at LESS left)
    string(SUBSTRING "${text}" ${at} 8000 piece)
    string(APPEND body "R\"embedded(${piece})embedded\"\n")
    math(EXPR at "${at} + 8000")
  endwhile()
  string(APPEND body "    },\n")
endforeach()
file(WRITE ${OUT} "// Generated from rule files: see cmake/embed.cmake.\n#include \"${HEADER}\"\n\n#include <array>\n\nnamespace ${NAMESPACE} {\nnamespace {\nconstexpr ${TYPE} all[] = {\n${body}};\n}  // namespace\nstd::span<const ${TYPE}> ${FUNCTION}() { return all; }\n}  // namespace ${NAMESPACE}\n")
