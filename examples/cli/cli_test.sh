#!/usr/bin/env bash
# ck run, create, start, exec and the life of a container, end to end.
. examples/cli/cli_test_lib.sh
make_image

# --- run: output, exit codes ---
ck run --rm bb echo hello
expect_code 0
expect_out hello
ck run --rm bb sh -c 'echo out; echo err >&2; exit 7'
expect_code 7
expect_out out
expect_err err
ck run --rm bb no-such-command
expect_code 127
ck run --rm bb /tmp/plain
expect_code 126
ck run --rm --pull=never no-such-image true
expect_code 125
ck run --no-such-flag bb
expect_code 125
expect_err_match $'unknown flag: --no-such-flag\nSee \'ck run --help\'.*'
ck run --rm --restart=always bb true
expect_code 125
ck run --rm --init bb sh -c 'kill -9 $$'
expect_code 137
ck ps -aq
expect_out ""

# --- run: flags ---
ck run --rm -e A=1 -e CK_CLI_TEST bb env
expect_match '*A=1*'
export CK_CLI_TEST=inherited
ck run --rm -e CK_CLI_TEST bb env
expect_match '*CK_CLI_TEST=inherited*'
ck run --rm -h somehost bb hostname
expect_out somehost
ck run --rm -u user bb id -u
expect_out 1000
ck run --rm --entrypoint echo bb a b
expect_out "a b"
mkdir "$WORK/shared"
echo content >"$WORK/shared/file"
ck run --rm -v "$WORK/shared:/mnt" bb cat /mnt/file
expect_out content
ck run --rm --mount "type=bind,src=$WORK/shared,dst=/mnt,ro" bb touch /mnt/new
expect_code 1
ck run --rm --read-only --tmpfs /scratch:size=1m bb sh -c \
  'touch /scratch/x && ! touch /x 2>/dev/null && echo fine'
expect_out fine
ck run --rm --network host bb true
expect_code 0
printf 'input' | timeout 30 "$CK" run --rm -i bb cat >"$WORK/out"
expect [ "$(cat "$WORK/out")" = input ]
head -c 3000000 /dev/zero | timeout 30 "$CK" run --rm -i bb wc -c >"$WORK/out"
expect [ "$(cat "$WORK/out")" = 3000000 ]
timeout 30 "$CK" run --rm bb head -c 3000000 /dev/zero >"$WORK/out"
expect [ "$(wc -c <"$WORK/out")" = 3000000 ]
ck run --rm --cidfile "$WORK/cid" bb true
expect [ "$(wc -c <"$WORK/cid")" = 64 ]
ck run --rm --cidfile "$WORK/cid" bb true
expect_code 125

# --- dry run: the plan, and nothing else ---
ck run --dry-run --name planned -v "$WORK/absent:/mnt" -m 32m bb echo hello
expect_code 0
expect_match '*Clone *Bind source='"$WORK"'/absent target=/mnt*Exec argv=*echo*'
ck create --dry-run bb
expect_match '*Exec argv=*/bin/sh*'
ck run --dry-run no-such-image true
expect_code 125
expect [ ! -e "$WORK/absent" ]
ck ps -aq
expect_out ""

# --- the life of a container ---
ck run -d --name life -l tier=front bb sleep 1000
expect_code 0
expect [ "${#OUT}" = 64 ]
id=$OUT
ck ps --format '{{.Names}} {{.Image}} {{.State}} {{.Label "tier"}}'
expect_out "life bb running front"
ck ps -q --no-trunc
expect_out "$id"
ck ps --filter name=life --filter label=tier=front -q
expect_out "${id:0:12}"
ck ps -q --format '{{.Names}}'
expect_out "${id:0:12}"
expect_err_match 'WARNING: Ignoring custom format*'
ck run -d --name life bb true
expect_code 125
ck create --name placed --network host -v "$WORK/shared:/mnt" bb
for filter in network=host "volume=$WORK/shared" volume=/mnt; do
  ck ps -a -f "$filter" --format '{{.Names}}'
  expect_out placed
done
ck ps -a -f network=none -f volume=/mnt -q
expect_out ""
ck rm placed
ck exec life echo inside
expect_out inside
ck exec life sh -c 'exit 3'
expect_code 3
ck exec life no-such-command
expect_code 127
ck exec -u no-such-user life true
expect_code 126
ck exec -w /no/such life true
expect_code 126
ck exec -u user -w /tmp -e X=y life sh -c 'id -u; echo $X; ls'
expect_out $'1000\ny\nplain'
printf abc | timeout 30 "$CK" exec -i life cat >"$WORK/out"
expect [ "$(cat "$WORK/out")" = abc ]
ck top life -o pid,args
expect_match 'PID*sleep 1000'
ck stats --no-stream --format '{{.Name}} {{.PIDs}}' life
expect_out "life 1"
ck pause life
ck ps --format '{{.State}}'
expect_out paused
ck exec life true
expect_code 1
ck exec no-such-container true
expect_code 1
ck stats --no-stream --format json life
expect_match '{*"Name":"life"*"PIDs":"1"*}'
ck unpause life
ck update --pids-limit 50 life
expect_out life
ck update life
expect_code 1
ck rename life other
expect_code 0
ck inspect -f '{{.Name}} {{.State.Running}} {{index .Config.Labels "tier"}}' other
expect_out "/other true front"
ck inspect -f '{{.Nope}}' other
expect_code 1
ck rm other
expect_code 1
ck stop -t 0 other
expect_out other
ck stop other
expect_code 0
ck wait other
expect_out 137
ck ps -a --format '{{.Status}}'
expect_match 'Exited (137) *'
ck start other
expect_out other
ck restart -t 0 other
expect_out other
ck kill -s KILL other
expect_out other
ck kill -s NOPE other
expect_code 1
ck rm -f other
expect_out other
ck rm other
expect_code 1
ck rm -f other
expect_code 0

