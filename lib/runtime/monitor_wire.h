// What the library, the spawner and the monitors say to each other.
//
// Plain types only (see plan_wire.h). All sockets are SOCK_SEQPACKET: one
// message, one packet; descriptors travel as SCM_RIGHTS with the packet that
// announces them. Every socket is created O_CLOEXEC.
//
//   library -> spawner      LaunchRequest + fds, on the spawner's socket. The
//                           spawner forks one monitor for it and keeps
//                           nothing. It ends when the socket closes. One byte,
//                           kPrepareNetwork: a request with kLaunchOwnNetwork
//                           will follow.
//   monitor -> library      Event packets on the reply socket of the request,
//                           until the library closes it. Closed, or half
//                           closed, before kStarted or kReady: the start is
//                           undone, the socket's end says when. A byte before
//                           that undoes it even if it just succeeded.
//   library -> monitor      a connection to <container dir>/monitor.sock:
//                           a Command packet, then an Ack, raw Events
//                           (kWatch), or a stream of StreamHeader packets
//                           (kAttach, kExec; Events come as kEvent there).
//
// Files that the monitor writes in the container's directory:
//   monitor.lock   flock'ed for as long as the monitor lives; executable
//                  (kMonitorAtWork) until it has put away what it made
//   state          StateRecords, appended; the last ones tell the state
//   log.json[.N]   Docker's json-file format, rotated
#ifndef CONTAINERKIT_LIB_RUNTIME_MONITOR_WIRE_H_
#define CONTAINERKIT_LIB_RUNTIME_MONITOR_WIRE_H_

#include <stdint.h>

#include "lib/runtime/plan_wire.h"

