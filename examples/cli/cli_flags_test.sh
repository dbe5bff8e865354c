#!/usr/bin/env bash
# The flags of ck run, one by one: what the container itself sees of each.
. examples/cli/cli_test_lib.sh
make_image
for applet in cut grep mkdir mknod pwd readlink sed sort stat touch tr test; do
  ln -sf busybox "$WORK/rootfs/bin/$applet"
done
tar -C "$WORK/rootfs" -cf "$WORK/rootfs.tar" .
"$CK" import -c 'CMD ["/bin/sh"]' "$WORK/rootfs.tar" bb >/dev/null

# sees TEXT FLAG... -- SCRIPT: what a script in a container with the flags
# prints. TEXT is a shell pattern.
sees() {
  local text=$1 flags=()
  shift
  while [ "$1" != -- ]; do
    flags+=("$1")
    shift
  done
  ck run --rm "${flags[@]}" bb sh -c "$2"
  CHECKS=$((CHECKS + 1))
  # shellcheck disable=SC2053
  [[ "$CODE" = 0 && "$OUT" == $text ]] ||
    fail "line ${BASH_LINENO[0]}: ${flags[*]}: exit code $CODE, printed '$OUT', no match for '$text' ($ERR)"
}
# limit V1 V2: a script that prints a limit of the container's own cgroup.
limit() {
  echo "cat /sys/fs/cgroup/$1 2>/dev/null || cat /sys/fs/cgroup/$2"
}
status() { echo "sed -n 's/^$1:\t*//p' /proc/self/status"; }

# --- what a container is without flags ---
sees 00000000a80425fb -- "$(status CapEff)"
sees 2 -- "$(status Seccomp)"
sees 0 -- "$(status NoNewPrivs)"
sees lo -- 'ls /sys/class/net'
sees '/ 0 0 sh' -- 'echo $(pwd) $(id -u) $(id -g) $(cat /proc/1/comm)'
sees '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin /root' -- 'echo $PATH $HOME'

# --- file systems ---
mkdir -p "$WORK/shared/sub"
echo content >"$WORK/shared/file"
sees 'content rw' -v "$WORK/shared:/mnt" -- \
  'echo $(cat /mnt/file) $(grep " /mnt " /proc/mounts | cut -d" " -f4 | cut -d, -f1)'
sees refused -v "$WORK/shared:/mnt:ro" -- 'touch /mnt/x 2>/dev/null || echo refused'
sees file -v "$WORK/shared/file:/etc/one" -- 'test -f /etc/one && echo file'
sees directory -v "$WORK/made:/made" -- 'test -d /made && echo directory'
expect [ -d "$WORK/made" ]
(cd "$WORK" && ck run --rm -v ./shared:/mnt bb cat /mnt/file && [ "$OUT" = content ]) ||
  fail "a relative source"
sees content --mount "type=bind,source=$WORK/shared,target=/mnt" -- 'cat /mnt/file'
ck run --rm --mount "type=bind,src=$WORK/absent,dst=/mnt" bb true
expect_code 125
expect [ ! -e "$WORK/absent" ]
sees 'rw nosuid nodev noexec relatime size=1024k mode=755' --tmpfs /t:size=1m,mode=755 -- \
  'echo $(grep " /t tmpfs " /proc/mounts | cut -d" " -f4 | tr , " " | sed "s/ inode.*//")'
sees 1024k --mount type=tmpfs,dst=/t,tmpfs-size=1m -- \
  'grep " /t tmpfs " /proc/mounts | sed "s/.*size=\([^ ,]*\).*/\1/"'
sees 'ro fine' --read-only --tmpfs /t -- \
  'touch /x 2>/dev/null || { touch /t/x /dev/shm/x && echo ro fine; }'
