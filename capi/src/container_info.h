// What is behind the answers of calls on containers.
#ifndef CONTAINERKIT_CAPI_SRC_CONTAINER_INFO_H_
#define CONTAINERKIT_CAPI_SRC_CONTAINER_INFO_H_

#include <string>
#include <vector>

#include "capi/src/handle.h"
#include "capi/src/strings.h"
#include "containerkit/c/container_info.h"
#include "containerkit/container.h"

namespace containerkit::capi {

// The lists of `info` are moved to the handles.
struct ContainerInfoPayload {
  ContainerInfo info;
  std::string state_name;
  Owned<ck_string_list> command;
  Owned<ck_string_map> labels;
  Owned<ck_string_list> warnings;
};

struct ContainerListPayload {
  std::vector<Owned<ck_container_info>> containers;
};

struct ProcessTablePayload {
  Owned<ck_string_list> titles;
  std::vector<Owned<ck_string_list>> rows;
};

CK_HANDLE_TRAITS(ck_container_info, ContainerInfoPayload, kContainerInfo);
CK_HANDLE_TRAITS(ck_container_list, ContainerListPayload, kContainerList);
CK_HANDLE_TRAITS(ck_container_stats, ContainerStats, kContainerStats);
CK_HANDLE_TRAITS(ck_process_table, ProcessTablePayload, kProcessTable);
CK_HANDLE_TRAITS(ck_path_stat, PathStat, kPathStat);

Owned<ck_container_info> MakeContainerInfo(ContainerInfo info);
Owned<ck_process_table> MakeProcessTable(ProcessTable table);

}  // namespace containerkit::capi

#endif  // CONTAINERKIT_CAPI_SRC_CONTAINER_INFO_H_
