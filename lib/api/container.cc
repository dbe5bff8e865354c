#include "containerkit/container.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "lib/api/session_impl.h"
#include "lib/engine/engine_core.h"

namespace containerkit {

absl::string_view ContainerStateName(ContainerState state) noexcept {
  switch (state) {
    case ContainerState::kCreated:
      return "created";
    case ContainerState::kRunning:
      return "running";
    case ContainerState::kPaused:
      return "paused";
    case ContainerState::kRestarting:
      return "restarting";
    case ContainerState::kExited:
      return "exited";
    case ContainerState::kDead:
      return "dead";
  }
  return "unknown";
}

Session::Session(std::unique_ptr<engine::SessionImpl> impl)
    : impl_(std::move(impl)) {}
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;
Session::~Session() = default;

absl::Status Session::Write(absl::string_view data, const CancelToken& cancel) {
  return impl_->process->Write(data, cancel);
}
absl::Status Session::CloseStdin() { return impl_->process->CloseStdin(); }
absl::StatusOr<ExitStatus> Session::Read(
    const std::function<void(const Output&)>& sink, const CancelToken& cancel) {
  return impl_->process->Read(sink, cancel);
}
absl::Status Session::Resize(uint16_t rows, uint16_t columns) {
  return impl_->process->Resize(rows, columns);
}
absl::Status Session::Signal(int signal) {
  return impl_->process->Signal(signal);
}
int32_t Session::pid() const { return impl_->process->pid(); }
int Session::fd() const { return impl_->process->fd(); }

namespace {

std::unique_ptr<engine::SessionImpl> Impl(
    const std::shared_ptr<engine::EngineCore>& core,
    std::unique_ptr<container::ProcessSession> process) {
  auto impl = std::make_unique<engine::SessionImpl>();
  impl->core = core;
  impl->process = std::move(process);
  return impl;
}

}  // namespace

Container::Container(std::shared_ptr<engine::EngineCore> core, std::string id)
    : core_(std::move(core)), id_(std::move(id)) {}

const std::string& Container::id() const { return id_; }

absl::StatusOr<std::optional<Session>> Container::Start(
    const StartOptions& options) {
  auto process = core_->containers().Start(id_, options);
  if (!process.ok()) return process.status();
  std::optional<Session> session;
  if (*process != nullptr) {
    session = Session(Impl(core_, *std::move(process)));
  }
  return session;
}

absl::Status Container::Stop(const StopOptions& options) {
  return core_->containers().Stop(id_, options);
}

absl::Status Container::Restart(const StopOptions& options) {
  return core_->containers().Restart(id_, options);
}

absl::Status Container::Kill(int signal) {
  return core_->containers().Kill(id_, signal);
}
absl::Status Container::Pause() { return core_->containers().Pause(id_); }
absl::Status Container::Unpause() { return core_->containers().Unpause(id_); }

absl::StatusOr<ExitStatus> Container::Wait(const WaitOptions& options) {
  return core_->containers().Wait(id_, options);
}

absl::Status Container::Remove(const RemoveOptions& options) {
  return core_->containers().Remove(id_, options);
}
absl::Status Container::Rename(const std::string& name) {
  return core_->containers().Rename(id_, name);
}
absl::StatusOr<ContainerInfo> Container::Inspect() {
  return core_->containers().Inspect(id_);
}
absl::StatusOr<std::string> Container::InspectJson(bool size) {
  return core_->containers().InspectJson(id_, size);
}

absl::StatusOr<Session> Container::Attach(const AttachOptions& options) {
  auto process = core_->containers().Attach(id_, options);
  if (!process.ok()) return process.status();
  return Session(Impl(core_, *std::move(process)));
}

absl::StatusOr<Session> Container::Exec(const ExecConfig& config) {
  auto process = core_->containers().Exec(id_, config);
  if (!process.ok()) return process.status();
  return Session(Impl(core_, *std::move(process)));
}

absl::Status Container::Logs(const LogOptions& options,
                             const std::function<bool(const Output&)>& sink) {
  return core_->containers().Logs(id_, options, sink);
}
absl::StatusOr<ContainerStats> Container::Stats() {
  return core_->containers().Stats(id_);
}
absl::StatusOr<ProcessTable> Container::Top(
    const std::vector<std::string>& columns) {
  return core_->containers().Top(id_, columns);
}
absl::Status Container::CopyOut(const std::string& path, int fd,
                                const CancelToken& cancel) {
  return core_->containers().CopyOut(id_, path, fd, cancel);
}
absl::Status Container::CopyIn(const std::string& path, int fd,
                               const CopyInOptions& options) {
  return core_->containers().CopyIn(id_, path, fd, options);
}
absl::StatusOr<PathStat> Container::StatPath(const std::string& path) {
  return core_->containers().StatPath(id_, path);
}
absl::Status Container::Update(const ContainerUpdate& update) {
  return core_->containers().Update(id_, update);
}

}  // namespace containerkit