sees 2048k --shm-size 2m -- 'grep " /dev/shm " /proc/mounts | sed "s/.*size=\([^ ,]*\).*/\1/"'
sees 65536k -- 'grep " /dev/shm " /proc/mounts | sed "s/.*size=\([^ ,]*\).*/\1/"'
# No driver has this number: who may open it hears of that.
mknod "$WORK/node" c 240 99
try='try() { sh -c ": $1 /dev/given" 2>&1 | grep -q "not permitted" && echo no || echo yes; }
  echo $(try "<") $(try ">") $(stat -c "%t %T" /dev/given)'
sees 'yes yes f0 63' --device "$WORK/node:/dev/given" -- "$try"
sees 'yes no f0 63' --device "$WORK/node:/dev/given:r" -- "$try"
sees 'no no f0 63' -- "mknod -m 666 /dev/given c 240 99 && $try"
sees 'yes yes f0 63' --device-cgroup-rule 'c 240:* rw' -- \
  "mknod -m 666 /dev/given c 240 99 && $try"

# --- the process ---
sees '1000 1000' -u user -- 'echo $(id -u) $(id -g)'
sees '1000 0' -u 1000:0 -- 'echo $(id -u) $(id -g)'
sees '4321 0' --user 4321 -- 'echo $(id -u) $(id -g)'
sees '0 7 1000' --group-add user --group-add 7 -- 'echo $(id -G | tr " " "\n" | sort -n)'
sees 0000000000000000 -u user -- "$(status CapEff)"
sees /deep/down -w /deep/down -- 'pwd'
printf '# comment\nA=file\nB=b c\nCK_FLAG_A\nCK_FLAG_UNSET\n' >"$WORK/env"
export CK_FLAG_A=inherited
unset CK_FLAG_UNSET
sees 'flag b c inherited unset' --env-file "$WORK/env" -e A=flag -- \
  'echo $A $B $CK_FLAG_A ${CK_FLAG_UNSET-unset}'
ck run --rm --entrypoint /bin/echo bb one two
expect_out 'one two'
ck run --rm --entrypoint '' bb echo alone
expect_out alone
sees 'yes xterm*' -t -- 'test -t 1 && echo yes $TERM'
sees '*init*sh*' --init -- 'echo $(cat /proc/1/comm /proc/$$/comm)'
sees '100 200' --ulimit nofile=100:200 -- 'echo $(ulimit -Sn) $(ulimit -Hn)'
sees 0 --ulimit core=0 -- 'ulimit -c'

# --- names ---
sees 'somehost somehost' -h somehost -- 'echo $(hostname) $(cat /etc/hostname)'
sees '*somehost' -h somehost -- 'grep somehost /etc/hosts | tr "\t" " "'
sees '10.1.2.3 other' --add-host other:10.1.2.3 -- 'grep other /etc/hosts | tr "\t" " "'
sees 'nameserver 192.0.2.1 search example.org options ndots:3' \
  --dns 192.0.2.1 --dns-search example.org --dns-option ndots:3 -- \
  'echo $(grep -v "^#" /etc/resolv.conf)'
