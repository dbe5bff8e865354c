#!/usr/bin/env bash
# Ctrl-C while ck pulls, loads and imports.
. examples/cli/cli_test_lib.sh
make_rootfs
make_layout
export CK WORK
if ! timeout 60 python3 examples/cli/testdata/interrupt_session.py; then
  fail "the interrupts"
fi
CHECKS=$((CHECKS + 1))
finish
