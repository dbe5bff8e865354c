// The processes that this engine started and still hears of.
#ifndef CONTAINERKIT_LIB_CONTAINER_LIVE_PROCESS_H_
#define CONTAINERKIT_LIB_CONTAINER_LIVE_PROCESS_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "containerkit/cancel.h"
#include "containerkit/container.h"
#include "lib/base/mutex.h"
#include "lib/base/unique_fd.h"
#include "lib/runtime/attach_events.h"
#include "lib/runtime/monitor_wire.h"

namespace containerkit::container {

// The first process of a run of a container; all zero: not known.
struct FirstProcess {
  int32_t pid = 0;
  uint64_t start_ticks = 0;

  friend bool operator==(const FirstProcess&, const FirstProcess&) = default;
};

// One started container: its monitor's events, and whether it has ended.
//
// Whoever waits reads the events, be it a thread in Wait() or the table's own
// watcher, so that a waiting thread is woken by the monitor itself.
// Thread-safe.
class LiveProcess {
 public:
  // Called once for every event, in order, without a lock held.
  using Observer =
      std::function<void(const std::string& id, const runtime::Event& event)>;

  // Errors: as eventfd(2).
  static absl::StatusOr<std::shared_ptr<LiveProcess>> Create(
      std::string id, FirstProcess first, runtime::EventStream events,
      Observer observer);

  const std::string& id() const { return id_; }
  int events_fd() const { return events_fd_; }

  // The exit status once the container has ended for good; nullopt after
  // `deadline`. Errors: CANCELLED / kCancelled; UNAVAILABLE / kMonitorLost.
  absl::StatusOr<std::optional<ExitStatus>> Wait(absl::Time deadline,
                                                 const CancelToken& cancel);

  // The one that was started last, as far as has been taken in.
  FirstProcess first();

  // How it ended; nullopt: not yet, or its monitor was killed.
  std::optional<ExitStatus> exit();

  // Takes in what has arrived; true once nothing more will come.
  bool Pump();

  // The monitor hears that nobody listens any more: it keeps what happens from
  // now on for others to tell. What it has said before can still be taken in.
  void HangUp();

 private:
  LiveProcess(std::string id, FirstProcess first, runtime::EventStream events,
              Observer observer, UniqueFd done);

  const std::string id_;
  const Observer observer_;
  const UniqueFd done_fd_;  // eventfd, readable once done_
  const int events_fd_;
  Mutex dispatch_;  // held while events are handed out, so that they stay in
                    // order; taken before mutex_
  Mutex mutex_;
  runtime::EventStream events_ ABSL_GUARDED_BY(mutex_);
  FirstProcess first_ ABSL_GUARDED_BY(mutex_);
  bool done_ ABSL_GUARDED_BY(mutex_) = false;
  bool lost_ ABSL_GUARDED_BY(mutex_) = false;
  ExitStatus exit_ ABSL_GUARDED_BY(mutex_);
};

// All live processes of an engine, with one thread that watches those that
// nobody waits for. The thread exists from the first Add() on and until the
// table goes. Thread-safe.
class LiveProcessTable {
 public:
  LiveProcessTable() = default;
  LiveProcessTable(const LiveProcessTable&) = delete;
  LiveProcessTable& operator=(const LiveProcessTable&) = delete;
  ~LiveProcessTable();

  // Errors: as epoll_create(2) and pthread_create(3).
  absl::Status Add(std::shared_ptr<LiveProcess> process);
  // Null: not started by this engine, or ended long ago.
  std::shared_ptr<LiveProcess> Find(const std::string& id);
  // How a process of this engine ended that Find() has forgotten, one of the
  // last 1024. For containers that nobody can ask any more.
  std::optional<ExitStatus> Ended(const std::string& id);
  // Calls `work` from the watcher every 10 ms until it returns true, and a
  // last time when the table goes. For work that has to wait for others, asked
  // for by an observer, which may not.
  void TryUntilTrue(std::function<bool()> work);

 private:
  absl::Status StartThread() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Watch();
  // Takes in what fd has to say.
  void Handle(int fd);
  // How long the watcher may sleep, in milliseconds; -1: for ever.
  int RetryWork();
  void Forget(const std::shared_ptr<LiveProcess>& process);

  Mutex mutex_;
  absl::flat_hash_map<std::string, std::shared_ptr<LiveProcess>> processes_
      ABSL_GUARDED_BY(mutex_);
  // The same by events_fd(), for the watcher.
  absl::flat_hash_map<int, std::shared_ptr<LiveProcess>> watched_
      ABSL_GUARDED_BY(mutex_);
  // Oldest first.
  std::deque<std::pair<std::string, ExitStatus>> ended_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::function<bool()>> work_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  UniqueFd epoll_;
  UniqueFd wake_;  // eventfd: there is work, or it is time to stop
  std::thread thread_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace containerkit::container

#endif  // CONTAINERKIT_LIB_CONTAINER_LIVE_PROCESS_H_
