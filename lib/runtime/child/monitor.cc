#include "lib/runtime/child/monitor.h"

#include <linux/prctl.h>
#include <sys/file.h>

#include "lib/runtime/child/fail.h"
#include "lib/runtime/child/sys.h"

namespace containerkit::runtime::child {

Monitor* monitor = nullptr;

namespace {

inline constexpr int64_t kFirstDelay = 100 * 1000000ll;
inline constexpr int64_t kLongestDelay = 60 * 1000000000ll;
inline constexpr int64_t kStableRun = 10 * 1000000000ll;

bool WantsRestart(int code) {
  if (monitor->stopping) return false;
  switch (monitor->restart_policy) {
    case kRestartAlways:
    case kRestartUnlessStopped:
      return true;
    case kRestartOnFailure:
      return code != 0 && (monitor->restart_max == 0 ||
                           monitor->restarts < monitor->restart_max);
    default:
      return false;
  }
}

void CloseReply() {
  if (monitor->reply.fd < 0) return;
  monitor->loop.Set(monitor->reply, 0);
  CloseAndForget(monitor->reply.fd);
}

// Everything that runs inside ends with the container.
void EndSessions() {
  StopHealth();
  while (monitor->sessions != nullptr) {
    Session& session = *monitor->sessions;
    if (!session.proc.exited && session.proc.pidfd >= 0) {
      Sys(SYS_pidfd_send_signal, session.proc.pidfd, SIGKILL, nullptr, 0);
      WaitPidfd(session.proc.pidfd, 0, &session.proc.code);
      session.proc.exited = true;
    }
    DrainOutput(session);
    EndSession(session);
  }
}

[[noreturn]] void Finish(Event event) {
  EndSessions();
  CloseStreams(*monitor->main);
  monitor->cgroups.RemoveAll();
  Publish(event);
  Exit(0);
}

void ScheduleRestart() {
  const int64_t now = NowMonotonicNs();
  if (now - monitor->run_since >= kStableRun || monitor->restart_delay == 0) {
    monitor->restart_delay = kFirstDelay;
  } else {
    monitor->restart_delay *= 2;
    if (monitor->restart_delay > kLongestDelay) {
      monitor->restart_delay = kLongestDelay;
    }
  }
  monitor->restart_at = now + monitor->restart_delay;
}

[[noreturn]] void FinishFailed() {
  Event event = MakeEvent(EventType::kFailed);
  event.flags = kEventFinal;
  event.failure = monitor->main->failure;
  Finish(event);
}

void Restart() {
  monitor->restart_at = kNever;
  ++monitor->restarts;
  monitor->run_since = NowMonotonicNs();
  if (StartSession(*monitor->main) < 0) FinishFailed();
}

void OnScope(Watch& watch, uint32_t) {
  monitor->loop.Set(watch, 0);
  CloseAndForget(watch.fd);
  BeginStop(SIGKILL, 0);
}

void OnReply(Watch&, uint32_t) {
  char byte[64];
  const long n = Sys(SYS_recvfrom, monitor->reply.fd, byte, sizeof byte,
                     MSG_DONTWAIT, nullptr, nullptr);
  if (n == -EAGAIN) return;
  const Proc& proc = monitor->main->proc;
  // A byte says that the start is given up even if it just succeeded.
  if (n <= 0 && (proc.started || proc.ready || monitor->restarts > 0)) {
    CloseReply();
    return;
  }
  // Who asked for it is gone, or gave up, before it began. The socket stays
  // open: its end tells that everything is undone.
  monitor->loop.Set(monitor->reply, 0);
  BeginStop(SIGKILL, 0);
}

void WatchFd(Watch& watch, int fd, void (*handle)(Watch&, uint32_t),
             uint32_t events) {
  watch.fd = fd;
  watch.handle = handle;
  if (fd >= 0) monitor->loop.Set(watch, events);
}

void RunTimers() {
  const int64_t now = NowMonotonicNs();
  if (now >= monitor->kill_at) {
    monitor->kill_at = kNever;
    KillContainer();
  }
  if (now >= monitor->restart_at) Restart();
  if (now >= monitor->oom_look_at) LookForOom();
  if (now >= monitor->health.next_at) RunProbe();
  if (now >= monitor->health.timeout_at) ProbeTimedOut();
  Session* session = monitor->sessions;
  while (session != nullptr) {
    Session* const next = session->next;
    if (!session->drained && now >= session->drain_until) {
      GiveUpDraining(*session);
    }
    session = next;
  }
  if (!monitor->main->drained && now >= monitor->main->drain_until) {
    GiveUpDraining(*monitor->main);
  }
}

int64_t NextDeadline() {
  int64_t next = kNever;
  const auto consider = [&next](int64_t at) {
    if (at < next) next = at;
  };
  consider(monitor->kill_at);
  consider(monitor->restart_at);
  consider(monitor->oom_look_at);
  consider(monitor->health.next_at);
  consider(monitor->health.timeout_at);
  if (!monitor->main->drained) consider(monitor->main->drain_until);
  for (Session* s = monitor->sessions; s != nullptr; s = s->next) {
    if (!s->drained) consider(s->drain_until);
  }
  return next;
}

// Whoever hears of the end may start the container again at once: the name
// and the lock are free by then, the last record is written.
void LeaveDirectory() {
  if (monitor->listener.fd >= 0) {
    Sys(SYS_unlinkat, monitor->request->directory, "monitor.sock", 0);
  }
  if (monitor->lock >= 0) Sys(SYS_fchmod, monitor->lock, kMonitorLockMode);
  CloseAndForget(monitor->lock);
}

// Readers of the state hold the lock, shared, for an instant.
long LockDirectory() {
  constexpr int kTries = 2000;
  constexpr int64_t kPause = 1000 * 1000;
  long result = -EAGAIN;
  for (int i = 0; i < kTries && result == -EAGAIN; ++i) {
    if (i > 0) SleepNs(kPause);
    result = Sys(SYS_flock, monitor->lock, LOCK_EX | LOCK_NB);
  }
  return result;
}

// Tells everybody that there is a monitor, before anything is made.
long OpenLock() {
  const int directory = monitor->request->directory;
  if (directory < 0) return 0;
  long result = OpenAt(directory, "monitor.lock", O_RDWR | O_CREAT | O_NOFOLLOW,
                       kMonitorLockMode);
  if (result < 0) return Fail(result, "open", "monitor.lock");
  monitor->lock = int(result);
  result = LockDirectory();
  if (result < 0) return Fail(result, "flock", "monitor.lock");
  // Who asked may have been killed since, and somebody else at work on the
  // container: nothing has been done yet.
  if (monitor->reply.fd >= 0 && PollOne(monitor->reply.fd, 0, 0) > 0) Exit(1);
  result = Sys(SYS_fchmod, monitor->lock, kMonitorLockMode | kMonitorAtWork);
  return result < 0 ? Fail(result, "fchmod", "monitor.lock") : 0;
}

// The other files in the container's directory, while the child is busy.
long OpenFiles(const uint8_t boot_id[16]) {
  const int directory = monitor->request->directory;
  if (directory < 0) return 0;
  long result = monitor->state.Open(directory, boot_id);
  if (result < 0) return Fail(result, "open", "state");
  const LaunchRequest& wire = monitor->request->wire;
  if (wire.flags & kLaunchLog) {
    result =
        monitor->log.Open(directory, wire.log_max_bytes, wire.log_max_files);
    if (result < 0) return Fail(result, "open", "log.json");
  }
  return 0;
}

void FillProc(MonitorRequest& request, Proc& proc) {
  const LaunchRequest& wire = request.wire;
  proc.flags = wire.flags;
  proc.rows = wire.rows;
  proc.columns = wire.columns;
  for (int i = 0; i < 3; ++i) proc.given[i] = request.stdio[i];
  proc.extra_count = request.extra_count;
  for (uint32_t i = 0; i < request.extra_count; ++i) {
    proc.extra[i] = request.extra[i];
  }
  proc.preserve_fds = wire.preserve_fds < request.extra_count
                          ? wire.preserve_fds
                          : request.extra_count;
  proc.console = request.console;
  proc.network = request.network;
  proc.sysfs = request.sysfs;
  proc.pipes = (wire.flags & kLaunchUnmonitored) == 0 &&
               (request.directory >= 0 || request.attach >= 0);
  proc.watch[0] = request.scope;
  proc.watch[1] = request.reply;
  proc.cgroups = &monitor->cgroups;
}

bool LoadHealthPlan(MonitorRequest& request) {
  if (request.health < 0) return true;
  Proc proc;
  if (!LoadPlan(proc, request.health)) return false;
  monitor->health.plan_bytes = proc.plan_bytes;
  monitor->health.plan_size = proc.plan_size;
  return true;
}

}  // namespace

Event MakeEvent(EventType type) {
  Event event;
  memset(&event, 0, sizeof event);
  event.magic = kMonitorMagic;
  event.type = type;
  event.health = monitor->health.status;
  event.restart_count = monitor->restarts;
  event.failing_streak = monitor->health.streak;
  event.time_ns = NowRealtimeNs();
  return event;
}

void Publish(Event event) {
  const bool told =
      event.type == EventType::kExited || event.type == EventType::kOom;
  if (told && (monitor->reply.fd < 0 ||
               (PollOne(monitor->reply.fd, 0, 0) & POLLHUP) != 0)) {
    event.flags |= kEventUntold;
  }
  if (event.type != EventType::kHealth && event.type != EventType::kOom) {
    monitor->last_type = event.type;
    monitor->last_code = event.exit_code;
    monitor->last_flags = event.flags;
  }
  monitor->state.Append(event);
  const bool last = (event.flags & kEventFinal) != 0;
  if (last) LeaveDirectory();
  if (monitor->reply.fd >= 0) {
    SendPacket(monitor->reply.fd, &event, sizeof event, nullptr, 0,
               MSG_DONTWAIT);
  }
  for (Client* client = monitor->clients; client != nullptr;
       client = client->next) {
    if (client->session == monitor->main ||
        (client->watcher && client->session == nullptr)) {
      SendEvent(*client, event, last);
    }
  }
  const uint32_t flags = monitor->request->wire.flags;
  const bool begun =
      event.type == EventType::kStarted || event.type == EventType::kReady;
  if (begun && (flags & kLaunchUnmonitored)) Exit(0);
  if (begun && (flags & kLaunchDetachOnReply)) CloseReply();
}

void KillContainer() {
  Proc& proc = monitor->main->proc;
  if (proc.pidfd >= 0 && !proc.exited) {
    Sys(SYS_pidfd_send_signal, proc.pidfd, SIGKILL, nullptr, 0);
  }
  if (proc.flags & kLaunchPidPrivate) {
    monitor->cgroups.Thaw();
  } else {
    monitor->cgroups.KillAll();
  }
}

void BeginStop(int signal, int64_t timeout_ns) {
  monitor->stopping = true;
  Proc& proc = monitor->main->proc;
  if (monitor->restart_at != kNever) {
    Event event = MakeEvent(EventType::kExited);
    event.exit_code = monitor->last_code;
    event.flags = kEventFinal | kEventManualStop;
    Finish(event);
  }
  if (proc.exited || proc.pidfd < 0) return;
  if (signal == SIGKILL || timeout_ns == 0) {
    if (signal != SIGKILL && signal > 0) {
      Sys(SYS_pidfd_send_signal, proc.pidfd, signal, nullptr, 0);
    }
    KillContainer();
    return;
  }
  Sys(SYS_pidfd_send_signal, proc.pidfd, signal, nullptr, 0);
  if (timeout_ns > 0) monitor->kill_at = NowMonotonicNs() + timeout_ns;
}

void MainEnded() {
  Session& session = *monitor->main;
  monitor->log.Finish(NowRealtimeNs());
  if (!session.proc.started) FinishFailed();
  Event event = MakeEvent(EventType::kExited);
  event.exit_code = session.proc.code;
  event.pid = session.proc.pid;
  if (monitor->stopping) event.flags |= kEventManualStop;
  if (TakeOomKills()) event.flags |= kEventOom;
  StopHealth();
  if (!WantsRestart(session.proc.code)) {
    event.flags |= kEventFinal;
    Finish(event);
  }
  EndSessions();
  CloseStreams(session);
  Publish(event);
  ScheduleRestart();
  event.type = EventType::kRestarting;
  Publish(event);
}

void RunMonitor(MonitorRequest& request, const uint8_t boot_id[16]) {
  // Signals sent to the whole session or group are not meant for it, and a
  // broken pipe is an error number here.
  BlockSignals();
  IgnoreChildSignal(false);
  SetName("ck-monitor");
  if (Sys(SYS_geteuid) == 0) Sys(SYS_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0);
  Monitor self;
  self.request = &request;
  monitor = &self;
  Session main;
  self.main = &main;
  self.restart_policy = request.wire.restart_policy;
  self.restart_max = request.wire.restart_max;
  self.run_since = NowMonotonicNs();
  FillProc(request, main.proc);
  bool good = self.loop.Open() == 0;
  WatchFd(self.reply, request.reply, OnReply, EPOLLIN | EPOLLRDHUP);
  WatchFd(self.scope, request.scope, OnScope, EPOLLIN | EPOLLRDHUP);
  if (good && request.attach >= 0) {
    Client* client = AddClient(request.attach);
    if (client != nullptr) {
      AttachClient(*client, main, kAttachStdin | kAttachStdout | kAttachStderr);
    }
  }
  memset(FailureSlot(), 0, sizeof(ChildFailure));
  good = good && LoadPlan(main.proc, request.plan) && LoadHealthPlan(request) &&
         OpenLock() == 0;
  if (!good) main.failure = *FailureSlot();
  const bool started = good && StartSession(main) == 0;
  // A refused second monitor must leave the first one's files alone.
  if (good) good = OpenFiles(boot_id) == 0;
  if (started && good && request.directory >= 0) {
    good = ListenForClients(request.directory) == 0;
  }
  if (started && !good) main.failure = *FailureSlot();
  if (!started || !good) FinishFailed();
  for (;;) {
    self.loop.RunOnce(NextDeadline());
    RunTimers();
  }
}

}  // namespace containerkit::runtime::child
