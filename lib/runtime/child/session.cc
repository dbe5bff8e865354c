// The standard streams of a process, between it, the log and the clients.
#include <sys/ioctl.h>

#include <new>

#include "lib/runtime/child/fail.h"
#include "lib/runtime/child/monitor.h"
#include "lib/runtime/child/sys.h"

namespace containerkit::runtime::child {
namespace {

inline constexpr uint32_t kChunkSize = 32 * 1024;
inline constexpr int64_t kDrainExecNs = 250000000;
// What a pipe holds, which a process may have written before it ended.
inline constexpr int64_t kPipeSize = 64 * 1024;

int OutputFd(Session& session, int i) {
  if (session.proc.flags & kLaunchTty) return i == 0 ? session.proc.master : -1;
  return session.proc.out[i];
}

int& InputFd(Session& session) {
  return session.proc.flags & kLaunchTty ? session.proc.master
                                         : session.proc.in;
}

void StopInput(Session& session) {
  monitor->loop.Set(session.in_watch, 0);
  CloseAndForget(session.in_watch.fd);
}

void CloseOutput(Session& session, int i) {
  monitor->loop.Set(session.out_watch[i], 0);
  session.out_watch[i].fd = -1;
  if (session.proc.flags & kLaunchTty) {
    StopInput(session);
    CloseAndForget(session.proc.master);
  } else {
    CloseAndForget(session.proc.out[i]);
  }
}

void Deliver(Session& session) {
  const bool is_stderr = session.chunk_stream == Stream::kStderr;
  if (session.kind == Session::kProbe) {
    ProbeOutput(session.chunk, session.chunk_size);
  } else if (session.kind == Session::kMain && monitor->log.open()) {
    monitor->log.Write(is_stderr, session.chunk, session.chunk_size,
                       NowRealtimeNs());
  }
  const uint32_t wanted = is_stderr ? kAttachStderr : kAttachStdout;
  for (Client* client = monitor->clients; client != nullptr;) {
    Client* const next = client->next;
    if (client->session == &session && (client->attach & wanted) != 0) {
      client->waiting = true;
      ++session.waiting_clients;
      SendChunk(*client);
    }
    client = next;
  }
}

// One piece of output. 0: the stream has ended; -EAGAIN: nothing there.
long ReadOutput(Session& session, int i) {
  const int fd = OutputFd(session, i);
  if (fd < 0) return 0;
  if (session.chunk == nullptr) {
    session.chunk = static_cast<char*>(AllocatePages(kChunkSize));
    if (session.chunk == nullptr) return -EAGAIN;
  }
  int64_t& left = session.left[i];
  const bool limited = left >= 0 && left < int64_t(kChunkSize);
  const long n =
      Read(fd, session.chunk, limited ? size_t(left) : size_t(kChunkSize));
  if (n == -EAGAIN) return n;
  if (n <= 0) {
    // EIO is how a terminal without a process ends.
    CloseOutput(session, i);
    return 0;
  }
  if (left > 0) left -= n;
  session.chunk_size = uint32_t(n);
  session.chunk_stream = i == 0 ? Stream::kStdout : Stream::kStderr;
  Deliver(session);
  return n;
}

void AfterOutput(Session& session) {
  if (!session.proc.exited || session.drained) return;
  if (!DrainOutput(session)) return;
  session.drained = true;
  if (session.kind == Session::kMain) {
    MainEnded();
  } else if (session.kind == Session::kProbe) {
    ProbeEnded(session);
  } else {
    EndSession(session);
  }
}

void OnOutput(Watch& watch, uint32_t) {
  auto& session = *static_cast<Session*>(watch.owner);
  if (session.waiting_clients > 0) return;
  ReadOutput(session, watch.tag);
  WatchOutput(session);
  AfterOutput(session);
}

void OnInput(Watch& watch, uint32_t) {
  auto& session = *static_cast<Session*>(watch.owner);
  WriteInput(session, nullptr, 0);
}

void OnExit(Watch& watch, uint32_t) {
  auto& session = *static_cast<Session*>(watch.owner);
  int code = 0;
  if (WaitPidfd(session.proc.pidfd, 1 /* WNOHANG */, &code) != 0) return;
  monitor->loop.Set(watch, 0);
  session.proc.exited = true;
  session.proc.code = code;
  if (session.kind == Session::kMain) {
    monitor->kill_at = kNever;
    // Without a pid namespace of its own the others live on.
    if ((session.proc.flags & kLaunchPidPrivate) == 0) {
      monitor->cgroups.KillAll();
    }
  }
  // Others may hold the streams open: long for the container, whose cgroup
  // was killed, short for what an exec'd process left running.
  constexpr int64_t kDrainNs = 2000000000;
  session.drain_until =
      NowMonotonicNs() +
      (session.kind == Session::kExec ? kDrainExecNs : kDrainNs);
  // The child's end of the socket may only now be noticed.
  if (session.sync_watch.events != 0) {
    session.sync_watch.handle(session.sync_watch, 0);
  } else {
    AfterOutput(session);
  }
}

void PublishStart(Session& session, EventType type) {
  Event event = MakeEvent(type);
  event.pid = session.proc.pid;
  event.pid_start_ticks = session.proc.start_ticks;
  if (session.kind == Session::kMain) {
    Publish(event);
    if (type == EventType::kStarted) {
      StartHealth();
      WatchOom();
    }
  } else if (session.kind == Session::kExec) {
    SendToSession(session, event, false);
  }
}

// The start came to nothing; the child is dead or dies now.
void FailStart(Session& session) {
  session.failure = *FailureSlot();
  CloseStreams(session);
  session.proc.started = false;
}

// The child says that it is ready, has exec'ed, or failed.
void OnSync(Watch& watch, uint32_t) {
  auto& session = *static_cast<Session*>(watch.owner);
  const bool was_ready = session.proc.ready;
  long result;
  do {
    result = HandleSync(session.proc);
  } while (result > 0);
  WatchOutput(session);
  if (result == -EAGAIN) {
    if (session.proc.ready && !was_ready) {
      PublishStart(session, EventType::kReady);
    }
    return;
  }
  monitor->loop.Set(watch, 0);
  CloseAndForget(session.proc.sync);
  if (result == 0 && session.proc.started) {
    result = RunLateSteps(session.proc);
    if (result == 0) PublishStart(session, EventType::kStarted);
  } else if (result == 0) {
    result = -ECHILD;  // HandleSync noted why
  }
  if (result < 0) FailStart(session);
  AfterOutput(session);
}

void SetWatch(Watch& watch, Session& session, int fd,
              void (*handle)(Watch&, uint32_t), int tag, uint32_t events) {
  watch.fd = fd;
  watch.events = 0;
  watch.handle = handle;
  watch.owner = &session;
  watch.tag = tag;
  if (fd >= 0) monitor->loop.Set(watch, events);
}

}  // namespace

Session* NewSession(Session::Kind kind) {
  void* pages = AllocatePages(sizeof(Session));
  if (pages == nullptr) return nullptr;
  auto* session = new (pages) Session;
  session->kind = kind;
  if (kind != Session::kMain) {
    session->next = monitor->sessions;
    monitor->sessions = session;
  }
  return session;
}

long StartSession(Session& session) {
  session.drained = false;
  session.drain_until = kNever;
  session.left[0] = session.left[1] = -1;
  session.input_size = session.input_at = 0;
  session.input_ends = false;
  const long result = Launch(session.proc);
  if (result < 0) {
    session.failure = *FailureSlot();
    return result;
  }
  SetWatch(session.pid_watch, session, session.proc.pidfd, OnExit, 0, EPOLLIN);
  SetWatch(session.sync_watch, session, session.proc.sync, OnSync, 0, EPOLLIN);
  SetWatch(session.in_watch, session, -1, OnInput, 0, 0);
  for (int i = 0; i < 2; ++i) {
    SetWatch(session.out_watch[i], session, -1, OnOutput, i, 0);
  }
  WatchOutput(session);
  return 0;
}

void WatchOutput(Session& session) {
  for (int i = 0; i < 2; ++i) {
    Watch& watch = session.out_watch[i];
    if (watch.fd < 0) watch.fd = OutputFd(session, i);
    if (watch.fd < 0) continue;
    monitor->loop.Set(watch, session.waiting_clients > 0 ? 0u : EPOLLIN);
  }
}

void GiveUpDraining(Session& session) {
  const bool exec = session.kind == Session::kExec;
  for (Client* client = monitor->clients; client != nullptr && !exec;) {
    Client* const next = client->next;
    if (client->session == &session && client->waiting) DropClient(*client);
    client = next;
  }
  for (int64_t& left : session.left) {
    if (exec && left < 0) left = kPipeSize;
  }
  DrainOutput(session);
  if (exec && session.waiting_clients > 0) {
    session.drain_until = NowMonotonicNs() + kDrainExecNs;
    return;
  }
  for (int i = 0; i < 2; ++i) {
    if (OutputFd(session, i) >= 0) CloseOutput(session, i);
  }
  AfterOutput(session);
}

bool DrainOutput(Session& session) {
  bool ended = true;
  for (int i = 0; i < 2; ++i) {
    while (OutputFd(session, i) >= 0 && session.waiting_clients == 0) {
      const long n = ReadOutput(session, i);
      if (n <= 0) break;
    }
    if (OutputFd(session, i) >= 0) ended = false;
  }
  WatchOutput(session);
  return ended && session.waiting_clients == 0;
}

void CloseStreams(Session& session) {
  monitor->loop.Set(session.sync_watch, 0);
  monitor->loop.Set(session.pid_watch, 0);
  StopInput(session);
  for (int i = 0; i < 2; ++i) {
    if (OutputFd(session, i) >= 0) CloseOutput(session, i);
  }
  session.waiting_clients = 0;
  for (Client* client = monitor->clients; client != nullptr;
       client = client->next) {
    if (client->session == &session) client->waiting = false;
  }
  FreePages(session.chunk, kChunkSize);
  FreePages(session.input, kMaxStreamPayload);
  session.chunk = session.input = nullptr;
  Abandon(session.proc);
}

void WriteInput(Session& session, const char* data, uint32_t size) {
  int& fd = InputFd(session);
  if (session.input == nullptr && size > 0) {
    session.input = static_cast<char*>(AllocatePages(kMaxStreamPayload));
  }
  if (fd < 0 || session.input == nullptr) {
    session.input_size = session.input_at = 0;
    return;
  }
  if (session.input_size == 0 && size > 0) {
    // Clients are paused while input waits, so the buffer is free here.
    memcpy(session.input, data, size);
    session.input_size = size;
    session.input_at = 0;
  }
  while (session.input_at < session.input_size) {
    const long n = Write(fd, session.input + session.input_at,
                         session.input_size - session.input_at);
    if (n == -EAGAIN) break;
    if (n < 0) {  // nobody reads any more
      session.input_at = session.input_size;
      if ((session.proc.flags & kLaunchTty) == 0) session.input_ends = true;
      break;
    }
    session.input_at += uint32_t(n);
  }
  const bool blocked = session.input_at < session.input_size;
  // The terminal's master is watched for output under the same number.
  if (session.in_watch.fd < 0 && blocked) {
    session.in_watch.fd = int(Sys(SYS_fcntl, fd, F_DUPFD_CLOEXEC, 3));
  }
  monitor->loop.Set(session.in_watch, blocked ? EPOLLOUT : 0u);
  if (blocked) {
    UpdateClients(session);
    return;
  }
  CloseAndForget(session.in_watch.fd);
  session.input_size = session.input_at = 0;
  UpdateClients(session);
  if (session.input_ends) CloseAndForget(session.proc.in);
}

void EndInput(Session& session) {
  if (session.proc.flags & kLaunchTty) return;
  session.input_ends = true;
  if (session.input_size == 0) CloseAndForget(session.proc.in);
}

long ResizeTerminal(Session& session, uint32_t rows, uint32_t columns) {
  session.proc.rows = rows;
  session.proc.columns = columns;
  if (session.proc.master < 0) return -ENOTTY;
  const struct winsize size = {uint16_t(rows), uint16_t(columns), 0, 0};
  return Sys(SYS_ioctl, session.proc.master, TIOCSWINSZ, &size);
}

void EndSession(Session& session) {
  Event event =
      MakeEvent(session.proc.started ? EventType::kExited : EventType::kFailed);
  event.exit_code = session.proc.code;
  event.flags = kEventFinal;
  if (!session.proc.started) event.failure = session.failure;
  if (session.kind == Session::kExec) SendToSession(session, event, true);
  for (Client* client = monitor->clients; client != nullptr;) {
    Client* const next = client->next;
    if (client->session == &session) DropClient(*client);
    client = next;
  }
  CloseStreams(session);
  if (session.kind == Session::kProbe) {
    session.proc.plan_bytes = nullptr;  // belongs to the health state
  }
  Release(session.proc);
  for (Session** at = &monitor->sessions; *at != nullptr; at = &(*at)->next) {
    if (*at != &session) continue;
    *at = session.next;
    break;
  }
  FreePages(&session, sizeof session);
}

}  // namespace containerkit::runtime::child
