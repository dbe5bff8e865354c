# What the end-to-end tests of ck have in common. Sourced.
#
# A check prints a line when it fails; `finish` turns their number into the
# exit code. Everything lives below TEST_TMPDIR and is gone afterwards.
set -u
CK=$PWD/examples/cli/ck
WORK=$(mktemp -d "${TEST_TMPDIR:-/tmp}/ck_cli.XXXXXX")
export CK_ROOT=$WORK/root
CHECKS=0
FAILURES=0

# A root file system of Debian's busybox-static: $WORK/rootfs.tar.
make_rootfs() {
  local rootfs=$WORK/rootfs applet
  mkdir -p "$rootfs"/{bin,etc,tmp,root,dev,proc,sys}
  cp /bin/busybox "$rootfs/bin/"
  for applet in sh true false echo cat ls sleep id env hostname stty kill touch \
    wc head yes trap; do
    ln -sf busybox "$rootfs/bin/$applet"
  done
  printf 'root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/:/bin/sh\n' \
    >"$rootfs/etc/passwd"
  printf 'root:x:0:\nuser:x:1000:\n' >"$rootfs/etc/group"
  echo data >"$rootfs/tmp/plain"
  tar -C "$rootfs" -cf "$WORK/rootfs.tar" .
}

# The same as the image "bb".
make_image() {
  make_rootfs
  "$CK" import -c 'CMD ["/bin/sh"]' "$WORK/rootfs.tar" bb >/dev/null ||
    fail "ck import"
}

# The root file system as an OCI layout, "loaded:1", that prints "loaded".
make_layout() {
  local layout=$WORK/layout layer size config config_size manifest
  local manifest_size arch oci=application/vnd.oci.image
  arch=$(ck_arch)
  mkdir -p "$layout/blobs/sha256"
  cp "$WORK/rootfs.tar" "$WORK/blob"
  size=$(stat -c %s "$WORK/blob")
  layer=$(store_blob "$layout")
  printf '{"architecture":"%s","os":"linux","config":{"Cmd":["echo","loaded"]},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' \
    $arch "$layer" >"$WORK/blob"
  config_size=$(stat -c %s "$WORK/blob")
  config=$(store_blob "$layout")
  printf '{"schemaVersion":2,"mediaType":"%s.manifest.v1+json","config":{"mediaType":"%s.config.v1+json","digest":"sha256:%s","size":%s},"layers":[{"mediaType":"%s.layer.v1.tar","digest":"sha256:%s","size":%s}]}' \
    $oci $oci "$config" "$config_size" $oci "$layer" "$size" >"$WORK/blob"
  manifest_size=$(stat -c %s "$WORK/blob")
  manifest=$(store_blob "$layout")
  printf '{"schemaVersion":2,"manifests":[{"mediaType":"%s.manifest.v1+json","digest":"sha256:%s","size":%s,"annotations":{"org.opencontainers.image.ref.name":"loaded:1"}}]}' \
    $oci "$manifest" "$manifest_size" >"$layout/index.json"
  echo '{"imageLayoutVersion":"1.0.0"}' >"$layout/oci-layout"
}

# This machine's architecture, as images name it.
ck_arch() {
  [ "$(uname -m)" = aarch64 ] && echo arm64 || echo amd64
}

# store_blob LAYOUT: moves $WORK/blob to its digest, which is printed.
store_blob() {
  local digest
  digest=$(sha256sum "$WORK/blob" | cut -d' ' -f1)
  mv "$WORK/blob" "$1/blobs/sha256/$digest"
  echo "$digest"
}

fail() {
  FAILURES=$((FAILURES + 1))
  printf 'FAILED: %s\n' "$*" >&2
}

# Runs ck; OUT, ERR and CODE are what it did.
ck() {
  timeout -k 5 30 "$CK" "$@" >"$WORK/out" 2>"$WORK/err"
  CODE=$?
  OUT=$(cat "$WORK/out")
  ERR=$(cat "$WORK/err")
}

# expect_code NUMBER, expect_out TEXT, expect_err TEXT: of the last ck.
expect_code() {
  CHECKS=$((CHECKS + 1))
  [ "$CODE" = "$1" ] || fail "line ${BASH_LINENO[0]}: exit code $CODE, not $1: $OUT $ERR"
}
expect_out() {
  CHECKS=$((CHECKS + 1))
  [ "$OUT" = "$1" ] || fail "line ${BASH_LINENO[0]}: printed '$OUT', not '$1' ($ERR)"
}
expect_err() {
  CHECKS=$((CHECKS + 1))
  [ "$ERR" = "$1" ] || fail "line ${BASH_LINENO[0]}: said '$ERR', not '$1'"
}
# expect_match PATTERN: stdout matches the shell pattern.
expect_match() {
  CHECKS=$((CHECKS + 1))
  # shellcheck disable=SC2053
  [[ "$OUT" == $1 ]] || fail "line ${BASH_LINENO[0]}: printed '$OUT', no match for '$1'"
}
expect_err_match() {
  CHECKS=$((CHECKS + 1))
  # shellcheck disable=SC2053
  [[ "$ERR" == $1 ]] || fail "line ${BASH_LINENO[0]}: said '$ERR', no match for '$1'"
}
expect() {
  CHECKS=$((CHECKS + 1))
  "$@" || fail "line ${BASH_LINENO[0]}: $*"
}

# Removes all containers, checks that nothing is left and ends the test.
finish() {
  "$CK" ps -aq | xargs -r "$CK" rm -f >/dev/null
  grep -q " $WORK" /proc/self/mountinfo && fail "a mount is left"
  rm -rf "$WORK" || fail "the state root cannot be removed"
  echo "$CHECKS checks, $FAILURES failed"
  exit $((FAILURES > 0))
}
