#!/usr/bin/env bash
# The library still has everything that the baseline has, as it was; it may
# have more. No suppressions.
set -euo pipefail
. tests/abi/skip.sh
require abidiff
baseline=$1
library=$2
rc=0
abidiff --no-show-locs --exported-interfaces-only --headers-dir2 capi/include "$baseline" "$library" \
  >"$TEST_TMPDIR/report" || rc=$?
cat "$TEST_TMPDIR/report"
# Bits: 1 error, 2 usage, 4 something changed, 8 incompatibly.
if (( rc & 11 )); then exit 1; fi
if (( rc & 4 )) && grep -qE '[1-9][0-9]* (Removed|Changed)' \
  "$TEST_TMPDIR/report"; then
  exit 1
fi
# A baseline without types would agree with anything.
grep -q "name='ck_container_stop_options'" "$baseline"
