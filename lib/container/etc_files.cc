#include "lib/container/etc_files.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "lib/base/mutation.h"
#include "lib/base/status.h"

namespace containerkit::container {

namespace {

constexpr char kOperation[] = "container.etc_files";
constexpr absl::string_view kPublicResolvers[] = {"8.8.8.8", "8.8.4.4"};

absl::Status Bad(absl::string_view what, absl::string_view value) {
  return InvalidArgument(
      Reason::kInvalidArgument, kOperation,
      absl::StrCat(what, " is not valid: \"", absl::CHexEscape(value), "\""));
}

// One word of a line: nothing that ends it or starts a comment.
bool IsWord(absl::string_view word) {
  if constexpr (Mutated("R17")) return true;
  return !word.empty() && std::all_of(word.begin(), word.end(), [](char c) {
    const unsigned char byte = static_cast<unsigned char>(c);
    return byte > ' ' && byte != 0x7f && byte != '#';
  });
}

absl::Status CheckWord(absl::string_view what, absl::string_view word) {
  return IsWord(word) ? absl::OkStatus() : Bad(what, word);
}

bool IsAddress(const std::string& text) {
  in6_addr buffer;
  // A zone ("fe80::1%eth0") is for the resolver to judge.
  const std::string bare = text.substr(0, text.find('%'));
  return IsWord(text) && (inet_pton(AF_INET, bare.c_str(), &buffer) == 1 ||
                          inet_pton(AF_INET6, bare.c_str(), &buffer) == 1);
}

bool IsLoopback(const std::string& text) {
  in_addr v4;
  if (inet_pton(AF_INET, text.c_str(), &v4) == 1) {
    return (ntohl(v4.s_addr) >> 24) == 127;
  }
  in6_addr v6;
  return inet_pton(AF_INET6, text.c_str(), &v6) == 1 &&
         IN6_IS_ADDR_LOOPBACK(&v6);
}

bool IsHostNetwork(const ContainerConfig& config) {
  return config.network.kind == NamespaceChoice::Kind::kHost;
}

struct Resolver {
  std::vector<std::string> servers;
  std::vector<std::string> search;
  std::vector<std::string> options;
};

// resolv.conf(5): of search and domain the last line wins.
Resolver ParseResolver(absl::string_view text) {
  Resolver resolver;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    std::vector<std::string> words =
        absl::StrSplit(line, absl::ByAnyChar(" \t\r"), absl::SkipEmpty());
    if (words.size() < 2 || words[0][0] == '#' || words[0][0] == ';') continue;
    const std::string keyword = std::move(words[0]);
    words.erase(words.begin());
    if (!std::all_of(words.begin(), words.end(), IsWord)) continue;
    if (keyword == "nameserver") {
      if (IsAddress(words[0])) resolver.servers.push_back(words[0]);
    } else if (keyword == "search") {
      resolver.search = std::move(words);
    } else if (keyword == "domain") {
      resolver.search = {words[0]};
    } else if (keyword == "options") {
      resolver.options.insert(resolver.options.end(), words.begin(),
                              words.end());
    }
  }
  return resolver;
}

absl::Status CheckNames(const NameConfig& names) {
  for (const std::string& server : names.servers) {
    if (!IsAddress(server)) return Bad("DNS server", server);
  }
  for (const std::string& domain : names.search) {
    CK_RETURN_IF_ERROR(CheckWord("DNS search domain", domain));
  }
  for (const std::string& option : names.options) {
    CK_RETURN_IF_ERROR(CheckWord("DNS option", option));
  }
  return absl::OkStatus();
}

absl::Status AppendExtraHosts(const ContainerConfig& config,
                              const EtcInputs& inputs, std::string* text) {
  for (const auto& [name, value] : config.names.extra_hosts) {
    CK_RETURN_IF_ERROR(CheckWord("extra host", name));
    std::string address = value;
    if (address == "host-gateway") {
      address = inputs.host_gateway;
      if (address.empty() && IsHostNetwork(config)) address = "127.0.0.1";
      if (address.empty()) {
        return MakeError(absl::StatusCode::kInvalidArgument,
                         absl::StrCat("no host-gateway for extra host ", name),
                         {.reason = Reason::kInvalidArgument,
                          .operation = kOperation,
                          .hint = "the container has no network to the host"});
      }
    }
    if (!IsAddress(address)) return Bad("address of an extra host", address);
    absl::StrAppend(text, address, "\t", name, "\n");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> HostsFile(const ContainerConfig& config,
                                      absl::string_view hostname,
                                      const EtcInputs& inputs) {
  std::string text;
  const bool copy = IsHostNetwork(config) && !inputs.host_hosts.empty();
  if (copy) {
    text = inputs.host_hosts;
    if (text.back() != '\n') text += '\n';
  } else {
    text =
        "127.0.0.1\tlocalhost\n"
        "::1\tlocalhost ip6-localhost ip6-loopback\n"
        "fe00::\tip6-localnet\n"
        "ff00::\tip6-mcastprefix\n"
        "ff02::1\tip6-allnodes\n"
        "ff02::2\tip6-allrouters\n";
  }
  CK_RETURN_IF_ERROR(AppendExtraHosts(config, inputs, &text));
  if (copy) return text;
  const std::string address =
      inputs.address.empty() ? "127.0.0.1" : inputs.address;
  if (!IsAddress(address)) return Bad("own address", address);
  absl::StrAppend(&text, address, "\t");
  if (!config.domainname.empty()) {
    CK_RETURN_IF_ERROR(CheckWord("domain name", config.domainname));
    absl::StrAppend(&text, hostname, ".", config.domainname, " ");
  }
  absl::StrAppend(&text, hostname, "\n");
  return text;
}

absl::StatusOr<std::string> ResolvConfFile(const ContainerConfig& config,
                                           absl::string_view host_file) {
  const NameConfig& names = config.names;
  CK_RETURN_IF_ERROR(CheckNames(names));
  const bool host_network = config.network.kind == NamespaceChoice::Kind::kHost;
  if (host_network && names.servers.empty() && names.search.empty() &&
      names.options.empty()) {
    return std::string(host_file);
  }
  Resolver resolver = ParseResolver(host_file);
  if (!names.servers.empty()) {
    resolver.servers = names.servers;
  } else if (!host_network) {
    resolver.servers.erase(std::remove_if(resolver.servers.begin(),
                                          resolver.servers.end(), IsLoopback),
                           resolver.servers.end());
    if (resolver.servers.empty()) {
      for (const absl::string_view server : kPublicResolvers) {
        resolver.servers.emplace_back(server);
      }
    }
  }
  if (!names.search.empty()) resolver.search = names.search;
  if (!names.options.empty()) resolver.options = names.options;
  if (resolver.search == std::vector<std::string>{"."}) {
    resolver.search.clear();
  }
  std::string text;
  for (const std::string& server : resolver.servers) {
    absl::StrAppend(&text, "nameserver ", server, "\n");
  }
  if (!resolver.search.empty()) {
    absl::StrAppend(&text, "search ", absl::StrJoin(resolver.search, " "),
                    "\n");
  }
  if (!resolver.options.empty()) {
    absl::StrAppend(&text, "options ", absl::StrJoin(resolver.options, " "),
                    "\n");
  }
  return text;
}

}  // namespace

absl::StatusOr<EtcFiles> MakeEtcFiles(const ContainerConfig& config,
                                      absl::string_view hostname,
                                      absl::string_view host_resolv_conf,
                                      const EtcInputs& inputs) {
  CK_RETURN_IF_ERROR(CheckWord("host name", hostname));
  EtcFiles files;
  files.hostname = absl::StrCat(hostname, "\n");
  CK_ASSIGN_OR_RETURN(files.hosts, HostsFile(config, hostname, inputs));
  CK_ASSIGN_OR_RETURN(files.resolv_conf,
                      ResolvConfFile(config, host_resolv_conf));
  return files;
}

}  // namespace containerkit::container
