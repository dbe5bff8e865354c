// Clients of monitor.sock: commands and attached streams.
//
// Trust: a client has the monitor's uid or is root (SO_PEERCRED); its packets
// are checked all the same.
#include <sys/un.h>

#include <new>

#include "lib/runtime/child/fail.h"
#include "lib/runtime/child/monitor.h"
#include "lib/runtime/child/sys.h"

namespace containerkit::runtime::child {
namespace {

// Room for the largest packet that a client may send.
char packet[sizeof(StreamHeader) + kMaxStreamPayload];

void UpdateClient(Client& client) {
  const Session* session = client.session;
  const bool paused = session != nullptr && session->input_size > 0;
  monitor->loop.Set(client.watch,
                    (paused ? 0u : EPOLLIN) | (client.waiting ? EPOLLOUT : 0u));
}

void OnStreamPacket(Client& client, size_t size) {
  StreamHeader header;
  Session& session = *client.session;
  if (size < sizeof header) return;
  memcpy(&header, packet, sizeof header);
  const char* payload = packet + sizeof header;
  const uint32_t left = uint32_t(size - sizeof header);
  switch (header.stream) {
    case Stream::kStdin:
      if ((client.attach & kAttachStdin) == 0) return;
      if (left > 0) {
        WriteInput(session, payload, left);
      } else if (session.kind == Session::kExec ||
                 (session.proc.flags & kLaunchStdinOnce) != 0) {
        EndInput(session);
      }
      return;
    default:
      return;
  }
}

// Whose process it is; nullptr: nobody's who is known.
Session* SessionOf(int pid) {
  if (pid == 0 || pid == monitor->main->proc.pid) return monitor->main;
  for (Session* s = monitor->sessions; s != nullptr; s = s->next) {
    if (s->kind == Session::kExec && s->proc.pid == pid) return s;
  }
  return nullptr;
}

void SendAck(Client& client, long result) {
  const Ack ack = {kMonitorMagic, result < 0 ? int32_t(-result) : 0};
  SendPacket(client.watch.fd, &ack, sizeof ack, nullptr, 0, MSG_DONTWAIT);
}

// The descriptors of a kExec command, in the order of RequestFd.
bool TakeExecFds(const Command& command, Proc& proc, const int* fds, int count,
                 int* plan) {
  int next = 0;
  const auto take = [&](uint32_t bit) {
    return (command.fds & bit) != 0 && next < count ? fds[next++] : -1;
  };
  *plan = take(kFdPlan);
  proc.given[0] = take(kFdStdin);
  proc.given[1] = take(kFdStdout);
  proc.given[2] = take(kFdStderr);
  while (next < count && proc.extra_count < uint32_t(kMaxRequestFds)) {
    proc.extra[proc.extra_count++] = fds[next++];
  }
  while (next < count) Close(fds[next++]);
  return *plan >= 0;
}

void StartExec(Client& client, const Command& command, const int* fds,
               int count) {
  Session* session = NewSession(Session::kExec);
  if (session == nullptr) {
    for (int i = 0; i < count; ++i) Close(fds[i]);
    DropClient(client);
    return;
  }
  Proc& proc = session->proc;
  proc.flags = command.flags & (kLaunchTty | kLaunchStdinOpen |
                                kLaunchDetachOnReply | kLaunchStdinOnce);
  proc.rows = command.rows;
  proc.columns = command.columns;
  proc.pipes = (command.flags & kLaunchDetachOnReply) == 0;
  proc.container_pidfd = monitor->main->proc.pidfd;
  proc.watch[0] = monitor->scope.fd;
  int plan = -1;
  const bool complete = TakeExecFds(command, proc, fds, count, &plan);
  AttachClient(client, *session, kAttachStdin | kAttachStdout | kAttachStderr);
  ChildFailure* failure = FailureSlot();
  memset(failure, 0, sizeof *failure);
  failure->op = uint16_t(Op::kJoinNamespace);
  bool started = false;
  if (!monitor->main->proc.started) {
    Fail(-ESRCH, "exec", "the container is not running");
  } else if (monitor->cgroups.Frozen()) {
    Fail(-EBUSY, "exec", "the container is paused");
  } else if (!complete) {
    Fail(-EBADMSG, "read", "plan");
  } else if (LoadPlan(proc, plan)) {
    started = StartSession(*session) == 0;
  }
  if (started) return;
  // A pid namespace whose first process ends takes no new ones.
  constexpr long kEndMillis = 1000;
  if (failure->os_errno == ENOMEM &&
      PollOne(monitor->main->proc.pidfd, POLLIN, kEndMillis) > 0) {
    memset(failure, 0, sizeof *failure);
    failure->op = uint16_t(Op::kJoinNamespace);
    Fail(-ESRCH, "exec", "the container is not running");
  }
  session->failure = *failure;
  EndSession(*session);
}

void SendCurrentState(Client& client) {
  const Session* const exec = client.session;
  const Proc& proc = exec == nullptr ? monitor->main->proc : exec->proc;
  Event event =
      MakeEvent(exec == nullptr ? monitor->last_type : EventType::kStarted);
  event.pid = proc.pid;
  event.pid_start_ticks = proc.start_ticks;
  if (exec == nullptr) {
    event.exit_code = monitor->last_code;
    event.flags = monitor->last_flags;
  }
  SendEvent(client, event, false);
}

void WatchProcess(Client& client, int pid) {
  Session* const session = SessionOf(pid);
  if (session == nullptr) {
    DropClient(client);
    return;
  }
  client.watcher = true;
  if (session != monitor->main) client.session = session;
  SendCurrentState(client);
}

long SignalProcess(int pid, int signal) {
  const Session* const session = SessionOf(pid);
  if (session == nullptr) return -ESRCH;
  const Proc& proc = session->proc;
  if (proc.pidfd < 0 || proc.exited) return -ESRCH;
  const long result =
      Sys(SYS_pidfd_send_signal, proc.pidfd, signal, nullptr, 0);
  if (signal == SIGKILL && result == 0 && session == monitor->main) {
    monitor->cgroups.Thaw();
  }
  return result;
}

long ResizeProcess(int pid, uint32_t rows, uint32_t columns) {
  Session* const session = SessionOf(pid);
  if (session == nullptr) return -ESRCH;
  return ResizeTerminal(*session, rows, columns);
}

void OnCommand(Client& client, const Command& command, const int* fds,
               int count) {
  if (command.type == CommandType::kExec) {
    StartExec(client, command, fds, count);
    return;
  }
  for (int i = 0; i < count; ++i) Close(fds[i]);
  switch (command.type) {
    case CommandType::kWatch:
      WatchProcess(client, command.pid);
      return;
    case CommandType::kAttach:
      AttachClient(client, *monitor->main, command.flags);
      return;
    case CommandType::kSignal:
      SendAck(client, SignalProcess(command.pid, command.signal));
      return;
    case CommandType::kStop:
      SendAck(client, 0);
      BeginStop(command.signal, command.timeout_ns);
      return;
    case CommandType::kResize:
      SendAck(client,
              ResizeProcess(command.pid, command.rows, command.columns));
      return;
    case CommandType::kUpdate:
      monitor->restart_policy = command.restart_policy;
      monitor->restart_max = command.restart_max;
      SendAck(client, 0);
      return;
    default:
      SendAck(client, -EINVAL);
      return;
  }
}

void OnClient(Watch& watch, uint32_t events) {
  auto& client = *static_cast<Client*>(watch.owner);
  if (client.waiting && (events & EPOLLOUT)) {
    Session& session = *client.session;
    if (SendChunk(client)) WatchOutput(session);
    return;
  }
  int fds[kMaxPassedFds];
  int count = kMaxPassedFds;
  const long n =
      ReceivePacket(watch.fd, packet, sizeof packet, fds, &count, MSG_DONTWAIT);
  if (n == -EAGAIN) return;
  if (n <= 0) {
    DropClient(client);
    return;
  }
  if (client.session != nullptr) {
    for (int i = 0; i < count; ++i) Close(fds[i]);
    OnStreamPacket(client, size_t(n));
    return;
  }
  Command command;
  if (size_t(n) < sizeof command) {
    for (int i = 0; i < count; ++i) Close(fds[i]);
    DropClient(client);
    return;
  }
  memcpy(&command, packet, sizeof command);
  if (command.magic != kMonitorMagic) {
    for (int i = 0; i < count; ++i) Close(fds[i]);
    DropClient(client);
    return;
  }
  OnCommand(client, command, fds, count);
}

void OnConnection(Watch& watch, uint32_t) {
  const long fd = Sys(SYS_accept4, watch.fd, nullptr, nullptr,
                      SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd < 0) return;
  struct ucred peer = {};
  int size = sizeof peer;
  Sys(SYS_getsockopt, fd, SOL_SOCKET, SO_PEERCRED, &peer, &size);
  if (peer.uid != 0 && peer.uid != uint32_t(Sys(SYS_geteuid))) {
    Close(int(fd));
    return;
  }
  if (AddClient(int(fd)) == nullptr) Close(int(fd));
}

}  // namespace

long ListenForClients(int directory) {
  const long fd = Sys(SYS_socket, AF_UNIX,
                      SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return Fail(fd, "socket", "monitor.sock");
  struct sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  Text(address.sun_path, sizeof address.sun_path).Add("monitor.sock");
  Sys(SYS_unlinkat, directory, "monitor.sock", 0);
  // Bound by its bare name, so that the directory's path may be of any
  // length; nobody but the owner may connect from its first moment on.
  long result = Sys(SYS_fchdir, directory);
  const long mask = Sys(SYS_umask, 0177);
  if (result == 0) result = Sys(SYS_bind, fd, &address, sizeof address);
  Sys(SYS_umask, mask);
  Sys(SYS_chdir, "/");
  if (result == 0) result = Sys(SYS_listen, fd, 64);
  if (result < 0) {
    Close(int(fd));
    return Fail(result, "bind", "monitor.sock");
  }
  monitor->listener.fd = int(fd);
  monitor->listener.handle = OnConnection;
  monitor->loop.Set(monitor->listener, EPOLLIN);
  return 0;
}

Client* AddClient(int fd) {
  void* pages = AllocatePages(sizeof(Client));
  if (pages == nullptr) return nullptr;
  auto* client = new (pages) Client;
  client->watch.fd = fd;
  client->watch.handle = OnClient;
  client->watch.owner = client;
  client->next = monitor->clients;
  monitor->clients = client;
  monitor->loop.Set(client->watch, EPOLLIN);
  return client;
}

void AttachClient(Client& client, Session& session, uint32_t flags) {
  client.session = &session;
  client.attach = flags;
  UpdateClient(client);
}

void DropClient(Client& client) {
  Session* const session = client.session;
  const bool had_input = (client.attach & kAttachStdin) != 0;
  const bool was_waiting = client.waiting;
  monitor->loop.Set(client.watch, 0);
  Close(client.watch.fd);
  for (Client** at = &monitor->clients; *at != nullptr; at = &(*at)->next) {
    if (*at != &client) continue;
    *at = client.next;
    break;
  }
  FreePages(&client, sizeof client);
  if (session == nullptr) return;
  if (was_waiting && --session->waiting_clients == 0) WatchOutput(*session);
  if (had_input && (session->kind == Session::kExec ||
                    (session->proc.flags & kLaunchStdinOnce) != 0)) {
    EndInput(*session);
  }
}

bool SendChunk(Client& client) {
  Session& session = *client.session;
  StreamHeader header = {};
  header.stream = session.chunk_stream;
  header.size = session.chunk_size;
  struct iovec iov[2] = {{&header, sizeof header},
                         {session.chunk, session.chunk_size}};
  struct msghdr message = {};
  message.msg_iov = iov;
  message.msg_iovlen = 2;
  const long n =
      Sys(SYS_sendmsg, client.watch.fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (n == -EAGAIN || n == -EINTR || n == -ENOBUFS) {
    UpdateClient(client);
    return false;
  }
  client.waiting = false;
  --session.waiting_clients;
  if (n < 0) {
    DropClient(client);
    return true;
  }
  UpdateClient(client);
  return true;
}

void UpdateClients(Session& session) {
  for (Client* client = monitor->clients; client != nullptr;
       client = client->next) {
    if (client->session == &session) UpdateClient(*client);
  }
}

void SendEvent(Client& client, const Event& event, bool wait) {
  constexpr long kPatienceMs = 2000;
  const int fd = client.watch.fd;
  struct {
    StreamHeader header;
    Event event;
  } framed = {{Stream::kEvent, {}, sizeof event}, event};
  const bool stream = client.session != nullptr && !client.watcher;
  const void* data = stream ? static_cast<const void*>(&framed) : &event;
  const size_t size = stream ? sizeof framed : sizeof event;
  long n = SendPacket(fd, data, size, nullptr, 0, MSG_DONTWAIT);
  if (n == -EAGAIN && wait && PollOne(fd, POLLOUT, kPatienceMs) > 0) {
    n = SendPacket(fd, data, size, nullptr, 0, MSG_DONTWAIT);
  }
}

void SendToSession(Session& session, const Event& event, bool wait) {
  for (Client* client = monitor->clients; client != nullptr;
       client = client->next) {
    if (client->session == &session) SendEvent(*client, event, wait);
  }
}

}  // namespace containerkit::runtime::child
