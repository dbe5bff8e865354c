#!/usr/bin/env bash
# real_images_test.sh root|rootless: fills Debian's docker-registry on loopback
# with images of Debian's packages, then runs cases.sh as root or as an
# ordinary user with sub-ids.
set -uo pipefail
who=$1
. tests/abi/skip.sh
for program in docker-registry skopeo mmdebstrap umoci unshare setpriv; do
  require $program
done
[ "$who" = rootless ] && require newuidmap

# Made once, kept beside the build's cache: named after what makes them.
here=tests/real_images
cache=${CK_BUILD_CACHE:-$(getent passwd "$(id -u)" | cut -d: -f6)/.cache/containerkit-build}
key=$(sha256sum <$here/make_images.sh | cut -c1-16)
images=$cache/real-images/$key
if ! $here/make_images.sh "$images"; then
  [ -n "${CK_MUST_HAVE:-}" ] && exit 1
  echo "skipped: the images could not be made: is there a Debian mirror?"
  exit 0
fi

# An ordinary user cannot look into Bazel's directories.
dir=$(mktemp -d /tmp/ck_real_images.XXXXXX)
trap 'kill "$registry" 2>/dev/null; wait "$registry" 2>/dev/null; rm -rf "$dir"' EXIT
chmod 755 "$dir"
mkdir -p "$dir/examples/cli" "$dir/tmp"
chmod 1777 "$dir/tmp"
cp -L examples/cli/ck examples/cli/cli_test_lib.sh "$dir/examples/cli"
cp -L $here/pull_run_c $here/pull_run_cc $here/cases.sh $here/as_user.sh \
  capi/libcontainerkit.so.0 "$dir"
chmod -R a+rX "$dir"

cat >"$dir/registry.yml" <<END
version: 0.1
storage: {filesystem: {rootdirectory: $dir/registry}}
http: {addr: 127.0.0.1:0}
END
mkfifo "$dir/log"
docker-registry serve "$dir/registry.yml" >"$dir/log" 2>&1 &
registry=$!
exec 3<"$dir/log"
while read -r -t 30 line <&3; do
  port=$(sed -n 's/.*listening on 127.0.0.1:\([0-9]*\).*/\1/p' <<<"$line")
  [ -n "$port" ] && break
done
[ -n "${port:-}" ] || { echo "docker-registry did not start"; exit 1; }
cat <&3 >/dev/null &
for name in debian python postgres; do
  skopeo copy -q --dest-tls-verify=false "oci:$images:$name" \
    "docker://127.0.0.1:$port/$name:12" || exit 1
done

as=()
[ "$who" = rootless ] && as=("$dir/as_user.sh")
cd "$dir" || exit 1
TEST_TMPDIR=$dir/tmp LD_LIBRARY_PATH=$dir "${as[@]}" ./cases.sh 127.0.0.1:"$port"