# --- logs, attach, start -a ---
ck create --name logged bb sh -c 'echo one; echo two >&2; printf three'
expect_code 0
ck start -a logged
expect_code 0
expect_out $'one\nthree'
expect_err two
ck logs logged
expect_out $'one\nthree'
expect_err two
ck logs --tail 1 logged
expect_out three
ck logs --details logged
expect_out $' one\n three'
expect_err " two"
ck logs -t logged
expect_match '20??-??-??T??:??:??.*Z one*'
ck attach logged
expect_code 1
ck rm logged
ck run -d --name talker -i bb sh -c 'read x; echo got $x; exit 4'
echo word | timeout 30 "$CK" attach talker >"$WORK/out"
expect [ $? = 4 ]
expect [ "$(cat "$WORK/out")" = "got word" ]
ck rm talker

# --- -a: which streams ---
ck run --rm -a stdout bb sh -c 'echo out; echo err >&2; exit 5'
expect_code 5
expect_out out
expect_err ""
ck run --rm -a stderr bb sh -c 'echo out; echo err >&2'
expect_out ""
expect_err err
printf 'input' | timeout 30 "$CK" run --rm -i -a stdout bb cat >"$WORK/out"
expect [ "$(cat "$WORK/out")" = input ]
# With input alone ck ends when its input does; the container goes on.
head -c 3000000 /dev/zero | timeout -k 5 30 "$CK" run -i -a stdin --name fed bb \
  sh -c 'wc -c; until [ -e /tmp/go ]; do sleep 0.02; done; exit 6' >"$WORK/out"
expect [ $? = 0 ]
expect [ "$(cat "$WORK/out")" = "$("$CK" ps -aq --no-trunc -f name=fed)" ]
ck exec fed touch /tmp/go
expect_code 0
ck wait fed
expect_out 6
ck logs fed
expect_out 3000000
ck run -a stdin --name unfed bb true
expect_code 0
expect [ "${#OUT}" = 64 ]
ck rm -f fed unfed

# --- signals: what ck gets, the container gets ---
# wait_for WORD: until the container has printed it.
wait_for() {
  timeout 30 sh -c 'until grep -qx "$0" "$1"; do sleep 0.02; done' "$1" "$WORK/signals"
}
signals="HUP INT QUIT USR1 USR2 ALRM TERM CONT TSTP TTIN TTOU WINCH URG IO PWR 34 64"
env --default-signal "$CK" run --name signalled bb sh -c '
  for s in '"$signals"'; do trap "echo $s" $s; done
  trap "exit 9" VTALRM; echo ready; while :; do sleep 0.02; done' \
  >"$WORK/signals" 2>&1 &
runner=$!
wait_for ready
for signal in $signals; do
  kill -s "$signal" $runner
  # The runtime's own, which docker does not forward either.
  [ "$signal" = URG ] || wait_for "$signal" || fail "SIG$signal is not forwarded"
  CHECKS=$((CHECKS + 1))
done
kill -s VTALRM $runner
wait $runner
expect [ $? = 9 ]
expect [ "$(tr '\n' ' ' <"$WORK/signals")" = "ready ${signals/URG /} " ]
ck rm signalled
# Unless told not to: then they are about ck.
: >"$WORK/signals"
env --default-signal "$CK" run --sig-proxy=false --name alone bb sh -c \
  'echo ready; sleep 1000' >"$WORK/signals" 2>&1 &
runner=$!
wait_for ready
kill -INT $runner
timeout 30 tail --pid=$runner -f /dev/null || kill -KILL $runner
wait $runner
expect [ $? = 130 ]
ck inspect -f '{{.State.Status}}' alone
expect_out running
ck rm -f alone

# --- detached with --rm goes by itself ---
ck run -d --rm --name brief bb sleep 0.1
for _ in $(seq 100); do
  [ -z "$("$CK" ps -aq)" ] && break
  sleep 0.05
done
ck ps -aq
expect_out ""

# --- prune ---
ck create bb true
id=$OUT
ck container prune -f --filter label=nothing
expect_out "Total reclaimed space: 0B"
ck system prune --dry-run
expect_match "Would delete containers:*$id*"
ck container prune -f
expect_match "Deleted Containers:*$id*Total reclaimed space: *"
ck ps -aq
expect_out ""
finish
