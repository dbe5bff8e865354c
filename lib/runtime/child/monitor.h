// The monitor: one process a container. It is the parent of the container's
// first process and of everything exec'd in it, keeps the exit status, moves
// the standard streams, writes the log, restarts, probes and stops.
#ifndef CONTAINERKIT_LIB_RUNTIME_CHILD_MONITOR_H_
#define CONTAINERKIT_LIB_RUNTIME_CHILD_MONITOR_H_

#include <stdint.h>

#include "lib/runtime/child/cgroups.h"
#include "lib/runtime/child/event_loop.h"
#include "lib/runtime/child/log_writer.h"
#include "lib/runtime/child/proc.h"
#include "lib/runtime/child/state_writer.h"
#include "lib/runtime/monitor_wire.h"

namespace containerkit::runtime::child {

// A request as the spawner received it. Descriptors are owned; -1 = absent.
struct MonitorRequest {
  LaunchRequest wire;
  int plan = -1, reply = -1, directory = -1;
  int stdio[3] = {-1, -1, -1};
  int attach = -1, scope = -1, health = -1, console = -1;
  int network = -1;  // an unused network namespace, made in advance
  int sysfs = -1;    // a detached mount of its sysfs
  int extra[kMaxRequestFds];
  uint32_t extra_count = 0;
};

struct Client;

// A process with its streams: the container's, an exec'd one or a probe.
struct Session {
  enum Kind { kMain, kExec, kProbe };
  Kind kind = kMain;
  Proc proc;
  Watch pid_watch, sync_watch, in_watch, out_watch[2];
  bool drained = false;
  int64_t drain_until = kNever;  // after the exit: how long streams may last
  int64_t left[2] = {-1, -1};    // bytes still to be read; -1: all that come

  // The piece of output that some client could not take yet; nothing more is
  // read before all have it.
  char* chunk = nullptr;
  uint32_t chunk_size = 0;
  Stream chunk_stream = Stream::kStdout;
  int waiting_clients = 0;

  // Input that the process did not take yet; nothing more is read from the
  // clients before it has.
  char* input = nullptr;
  uint32_t input_size = 0, input_at = 0;
  bool input_ends = false;

  ChildFailure failure;  // when it was not started
  Session* next = nullptr;
};

// A connection to monitor.sock, or the stream that came with the request.
struct Client {
  Watch watch;
  bool watcher = false;        // wants Events
  uint32_t attach = 0;         // AttachFlags
  Session* session = nullptr;  // what it is attached to, or the exec'd one that
                               // it watches
  bool waiting = false;        // has not got session->chunk yet
  Client* next = nullptr;
};

struct HealthState {
  Health status = Health::kNone;
  uint32_t streak = 0;
  int64_t next_at = kNever, timeout_at = kNever;
  int64_t started_at = 0;  // of the container, monotonic
  int64_t probe_start = 0;
  bool timed_out = false;
  Session* probe = nullptr;
  void* plan_bytes = nullptr;  // the probe's plan, kept mapped
  size_t plan_size = 0;
  HealthLogEntry* entry = nullptr;  // of the probe that runs
  uint32_t log_count = 0;
};

struct Monitor {
  MonitorRequest* request = nullptr;
  EventLoop loop;
  LogWriter log;
  StateWriter state;
  Cgroups cgroups;
  int lock = -1;
  Watch listener, reply, scope;
  Session* main = nullptr;
  Session* sessions = nullptr;  // exec'd ones and the probe
  Client* clients = nullptr;
  HealthState health;

  uint32_t restart_policy = kRestartNo, restart_max = 0;
  uint32_t restarts = 0;
  int64_t restart_delay = 0;
  int64_t restart_at = kNever, kill_at = kNever;
  int64_t run_since = 0;                      // monotonic, of this run
  Watch oom;                                  // what the kernel says of memory
  uint64_t oom_seen = 0;                      // its count at the last look
  bool oom_in_run = false, oom_told = false;  // in this run
  int64_t oom_told_at = 0;
  int64_t oom_look_at = kNever, oom_pause = 0;
  bool stopping = false;  // kStop, or the scope ended: no restart
  int32_t last_code = 0;
  uint32_t last_flags = 0;
  EventType last_type = EventType::kFailed;
};

// The process's only monitor.
extern Monitor* monitor;

// Runs the request to its end.
[[noreturn]] void RunMonitor(MonitorRequest& request,
                             const uint8_t boot_id[16]);

// --- monitor.cc ---
Event MakeEvent(EventType type);
// To the reply socket, the watchers, the clients of the main session, and the
// state file.
void Publish(Event event);
void KillContainer();
void BeginStop(int signal, int64_t timeout_ns);
// The container's first process is gone and its streams are read.
void MainEnded();

// --- session.cc ---
Session* NewSession(Session::Kind kind);
// Launches it and waits for its descriptors. 0, or -errno with the failure in
// FailureSlot().
long StartSession(Session& session);
void EndSession(Session& session);  // exec'd or probe: unlinked and freed
void WatchOutput(Session& session);
// Input from a client: all of it is taken.
void WriteInput(Session& session, const char* data, uint32_t size);
void EndInput(Session& session);
long ResizeTerminal(Session& session, uint32_t rows, uint32_t columns);
// Reads what is there; true once all streams have ended.
bool DrainOutput(Session& session);
// The time for that is over: closes what is still open. Clients that are slow
// are dropped, but not those of an exec'd process, which nobody else tells how
// it ended: they get what it has written.
void GiveUpDraining(Session& session);
void CloseStreams(Session& session);

// --- client.cc ---
long ListenForClients(int directory);
Client* AddClient(int fd);
void AttachClient(Client& client, Session& session, uint32_t flags);
void DropClient(Client& client);
// Sends the session's chunk; true if the client need not wait.
bool SendChunk(Client& client);
// Waits for what the session's clients may do now.
void UpdateClients(Session& session);
// Events to one client, or to all of a session. The last ones of a session
// wait (bounded) for a client that is slow.
void SendEvent(Client& client, const Event& event, bool wait);
void SendToSession(Session& session, const Event& event, bool wait);

// --- health.cc ---
void StartHealth();
void StopHealth();
void RunProbe();
void ProbeTimedOut();
void ProbeOutput(const char* data, size_t size);
void ProbeEnded(Session& session);

// --- oom.cc ---
// Listens to the kernel from now on, if it does not yet.
void WatchOom();
void LookForOom();
// Whether the kernel killed a process of the run that ends.
bool TakeOomKills();

}  // namespace containerkit::runtime::child

#endif  // CONTAINERKIT_LIB_RUNTIME_CHILD_MONITOR_H_
