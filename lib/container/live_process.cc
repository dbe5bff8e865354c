#include "lib/container/live_process.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "lib/base/cancel.h"
#include "lib/base/status.h"

namespace containerkit::container {
namespace {

// Somebody waits for this without a time limit, so it is tried again though
// eventfd(2) knows no reason to fail below 2^64.
void Signal(int event_fd) {
  constexpr int kTries = 3;
  const uint64_t one = 1;
  for (int i = 0; i < kTries; ++i) {
    if (write(event_fd, &one, sizeof one) == sizeof one) return;
  }
}

}  // namespace

absl::StatusOr<std::shared_ptr<LiveProcess>> LiveProcess::Create(
    std::string id, FirstProcess first, runtime::EventStream events,
    Observer observer) {
  UniqueFd done(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!done.ok()) return SyscallError(errno, "container.watch", "eventfd");
  return std::shared_ptr<LiveProcess>(
      new LiveProcess(std::move(id), first, std::move(events),
                      std::move(observer), std::move(done)));
}

LiveProcess::LiveProcess(std::string id, FirstProcess first,
                         runtime::EventStream events, Observer observer,
                         UniqueFd done)
    : id_(std::move(id)),
      observer_(std::move(observer)),
      done_fd_(std::move(done)),
      events_fd_(events.fd()),
      events_(std::move(events)),
      first_(first) {}

void LiveProcess::HangUp() { shutdown(events_fd_, SHUT_RDWR); }

FirstProcess LiveProcess::first() {
  const MutexLock lock(&mutex_);
  return first_;
}

std::optional<ExitStatus> LiveProcess::exit() {
  const MutexLock lock(&mutex_);
  return done_ && !lost_ ? std::optional<ExitStatus>(exit_) : std::nullopt;
}

bool LiveProcess::Pump() {
  const MutexLock in_order(&dispatch_);
  std::vector<runtime::Event> seen;
  bool ended = false;
  {
    const MutexLock lock(&mutex_);
    while (!done_) {
      absl::StatusOr<runtime::Event> event = events_.Next(absl::InfinitePast());
      if (!event.ok()) {
        // Nothing there yet, or the monitor is gone without a last word.
        if (GetReason(event.status()) == Reason::kTimeout) break;
        lost_ = done_ = true;
        break;
      }
      seen.push_back(*event);
      if (event->type == runtime::EventType::kStarted) {
        first_ = {event->pid, event->pid_start_ticks};
      }
      if (event->type == runtime::EventType::kExited &&
          (event->flags & runtime::kEventFinal) != 0) {
        exit_.code = event->exit_code;
        exit_.oom_killed = (event->flags & runtime::kEventOom) != 0;
        done_ = true;
      }
    }
    ended = done_;
  }
  for (const runtime::Event& event : seen) observer_(id_, event);
  if (ended) Signal(done_fd_.get());
  return ended;
}

absl::StatusOr<std::optional<ExitStatus>> LiveProcess::Wait(
    absl::Time deadline, const CancelToken& cancel) {
  while (true) {
    const bool ended = Pump();
    pollfd fds[] = {{done_fd_.get(), POLLIN, 0},
                    {cancel.fd(), POLLIN, 0},
                    {ended ? -1 : events_fd_, POLLIN, 0}};
    // Another thread may be handing out the last event: done_fd_ says when
    // its observers have returned.
    const int ready = poll(fds, 3, PollMillis(deadline, &cancel));
    if (ready < 0 && errno != EINTR) {
      return SyscallError(errno, "container.wait", "poll");
    }
    if (fds[0].revents != 0) {
      const MutexLock lock(&mutex_);
      if (lost_) {
        return MakeError(absl::StatusCode::kUnavailable,
                         "the container's monitor was killed",
                         {.reason = Reason::kMonitorLost,
                          .operation = "container.wait",
                          .object_kind = "container",
                          .object_id = id_});
      }
      return std::optional<ExitStatus>(exit_);
    }
    CK_RETURN_IF_ERROR(CheckCancelled(cancel, "container.wait"));
    if (ready == 0 && absl::Now() >= deadline) {
      return std::optional<ExitStatus>();
    }
  }
}

LiveProcessTable::~LiveProcessTable() {
  std::thread thread;
  {
    const MutexLock lock(&mutex_);
    thread = std::move(thread_);
    stopping_ = true;
  }
  if (!thread.joinable()) return;
  Signal(wake_.get());
  thread.join();
  decltype(watched_) watched;
  {
    const MutexLock lock(&mutex_);
    watched.swap(watched_);
  }
  for (const auto& [fd, process] : watched) {
    process->HangUp();
    process->Pump();
  }
  RetryWork();
}

absl::Status LiveProcessTable::StartThread() {
  if (thread_.joinable()) return absl::OkStatus();
  epoll_.Reset(epoll_create1(EPOLL_CLOEXEC));
  wake_.Reset(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!epoll_.ok() || !wake_.ok()) {
    return SyscallError(errno, "container.watch", "epoll_create");
  }
  epoll_event event{.events = EPOLLIN, .data = {.fd = wake_.get()}};
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wake_.get(), &event) < 0) {
    return SyscallError(errno, "container.watch", "epoll_ctl");
  }
  // The host's signals are the host's business.
  sigset_t all, old;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &old);
  absl::Status status;
  try {
    thread_ = std::thread([this] { Watch(); });
  } catch (const std::system_error& error) {
    status =
        SyscallError(error.code().value(), "container.watch", "pthread_create");
  }
  pthread_sigmask(SIG_SETMASK, &old, nullptr);
  return status;
}

