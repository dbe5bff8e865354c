#!/usr/bin/env bash
# as_user.sh COMMAND [ARG...]: runs it as an ordinary user, `ordinary` (4321),
# with the sub-ids 400000 to 465535. The user exists only in a mount namespace
# of this process; the machine's files stay as they are. Needs root.
set -euo pipefail
if [ "$(id -u)" = 0 ] && [ -z "${CK_AS_USER_INSIDE:-}" ]; then
  CK_AS_USER_INSIDE=1 exec unshare --mount -- "$0" "$@"
fi
unset CK_AS_USER_INSIDE
mount -t tmpfs -o mode=0755,size=1m tmpfs /mnt
cp /etc/passwd /etc/group /mnt
echo ordinary:x:4321:4321::/nonexistent:/bin/sh >>/mnt/passwd
echo ordinary:x:4321: >>/mnt/group
echo ordinary:400000:65536 | tee /mnt/subuid >/mnt/subgid
for name in passwd group subuid subgid; do
  mount --bind /mnt/$name /etc/$name
done
umount --lazy /mnt
exec setpriv --reuid=4321 --regid=4321 --clear-groups \
  env HOME=/nonexistent USER=ordinary "$@"
