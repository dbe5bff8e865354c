#!/usr/bin/env bash
# ck pull, and the pull of ck run, from a real registry on loopback.
. examples/cli/cli_test_lib.sh
. tests/abi/skip.sh
require docker-registry
require skopeo
make_rootfs
make_layout

cat >"$WORK/registry.yml" <<END
version: 0.1
storage: {filesystem: {rootdirectory: $WORK/registry}}
http: {addr: 127.0.0.1:0}
END
docker-registry serve "$WORK/registry.yml" >"$WORK/registry.log" 2>&1 &
registry=$!
trap 'kill $registry 2>/dev/null' EXIT
for _ in $(seq 200); do
  port=$(sed -n 's/.*listening on 127.0.0.1:\([0-9]*\).*/\1/p' "$WORK/registry.log" | head -1)
  [ -n "$port" ] && break
  sleep 0.05
done
name=127.0.0.1:$port/test/image
skopeo copy -q --dest-tls-verify=false "oci:$WORK/layout:loaded:1" \
  "docker://$name:1" || fail "skopeo copy"

ck pull "$name:1"
expect_code 0
expect_match "1: Pulling from $name*: Pull complete*Digest: sha256:*Status: Downloaded newer image for $name:1*$name:1"
ck pull "$name:1"
expect_match "*Status: Image is up to date for $name:1*"
ck pull -q "$name:1"
expect_out "$name:1"
ck images --digests --format '{{.Repository}} {{.Tag}} {{.Digest}}'
expect_match "*$name 1 sha256:*"
ck run --rm "$name:1"
expect_out loaded
ck rmi "$name:1"
ck run --rm "$name:1" echo pulled
expect_code 0
expect_out pulled
expect_err_match "Unable to find image '$name:1' locally*Status: Downloaded newer image for $name:1"
ck rmi "$name:1"
ck run -q --rm --pull always "$name:1" echo again
expect_out again
expect_err ""
skopeo copy -q --dest-tls-verify=false "oci:$WORK/layout:loaded:1" \
  "docker://$name:2" || fail "skopeo copy"
ck pull -a "$name"
expect_code 0
expect_match "*1: Pulling from $name*$name"
expect_match "*2: Pulling from $name*$name"
ck pull -qa "$name"
expect_out "$name"
ck pull -a "$name:1"
expect_code 1
expect_err "ck: tag can't be used with --all-tags/-a"
ck images --format '{{.Tag}}' "$name"
expect [ "$(sort "$WORK/out" | tr '\n' ' ')" = "1 2 " ]
ck rmi "$name:2"
ck pull "$name:no-such-tag"
expect_code 1
ck run --rm "$name:no-such-tag"
expect_code 125
ck pull 'Not A Reference'
expect_code 1
expect_out ""

# What a layer cannot keep is told.
: >"$WORK/.wh..wh..opq"
tar -C "$WORK" -rf "$WORK/rootfs.tar" .wh..wh..opq
rm -r "$WORK/layout"
make_layout
skopeo copy -q --dest-tls-verify=false "oci:$WORK/layout:loaded:1" \
  "docker://$name:3" || fail "skopeo copy"
ck pull -q "$name:3"
expect_code 0
expect_err_match "WARNING: layer *: 1 opaque markers of the root have no effect"
ck rmi "$name:3"
ck load -qi "$WORK/layout"
expect_code 0
expect_err_match "WARNING: layer *: 1 opaque markers of the root have no effect"

# On a terminal: one line a layer, redrawn in place.
ck rmi "$name:1"
script -qec "$CK pull $name:1" /dev/null >"$WORK/terminal" </dev/null
expect grep -q $'\e\[1A\e\[2K' "$WORK/terminal"
expect grep -q 'Pull complete' "$WORK/terminal"

# A proxy that asks for a login is not the registry, tunnel or not.
python3 examples/cli/testdata/login_proxy.py >"$WORK/proxy" &
proxy=$!
trap 'kill $registry $proxy 2>/dev/null' EXIT
for _ in $(seq 200); do
  [ -s "$WORK/proxy" ] && break
  sleep 0.05
done
at=127.0.0.1:$(cat "$WORK/proxy")
for flag in --log-level=warn --insecure-registry=registry.example; do
  HTTPS_PROXY=http://u:secret@$at HTTP_PROXY=$at \
    ck --debug $flag pull registry.example/a/b
  expect_code 1
  expect_err_match "*proxy $at wants other credentials (407)*ProxyRefused*proxy $at*"
  expect [ "${ERR#*secret}" = "$ERR" ]
done
kill $proxy
wait $proxy 2>/dev/null

kill $registry
wait $registry 2>/dev/null
ck pull "$name:1"
expect_code 1
finish
