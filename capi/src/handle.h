// Typed handles over cells.
#ifndef CONTAINERKIT_CAPI_SRC_HANDLE_H_
#define CONTAINERKIT_CAPI_SRC_HANDLE_H_

#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "capi/src/cells.h"
#include "lib/base/status.h"

namespace containerkit::capi {

// What is behind a handle of type H: `Payload`, `kTag` and `kName`.
template <typename H>
struct HandleTraits;

template <typename H>
using PayloadOf = typename HandleTraits<H>::Payload;

// Makes a handle with one reference; the caller owns it.
template <typename H>
H* NewHandle(std::unique_ptr<PayloadOf<H>> payload) {
  void* cell = NewCell(HandleTraits<H>::kTag, payload.get(),
                       [](void* p) { delete static_cast<PayloadOf<H>*>(p); });
  payload.release();
  return reinterpret_cast<H*>(cell);
}

template <typename H, typename... Args>
H* MakeHandle(Args&&... args) {
  return NewHandle<H>(std::unique_ptr<PayloadOf<H>>(
      new PayloadOf<H>{std::forward<Args>(args)...}));
}

template <typename H>
H* Retain(const H* handle) noexcept {
  const bool live = PinCell(handle, HandleTraits<H>::kTag) != nullptr;
  return live ? const_cast<H*>(handle) : nullptr;
}

template <typename H>
void Release(const H* handle) noexcept {
  UnpinCell(handle, HandleTraits<H>::kTag);
}

// One owned reference to a handle.
template <typename H>
class Owned final {
 public:
  Owned() = default;
  explicit Owned(H* handle) : handle_(handle) {}
  Owned(Owned&& other) noexcept
      : handle_(std::exchange(other.handle_, nullptr)) {}
  Owned& operator=(Owned&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Owned() { Release(handle_); }

  H* get() const { return handle_; }
  H* release() { return std::exchange(handle_, nullptr); }

 private:
  H* handle_ = nullptr;
};

// Keeps the object behind a handle alive for the time of a call, so that the
// host may release the handle meanwhile.
template <typename H>
class Pinned final {
 public:
  explicit Pinned(const H* handle) noexcept
      : handle_(handle),
        payload_(static_cast<PayloadOf<H>*>(
            PinCell(handle, HandleTraits<H>::kTag))) {}
  Pinned(Pinned&& other) noexcept
      : handle_(other.handle_),
        payload_(std::exchange(other.payload_, nullptr)) {}
  Pinned& operator=(Pinned&&) = delete;
  ~Pinned() {
    if (payload_ != nullptr) Release(handle_);
  }

  bool ok() const { return payload_ != nullptr; }
  PayloadOf<H>* operator->() const { return payload_; }
  PayloadOf<H>& operator*() const { return *payload_; }

 private:
  const H* handle_;
  PayloadOf<H>* payload_;
};

// Errors: INVALID_ARGUMENT / kInvalidArgument unless it is a live handle.
template <typename H>
absl::StatusOr<Pinned<H>> Pin(const H* handle) {
  Pinned<H> pinned(handle);
  if (!pinned.ok()) {
    return InvalidArgument(
        Reason::kInvalidArgument, "capi.handle",
        absl::StrCat(handle == nullptr ? "NULL is no " : "not a live ",
                     HandleTraits<H>::kName));
  }
  return pinned;
}

// The body of an accessor: `read` of the payload, `none` for a dead handle.
template <typename T, typename H, typename F>
T Read(const H* handle, F&& read, T none = T()) noexcept {
  Pinned<H> pinned(handle);
  return pinned.ok() ? static_cast<T>(read(*pinned)) : none;
}

// Defines retain and release of a handle type.
#define CK_DEFINE_HANDLE(H)                                                   \
  H* H##_retain(const H* self) { return ::containerkit::capi::Retain(self); } \
  void H##_release(const H* self) { ::containerkit::capi::Release(self); }

// Defines an accessor: `field` is an expression over the payload `p`.
#define CK_DEFINE_VALUE(H, name, type, field)               \
  type H##_##name(const H* self) {                          \
    return ::containerkit::capi::Read<type>(                \
        self, [](const auto& p) -> type { return field; }); \
  }
#define CK_DEFINE_STRING(H, name, field)                          \
  const char* H##_##name(const H* self) {                         \
    return ::containerkit::capi::Read<const char*>(               \
        self, [](const auto& p) { return (field).c_str(); }, ""); \
  }

// Declares what is behind H.
#define CK_HANDLE_TRAITS(H, payload, tag)    \
  template <>                                \
  struct HandleTraits<H> {                   \
    using Payload = payload;                 \
    static constexpr Tag kTag = Tag::tag;    \
    static constexpr const char* kName = #H; \
  }

}  // namespace containerkit::capi

#endif  // CONTAINERKIT_CAPI_SRC_HANDLE_H_
