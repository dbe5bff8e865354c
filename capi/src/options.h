// Options structs of any version become ours.
#ifndef CONTAINERKIT_CAPI_SRC_OPTIONS_H_
#define CONTAINERKIT_CAPI_SRC_OPTIONS_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "capi/src/sizes_0_1.h"
#include "lib/base/status.h"

namespace containerkit::capi {

// No caller has a reason for a larger one; keeps the tail check bounded.
inline constexpr size_t kMaxOptionsBytes = 4096;

// Copies what the caller gave over `defaults`: a smaller struct leaves the
// rest as it is, a larger one may only have zeroes where we know nothing.
//
// Errors: UNIMPLEMENTED / kUnsupportedOption for a set field that this version
// does not know; INVALID_ARGUMENT / kInvalidArgument for a size below
// `min_size` or above any reason, or a reserved field that is set.
//
// Trust: the size is the caller's word for what may be read.
template <typename T>
absl::StatusOr<T> AdoptOptions(const T* options, const T& defaults,
                               size_t min_size) {
  static_assert(std::is_trivially_copyable_v<T> &&
                std::is_standard_layout_v<T>);
  static_assert(offsetof(T, struct_size) == 0);
  T adopted = defaults;
  if (options == nullptr) return adopted;
  size_t size = 0;
  std::memcpy(&size, options, sizeof size);
  if (size < min_size || size > kMaxOptionsBytes) {
    return InvalidArgument(
        Reason::kInvalidArgument, "capi.options",
        absl::StrCat("struct_size is ", size, ", not ", sizeof(T),
                     ": not made by its INIT macro"));
  }
  const auto* bytes = reinterpret_cast<const unsigned char*>(options);
  if (size > sizeof(T) &&
      std::any_of(bytes + sizeof(T), bytes + size,
                  [](unsigned char byte) { return byte != 0; })) {
    return Unimplemented(
        Reason::kUnsupportedOption, "capi.options",
        "an option is set that this version of the library does not know");
  }
  std::memcpy(&adopted, options, std::min(size, sizeof(T)));
  adopted.struct_size = sizeof(T);
  if constexpr (requires { adopted.reserved; }) {
    unsigned char reserved[sizeof adopted.reserved];
    std::memcpy(reserved, &adopted.reserved, sizeof reserved);
    if (std::any_of(std::begin(reserved), std::end(reserved),
                    [](unsigned char byte) { return byte != 0; })) {
      return InvalidArgument(Reason::kInvalidArgument, "capi.options",
                             "a reserved field is not 0");
    }
  }
  return adopted;
}

// Whether the fields of the first release may be read of options that may yet
// be refused: what they own is released also then.
template <typename T>
bool IsReadable(const T* options, size_t min_size) {
  return options != nullptr && options->struct_size >= min_size &&
         options->struct_size <= kMaxOptionsBytes;
}

// Fills in the defaults, at most `size` bytes of them.
template <typename T>
void InitOptions(T* options, size_t size, const T& defaults) {
  if (options == nullptr || size < sizeof(size_t)) return;
  T filled = defaults;
  filled.struct_size = std::min(size, sizeof(T));
  std::memcpy(static_cast<void*>(options), &filled, filled.struct_size);
}

// Per options type, in namespace capi of its .cc: Adopt(options) and
// the exported <type>_init.
#define CK_DEFINE_OPTIONS(T, INIT)                                \
  static absl::StatusOr<T> Adopt(const T* options) {              \
    static const T kDefaults = INIT;                              \
    return ::containerkit::capi::AdoptOptions(options, kDefaults, \
                                              CK_SIZE_0_1(T));    \
  }                                                               \
  void T##_init(T* options, size_t size) {                        \
    static const T kDefaults = INIT;                              \
    ::containerkit::capi::InitOptions(options, size, kDefaults);  \
  }

}  // namespace containerkit::capi

#endif  // CONTAINERKIT_CAPI_SRC_OPTIONS_H_
