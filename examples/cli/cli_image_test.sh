#!/usr/bin/env bash
# Images, ck cp, inspect, help and errors, end to end.
. examples/cli/cli_test_lib.sh
make_image

# --- images ---
ck images --format '{{.Repository}}:{{.Tag}}'
expect_out bb:latest
ck images
expect_match 'REPOSITORY   TAG       IMAGE ID       CREATED *SIZE*bb           latest *'
ck tag bb other:1
expect_code 0
ck images -q
expect [ "$(wc -l <"$WORK/out")" = 2 ]
ck rmi other:1
expect_out "Untagged: other:1"
ck rmi no-such-image
expect_code 1
ck history --format '{{.ID}}' bb
expect_code 0
ck image inspect -f '{{.Os}} {{json .Config.Cmd}}' bb
expect_out 'linux ["/bin/sh"]'
ck inspect no-such-thing
expect_code 1
expect_out "[]"
expect_err "ck: no such object: no-such-thing"
ck inspect --type container bb
expect_code 1
ck create --name user bb
ck rmi bb
expect_code 1
ck rm user
ck import - from/stdin:tag <"$WORK/rootfs.tar"
expect_match 'sha256:*'
ck rmi from/stdin:tag
expect_match 'Untagged: from/stdin:tag*'
ck load -i /dev/null
expect_code 1
ck load -i "$CK"
expect_code 1
expect_err_match '*no tar archive*'

# --- load ---
make_layout
layout=$WORK/layout
ck load -i "$layout"
expect_code 0
expect_match 'Loaded image*'
ck run --rm loaded:1
expect_out loaded
tar -C "$layout" -cf "$WORK/layout.tar" .
ck rmi loaded:1
timeout 30 "$CK" load <"$WORK/layout.tar" >"$WORK/out"
expect grep -q 'Loaded image' "$WORK/out"

ck rmi loaded:1
ck load -i "$WORK/layout.tar" --platform linux/s390x
expect_code 1
expect_err_match '*no image for linux/s390x*'
ck load -i "$WORK/layout.tar" --platform "linux/$(ck_arch)"
expect_out "Loaded image: loaded:1"

# --- platforms ---
ck import -c "CMD true" --platform linux/s390x "$WORK/rootfs.tar" foreign
ck create --name warned foreign
expect_code 0
expect_err_match "WARNING: The requested image's platform (linux/s390x) does not match *"
ck create --name asked --platform linux/s390x foreign
expect_err ""
export DOCKER_DEFAULT_PLATFORM=linux/s390x
ck create --name preset foreign
expect_code 0
expect_err ""
ck create --pull never bb
expect_code 1
ck create --name fitting --platform "linux/$(ck_arch)" bb
expect_code 0
ck import "$WORK/rootfs.tar" imported
ck image inspect -f '{{.Architecture}}' imported
expect_out s390x
unset DOCKER_DEFAULT_PLATFORM
ck rm warned asked preset fitting
ck rmi foreign imported
expect_code 0

# --- import --change ---
ck import -c 'HEALTHCHECK --interval=50ms --retries=2 CMD test -e /tmp/plain' \
  -c 'CMD ["sleep", "1000"]' -c 'ENTRYPOINT ["/bin/busybox"]' -c 'ENV A="1 2"' \
  -c 'EXPOSE 80-81/udp' -c 'LABEL a=b' -c 'ONBUILD RUN x' \
  -c 'STOPSIGNAL SIGUSR1' -c 'USER 0:0' -c 'VOLUME /tmp/v' -c 'WORKDIR /tmp' \
  "$WORK/rootfs.tar" changed
expect_code 0
ck image inspect -f '{{json .Config.Healthcheck}}' changed
expect_out '{"Interval":50000000,"Retries":2,"Test":["CMD-SHELL","test -e /tmp/plain"]}'
ck image inspect -f '{{.Config.StopSignal}} {{json .Config.ExposedPorts}} {{json .Config.OnBuild}}' changed
expect_out 'SIGUSR1 {"80/udp":{},"81/udp":{}} ["RUN x"]'
ck run -d --name checked changed
for _ in $(seq 300); do
  ck inspect -f '{{.State.Health.Status}}' checked
  [ "$OUT" = healthy ] && break
  sleep 0.1
