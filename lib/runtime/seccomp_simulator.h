// Testonly: runs a seccomp program as the kernel would, and decides a call by
// the rules themselves, as the compiler's contract words them.
#ifndef CONTAINERKIT_LIB_RUNTIME_SECCOMP_SIMULATOR_H_
#define CONTAINERKIT_LIB_RUNTIME_SECCOMP_SIMULATOR_H_

#include <linux/seccomp.h>

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "absl/strings/string_view.h"
#include "lib/oci/runtime_spec.h"
#include "lib/runtime/seccomp_syscalls.h"

namespace containerkit::runtime {

// The SECCOMP_RET_* value of `program` (struct sock_filter[]) for one call;
// nullopt if the kernel's checker would refuse the program, or it does not
// end.
std::optional<uint32_t> SimulateSeccomp(absl::string_view program,
                                        const seccomp_data& call);

// The same by the rules, without any program.
class SeccompEvaluator {
 public:
  // `seccomp` must outlive it.
  SeccompEvaluator(const oci::Seccomp& seccomp, SeccompArch native);

  uint32_t Evaluate(const seccomp_data& call) const;

 private:
  // A rule that names a call; `call` is set where it does so through an i386
  // multiplexer.
  struct Entry {
    const oci::SeccompRule* rule;
    std::optional<Multiplexed> via;
  };
  struct Arch {
    SeccompArch arch;
    std::map<uint32_t, std::vector<Entry>> calls;  // in the order of rules
  };

  const oci::Seccomp& seccomp_;
  std::vector<Arch> arches_;
};

}  // namespace containerkit::runtime

#endif  // CONTAINERKIT_LIB_RUNTIME_SECCOMP_SIMULATOR_H_
