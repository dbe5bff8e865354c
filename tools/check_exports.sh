#!/usr/bin/env bash
# The symbols that a library exports are those that its version script lists,
# no more and no fewer.
#   check_exports.sh LIBRARY.so VERSION_SCRIPT
set -euo pipefail
library=$1
map=$2
exported=$(nm -D --defined-only "$library" |
  awk '$2 != "A" {sub(/@.*/, "", $3); print $3}' | sort)
listed=$(sed -n '/global:/,/local:/p' "$map" |
  grep -oE '^ +[A-Za-z0-9_*?]+;' | tr -d ' ;' | sort)
if grep -q '[*?]' <<<"$listed"; then
  echo "$map: a glob among the exported symbols"
  exit 1
fi
if [ "$exported" != "$listed" ]; then
  echo "exported (-) and listed (+) symbols differ:"
  diff <(echo "$exported") <(echo "$listed") | grep '^[<>]' |
    sed 's/^</-/; s/^>/+/'
  exit 1
fi
soname=$(readelf -d "$library" | sed -n 's/.*SONAME.*\[\(.*\)\]/\1/p')
if [ "$soname" != libcontainerkit.so.0 ]; then
  echo "soname is '$soname'"
  exit 1
fi
# Loading it must run nothing of ours: no constructors but the compiler's own.
if readelf -d "$library" | grep -qE 'TEXTREL|RPATH|RUNPATH'; then
  echo "text relocations or a run path"
  exit 1
fi
echo "$(wc -l <<<"$listed") symbols"
