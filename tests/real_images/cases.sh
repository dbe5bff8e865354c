#!/usr/bin/env bash
# cases.sh REGISTRY: pulls and runs the images, as whoever runs this.
. examples/cli/cli_test_lib.sh
debian=$1/debian:12 python=$1/python:12 postgres=$1/postgres:12

# As the library's, with the patience that real images need.
ck() {
  timeout 120 "$CK" "$@" >"$WORK/out" 2>"$WORK/err"
  CODE=$?
  OUT=$(cat "$WORK/out")
  ERR=$(cat "$WORK/err")
}

ck pull -q "$debian"
expect_code 0
ck run --rm "$debian" cat /etc/os-release
expect_code 0
expect_match '*Debian GNU/Linux 12*'
ck run --rm "$debian" dpkg-query -W -f '${Package} ${Status}' bash
expect_out 'bash install ok installed'
ck run --rm "$debian" dpkg --audit
expect_code 0
expect_out ''
# Owners are the image's, set-id bits with them.
owners='root:shadow 640
root:shadow 2755
root:mail 2775'
ck run --rm "$debian" \
  stat -c '%U:%G %a' /etc/shadow /usr/bin/chage /var/mail
expect_out "$owners"
ck run --rm --user nobody "$debian" id -un
expect_out nobody

# The same from a C++ and from a C program, each with a store of its own.
for program in ./pull_run_cc ./pull_run_c; do
  OUT=$(CK_ROOT=$WORK/other timeout 120 $program "$debian" sh -c \
    'stat -c "%U:%G %a" /etc/shadow /usr/bin/chage /var/mail; exit 7' 2>&1)
  CODE=$?
  ERR=
  expect_code 7
  expect_out "$owners"
  CK_ROOT=$WORK/other "$CK" rmi "$debian" >/dev/null || fail "rmi after $program"
  expect [ -z "$(find "$WORK/other" ! -uid "$(id -u)" 2>&1)" ]
done

mkdir "$WORK/scripts"
cat >"$WORK/scripts/squares.py" <<'END'
import os, sys
print(sys.version_info.major, sum(i * i for i in range(1000)), os.getpid())
END
ck run --rm -v "$WORK/scripts:/scripts:ro" "$python" /scripts/squares.py
expect_out '3 332833500 1'

# PostgreSQL, as its own user, answers through a socket that it shares with
# another container.
mkdir -m 1777 "$WORK/socket"
sql() {
  ck run --rm -v "$WORK/socket:/var/run/postgresql" "$postgres" \
    psql -h /var/run/postgresql -Atc "$1"
}
# await_ready [SINCE]: follows the log until the server says so.
await_ready() {
  exec 4< <(exec timeout 120 "$CK" logs -f --since "${1:-0}" db 2>&1)
  local follower=$!
  grep -q -m1 'database system is ready to accept connections' <&4 ||
    fail "PostgreSQL is not ready: $("$CK" logs db 2>&1 | tail -20)"
  kill $follower 2>/dev/null
  exec 4<&-
}
ck run -d --name db -v "$WORK/socket:/var/run/postgresql" "$postgres" sh -c '
  [ -e $PGDATA/PG_VERSION ] || initdb -A trust >/dev/null
  exec postgres -c listen_addresses='
expect_code 0
await_ready
sql 'CREATE TABLE t AS SELECT generate_series(1, 1000) AS n'
expect_out 'SELECT 1000'
sql 'SELECT sum(n), current_user FROM t'
expect_out '500500|postgres'
ck exec db stat -c '%U %a' /var/lib/postgresql/data
expect_out 'postgres 700'
ck cp db:/var/lib/postgresql/data/PG_VERSION "$WORK/version"
expect [ "$(cat "$WORK/version")" = 15 ]
ck stop -t 60 db
ck inspect -f '{{.State.ExitCode}}' db
expect_out 0

# Files of a container that does not run, though postgres alone may read them.
rm "$WORK/version"
ck cp db:/var/lib/postgresql/data/PG_VERSION "$WORK/version"
expect_code 0
expect [ "$(cat "$WORK/version")" = 15 ]
ck cp "$WORK/scripts" db:/var/lib/postgresql/data/
expect_code 0
now=$(date +%s)
ck start db
expect_code 0
await_ready "$now"
ck exec --user postgres db ls data/scripts
expect_out squares.py
sql 'SELECT count(*) FROM t'
expect_out 1000

# Nothing is left of owners that only containers have.
ck rm -f db
expect_code 0
ck system prune -af
expect_code 0
expect [ -z "$(find "$CK_ROOT" ! -uid "$(id -u)" 2>&1)" ]
expect [ -z "$(ls "$CK_ROOT"/layers/sha256 "$CK_ROOT"/trash "$CK_ROOT"/containers | grep -v :)" ]
finish
