#include "lib/engine/engine_core.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "lib/base/cancel.h"
#include "lib/base/status.h"
#include "lib/container/scope_id.h"
#include "lib/engine/engine_info.h"
#include "lib/engine/filters.h"
#include "lib/oci/platform.h"
#include "lib/registry/credentials.h"
#include "lib/runtime/id_map.h"
#include "lib/store/check.h"
#include "lib/store/garbage.h"
#include "lib/store/mapped_ownership.h"
#include "lib/sys/file_util.h"
#include "lib/sys/pidfd.h"

namespace containerkit::engine {
namespace {

// What List() gives FilterContainers() for its ancestor filter.
std::map<std::string, ImageNames> NamesById(
    const std::vector<ImageSummary>& images) {
  std::map<std::string, ImageNames> names;
  for (const ImageSummary& image : images) {
    names[image.id] = {.repo_tags = image.repo_tags, .ancestors = {image.id}};
  }
  return names;
}

// The same for its network and volume filters.
ContainerPlaces PlacesOf(const ContainerConfig& config) {
  ContainerPlaces places;
  if (config.network.kind == NamespaceChoice::Kind::kNone) {
    places.networks = {"none"};
  } else if (config.network.kind == NamespaceChoice::Kind::kHost) {
    places.networks = {"host"};
  }
  for (const BindMountConfig& bind : config.binds) {
    places.mounts.insert(places.mounts.end(), {bind.source, bind.target});
  }
  for (const TmpfsMountConfig& tmpfs : config.tmpfs) {
    places.mounts.push_back(tmpfs.target);
  }
  return places;
}

absl::StatusOr<image::ImageServiceOptions> ImageOptions(
    const Engine::Options& options) {
  image::ImageServiceOptions image;
  // Read at each pull: a file that is broken must not keep engines from
  // opening, and a login of today counts today.
  image.docker_config_path = options.docker_config;
  image.registry.certs_dir = options.certs_dir;
  image.registry.insecure_registries = options.insecure_registries;
  image.registry.proxies = {.http_proxy = options.http_proxy,
                            .https_proxy = options.https_proxy,
                            .no_proxy = options.no_proxy};
  if (!options.registry_mirrors.empty()) {
    image.registry.mirrors["docker.io"] = options.registry_mirrors;
  }
  return image;
}

oci::Platform PlatformOf(const image::ResolvedImage& image) {
  const oci::ImageConfig& config = image.config->config;
  return {.os = config.os,
          .architecture = config.architecture,
          .variant = config.variant};
}

absl::Status CheckPlatform(const oci::Platform& wanted,
                           const image::ResolvedImage& image) {
  const oci::Platform has = PlatformOf(image);
  if (oci::MatchPlatform(wanted, has).has_value()) return absl::OkStatus();
  return WithObject(
      NotFound(Reason::kPlatformNotFound, "container.create",
               absl::StrCat("image ", image.name, " is for ", has.ToString(),
                            ", not for ", wanted.ToString())),
      "image", image.id);
}

// Docker's warning of an image that this machine runs only by emulation;
// empty: it runs it, or the image does not say what it is for.
std::vector<std::string> ForeignWarnings(const image::ResolvedImage& image) {
  const oci::Platform has = oci::NormalizePlatform(PlatformOf(image));
  const oci::Platform host = oci::HostPlatform();
  const absl::string_view arch = has.architecture;
  const bool runs = arch.empty() || arch == host.architecture ||
                    (arch == "386" && host.architecture == "amd64") ||
                    (arch == "arm" && host.architecture == "arm64");
  if (runs && (has.os.empty() || has.os == host.os)) return {};
  return {absl::StrCat("The requested image's platform (", has.ToString(),
                       ") does not match the detected host platform (",
                       host.ToString(),
                       ") and no specific platform was requested")};
}

}  // namespace

absl::StatusOr<std::shared_ptr<EngineCore>> EngineCore::Open(
    const Engine::Options& options) {
  std::shared_ptr<EngineCore> core(new EngineCore());
  core->options_ = options;
  core->pid_ = getpid();
  CK_ASSIGN_OR_RETURN(core->facts_, runtime::ProbeHostFacts(),
                      "look at this machine");
  CK_ASSIGN_OR_RETURN(core->launcher_, runtime::Launcher::Create());
  CK_RETURN_IF_ERROR(core->OpenStore()) << "open state root " << options.root;
  CK_ASSIGN_OR_RETURN(UniqueFd root, sys::OpenAt(AT_FDCWD, options.root,
                                                 O_RDONLY | O_DIRECTORY));
  core->events_ = std::make_unique<EventLog>(std::move(root));
  CK_ASSIGN_OR_RETURN(image::ImageServiceOptions image_options,
                      ImageOptions(options));
  image_options.writer.ownership_sink = core->ownership_.get();
  image_options.on_warning = [self = core.get()](absl::string_view text) {
    self->Log(LogLevel::kWarning, text);
  };
  image_options.on_rate_limit = [self = core.get()](absl::string_view text) {
    self->Log(LogLevel::kInfo, text);
  };
  core->images_ = std::make_unique<image::ImageService>(
      core->store_.get(), std::move(image_options));
  core->containers_ = std::make_unique<container::ContainerManager>(
      container::ContainerManager::Environment{
          .store = core->store_.get(),
          .launcher = core->launcher_.get(),
          .facts = &core->facts_,
          .event_sink =
              [self = core.get()](
                  const std::string& action, const ContainerInfo& info,
                  const std::map<std::string, std::string>& attributes,
                  absl::Time time) {
                self->EmitContainer(action, info, attributes, time);
              },
          .warn =
              [self = core.get()](absl::string_view warning) {
                self->Log(LogLevel::kWarning, warning);
              }});
  // What a crash left is put in order as far as possible; the rest shows in
  // CheckStore().
  const absl::Status reconciled = core->containers_->Reconcile();
  if (!reconciled.ok()) {
    core->Log(LogLevel::kWarning,
              absl::StrCat("reconcile: ", reconciled.message()));
  }
  return core;
}

absl::Status EngineCore::OpenStore() {
  store::StoreOptions options;
  if (!facts_.privileged()) {
    user_namespace_ =
        std::make_unique<runtime::UserNamespace>(launcher_.get(), &facts_);
    options.run_as_owner =
        [self = user_namespace_.get()](absl::FunctionRef<absl::Status()> body) {
          return self->Run(body);
        };
    if (runtime::RootlessIdMaps(facts_).uids.size() > 1) {
      ownership_ =
          std::make_unique<store::MappedOwnership>(options.run_as_owner);
    }
  }
  CK_ASSIGN_OR_RETURN(store_, store::Store::Open(options_.root, options));
  return absl::OkStatus();
}

EngineCore::~EngineCore() {
  if (getpid() == pid_) return;
  // In a forked child there are no threads to join and no locks to give up:
  // everything belongs to the parent (docs/threading.md).
  [[maybe_unused]] auto* containers = containers_.release();
  [[maybe_unused]] auto* images = images_.release();
  [[maybe_unused]] auto* launcher = launcher_.release();
  [[maybe_unused]] auto* user_namespace = user_namespace_.release();
  [[maybe_unused]] auto* store = store_.release();
}

void EngineCore::Log(LogLevel level, absl::string_view text) const {
  if (options_.log_sink != nullptr) options_.log_sink(level, text);
}

absl::StatusOr<container::ContainerImage> EngineCore::ImageOf(
    const ContainerConfig& config) {
  if (config.image.empty()) {
    return InvalidArgument(Reason::kInvalidReference, "container.create",
                           "the config names no image");
  }
  CK_ASSIGN_OR_RETURN(image::ResolvedImage image,
                      images_->Resolve(config.image));
  std::vector<std::string> warnings;
  if (config.platform.empty()) {
    warnings = ForeignWarnings(image);
  } else {
    CK_ASSIGN_OR_RETURN(const oci::Platform wanted,
                        oci::ParsePlatform(config.platform));
    CK_RETURN_IF_ERROR(CheckPlatform(wanted, image));
  }
  return container::ContainerImage{.id = std::move(image.id),
                                   .reference = config.image,
                                   .config = image.config->config,
                                   .config_json = image.config->json,
                                   .warnings = std::move(warnings)};
}

absl::StatusOr<std::string> EngineCore::Create(const ContainerConfig& config,
                                               const std::string& scope_id) {
  CK_ASSIGN_OR_RETURN(const container::ContainerImage image, ImageOf(config),
                      "create container");
  absl::StatusOr<std::string> id = containers_->Create(config, image, scope_id);
  if (id.ok()) return id;
  // There is no container yet that could be named by its id.
  return WithObject(Prefix(id.status(), "create container"),
                    config.name.empty() ? "image" : "container",
                    config.name.empty() ? config.image : config.name);
}

absl::StatusOr<std::string> EngineCore::DryRun(const ContainerConfig& config) {
  CK_ASSIGN_OR_RETURN(const container::ContainerImage image, ImageOf(config));
  return containers_->DryRun(config, image);
}

absl::StatusOr<std::vector<ContainerInfo>> EngineCore::List(
    const ContainerListOptions& options) {
  CK_ASSIGN_OR_RETURN(const std::vector<std::string> ids,
                      containers_->ListIds());
  std::vector<ContainerInfo> all;
  for (const std::string& id : ids) {
    absl::StatusOr<ContainerInfo> info = containers_->Inspect(id);
    if (GetReason(info.status()) == Reason::kContainerNotFound) continue;
    if (!info.ok()) return info.status();
    all.push_back(*std::move(info));
  }
  FilterFacts facts;
  if (options.filters.contains("ancestor")) {
    CK_ASSIGN_OR_RETURN(const std::vector<ImageSummary> images,
                        images_->List({.all = true, .filters = {}}));
    facts.images = NamesById(images);
  }
  if (options.filters.contains("network") ||
      options.filters.contains("volume")) {
    for (const ContainerInfo& info : all) {
      const auto config = containers_->Config(info.id);
      if (config.ok()) facts.places[info.id] = PlacesOf(*config);
    }
  }
  return FilterContainers(std::move(all), options, facts);
}

absl::StatusOr<std::vector<ImageSummary>> EngineCore::ListImages(
    const ImageListOptions& options) {
  CK_ASSIGN_OR_RETURN(std::vector<ImageSummary> images,
                      images_->List({.all = true, .filters = {}}));
  std::map<std::string, int64_t> users;
  CK_RETURN_IF_ERROR(store_->Read([&](const store::Txn& txn) {
    CK_ASSIGN_OR_RETURN(const std::vector<store::ContainerRow> rows,
                        txn.ListContainers());
    for (const store::ContainerRow& row : rows) ++users[row.image_id];
    return absl::OkStatus();
  }));
  for (ImageSummary& image : images) image.containers = users[image.id];
  return FilterImages(std::move(images), options, absl::Now());
}

absl::StatusOr<EngineInfo> EngineCore::Info() {
  EngineInfo info;
  info.root = store_->root();
  CK_ASSIGN_OR_RETURN(const std::vector<ContainerInfo> containers,
                      List({.all = true}));
  for (const ContainerInfo& container : containers) {
    ++info.containers;
    switch (container.state) {
      case ContainerState::kRunning:
      case ContainerState::kRestarting:
        ++info.containers_running;
        break;
      case ContainerState::kPaused:
        ++info.containers_paused;
        break;
      default:
        ++info.containers_stopped;
    }
  }
  CK_ASSIGN_OR_RETURN(const std::vector<ImageSummary> images,
                      images_->List({.all = true, .filters = {}}));
  info.images = static_cast<int64_t>(images.size());
  DescribeHost(facts_, info);
  return info;
}

absl::StatusOr<std::vector<StoreFinding>> EngineCore::Check(
    bool repair, const CancelToken& cancel) {
  CK_ASSIGN_OR_RETURN(
      const store::CheckReport report,
      store::CheckStore(
          *store_, {.repair = repair, .verify_blobs = true, .cancel = cancel}));
  std::vector<StoreFinding> findings;
  for (const store::Finding& finding : report.findings) {
    findings.push_back({.kind = std::string(store::FindingName(finding.kind)),
                        .object = finding.object,
                        .problem = finding.message,
                        .damage = store::IsDamage(finding.kind),
                        .repaired = finding.repaired});
  }
  return findings;
}

absl::StatusOr<PruneReport> EngineCore::Prune(bool all_images, bool dry_run,
                                              const CancelToken& cancel) {
  PruneReport report;
  CK_ASSIGN_OR_RETURN(const std::vector<ContainerInfo> containers,
                      List({.all = true}));
  for (const ContainerInfo& container : containers) {
    CK_RETURN_IF_ERROR(CheckCancelled(cancel, "engine.prune"));
    if (container.state == ContainerState::kRunning ||
        container.state == ContainerState::kPaused ||
        container.state == ContainerState::kRestarting) {
      continue;
    }
    if (!dry_run) {
      absl::Status removed = containers_->Remove(container.id, {});
      // Started or removed by somebody meanwhile: then it is not garbage.
      if (GetReason(removed) == Reason::kContainerRunning ||
          GetReason(removed) == Reason::kContainerNotFound) {
        continue;
      }
      CK_RETURN_IF_ERROR(removed);
    }
    report.containers.push_back(container.id);
  }
  CK_RETURN_IF_ERROR(CheckCancelled(cancel, "engine.prune"));
  CK_ASSIGN_OR_RETURN(report.images, images_->Prune(all_images, dry_run));
  if (!dry_run) {
    CK_ASSIGN_OR_RETURN(report.reclaimed_bytes, CollectGarbage(cancel));
  }
  return report;
}

absl::StatusOr<uint64_t> EngineCore::CollectGarbage(const CancelToken& cancel) {
  store::GarbageOptions options;
  options.cancel = cancel;
  CK_ASSIGN_OR_RETURN(const store::GarbageResult result,
                      store::CollectGarbage(*store_, options));
  return result.freed_bytes;
}

void EngineCore::EmitContainer(
    const std::string& action, const ContainerInfo& info,
    const std::map<std::string, std::string>& attributes, absl::Time time) {
  EngineEvent event{.type = "container",
                    .action = action,
                    .actor_id = info.id,
                    .attributes = info.labels,
                    .time = time,
                    .json = ""};
  event.attributes["image"] = info.image;
  event.attributes["name"] = info.name;
  for (const auto& [key, value] : attributes) event.attributes[key] = value;
  const absl::Status appended = events_->Append(std::move(event));
  if (!appended.ok()) Log(LogLevel::kWarning, appended.message());
}

void EngineCore::EmitImage(const std::string& action, const std::string& id,
                           const std::string& name) {
  const absl::Status appended =
      events_->Append(EngineEvent{.type = "image",
                                  .action = action,
                                  .actor_id = id,
                                  .attributes = {{"name", name}},
                                  .time = absl::Now(),
                                  .json = ""});
  if (!appended.ok()) Log(LogLevel::kWarning, appended.message());
}

absl::StatusOr<std::shared_ptr<ScopeCore>> ScopeCore::Create(
    std::shared_ptr<EngineCore> core) {
  std::shared_ptr<ScopeCore> scope(new ScopeCore(std::move(core)));
  CK_ASSIGN_OR_RETURN(scope->id_, container::NewScopeId());
  CK_ASSIGN_OR_RETURN(scope->owner_, sys::OpenPidfd(getpid()));
  scope->core_->containers().AddScope(
      {.id = scope->id_, .fd = scope->owner_.get()});
  return scope;
}

ScopeCore::~ScopeCore() { Close().IgnoreError(); }

absl::Status ScopeCore::Close() { return core_->containers().EndScope(id_); }

}  // namespace containerkit::engine
