#!/usr/bin/env bash
# The library still has everything that the baseline has, as it was; it may
# have more. No suppressions: --headers-dir2 would be one, it hid a field that
# had moved.
set -euo pipefail
. tests/abi/skip.sh
require abidiff
baseline=$1
library=$2

# Whether the library keeps what a baseline promises.
keeps() {
  local rc=0
  # abidiff takes half a file for a small one.
  python3 -c 'import sys, xml.dom.minidom as m; m.parse(sys.argv[1])' "$1"
  abidiff --no-show-locs --exported-interfaces-only "$1" "$library" \
    >"$TEST_TMPDIR/report" || rc=$?
  # Bits: 1 error, 2 usage, 4 something changed, 8 incompatibly.
  if ((rc & 11)); then return 1; fi
  ! grep -qE '[1-9][0-9]* (Removed|Changed)' "$TEST_TMPDIR/report"
}

if ! keeps "$baseline"; then
  cat "$TEST_TMPDIR/report"
  exit 1
fi

# It notices a function that is gone and a field that has moved.
broken=$TEST_TMPDIR/broken.abi
sed 's/ck_cancel_create/ck_cancel_gone/g' "$baseline" >"$broken"
if keeps "$broken"; then
  echo "a function that is gone was not seen"
  exit 1
fi
sed "/<class-decl name='ck_container_stop_options'/,/<\/class-decl>/\
s/layout-offset-in-bits='128'/layout-offset-in-bits='160'/" \
  "$baseline" >"$broken"
if cmp -s "$baseline" "$broken" || keeps "$broken"; then
  echo "a field that has moved was not seen"
  exit 1
fi
