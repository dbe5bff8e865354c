#include "lib/runtime/launcher.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/memory/memory.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "lib/base/status.h"
#include "lib/base/unique_fd.h"
#include "lib/runtime/attach_events.h"
#include "lib/runtime/failure.h"
#include "lib/runtime/monitor_wire.h"
#include "lib/runtime/plan.h"
#include "lib/runtime/spawner.h"
#include "lib/runtime/spawner_image.h"
#include "lib/sys/memfd.h"
#include "lib/sys/pidfd.h"
#include "lib/sys/socket.h"

namespace containerkit::runtime {
namespace {

constexpr absl::string_view kOperation = "launcher.start";

absl::string_view BytesOf(const LaunchRequest& request) {
  return {reinterpret_cast<const char*>(&request), sizeof request};
}

absl::StatusOr<LaunchRequest> MakeRequest(const LaunchSpec& spec) {
  LaunchRequest request{};
  request.magic = kMonitorMagic;
  request.flags = spec.flags;
  request.restart_policy = spec.restart_policy;
  request.restart_max = spec.restart_max;
  request.rows = spec.rows;
  request.columns = spec.columns;
  request.log_max_files = spec.log_max_files;
  request.log_max_bytes = spec.log_max_bytes;
  request.health = spec.health;
  request.extra_fds = static_cast<uint32_t>(spec.extra_fds.size());
  request.preserve_fds = spec.preserve_fds;
  if (spec.plan == nullptr) {
    return InvalidArgument(Reason::kInvalidArgument, kOperation, "no plan");
  }
  if (spec.preserve_fds > spec.extra_fds.size()) {
    return InvalidArgument(Reason::kInvalidArgument, kOperation,
                           "more descriptors to preserve than given");
  }
  if (spec.oom_path.size() >= sizeof request.oom_path) {
    return InvalidArgument(Reason::kInvalidArgument, kOperation,
                           "oom_path is too long");
  }
  std::memcpy(request.oom_path, spec.oom_path.data(), spec.oom_path.size());
  return request;
}

// The descriptors of one request, in their order on the wire.
class RequestFds {
 public:
  void Add(RequestFd bit, int fd) {
    if (fd < 0) return;
    bits_ |= bit;
    fds_.push_back(fd);
  }
  void AddExtra(int fd) {
    bits_ |= kFdExtra;
    fds_.push_back(fd);
  }
  uint32_t bits() const { return bits_; }
  const std::vector<int>& fds() const { return fds_; }

