// Images for tests: tars, layers, archives and a registry, all in memory.
#ifndef CONTAINERKIT_LIB_IMAGE_TESTING_IMAGE_MAKER_H_
#define CONTAINERKIT_LIB_IMAGE_TESTING_IMAGE_MAKER_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "lib/base/digest.h"
#include "lib/base/mutex.h"
#include "lib/oci/image_config.h"
#include "lib/oci/manifest.h"
#include "lib/registry/testing/http_server.h"

namespace containerkit::image::testing {

// One member of a tar; `type` is the ustar flag: '0' file, '5' directory, '2'
// symlink, '1' hardlink, '3' device; 'L' and 'K' have in `content` the name and
// the link of the next member.
struct TarMember {
  std::string name;
  std::string content;
  char type = '0';
  std::string link;
};

std::string MakeTar(const std::vector<TarMember>& members);
// Bytes that compress badly; the same for the same seed.
std::string Noise(size_t size, uint32_t seed);
std::string Gzip(absl::string_view bytes);
std::string Zstd(absl::string_view bytes);
// In one frame that asks for a window of 128 MiB.
std::string ZstdLong(absl::string_view bytes);

// An image with all its documents.
struct TestImage {
  oci::Descriptor manifest;
  std::string manifest_bytes;
  oci::ImageConfig config;
  std::string config_bytes;
  // Every blob by digest text: config and compressed layers.
  std::map<std::string, std::string> blobs;
  // The layers' tars and their digests, base first.
  std::vector<std::string> tars;
  std::vector<oci::Descriptor> layers;

  std::string id() const { return Sha256::Of(config_bytes).str(); }
};

struct TestLayer {
  std::string tar;
  // "gzip", "zstd", "zstd-long" or "".
  std::string compression = "gzip";
};

TestImage MakeImage(const std::vector<TestLayer>& layers,
                    const oci::ImageConfig& base = {});

// The members of an OCI layout with these images, named or not.
std::vector<TarMember> LayoutMembers(
    const std::vector<std::pair<std::string, TestImage>>& images);
// The members that `docker save` writes.
std::vector<TarMember> DockerArchiveMembers(
    const std::vector<std::pair<std::string, TestImage>>& images);

// A registry that serves what it is given; `before` may answer instead.
class TestRegistry {
 public:
  using Override =
      std::function<std::optional<registry::testing::ServerResponse>(
          const registry::testing::ServerRequest&)>;

  TestRegistry();

  // Makes /v2/<path>/... know the image under a tag.
  void Add(const std::string& path, const std::string& tag,
           const TestImage& image);
  void AddDocument(const std::string& path, const std::string& tag,
                   const std::string& bytes, const std::string& media_type);
  void SetOverride(Override override);

  std::string address() const { return server_.address(); }
  // Requests for blobs, as "METHOD target".
  std::vector<std::string> BlobRequests() const;

 private:
  struct Document {
    std::string bytes;
    std::string media_type;
  };
  registry::testing::ServerResponse Answer(
      const registry::testing::ServerRequest& request);

  mutable Mutex mu_;
  std::map<std::string, Document> documents_ ABSL_GUARDED_BY(mu_);
  Override override_ ABSL_GUARDED_BY(mu_);
  // Last, so that it stops before the rest goes.
  registry::testing::HttpServer server_;
};

}  // namespace containerkit::image::testing

#endif  // CONTAINERKIT_LIB_IMAGE_TESTING_IMAGE_MAKER_H_
