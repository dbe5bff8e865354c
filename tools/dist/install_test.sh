#!/usr/bin/env bash
# An unpacked release serves C and C++ programs, by pkg-config and by CMake.
set -euo pipefail
. tests/abi/skip.sh
dist=$PWD/$1
examples=$PWD/examples/quickstart
require pkg-config
cd "$TEST_TMPDIR"
mkdir -p prefix
tar -xzf "$dist" -C prefix --strip-components=1
prefix=$PWD/prefix
export PKG_CONFIG_PATH=$prefix/lib/pkgconfig

# What is there, and nothing that points outside.
for file in include/containerkit/containerkit_c.h include/containerkit/c/base.h \
  include/containerkit/engine.h include/containerkit/reasons.inc \
  lib/libcontainerkit.so lib/libcontainerkit.so.0 lib/libcontainerkit_cc.a \
  share/doc/containerkit/README.md; do
  [ -e "$prefix/$file" ] || { echo "no $file"; exit 1; }
done
if grep -rlE '/root/|/home/|bazel' "$prefix/lib/pkgconfig" \
  "$prefix/lib/cmake"; then
  echo "a path of the build machine"
  exit 1
fi

cat >client.c <<'C'
#include <containerkit/containerkit_c.h>
#include <stdio.h>
int main(void) {
  ck_error* err = NULL;
  ck_engine* engine = NULL;
  ck_engine_open_options options = CK_ENGINE_OPEN_OPTIONS_INIT;
  options.root = "/dev/null/none";
  if (ck_engine_open(&options, &engine, &err) == CK_OK) return 1;
  printf("%s %s\n", ck_version(), ck_error_path(err));
  ck_error_release(err);
  return 0;
}
C
cat >client.cc <<'CC'
#include <containerkit/engine.h>
#include <containerkit/status.h>
#include <containerkit/version.h>
#include <cstdio>
int main() {
  auto engine = containerkit::Engine::Open({.root = "/dev/null/none"});
  if (engine.ok()) return 1;
  const auto detail = containerkit::GetErrorDetail(engine.status());
  std::printf("%s %s\n", std::string(containerkit::Version()).c_str(),
              detail.has_value() ? detail->path.c_str() : "");
}
CC
expect() {
  local said
  said=$("$@")
  [[ $said == "0.1.0 /dev/null"* ]] || { echo "$*: $said"; exit 1; }
}
rpath=-Wl,-rpath,$prefix/lib

# shellcheck disable=SC2046
cc -std=c99 -Wall -Wextra -Werror client.c -o client_c \
  $(pkg-config --cflags --libs containerkit_c) "$rpath"
expect ./client_c
g++ -std=c++20 client.cc -o client_cc \
  $(pkg-config --cflags --libs containerkit)
expect ./client_cc
[ "$(pkg-config --modversion containerkit)" = 0.1.0 ]

# The examples of the documentation are such programs.
cc -std=c11 -D_GNU_SOURCE "$examples/quickstart.c" -o quickstart_c \
  $(pkg-config --cflags --libs containerkit_c) "$rpath"
g++ -std=c++20 "$examples/quickstart.cc" -o quickstart_cc \
  $(pkg-config --cflags --libs containerkit)
for program in ./quickstart_c ./quickstart_cc; do
  rc=0
  $program 2>/dev/null || rc=$?
  [ $rc = 2 ] || { echo "$program: $rc"; exit 1; }
done
if [ "$(id -u)" = 0 ] && [ -x /bin/busybox ]; then
  mkdir -p rootfs/bin
  cp -L /bin/busybox rootfs/bin/
  tar -C rootfs -cf rootfs.tar .
  for program in ./quickstart_c ./quickstart_cc; do
    rc=0
    CK_ROOT=$PWD/state $program rootfs.tar /bin/busybox sh -c \
      'echo hello; exit 3' >output || rc=$?
    [ $rc = 3 ] && grep -q '^hello$' output || {
      echo "$program: $rc"
      cat output
      exit 1
    }
  done
fi

require cmake
mkdir -p project/build
cp client.c client.cc project/
cat >project/CMakeLists.txt <<'CMAKE'
cmake_minimum_required(VERSION 3.18)
project(client C CXX)
find_package(containerkit 0.1 REQUIRED)
add_executable(client_c client.c)
target_link_libraries(client_c containerkit::c)
add_executable(client_cc client.cc)
target_link_libraries(client_cc containerkit::containerkit)
CMAKE
cmake -S project -B project/build -DCMAKE_PREFIX_PATH="$prefix" >log
cmake --build project/build >>log || { cat log; exit 1; }
expect project/build/client_c
expect project/build/client_cc
sed -i 's/find_package(containerkit 0.1/find_package(containerkit 9.0/' \
  project/CMakeLists.txt
if cmake -S project -B project/other -DCMAKE_PREFIX_PATH="$prefix" \
  >log 2>&1; then
  echo "find_package found a version that is not there"
  exit 1
fi
