#!/usr/bin/env bash
# The layout locks notice a field in the middle, a changed size, a lost field;
# and do not mind one more at the end.
set -euo pipefail
copy=$TEST_TMPDIR/include
mkdir -p "$copy"
cp -rL capi/include/containerkit "$copy/"
chmod -R u+w "$copy"
header=$copy/containerkit/c/container.h
compiles() {
  gcc -std=c11 -I "$copy" -fsyntax-only capi/abi/layout_0_1.c 2>/dev/null
}
edit() {
  cp -L capi/include/containerkit/c/container.h "$header"
  sed -i "/^typedef struct ck_container_stop_options {/,/^}/{$1}" "$header"
  if cmp -s capi/include/containerkit/c/container.h "$header"; then
    echo "the edit $1 changed nothing"
    exit 1
  fi
}
compiles
edit 's/^} ck/  uint64_t later;\n} ck/'
compiles || { echo "growth at the end was refused"; exit 1; }
edit 's/^  int32_t signal;/  int64_t before;\n  int32_t signal;/'
if compiles; then echo "a field in the middle was not seen"; exit 1; fi
edit 's/^  int32_t signal;/  int64_t signal;/'
if compiles; then echo "a wider field was not seen"; exit 1; fi
edit '/^  int32_t signal;/d'
if compiles; then echo "a lost field was not seen"; exit 1; fi
