// What the parts of the spec builder share. Not for others.
#ifndef CONTAINERKIT_LIB_RUNTIME_SPEC_BUILDER_INTERNAL_H_
#define CONTAINERKIT_LIB_RUNTIME_SPEC_BUILDER_INTERNAL_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "lib/base/status.h"
#include "lib/oci/image_config.h"
#include "lib/oci/runtime_spec.h"
#include "lib/runtime/container_config.h"
#include "lib/runtime/host_facts.h"
#include "lib/runtime/spec_builder.h"

namespace containerkit::runtime::builder {

// One call of BuildSpec().
struct Building {
  const ContainerConfig& config;
  const oci::ImageRunConfig& image;
  const HostFacts& facts;
  const SpecInputs& inputs;
  BuiltSpec& out;

  // Filled in by BuildNamespaces().
  bool user_namespace = false;
  bool new_network = false;
  bool own_ipc = false;

  oci::RuntimeSpec& spec() { return out.spec; }
  oci::LinuxConfig& linux_config() { return out.spec.linux_config; }
  bool privileged() const { return config.security.privileged; }
};

absl::Status Invalid(Reason reason, absl::string_view message);

// Control characters, which would end a line of a generated file early.
bool HasControl(absl::string_view text);

absl::Status BuildUserNamespace(Building& b);
absl::Status BuildNamespaces(Building& b);
// The mounts that somebody asked for and those of files that the engine made,
// outer ones first.
absl::StatusOr<std::vector<oci::Mount>> AskedMounts(const Building& b);
absl::Status BuildMounts(Building& b);
absl::Status BuildResources(Building& b);
absl::Status BuildDevices(Building& b);

}  // namespace containerkit::runtime::builder

#endif  // CONTAINERKIT_LIB_RUNTIME_SPEC_BUILDER_INTERNAL_H_