done
expect_out healthy
ck rm -f checked
ck import -c 'HEALTHCHECK --retries=x CMD y' "$WORK/rootfs.tar" wrong
expect_code 1
expect_err_match 'ck: change "HEALTHCHECK --retries=x CMD y": malformed --retries*'
ck rmi changed
expect_code 0

# --- cp ---
mkdir -p "$WORK/src/sub" "$WORK/dst"
echo one >"$WORK/src/one"
echo two >"$WORK/src/sub/two"
ln -s one "$WORK/src/link"
ck create --name files bb sleep 1000
for state in created running; do
  [ $state = running ] && ck start files
  base=/tmp/$state
  ck cp "$WORK/src" "files:$base"
  expect_code 0
  ck cp "$WORK/src/." "files:$base"
  expect_code 0
  ck cp "$WORK/src" "files:$base"
  expect_code 0
  ck cp "$WORK/src/one" "files:$base/renamed"
  expect_code 0
  ck cp "$WORK/src/one" "files:$base/missing/"
  expect_code 1
  expect_err "ck: no such directory"
  ck cp "$WORK/src" "files:$base/one"
  expect_code 1
  expect_err "ck: cannot copy directory"
  rm -rf "$WORK/dst"
  mkdir "$WORK/dst"
  ck cp "files:$base" "$WORK/dst"
  expect_code 0
  expect [ "$(cat "$WORK/dst/$state/src/sub/two")" = two ]
  expect [ "$(readlink "$WORK/dst/$state/link")" = one ]
  ck cp "files:$base/." "$WORK/dst/new"
  expect_code 0
  expect [ "$(cat "$WORK/dst/new/renamed")" = one ]
  ck cp "files:$base/link" "$WORK/dst/kept"
  expect [ -L "$WORK/dst/kept" ]
  ck cp -L "files:$base/link" "$WORK/dst/followed"
  expect [ "$(cat "$WORK/dst/followed")" = one ]
  timeout 30 "$CK" cp "files:$base/sub" - >"$WORK/sub.tar"
  expect [ "$(tar tf "$WORK/sub.tar" | sort | tr '\n' ' ')" = "sub/ sub/two " ]
  ck cp - "files:/root" <"$WORK/sub.tar"
  expect_code 0
  ck cp "files:/root/sub/two" "$WORK/dst/roundtrip"
  expect [ "$(cat "$WORK/dst/roundtrip")" = two ]
  ck cp "files:/no/such" "$WORK/dst"
  expect_code 1
  expect_err_match "ck: could not find the file /no/such in container files"
done
ck cp a b
expect_code 1
expect_err "ck: must specify at least one container source"
ck cp files:/a files:/b
expect_err "ck: copying between containers is not supported"
ck rm -f files

# --- help, version, mistakes ---
ck --version
expect_match 'ck version *'
ck version --format '{{.Server.Os}}'
expect_out linux
ck info --format '{{.DockerRootDir}}'
expect_out "$CK_ROOT"
ck --root "$WORK/second" images -q
expect_out ""
ck
expect_code 0
expect_match 'Usage:  ck \[OPTIONS\] COMMAND*'
ck help run
expect_match 'Usage:  ck run \[OPTIONS\] IMAGE*'
ck container ls --help
expect_match 'Usage:  ck ps*'
ck image rm
expect_code 1
expect_err_match "ck: 'ck rmi' requires at least 1 argument*"
ck nonsense
expect_code 1
expect_err_match 'ck: unknown command: ck nonsense*'
ck ps --format '{{.Nope}}'
expect_code 0
ck ps --format '{{.Nope'
expect_code 1
expect_err "ck: failed to parse template: template: :1: unclosed action"
ck -D exec no-such-container true
expect_code 1
expect_err_match '*reason:    ContainerNotFound*'
ck events --since 1h --until 0s --filter type=image --format '{{.Action}}'
expect_match '*import*'
expect [ -z "$(ldd "$CK" | grep -E 'curl|absl|stdc')" ]
finish