 private:
  uint32_t bits_ = 0;
  std::vector<int> fds_;
};

Launched MakeLaunched(const Event& event, EventStream events) {
  Launched launched;
  launched.pid = event.pid;
  launched.pid_start_ticks = event.pid_start_ticks;
  launched.ready = event.type == EventType::kReady;
  launched.events = std::move(events);
  return launched;
}

// Makes the monitor undo the start and waits until it has. An answer: it was
// too late for that, the monitor had already left the process alone.
absl::optional<Event> GiveUp(EventStream& events) {
  constexpr absl::Duration kPatience = absl::Seconds(10);
  const absl::Time deadline = absl::Now() + kPatience;
  (void)sys::SendPacket(events.fd(), "x");
  shutdown(events.fd(), SHUT_WR);
  absl::optional<Event> running;
  for (;;) {
    const absl::StatusOr<Event> event = events.Next(deadline);
    if (!event.ok()) return running;
    switch (event->type) {
      case EventType::kStarted:
      case EventType::kReady:
        running = *event;
        break;
      case EventType::kExited:
      case EventType::kFailed:
        running.reset();
        break;
      default:
        break;
    }
  }
}

// The first event that decides the start.
absl::StatusOr<Launched> AwaitStart(EventStream events,
                                    const LaunchSpec& spec) {
  for (;;) {
    const absl::StatusOr<Event> next = events.Next(spec.deadline, spec.cancel);
    if (!next.ok()) {
      if (GetReason(next.status()) == Reason::kMonitorLost) {
        return next.status();
      }
      const absl::optional<Event> running = GiveUp(events);
      if (!running.has_value()) return next.status();
      return MakeLaunched(*running, std::move(events));
    }
    const Event& event = *next;
    if (event.type == EventType::kFailed) return FailureStatus(event.failure);
    if (event.type == EventType::kExited) {
      // Its owner or a stop request was faster than its program.
      return FailedPrecondition(Reason::kAlreadyStopped, kOperation,
                                "stopped before it ran");
    }
    if (event.type != EventType::kStarted && event.type != EventType::kReady) {
      continue;
    }
    return MakeLaunched(event, std::move(events));
  }
}

}  // namespace

Launcher::Launcher(UniqueFd image) : image_(std::move(image)) {}

absl::StatusOr<std::unique_ptr<Launcher>> Launcher::Create() {
  CK_ASSIGN_OR_RETURN(UniqueFd image,
                      sys::MakeSealedMemfd("ck-helper", HelperImage(),
                                           sys::MemfdUse::kExecutable));
  return absl::WrapUnique(new Launcher(std::move(image)));
}

Launcher::~Launcher() {
  const MutexLock lock(&mutex_);
  StopSpawner();
}

void Launcher::StopSpawner() {
  if (owner_ != getpid()) {
    // A forked copy: the spawner is the parent's.
    spawner_.socket.Reset();
    spawner_.pidfd.Reset();
    return;
  }
  runtime::StopSpawner(spawner_);
}

absl::Status Launcher::EnsureSpawner() {
  if (owner_ != 0 && owner_ != getpid()) {
    return FailedPrecondition(Reason::kForked, kOperation, "used after fork()");
  }
  if (spawner_.socket.ok()) return absl::OkStatus();
  CK_ASSIGN_OR_RETURN(spawner_, StartSpawner(image_.get()), "start helper");
  owner_ = getpid();
  ++generation_;
  return absl::OkStatus();
}

bool Launcher::running() {
  const MutexLock lock(&mutex_);
  return spawner_.socket.ok();
}

void Launcher::PrepareNetwork() {
  const MutexLock lock(&mutex_);
  if (!EnsureSpawner().ok()) return;
  (void)sys::SendPacket(spawner_.socket.get(),
                        absl::string_view(&kPrepareNetwork, 1));
}

absl::StatusOr<uint64_t> Launcher::Send(const LaunchRequest& request,
                                        const std::vector<int>& fds) {
  const MutexLock lock(&mutex_);
  CK_RETURN_IF_ERROR(EnsureSpawner());
  absl::Status status =
      sys::SendPacket(spawner_.socket.get(), BytesOf(request), fds);
  if (absl::IsUnavailable(status)) {
    // Somebody killed the spawner: its monitors live on, a new one serves.
    StopSpawner();
    CK_RETURN_IF_ERROR(EnsureSpawner());
    status = sys::SendPacket(spawner_.socket.get(), BytesOf(request), fds);
  }
  CK_RETURN_IF_ERROR(status);
  return generation_;
}

bool Launcher::SpawnerDied(uint64_t generation) {
  const MutexLock lock(&mutex_);
  if (generation != generation_) return true;
  // A process that is killed closes the request's sockets in any order with
  // this one, and becomes a zombie later: it may still be on its way.
  constexpr int kPatienceMs = 200;
  pollfd socket = {spawner_.socket.get(), POLLRDHUP, 0};
  return poll(&socket, 1, kPatienceMs) == 1;
}

absl::StatusOr<Launched> Launcher::Start(const LaunchSpec& spec) {
  CK_ASSIGN_OR_RETURN(LaunchRequest request, MakeRequest(spec));
  CK_ASSIGN_OR_RETURN(const UniqueFd plan,
                      sys::MakeSealedMemfd("ck-plan", spec.plan->Encode(),
                                           sys::MemfdUse::kData));
  UniqueFd health;
  if (spec.health_plan != nullptr) {
    CK_ASSIGN_OR_RETURN(
        health, sys::MakeSealedMemfd("ck-plan", spec.health_plan->Encode(),
                                     sys::MemfdUse::kData));
  }
  constexpr int kTries = 2;
  for (int attempt = 1;; ++attempt) {
    CK_ASSIGN_OR_RETURN(auto reply, sys::MakeSocketPair());
    RequestFds fds;
    fds.Add(kFdPlan, plan.get());
    fds.Add(kFdReply, reply.second.get());
    fds.Add(kFdDirectory, spec.directory_fd);
    fds.Add(kFdStdin, spec.stdin_fd);
    fds.Add(kFdStdout, spec.stdout_fd);
    fds.Add(kFdStderr, spec.stderr_fd);
    fds.Add(kFdAttach, spec.attach_fd);
    fds.Add(kFdScope, spec.scope_fd);
    fds.Add(kFdHealth, health.get());
    fds.Add(kFdConsole, spec.console_fd);
    for (const int fd : spec.extra_fds) fds.AddExtra(fd);
    if (fds.fds().size() > static_cast<size_t>(kMaxRequestFds)) {
      return InvalidArgument(Reason::kLimitExceeded, kOperation,
                             "too many descriptors");
    }
    request.fds = fds.bits();
    CK_ASSIGN_OR_RETURN(const uint64_t generation, Send(request, fds.fds()));
    reply.second.Reset();
    absl::StatusOr<Launched> launched =
        AwaitStart(EventStream(std::move(reply.first)), spec);
    const bool lost = GetReason(launched.status()) == Reason::kMonitorLost;
    // Without a word from a monitor the request died with the spawner.
    if (launched.ok() || !lost || attempt == kTries ||
        !SpawnerDied(generation)) {
      return launched;
    }
  }
}

}  // namespace containerkit::runtime
