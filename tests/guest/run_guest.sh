#!/usr/bin/env bash
# Runs test binaries in a guest with a kernel of its own, where cgroup v2 owns
# all controllers: Debian's cloud kernel under qemu's TCG, an initramfs made
# of busybox, the binaries and the programs and libraries that they need, and
# an ext4 disk for what they write: there a tmpfs takes no id-mapped mounts.
#
#   run_guest.sh TEST_BINARY...       environment: GTEST_FILTER
#
# The guest's root is a tmpfs, because nothing can pivot away from an
# initramfs. A line "skipped: ..." says that there is nothing to run it with.
set -euo pipefail

skip() {
  echo "skipped: $1"
  case ",${CK_MUST_HAVE:-}," in *,qemu-system-x86_64,*) exit 1 ;; esac
  exit 0
}
command -v qemu-system-x86_64 >/dev/null || skip "no qemu-system-x86_64 here"
command -v cpio >/dev/null || skip "no cpio here"
busybox=$(command -v busybox) || skip "no busybox here"
mke2fs=$(PATH=$PATH:/sbin:/usr/sbin command -v mke2fs) || skip "no mke2fs here"

scratch=$(mktemp -d "${TEST_TMPDIR:-/tmp}/guest-XXXXXX")
trap 'rm -rf "$scratch"' EXIT
cache=${CK_GUEST_CACHE:-${HOME:-/root}/.cache/containerkit-build/guest-kernel}

# The kernel package is only unpacked, never installed.
fetch_kernel() {
  local package
  package=$(apt-cache depends linux-image-cloud-amd64 2>/dev/null |
    awk '/Depends:/ {print $2; exit}')
  [ -n "$package" ] || return 1
  mkdir -p "$cache.new"
  (cd "$cache.new" && apt-get download -qq "$package" 2>/dev/null &&
    dpkg -x "$package"*.deb . && rm -f ./*.deb) || return 1
  rm -rf "$cache" && mv "$cache.new" "$cache"
}
[ -n "$(ls "$cache"/boot/vmlinuz-* 2>/dev/null)" ] || fetch_kernel ||
  skip "Debian's linux-image-cloud-amd64 cannot be had"

tree=$scratch/tree
mkdir -p "$tree"/{bin,dev,etc,lib64,proc,sys,tmp,tests,root,new,mnt,modules}
mkdir -p "$tree"/usr/bin
cp "$busybox" "$tree/bin/busybox"
modules="virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev
  virtio_pci virtio_blk overlay"
for module in $modules; do
  find "$cache" -name "$module.ko" -exec cp {} "$tree/modules/" \;
done
truncate -s 1G "$scratch/disk"
"$mke2fs" -q -t ext4 "$scratch/disk"
echo 'root:x:0:0:root:/root:/bin/sh' >"$tree/etc/passwd"
touch "$tree"/etc/{resolv.conf,hosts,subuid,subgid}
cp -L "$@" "$tree/tests/"
# Those of busybox lack what the tests use, and its shell prefers its own.
cp -L "$(command -v tar)" "$(command -v find)" /bin/sh "$tree/usr/bin/"
for program in "$tree"/tests/* "$tree"/usr/bin/*; do
  ldd "$program" | awk '$2 == "=>" {print $3} $1 ~ /^\// {print $1}'
done | sort -u | while read -r library; do
  mkdir -p "$tree$(dirname "$library")"
  cp -L "$library" "$tree$library"
done
cat >"$tree/init" <<'INIT'
#!/bin/busybox sh
/bin/busybox --install -s /bin
/bin/busybox ln -sf /usr/bin/sh /bin/sh
export PATH=/usr/bin:/bin HOME=/root
mount -t proc proc /proc
if [ ! -e /in-tmpfs ]; then
  mount -t tmpfs -o size=80% tmpfs /new
  for d in bin etc lib lib64 usr tests root tmp mnt init modules; do
    [ -e /$d ] && cp -a /$d /new/
  done
  mkdir -p /new/proc /new/sys /new/dev
  touch /new/in-tmpfs
  exec switch_root /new /init
fi
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts pts /dev/pts
mount -t cgroup2 cgroup /sys/fs/cgroup
for c in $(cat /sys/fs/cgroup/cgroup.controllers); do
  echo "+$c" >/sys/fs/cgroup/cgroup.subtree_control
done
MODULES
mount -t ext4 /dev/vda /tmp
ip link set lo up
chmod 1777 /tmp
export CK_MUST_HAVE=root,overlay,cgroup-v2 TEST_TMPDIR=/tmp
FILTER
status=0
for t in /tests/*; do
  "$t" --gtest_filter="$GTEST_FILTER" || status=1
done
echo "guest status $status"
poweroff -f
INIT
sed -i "s/^FILTER\$/export GTEST_FILTER='${GTEST_FILTER:-*}'/" "$tree/init"
for module in $modules; do echo "insmod /modules/$module.ko"; done >"$scratch/load"
sed -i -e "/^MODULES\$/{r $scratch/load" -e 'd}' "$tree/init"
chmod +x "$tree/init"
(cd "$tree" && find . | cpio -o -H newc --quiet) >"$scratch/initramfs"

timeout 600 qemu-system-x86_64 -machine q35,accel=tcg -cpu max -smp 2 \
  -m 2048 -nographic -no-reboot -kernel "$cache"/boot/vmlinuz-* \
  -initrd "$scratch/initramfs" \
  -drive "file=$scratch/disk,format=raw,if=virtio,cache=unsafe" \
  -append 'console=ttyS0 quiet panic=-1 systemd.unified_cgroup_hierarchy=1' \
  </dev/null >"$scratch/console" 2>&1 || true
tr -d '\r' <"$scratch/console"
grep -q '^guest status 0' <(tr -d '\r' <"$scratch/console")
