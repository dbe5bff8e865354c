#!/usr/bin/env bash
# Every C header compiles alone, without a warning, as C and as C++.
set -euo pipefail
shopt -s nullglob
include=capi/include
count=0
check() {
  local compiler=$1 language=$2
  shift 2
  for header in "$include"/containerkit/c/*.h \
    "$include"/containerkit/containerkit_c.h; do
    echo "#include \"${header#"$include"/}\"" |
      "$compiler" -x "$language" -I "$include" -Wall -Wextra -Wpedantic \
        -Werror -fsyntax-only "$@" - || {
      echo "$header: $compiler $language $*"
      exit 1
    }
    count=$((count + 1))
  done
}
for compiler in gcc clang; do
  command -v $compiler >/dev/null || continue
  # Padding would leave bytes of the caller's in what the library reads.
  check $compiler c -std=c99 -Wstrict-prototypes -Wpadded
  check $compiler c -std=c11 -Wstrict-prototypes
  check $compiler c++ -std=c++17
  check $compiler c++ -std=c++20
done
[ "$count" -ge 60 ] || { echo "only $count headers seen"; exit 1; }
# A program may ask for an older interface, not for one that never was.
if echo '#include "containerkit/containerkit_c.h"' |
  gcc -x c -I "$include" -DCK_API_TARGET=0 -fsyntax-only - 2>/dev/null; then
  echo "CK_API_TARGET=0 was accepted"
  exit 1
fi