sees "$(hostname)" --uts host -- hostname
for flag in network:net pid:pid ipc:ipc uts:uts cgroupns:cgroup userns:user; do
  namespace=/proc/self/ns/${flag#*:}
  sees "same" "--${flag%:*}" host -- \
    "test \$(readlink $namespace) = '$(readlink "$namespace")' && echo same"
done

# --- limits ---
sees 33554432 -m 32m -- "$(limit memory/memory.limit_in_bytes memory.max)"
sees '50000*' --cpus 0.5 -- "$(limit cpu/cpu.cfs_quota_us cpu.max)"
sees '20000*' --cpu-period 50000 --cpu-quota 20000 -- "$(limit cpu/cpu.cfs_quota_us cpu.max)"
sees 0 --cpuset-cpus 0 -- "$(limit cpuset/cpuset.cpus cpuset.cpus)"
sees 42 --pids-limit 42 -- "$(limit pids/pids.max pids.max)"
sees 300 --oom-score-adj 300 -- 'cat /proc/self/oom_score_adj'

# --- rights ---
sees 00000000a80435fb --cap-add NET_ADMIN -- "$(status CapEff)"
sees 00000000a80425fa --cap-drop CAP_CHOWN -- "$(status CapEff)"
sees 0000000000000001 --cap-drop all --cap-add chown -- "$(status CapEff)"
sees 0000000000000000 --cap-drop ALL -- "$(status CapBnd)"
sees 1 --security-opt no-new-privileges -- "$(status NoNewPrivs)"
sees 0 --security-opt seccomp=unconfined -- "$(status Seccomp)"
# Paths of /proc and /sys that are hidden.
masked='grep -q " /proc/timer_list " /proc/mounts && echo masked || echo open'
sees masked -- "$masked"
sees open --security-opt systempaths=unconfined -- "$masked"
sees "$(sed -n 's/^CapBnd:\t*//p' /proc/self/status) 0 open" --privileged -- \
  "echo \$($(status CapEff)) \$($(status Seccomp)) \$($masked)"
sees 1 --sysctl net.ipv4.ip_forward=1 -- 'cat /proc/sys/net/ipv4/ip_forward'

# --- what is told of it, and how it ends ---
ck run -d --name told -l a=b --label c --restart on-failure:2 --expose 80 \
  --cidfile "$WORK/cid" --stop-signal USR1 --stop-timeout 20 bb sh -c \
  'trap "echo asked; exit 0" USR1; echo ready; while :; do sleep 0.02; done'
expect_code 0
expect [ "$(cat "$WORK/cid")" = "$OUT" ]
ck inspect -f '{{.Name}} {{json .Config.Labels}} {{.HostConfig.RestartPolicy.Name}} {{.HostConfig.RestartPolicy.MaximumRetryCount}} {{json .Config.ExposedPorts}}' told
expect_out '/told {"a":"b","c":""} on-failure 2 {"80/tcp":{}}'
timeout 30 sh -c 'until "$0" logs told | grep -q ready; do sleep 0.02; done' "$CK"
ck stop told
expect_code 0
ck logs told
expect_out $'ready\nasked'
ck rm told
ck run --name again --restart on-failure:2 bb sh -c 'echo run; exit 3'
expect_code 3
ck wait again
ck inspect -f '{{.RestartCount}} {{.State.ExitCode}}' again
expect_out '2 3'
ck rm again
ck run -d --name probed --health-cmd 'test -e /tmp/well' --health-interval 50ms \
  --health-retries 1 bb sleep 1000
for state in unhealthy healthy; do
  timeout 30 sh -c \
    'until [ "$("$0" inspect -f "{{.State.Health.Status}}" probed)" = "$1" ]; do sleep 0.05; done' \
    "$CK" $state || fail "never $state"
  CHECKS=$((CHECKS + 1))
  ck exec probed touch /tmp/well
done
ck rm -f probed
ck run --name silent --log-driver none bb echo heard
expect_out heard
ck logs silent
expect_code 1
expect_out ""
ck rm silent
ck run --rm --name gone bb true
ck inspect gone
expect_code 1
for refused in '-p 80:80' '--ip 10.0.0.2' '--network-alias x' '--volumes-from x' \
  '--network no-such' '--restart sometimes' '-m 1k' '--cap-add NO_SUCH' \
  '--ulimit nofile' '--device /no/such' '--platform linux/s390x --pull never' \
  '--security-opt no-such' '--sysctl kernel.hostname=x' '-w relative' '-u no-such'; do
  # shellcheck disable=SC2086
  ck run --rm $refused bb true
  CHECKS=$((CHECKS + 1))
  [ "$CODE" = 125 ] && [ -n "$ERR" ] || fail "$refused: exit code $CODE: $ERR"
done
ck ps -aq
expect_out ""
finish
