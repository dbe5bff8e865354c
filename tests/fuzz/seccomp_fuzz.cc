// Seccomp profiles: the program decides every call as the rules do (Z07).
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>

#include <set>

#include "absl/strings/string_view.h"
#include "lib/oci/runtime_spec.h"
#include "lib/runtime/seccomp_compiler.h"
#include "lib/runtime/seccomp_profile.h"
#include "lib/runtime/seccomp_simulator.h"
#include "lib/runtime/seccomp_syscalls.h"
#include "tests/fuzz/check.h"

namespace {

namespace oci = containerkit::oci;
namespace runtime = containerkit::runtime;
using runtime::SeccompArch;

std::set<uint64_t> Edges(const oci::Seccomp& seccomp) {
  constexpr size_t kMost = 64;
  std::set<uint64_t> out = {0, 1, ~uint64_t{0}, uint64_t{1} << 32};
  for (const oci::SeccompRule& rule : seccomp.syscalls) {
    for (const oci::SeccompArg& arg : rule.args) {
      for (const uint64_t value : {arg.value, arg.value_two}) {
        if (out.size() > kMost) return out;
        out.insert({value - 1, value, value + 1, value ^ uint64_t{1} << 32});
      }
    }
  }
  return out;
}

void CheckCalls(const oci::Seccomp& seccomp, absl::string_view program) {
  const runtime::SeccompEvaluator evaluator(seccomp, SeccompArch::kX86_64);
  const std::set<uint64_t> edges = Edges(seccomp);
  const auto check = [&](seccomp_data call) {
    const auto got = runtime::SimulateSeccomp(program, call);
    CK_FUZZ_CHECK(got.has_value());
    CK_FUZZ_CHECK(*got == evaluator.Evaluate(call));
  };
  for (const uint32_t arch :
       {uint32_t{AUDIT_ARCH_X86_64}, uint32_t{AUDIT_ARCH_I386}}) {
    for (const uint32_t base : {0u, runtime::kX32Bit}) {
      // A few of them; each one is in seccomp_compiler_test.
      for (uint32_t number = 0; number < 560; number += 13) {
        seccomp_data call = {};
        call.arch = arch;
        call.nr = static_cast<int>(number | base);
        check(call);
      }
    }
  }
  const SeccompArch arches[] = {SeccompArch::kX86_64, SeccompArch::kI386,
                                SeccompArch::kX32};
  for (const oci::SeccompRule& rule : seccomp.syscalls) {
    if (rule.args.empty() || rule.names.empty()) continue;
    for (const SeccompArch arch : arches) {
      const auto number = runtime::SyscallNumber(arch, rule.names[0]);
      if (!number.has_value()) continue;
      for (const uint64_t value : edges) {
        seccomp_data call = {};
        call.arch = runtime::AuditArch(arch);
        call.nr = static_cast<int>(*number);
        for (auto& arg : call.args) arg = value;
        check(call);
      }
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > 1 << 14) return 0;
  const auto profile = runtime::ParseSeccompProfile(
      absl::string_view(reinterpret_cast<const char*>(data), size),
      {runtime::kDefaultCapabilities, {6, 1}, SeccompArch::kX86_64});
  if (!profile.ok()) return 0;
  const auto program = runtime::CompileSeccomp(*profile, SeccompArch::kX86_64);
  if (program.ok()) CheckCalls(*profile, program->program);
  return 0;
}
