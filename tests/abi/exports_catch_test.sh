#!/usr/bin/env bash
# The check of exported symbols notices one too many, one too few and globs.
set -euo pipefail
check=tools/check_exports.sh
cd_dir=$TEST_TMPDIR
build() {
  echo "$1" | gcc -x c -shared -fPIC -Wl,-soname,libcontainerkit.so.0 \
    -Wl,--version-script="$2" -o "$cd_dir/lib.so" -
}
map() { printf 'CONTAINERKIT_0.1 {\n  global:\n    %s\n  local:\n    *;\n};\n' "$1"; }
map 'ck_a;' >"$cd_dir/one.map"
map $'ck_a;\n    ck_b;' >"$cd_dir/two.map"
map 'ck_*;' >"$cd_dir/glob.map"
build 'void ck_a(void) {} void ck_b(void) {}' "$cd_dir/one.map"
bash $check "$cd_dir/lib.so" "$cd_dir/one.map"
for wrong in two glob; do
  if bash $check "$cd_dir/lib.so" "$cd_dir/$wrong.map"; then
    echo "$wrong.map was accepted"
    exit 1
  fi
done
build 'void ck_a(void) {} void ck_b(void) {}' "$cd_dir/two.map"
if bash $check "$cd_dir/lib.so" "$cd_dir/one.map"; then
  echo "a symbol too many was accepted"
  exit 1
fi
