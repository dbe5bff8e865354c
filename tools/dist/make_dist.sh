#!/usr/bin/env bash
# Packs the release: make_dist.sh VERSION OUTPUT.tar.gz FILE...
# The same files make the same archive.
set -euo pipefail
version=$1
output=$PWD/$2
shift 2
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
top=$tree/containerkit-$version
mkdir -p "$top"/{include,lib/pkgconfig,lib/cmake/containerkit} \
  "$top/share/doc/containerkit"

flags=
templates=()
for file in "$@"; do
  case $file in
    capi/include/* | include/containerkit/*)
      to=$top/include/${file#*include/}
      mkdir -p "${to%/*}"
      install -m 644 "$file" "$to"
      ;;
    */libcontainerkit.so.0)
      install -m 755 "$file" "$top/lib/libcontainerkit.so.$version"
      strip --strip-unneeded "$top/lib/libcontainerkit.so.$version"
      ln -s "libcontainerkit.so.$version" "$top/lib/libcontainerkit.so.0"
      ln -s libcontainerkit.so.0 "$top/lib/libcontainerkit.so"
      ;;
    *.a)
      install -m 644 "$file" "$top/lib/"
      strip --strip-debug --enable-deterministic-archives \
        "$top/lib/${file##*/}"
      ;;
    *.flags) flags=$(<"$file") ;;
    *.in) templates+=("$file") ;;
    *.md) install -m 644 "$file" "$top/share/doc/containerkit/" ;;
    *)
      echo "make_dist.sh: where does $file go?" >&2
      exit 1
      ;;
  esac
done

cmake_flags=$(tr ' ' ';' <<<"$flags")
for template in "${templates[@]}"; do
  name=${template##*/}
  name=${name%.in}
  case $name in
    *.pc) to=$top/lib/pkgconfig/$name ;;
    *.cmake) to=$top/lib/cmake/containerkit/$name ;;
  esac
  sed -e "s|@VERSION@|$version|g" -e "s|@LIBS@|$flags|g" \
    -e "s|@CMAKE_LIBS@|$cmake_flags|g" "$template" >"$to"
  chmod 644 "$to"
done

tar -C "$tree" --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner \
  -cf - "containerkit-$version" | gzip -9n >"$output"