namespace containerkit::runtime {

inline constexpr uint32_t kMonitorMagic = 0x4e4f4d4b;  // "KMON"
inline constexpr int kMaxRequestFds = 32;
inline constexpr char kPrepareNetwork = 'N';

// Mode of monitor.lock. A mark in it needs no space on a full disk.
inline constexpr uint32_t kMonitorLockMode = 0600;
inline constexpr uint32_t kMonitorAtWork = 0100;

// Order of descriptors in a LaunchRequest. Absent ones are left out; `fds`
// says which are there, extra ones follow in the order of their index.
enum RequestFd : uint32_t {
  kFdPlan = 1 << 0,       // sealed memfd
  kFdReply = 1 << 1,      // socket for Events
  kFdDirectory = 1 << 2,  // the container's directory; absent: no files
  kFdStdin = 1 << 3,      // given descriptors become the container's own;
  kFdStdout = 1 << 4,     // without them the monitor makes pipes or a pty
  kFdStderr = 1 << 5,
  kFdAttach = 1 << 6,   // stream socket attached from the first byte on
  kFdScope = 1 << 7,    // the container ends when this end-of-files
  kFdHealth = 1 << 8,   // sealed memfd: the exec plan of the health probe
  kFdConsole = 1 << 9,  // connected unix socket that receives the pty master
  kFdExtra = 1 << 10,   // extra_fds more (preserved fds, namespaces, pidfds)
};

enum LaunchFlags : uint32_t {
  kLaunchExec = 1 << 0,         // the plan joins an existing container
  kLaunchUnmonitored = 1 << 1,  // the monitor ends after kReady or kStarted;
                                // the process goes to the nearest subreaper
  kLaunchTty = 1 << 2,
  kLaunchStdinOpen = 1 << 3,      // keep stdin open (docker's OpenStdin)
  kLaunchStdinOnce = 1 << 4,      // close it with the first attached client
  kLaunchLog = 1 << 5,            // write log.json
  kLaunchPidPrivate = 1 << 6,     // the container has its own pid namespace
  kLaunchDetachOnReply = 1 << 7,  // nobody waits for later events
  kLaunchOwnNetwork = 1 << 8,     // a new network namespace will be needed
  kLaunchGiveStdio = 1 << 9,      // given streams become the process's user's
};

enum RestartPolicy : uint32_t {
  kRestartNo = 0,
  kRestartOnFailure = 1,
  kRestartAlways = 2,
  kRestartUnlessStopped = 3,
};

struct HealthSettings {
  int64_t interval_ns;
  int64_t timeout_ns;
  int64_t start_period_ns;
  int64_t start_interval_ns;
  uint32_t retries;
  uint32_t reserved;
};

struct LaunchRequest {
  uint32_t magic;
  uint32_t flags;         // LaunchFlags
  uint32_t fds;           // RequestFd bits
  uint32_t extra_fds;     // how many; they keep their numbers 3.. only where
  uint32_t preserve_fds;  // the first preserve_fds of them become 3, 4, ...
  uint32_t restart_policy;
  uint32_t restart_max;  // on-failure: 0 = no limit
  uint32_t rows, columns;
  uint32_t log_max_files;
  uint64_t log_max_bytes;  // of one file; 0: no rotation
  HealthSettings health;
  // Where the kernel counts and tells of those that it kills for memory: the
  // NUL-terminated host path of memory.events (v2) or memory.oom_control (v1);
  // "" = none.
  char oom_path[512];
};

enum class EventType : uint32_t {
  kStarted = 1,  // pid, time_ns, pid_start_ticks
  kReady = 2,    // waiting for AwaitStart; pid as above
  kFailed = 3,   // failure; nothing of the container is left
  kExited = 4,   // exit_code, flags; the last event unless it restarts
  kRestarting = 5,
  kHealth = 6,  // health
  kOom = 7,     // the kernel killed a process for memory; flags: kEventUntold
};

enum EventFlags : uint32_t {
  kEventOom = 1,    // the kernel killed a process of the cgroup
  kEventFinal = 2,  // kExited: no restart follows
  kEventManualStop = 4,
  kEventUntold = 8,  // who started it was no longer there to hear
};

enum class Health : uint32_t {
  kNone = 0,
  kStarting = 1,
  kHealthy = 2,
  kUnhealthy = 3,
};

struct Event {
  uint32_t magic;
  EventType type;
  uint32_t flags;
  int32_t pid;
  int32_t exit_code;  // 0..255, 128+signal
  Health health;
  uint32_t restart_count;
  uint32_t failing_streak;
  int64_t time_ns;  // CLOCK_REALTIME
  uint64_t pid_start_ticks;
  ChildFailure failure;
};

// One record of the state file. Records are whole or absent: a torn tail has
// a wrong checksum and is ignored.
struct StateRecord {
  Event event;
  uint8_t boot_id[16];
  int32_t monitor_pid;
  uint32_t checksum;  // FNV-1a of everything before it
};

enum class CommandType : uint32_t {
  kWatch = 1,   // Events of `pid` from now on, the current state first; the
                // connection ends where there is no such process
  kAttach = 2,  // flags: AttachFlags; then StreamHeader packets
  kExec = 3,    // fds: plan, stdin, stdout, stderr, extra ones; flags:
                // LaunchFlags. kEvent with kStarted or kFailed, then the
                // streams, at last kEvent with kExited
  kSignal = 4,  // signal to the process `pid`; an Ack
  kStop = 5,    // signal, wait timeout_ns, SIGKILL; Ack at once, kExited when
                // gone; no restart. timeout_ns < 0: never kill
  kResize = 6,  // rows, columns of the terminal of `pid`; an Ack
  kUpdate = 7,  // restart policy; an Ack
};

enum AttachFlags : uint32_t {
  kAttachStdin = 1,
  kAttachStdout = 2,
  kAttachStderr = 4,
};

struct Command {
  uint32_t magic;
  CommandType type;
  uint32_t flags;
  int32_t signal;
  int64_t timeout_ns;
  uint32_t rows, columns;
  uint32_t restart_policy, restart_max;
  uint32_t fds;  // kExec: RequestFd bits
  uint32_t extra_fds;
  // kWatch, kSignal, kResize: as the events name it; 0: the container's first
  // process.
  int32_t pid;
  uint32_t reserved;
};

struct Ack {
  uint32_t magic;
  int32_t os_errno;  // 0: done
};

enum class Stream : uint8_t {
  kStdin = 0,
  kStdout = 1,
  kStderr = 2,
  kEvent = 4,  // monitor -> client; payload: an Event
};

// Starts every packet of an attached stream. An empty kStdin packet is the
// end of stdin.
struct StreamHeader {
  Stream stream;
  uint8_t reserved[3];
  uint32_t size;
};

inline constexpr uint32_t kMaxStreamPayload = 64 * 1024;

// The container's file "health": the last probes, kHealthLogSize places that
// are written round and round.
inline constexpr uint32_t kHealthLogSize = 5;

struct HealthLogEntry {
  int64_t start_ns, end_ns;
  int32_t exit_code;
  uint32_t output_size;
  char output[4096];
};

}  // namespace containerkit::runtime

#endif  // CONTAINERKIT_LIB_RUNTIME_MONITOR_WIRE_H_
