#!/usr/bin/env bash
# make_images.sh DIRECTORY: an OCI layout with the images `debian` (minimal),
# `python` and `postgres`, each a layer on top of the one before, made of
# Debian's packages. What exists is left alone; a new one appears by rename.
# Needs root, mmdebstrap, umoci and a mirror.
set -euo pipefail
target=$1
[ -e "$target" ] && exit 0
mkdir -p "$(dirname "$target")"
# dpkg waits for the disk thousands of times: a tmpfs, in a mount namespace of
# our own.
if [ -z "${CK_MAKE_IMAGES_INSIDE:-}" ]; then
  export CK_MAKE_IMAGES_INSIDE=1
  exec unshare --mount -- "$0" "$target"
fi
mount -t tmpfs -o mode=0755,size=2g tmpfs /mnt
cd /mnt
umoci init --layout layout
umoci new --image layout:debian
umoci unpack --image layout:debian bundle
mv bundle/rootfs bundle/empty

cat >hook <<'END'
#!/usr/bin/env bash
# hook ROOT: commits the layers, one after the other.
set -euo pipefail
root=$1
cd /mnt
commit() {
  mv "$root/var/lib/apt/lists" lists
  rm -f "$root"/var/cache/apt/archives/*.deb "$root"/var/cache/apt/*.bin
  # Without what mmdebstrap has mounted: umoci would read all of /proc.
  unshare --mount -- bash -ec 'awk "{print \$2}" /proc/self/mounts |
      grep "^$0/" | sort -r | xargs -r -n 1 umount --lazy
    umoci repack --refresh-bundle --mask-path /dev --image layout:"$1" bundle
  ' "$root" "$1"
  mv lists "$root/var/lib/apt/lists"
}
add() {
  chroot "$root" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
    --no-install-recommends "$@" >/dev/null
}
commit debian
add python3-minimal
commit python
# No cluster of its own: a container makes one.
mkdir -p "$root/etc/postgresql-common"
echo 'create_main_cluster = false' \
  >"$root/etc/postgresql-common/createcluster.conf"
add postgresql-15
commit postgres
END
chmod +x hook
mmdebstrap --quiet --variant=minbase --mode=root --format=directory \
  --dpkgopt='path-exclude=/usr/share/doc/*' \
  --dpkgopt='path-exclude=/usr/share/locale/*' \
  --dpkgopt='path-exclude=/usr/share/man/*' \
  --skip=output/dev --customize-hook=/mnt/hook bookworm bundle/rootfs
umoci config --image layout:debian --config.cmd bash
umoci config --image layout:python --config.entrypoint python3
umoci config --image layout:postgres --config.user postgres \
  --config.env PATH=/usr/lib/postgresql/15/bin:/usr/local/bin:/usr/bin:/bin \
  --config.env PGDATA=/var/lib/postgresql/data \
  --config.workingdir /var/lib/postgresql --config.cmd postgres
umoci gc --layout layout
part=$(mktemp -d "$target.part-XXXXXX")
trap 'rm -rf "$part"' EXIT
cp -r layout "$part/layout"
chmod -R a+rX "$part"
mv -T "$part/layout" "$target" || [ -e "$target" ]