absl::Status LiveProcessTable::Add(std::shared_ptr<LiveProcess> process) {
  const MutexLock lock(&mutex_);
  CK_RETURN_IF_ERROR(StartThread());
  const int fd = process->events_fd();
  epoll_event event{.events = EPOLLIN, .data = {.fd = fd}};
  watched_[fd] = process;
  processes_[process->id()] = std::move(process);
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) < 0) {
    return SyscallError(errno, "container.watch", "epoll_ctl");
  }
  return absl::OkStatus();
}

std::shared_ptr<LiveProcess> LiveProcessTable::Find(const std::string& id) {
  const MutexLock lock(&mutex_);
  const auto found = processes_.find(id);
  return found == processes_.end() ? nullptr : found->second;
}

std::optional<ExitStatus> LiveProcessTable::Ended(const std::string& id) {
  const MutexLock lock(&mutex_);
  for (const auto& [ended, exit] : ended_) {
    if (ended == id) return exit;
  }
  return std::nullopt;
}

void LiveProcessTable::TryUntilTrue(std::function<bool()> work) {
  {
    const MutexLock lock(&mutex_);
    work_.push_back(std::move(work));
  }
  Signal(wake_.get());
}

int LiveProcessTable::RetryWork() {
  constexpr int kPauseMillis = 10;
  std::vector<std::function<bool()>> work;
  {
    const MutexLock lock(&mutex_);
    work.swap(work_);
  }
  std::erase_if(work, [](const std::function<bool()>& done) { return done(); });
  const MutexLock lock(&mutex_);
  std::move(work.begin(), work.end(), std::back_inserter(work_));
  return work_.empty() ? -1 : kPauseMillis;
}

void LiveProcessTable::Handle(int fd) {
  if (fd == wake_.get()) {
    uint64_t count;
    [[maybe_unused]] const ssize_t drained = read(fd, &count, sizeof count);
    return;
  }
  std::shared_ptr<LiveProcess> process;
  {
    const MutexLock lock(&mutex_);
    const auto found = watched_.find(fd);
    if (found != watched_.end()) process = found->second;
  }
  if (process != nullptr && process->Pump()) Forget(process);
}

void LiveProcessTable::Watch() {
  while (true) {
    const int timeout = RetryWork();
    {
      const MutexLock lock(&mutex_);
      if (stopping_) return;
    }
    epoll_event events[16];
    const int count = epoll_wait(epoll_.get(), events, 16, timeout);
    for (int i = 0; i < count; ++i) Handle(events[i].data.fd);
  }
}

void LiveProcessTable::Forget(const std::shared_ptr<LiveProcess>& process) {
  constexpr size_t kMostEnded = 1024;
  const int fd = process->events_fd();
  epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
  const std::optional<ExitStatus> exit = process->exit();
  const MutexLock lock(&mutex_);
  if (exit.has_value()) ended_.emplace_back(process->id(), *exit);
  if (ended_.size() > kMostEnded) ended_.pop_front();
  watched_.erase(fd);
  const auto found = processes_.find(process->id());
  if (found != processes_.end() && found->second == process) {
    processes_.erase(found);
  }
}

}  // namespace containerkit::container
