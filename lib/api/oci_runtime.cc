#include "containerkit/oci_runtime.h"

#include <unistd.h>

#include <memory>
#include <utility>

#include "lib/base/status.h"
#include "lib/container/oci_documents.h"
#include "lib/container/oci_runtime_impl.h"
#include "lib/oci/runtime_spec.h"

namespace containerkit {

struct OciRuntime::Impl {
  container::OciRuntimeImpl runtime;
};

OciRuntime::OciRuntime(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

absl::StatusOr<OciRuntime> OciRuntime::Open(const OciRuntimeOptions& options) {
  if (options.root.empty()) {
    return InvalidArgument(Reason::kInvalidArgument, "oci.open",
                           "the root is empty");
  }
  return OciRuntime(
      std::shared_ptr<Impl>(new Impl{container::OciRuntimeImpl(options)}));
}

absl::Status OciRuntime::Create(const std::string& id,
                                const OciCreateOptions& options) {
  return impl_->runtime.Create(id, options);
}

absl::Status OciRuntime::Start(const std::string& id) {
  return impl_->runtime.Start(id);
}

absl::StatusOr<int> OciRuntime::Run(const std::string& id,
                                    const OciCreateOptions& options,
                                    bool detach, bool keep) {
  return impl_->runtime.Run(id, options, detach, keep);
}

absl::StatusOr<OciContainerState> OciRuntime::State(const std::string& id) {
  return impl_->runtime.State(id);
}

absl::StatusOr<std::vector<OciContainerState>> OciRuntime::List() {
  return impl_->runtime.List();
}

absl::Status OciRuntime::Kill(const std::string& id, int signal, bool all) {
  return impl_->runtime.Kill(id, signal, all);
}

absl::Status OciRuntime::Delete(const std::string& id, bool force) {
  return impl_->runtime.Delete(id, force);
}

absl::StatusOr<int> OciRuntime::Exec(const std::string& id,
                                     const OciExecOptions& options) {
  return impl_->runtime.Exec(id, options);
}

absl::StatusOr<std::vector<int32_t>> OciRuntime::Processes(
    const std::string& id) {
  return impl_->runtime.Processes(id);
}

absl::Status OciRuntime::Pause(const std::string& id) {
  return impl_->runtime.Pause(id);
}

absl::Status OciRuntime::Resume(const std::string& id) {
  return impl_->runtime.Resume(id);
}

absl::Status OciRuntime::Update(const std::string& id,
                                const std::string& resources_json) {
  return impl_->runtime.Update(id, resources_json);
}

absl::StatusOr<std::string> OciRuntime::StatsJson(const std::string& id) {
  return impl_->runtime.StatsJson(id);
}

std::string OciRuntime::FeaturesJson() { return container::OciFeatures(); }

std::string OciRuntime::ExampleSpecJson(bool rootless) {
  return oci::SerializeRuntimeSpec(
      container::ExampleOciSpec(rootless, geteuid(), getegid()));
}

}  // namespace containerkit
