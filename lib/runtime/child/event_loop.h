// epoll(7), one event at a time.
#ifndef CONTAINERKIT_LIB_RUNTIME_CHILD_EVENT_LOOP_H_
#define CONTAINERKIT_LIB_RUNTIME_CHILD_EVENT_LOOP_H_

#include <stdint.h>

namespace containerkit::runtime::child {

// A descriptor that is waited for, and who wants to know.
struct Watch {
  int fd = -1;
  uint32_t events = 0;  // EPOLL*; 0: not waited for
  void (*handle)(Watch& watch, uint32_t events) = nullptr;
  void* owner = nullptr;
  int tag = 0;
};

class EventLoop {
 public:
  long Open();
  // Waits for `events` of watch.fd from now on; 0: for nothing, not even a
  // hang-up.
  void Set(Watch& watch, uint32_t events);
  // Begins to wait for what can be done without; false: it cannot be waited
  // for.
  bool TrySet(Watch& watch, uint32_t events);
  // Waits for one event and calls its handler, which may end any watch.
  // False: the time is over.
  bool RunOnce(int64_t deadline_ns);

 private:
  int fd_ = -1;
};

inline constexpr int64_t kNever = INT64_MAX;

}  // namespace containerkit::runtime::child

#endif  // CONTAINERKIT_LIB_RUNTIME_CHILD_EVENT_LOOP_H_
