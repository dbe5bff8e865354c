#!/usr/bin/env bash
# Freezes what a release of the C ABI is measured by: the baseline that abidiff
# compares with, the layout locks and a copy of the headers. Run it before a
# release, and look at the difference: for a released version nothing but
# additions may show.
set -euo pipefail
cd "$(dirname "$0")/../.."
bazel=${BAZEL:-bazel}
$bazel build //capi:interface
library=$($bazel info bazel-bin)/capi/interface/libcontainerkit.so.0
python3 tools/capi/gen_layout.py
rm -rf capi/abi/headers_0_1
mkdir -p capi/abi/headers_0_1
cp -r capi/include/containerkit capi/abi/headers_0_1/
abidw --no-corpus-path --no-comp-dir-path --no-show-locs --drop-private-types \
  --headers-dir capi/include --no-elf-needed --exported-interfaces-only \
  --out-file capi/abi/libcontainerkit_0_1.abi "$library"
wc -l capi/abi/libcontainerkit_0_1.abi
