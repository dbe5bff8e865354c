// The border: nothing but a ck_status and a ck_error crosses it.
#ifndef CONTAINERKIT_CAPI_SRC_GUARD_H_
#define CONTAINERKIT_CAPI_SRC_GUARD_H_

#include <cxxabi.h>

#include <exception>
#include <new>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "containerkit/c/error.h"
#include "lib/base/status.h"

namespace containerkit::capi {

// What a body leaves for its error besides the status.
struct CallState {
  int32_t callback_code = 0;
};

// Makes the ck_error of a failed status; answers its code.
ck_status Report(const absl::Status& status, const CallState& call,
                 ck_error** err) noexcept;
// The same for what was thrown.
ck_status ReportNoMemory(ck_error** err) noexcept;
ck_status ReportException(const char* what, ck_error** err) noexcept;

// Runs the body of a function: `Status body()` or `Status body(CallState&)`.
// No exception leaves it but that of a thread's cancellation.
template <typename F>
ck_status Guard(ck_error** err, F&& body) {
  CallState call;
  if (err != nullptr) *err = nullptr;
  try {
    absl::Status status;
    if constexpr (std::is_invocable_v<F, CallState&>) {
      status = body(call);
    } else {
      status = body();
    }
    return status.ok() ? CK_OK : Report(status, call, err);
  } catch (const abi::__forced_unwind&) {
    throw;
  } catch (const std::bad_alloc&) {
    return ReportNoMemory(err);
  } catch (const std::exception& e) {
    return ReportException(e.what(), err);
  } catch (...) {
    return ReportException("an exception of unknown type", err);
  }
}

// Empties an out-parameter. Errors: INVALID_ARGUMENT for NULL.
template <typename T>
absl::Status ClearOut(T** out) {
  if (out == nullptr) {
    return InvalidArgument(Reason::kInvalidArgument, "capi.out",
                           "the out parameter is NULL");
  }
  *out = nullptr;
  return absl::OkStatus();
}

// Errors: INVALID_ARGUMENT for a NULL string; `name` is the parameter's.
absl::Status CheckString(const char* text, const char* name);

// Errors: INVALID_ARGUMENT for a NULL list that is not empty, or a NULL in it.
absl::Status CheckStrings(const char* const* list, size_t count,
                          const char* name);

}  // namespace containerkit::capi

#endif  // CONTAINERKIT_CAPI_SRC_GUARD_H_
