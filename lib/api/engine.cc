#include "containerkit/engine.h"

#include <stdlib.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "lib/engine/engine_core.h"

namespace containerkit {
namespace {

std::string Variable(const char* name) {
  const char* value = getenv(name);
  return value == nullptr ? "" : value;
}

// As Go does: capitals first.
std::string EitherVariable(const char* capitals, const char* small) {
  const std::string value = Variable(capitals);
  return value.empty() ? Variable(small) : value;
}

}  // namespace

Engine::Options Engine::Options::FromEnvironment() {
  Options options;
  const std::string home = Variable("HOME");
  options.root = Variable("CK_ROOT");
  if (options.root.empty() && geteuid() != 0) {
    const std::string data = Variable("XDG_DATA_HOME");
    if (!data.empty()) {
      options.root = absl::StrCat(data, "/containerkit");
    } else if (!home.empty()) {
      options.root = absl::StrCat(home, "/.local/share/containerkit");
    }
  }
  const std::string config = Variable("DOCKER_CONFIG");
  if (!config.empty()) {
    options.docker_config = absl::StrCat(config, "/config.json");
  } else if (!home.empty()) {
    options.docker_config = absl::StrCat(home, "/.docker/config.json");
  }
  options.certs_dir = "/etc/docker/certs.d";
  // A web server hands the request's header "Proxy" to its CGI programs as
  // HTTP_PROXY (CVE-2016-5385 and others).
  options.http_proxy = Variable("REQUEST_METHOD").empty()
                           ? EitherVariable("HTTP_PROXY", "http_proxy")
                           : Variable("http_proxy");
  options.https_proxy = EitherVariable("HTTPS_PROXY", "https_proxy");
  options.no_proxy = EitherVariable("NO_PROXY", "no_proxy");
  return options;
}

Engine::Engine(std::shared_ptr<engine::EngineCore> core)
    : core_(std::move(core)) {}

absl::StatusOr<Engine> Engine::Open(const Options& options) {
  Options effective = options;
  if (effective.root.empty()) {
    if (geteuid() != 0) {
      return InvalidArgument(
          Reason::kInvalidArgument, "engine.open",
          "no state root given; Options::FromEnvironment() finds one");
    }
    effective.root = "/var/lib/containerkit";
  }
  auto core = engine::EngineCore::Open(effective);
  if (!core.ok()) return core.status();
  return Engine(*std::move(core));
}

Images Engine::images() const { return Images(core_); }

absl::StatusOr<Container> Engine::Create(const ContainerConfig& config) const {
  CK_ASSIGN_OR_RETURN(std::string id, core_->Create(config, ""));
  return Container(core_, std::move(id));
}

absl::StatusOr<Container> Engine::GetContainer(const std::string& name) const {
  CK_ASSIGN_OR_RETURN(std::string id, core_->containers().FindId(name));
  return Container(core_, std::move(id));
}

absl::StatusOr<std::vector<ContainerInfo>> Engine::ListContainers(
    const ContainerListOptions& options) const {
  return core_->List(options);
}

absl::StatusOr<std::string> Engine::DryRun(
    const ContainerConfig& config) const {
  return core_->DryRun(config);
}

absl::Status Engine::Events(
    const EventOptions& options,
    const std::function<bool(const EngineEvent&)>& sink) const {
  core_->containers().TellDeaths();
  return core_->events().Read(options, sink);
}

absl::StatusOr<EngineInfo> Engine::Info() const { return core_->Info(); }

absl::StatusOr<std::vector<StoreFinding>> Engine::CheckStore(
    bool repair, const CancelToken& cancel) const {
  return core_->Check(repair, cancel);
}

absl::StatusOr<PruneReport> Engine::Prune(bool all_images, bool dry_run,
                                          const CancelToken& cancel) const {
  return core_->Prune(all_images, dry_run, cancel);
}

struct Scope::State {
  std::shared_ptr<engine::ScopeCore> core;
};

Scope::Scope(std::shared_ptr<State> state) : state_(std::move(state)) {}

absl::StatusOr<Scope> Engine::NewScope() const {
  CK_ASSIGN_OR_RETURN(auto core, engine::ScopeCore::Create(core_));
  auto state = std::make_shared<Scope::State>();
  state->core = std::move(core);
  return Scope(std::move(state));
}

const std::string& Scope::id() const { return state_->core->id(); }

absl::StatusOr<Container> Scope::Create(const ContainerConfig& config) {
  const std::shared_ptr<engine::EngineCore>& engine = state_->core->core();
  CK_ASSIGN_OR_RETURN(std::string id, engine->Create(config, this->id()));
  return Container(engine, std::move(id));
}

absl::Status Scope::Close() { return state_->core->Close(); }

}  // namespace containerkit
