#!/usr/bin/env bash
# ck with a terminal: -it, resize, detach keys, attach.
. examples/cli/cli_test_lib.sh
make_image
export CK
if ! timeout 60 python3 examples/cli/testdata/tty_session.py; then
  fail "the session in a terminal"
fi
CHECKS=$((CHECKS + 1))
finish
