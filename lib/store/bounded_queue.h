// A queue between two threads that holds only so much.
#ifndef CONTAINERKIT_LIB_STORE_BOUNDED_QUEUE_H_
#define CONTAINERKIT_LIB_STORE_BOUNDED_QUEUE_H_

#include <cstddef>
#include <deque>
#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "lib/base/mutex.h"

namespace containerkit::store {

// Thread-safe. Every waiting call ends when the queue is closed.
template <typename T>
class BoundedQueue {
 public:
  explicit BoundedQueue(size_t capacity) : capacity_(capacity) {}

  // Waits for room; false, and the item is dropped, when the queue is closed.
  bool Push(T item) {
    MutexLock lock(&mutex_);
    while (!closed_ && items_.size() >= capacity_) changed_.Wait(&mutex_);
    if (closed_) return false;
    items_.push_back(std::move(item));
    changed_.SignalAll();
    return true;
  }

  // Waits for an item; nullopt when the queue is closed and empty.
  std::optional<T> Pop() {
    MutexLock lock(&mutex_);
    while (!closed_ && items_.empty()) changed_.Wait(&mutex_);
    if (items_.empty()) return std::nullopt;
    std::optional<T> item(std::move(items_.front()));
    items_.pop_front();
    changed_.SignalAll();
    return item;
  }

  // No more items come; those that are there can still be taken.
  void Close() {
    MutexLock lock(&mutex_);
    closed_ = true;
    changed_.SignalAll();
  }

  // Close(), and what is there is dropped.
  void Abort() {
    MutexLock lock(&mutex_);
    closed_ = true;
    items_.clear();
    changed_.SignalAll();
  }

 private:
  const size_t capacity_;
  Mutex mutex_;
  CondVar changed_;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  std::deque<T> items_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace containerkit::store

#endif  // CONTAINERKIT_LIB_STORE_BOUNDED_QUEUE_H_
