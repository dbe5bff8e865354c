#include "lib/store/layer_unpacker.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "lib/base/cancel.h"
#include "lib/base/mutex.h"
#include "lib/base/status.h"
#include "lib/store/bounded_queue.h"
#include "lib/store/tar_reader.h"
#include "lib/store/temp_entry.h"
#include "lib/sys/file_util.h"
#include "lib/sys/quiet_thread.h"
#include "lib/sys/root_dir.h"

namespace containerkit::store {
namespace {

constexpr char kOperation[] = "store.unpack";
constexpr char kWhat[] = "layer";
// Compressed input is kept in pieces of this size. So many of them wait
// before the threads are started: a layer that has no more is unpacked by the
// thread that calls Finish(), as starting threads and waking them costs more
// than they gain on it, and other layers keep the other processors busy.
constexpr size_t kChunkBytes = 256 << 10;
constexpr size_t kChunks = 16;
// Tar data is handed over in blocks: large enough that waking a thread costs
// nothing beside filling one. Without threads a block stays in the cache.
constexpr size_t kBlockBytes = 1 << 20;
constexpr size_t kBlocks = 6;
constexpr size_t kInlineBlockBytes = 256 << 10;

struct Block {
  std::unique_ptr<char[]> data;
  size_t size = 0;
};

std::string Warning(uint64_t count, absl::string_view what) {
  return absl::StrCat(count, " ", what);
}

}  // namespace

// The threads and what they share. Thread 1 (inflate): chunks_ -> inflated_.
// Thread 2 (hash): inflated_ -> hashed_. Thread 3 (write): hashed_ -> files.
// The first error of any thread ends all. Of a small layer the thread that
// calls Finish() does all of it, block by block.
class LayerUnpacker::Pipeline final : private ByteSource {
 public:
  Pipeline(Store& store, Lease& lease, const LayerUnpackerOptions& options)
      : store_(store), lease_(lease), options_(options) {
    options_.writer.user_xattrs = store.user_xattrs();
  }
  ~Pipeline() override { Stop(); }

  absl::Status Start();
  absl::Status Write(absl::string_view bytes);
  absl::StatusOr<LayerRecord> Finish();

 private:
  absl::Status HandOver();
  absl::Status StartThreads();
  // The work of each thread.
  absl::Status InflateAll();
  absl::Status HashAll();
  absl::Status WriteAllFiles();
  absl::Status FillBlock(Block& block, size_t capacity);
  absl::StatusOr<bool> NextChunk();
  absl::Status TakeInRest();
  absl::Status CheckWait() ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<absl::string_view> Next() override;

  void Fail(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status FirstFailure() ABSL_LOCKS_EXCLUDED(mutex_);
  void Join();
  void Stop();
  absl::Status Publish(const Digest& diff_id, LayerRecord& record);
  LayerRecord MakeRecord(const Digest& diff_id) const;

  Store& store_;
  Lease& lease_;
  LayerUnpackerOptions options_;
  // tmp/layer-<random>, locked; becomes layers/<algorithm>/<hex>.
  TempEntry temp_;
  std::optional<sys::RootDir> root_;
  std::optional<LayerWriter> writer_;

  // Of the caller's thread.
  std::string chunk_;  // Not yet handed over.
  size_t handed_over_ = 0;
  bool finished_ = false;
  bool threaded_ = false;  // Does not change while threads run.
  std::vector<std::thread> threads_;

  BoundedQueue<std::string> chunks_{kChunks};
  BoundedQueue<Block> inflated_{kBlocks};
  BoundedQueue<Block> hashed_{kBlocks};
  // Blocks to fill again: allocating a MiB costs its page faults each time.
  BoundedQueue<Block> free_blocks_{kBlocks};

  // Of thread 1 until it is joined.
  std::unique_ptr<Decompressor> decompressor_;
  std::string inflating_;
  absl::string_view input_;  // What is left of inflating_.
  bool block_was_full_ = false;
  uint64_t compressed_bytes_ = 0;
  uint64_t tar_bytes_ = 0;
  // The rest of the compressed stream, after TakeInRest().
  UniqueFd rest_;

  Hasher hasher_;  // Of thread 2.
  Block reading_;  // Of thread 3.

  Mutex mutex_;
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);
};

absl::Status LayerUnpacker::Pipeline::Start() {
  const Layout& layout = store_.layout();
  CK_RETURN_IF_ERROR(layout.CheckProcess());
  if (!options_.diff_id.empty()) {
    CK_RETURN_IF_ERROR(lease_.Protect({}, {options_.diff_id}));
    hasher_ = Hasher(options_.diff_id.algorithm());
  }
  CK_ASSIGN_OR_RETURN(temp_, MakeTempDir(layout.temp_fd(), "layer-"));
  CK_RETURN_IF_ERROR(sys::MakeDirAt(temp_.fd.get(), "fs", 0700).status());
  CK_ASSIGN_OR_RETURN(sys::RootDir root,
                      sys::RootDir::OpenAt(temp_.fd.get(), "fs"));
  root_.emplace(std::move(root));
  writer_.emplace(&*root_, options_.writer);
  return absl::OkStatus();
}

absl::Status LayerUnpacker::Pipeline::StartThreads() {
  threaded_ = true;
  for (size_t i = 0; i < kBlocks; ++i) free_blocks_.Push({});
  using Work = absl::Status (Pipeline::*)();
  for (const Work work :
       {&Pipeline::InflateAll, &Pipeline::HashAll, &Pipeline::WriteAllFiles}) {
    CK_ASSIGN_OR_RETURN(std::thread thread, sys::StartQuietThread([this, work] {
                          const absl::Status status = (this->*work)();
                          if (!status.ok()) Fail(status);
                        }));
    threads_.push_back(std::move(thread));
  }
  return absl::OkStatus();
}

void LayerUnpacker::Pipeline::Fail(const absl::Status& status) {
  {
    MutexLock lock(&mutex_);
    if (failure_.ok()) failure_ = status;
  }
  chunks_.Abort();
  inflated_.Abort();
  hashed_.Abort();
  free_blocks_.Abort();
}

absl::Status LayerUnpacker::Pipeline::FirstFailure() {
  MutexLock lock(&mutex_);
  return failure_;
}

void LayerUnpacker::Pipeline::Join() {
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void LayerUnpacker::Pipeline::Stop() {
  Fail(absl::CancelledError("unpack is stopped"));
  Join();
  root_.reset();
  if (!temp_.fd.ok() || !store_.layout().CheckProcess().ok()) return;
  // Renamed first: then it is garbage for everybody even if this process dies
  // while it removes it.
  const Layout& layout = store_.layout();
  if (layout.MoveToTrash(layout.temp_fd(), temp_.name).ok()) {
    layout.EmptyTrash(absl::InfiniteDuration()).IgnoreError();
  }
  temp_.fd.Reset();
}

absl::Status LayerUnpacker::Pipeline::Write(absl::string_view bytes) {
  while (!bytes.empty()) {
    if (chunk_.empty()) chunk_.reserve(kChunkBytes);
    const size_t n = std::min(bytes.size(), kChunkBytes - chunk_.size());
    chunk_.append(bytes.data(), n);
    bytes.remove_prefix(n);
    if (chunk_.size() < kChunkBytes) break;
    CK_RETURN_IF_ERROR(HandOver());
  }
  return absl::OkStatus();
}

absl::Status LayerUnpacker::Pipeline::HandOver() {
  if (handed_over_++ == kChunks) {
    const absl::Status started = StartThreads();
    if (!started.ok()) {
      Fail(started);
      return started;
    }
  }
  if (!chunks_.Push(std::exchange(chunk_, {}))) return FirstFailure();
  return absl::OkStatus();
}

absl::Status LayerUnpacker::Pipeline::InflateAll() {
  for (bool more = true; more;) {
    std::optional<Block> block = free_blocks_.Pop();
    if (!block.has_value()) return FirstFailure();
    CK_RETURN_IF_ERROR(FillBlock(*block, kBlockBytes));
    more = block_was_full_;
    if (block->size > 0 && !inflated_.Push(*std::move(block))) {
      return FirstFailure();
    }
  }
  inflated_.Close();
  return absl::OkStatus();
}

// Inflates until `block` is full or the input has ended.
absl::Status LayerUnpacker::Pipeline::FillBlock(Block& block, size_t capacity) {
  if (block.data == nullptr) block.data.reset(new char[capacity]);
  block.size = 0;
  // A full block may mean that more output waits, with all input taken.
  bool more_output = std::exchange(block_was_full_, false);
  while (block.size < capacity) {
    if (input_.empty() && !more_output) {
      CK_ASSIGN_OR_RETURN(const bool more_input, NextChunk());
      if (!more_input) {
        if (decompressor_ != nullptr) {
          CK_RETURN_IF_ERROR(decompressor_->Finish());
          decompressor_.reset();  // Others may wait for its memory.
        }
        return absl::OkStatus();
      }
    }
    more_output = false;
    if (decompressor_ == nullptr) {
      CK_ASSIGN_OR_RETURN(
          decompressor_,
          Decompressor::Create(
              options_.compression.value_or(DetectCompression(input_)),
              {.take_in_rest = [this] { return TakeInRest(); },
               .check = [this] { return CheckWait(); }}));
    }
    CK_ASSIGN_OR_RETURN(
        const size_t made,
        decompressor_->Run(input_, block.data.get() + block.size,
                           capacity - block.size));
    block.size += made;
    tar_bytes_ += made;
    CK_RETURN_IF_ERROR(CheckStreamLimits(options_.limits, compressed_bytes_,
                                         tar_bytes_, kWhat, kOperation));
  }
  block_was_full_ = true;
  return absl::OkStatus();
}

// The next compressed bytes into input_; false: there are no more.
absl::StatusOr<bool> LayerUnpacker::Pipeline::NextChunk() {
  if (rest_.ok()) {
    inflating_.resize(kChunkBytes);
    ssize_t n;
    do {
      n = read(rest_.get(), inflating_.data(), kChunkBytes);
    } while (n < 0 && errno == EINTR);
    if (n < 0) return SyscallError(errno, kOperation, "read");
    inflating_.resize(static_cast<size_t>(n));
  } else {
    std::optional<std::string> chunk = chunks_.Pop();
    inflating_ = std::move(chunk).value_or("");
  }
  input_ = inflating_;
  compressed_bytes_ += input_.size();
  return !input_.empty();
}

// Until the caller has handed over everything, what comes goes to an unnamed
// file: a layer that others wait for must not wait for a network, nor for a
// callback that may itself wait for such a layer.
absl::Status LayerUnpacker::Pipeline::TakeInRest() {
  if (!threaded_ || rest_.ok()) return absl::OkStatus();
  CK_ASSIGN_OR_RETURN(TempEntry file, MakeTempFile(temp_.fd.get(), "rest-"));
  if (unlinkat(temp_.fd.get(), file.name.c_str(), 0) != 0) {
    return SyscallError(errno, kOperation, "unlinkat", file.name);
  }
  uint64_t size = 0;
  while (std::optional<std::string> chunk = chunks_.Pop()) {
    size += chunk->size();
    CK_RETURN_IF_ERROR(
        CheckStreamLimits(options_.limits, size, size, kWhat, kOperation));
    CK_RETURN_IF_ERROR(sys::WriteAll(file.fd.get(), *chunk));
  }
  CK_RETURN_IF_ERROR(FirstFailure());
  if (lseek(file.fd.get(), 0, SEEK_SET) != 0) {
    return SyscallError(errno, kOperation, "lseek");
  }
  rest_ = std::move(file.fd);
  return absl::OkStatus();
}

absl::Status LayerUnpacker::Pipeline::HashAll() {
  while (std::optional<Block> block = inflated_.Pop()) {
    hasher_.Update(block->data.get(), block->size);
    if (!hashed_.Push(*std::move(block))) return FirstFailure();
  }
  hashed_.Close();
  return absl::OkStatus();
}

absl::Status LayerUnpacker::Pipeline::CheckWait() {
  if (options_.cancel != nullptr) {
    CK_RETURN_IF_ERROR(CheckCancelled(*options_.cancel, kOperation));
  }
  return FirstFailure();
}

absl::StatusOr<absl::string_view> LayerUnpacker::Pipeline::Next() {
  if (!threaded_) {
    CK_RETURN_IF_ERROR(FillBlock(reading_, kInlineBlockBytes));
    hasher_.Update(reading_.data.get(), reading_.size);
    return absl::string_view(reading_.data.get(), reading_.size);
  }
  if (reading_.data != nullptr) {
    free_blocks_.Push(std::exchange(reading_, {}));
  }
  std::optional<Block> block = hashed_.Pop();
  if (block.has_value()) {
    reading_ = *std::move(block);
    return absl::string_view(reading_.data.get(), reading_.size);
  }
  // Closed: the end, or another thread's failure.
  CK_RETURN_IF_ERROR(FirstFailure());
  return absl::string_view();
}

absl::Status LayerUnpacker::Pipeline::WriteAllFiles() {
  CK_ASSIGN_OR_RETURN(const std::unique_ptr<TarReader> tar,
                      TarReader::Open(this));
  TarEntry entry;
  for (;;) {
    CK_ASSIGN_OR_RETURN(const bool more, tar->Next(entry));
    if (!more) break;
    CK_RETURN_IF_ERROR(writer_->Add(entry, *tar));
  }
  // Padding after the end still counts for the digest.
  for (;;) {
    CK_ASSIGN_OR_RETURN(const absl::string_view rest, Next());
    if (rest.empty()) break;
  }
  return writer_->Finish();
}

LayerRecord LayerUnpacker::Pipeline::MakeRecord(const Digest& diff_id) const {
  const LayerWriterStats& stats = writer_->stats();
  LayerRecord record;
  record.set_diff_id(diff_id.str());
  record.set_size_bytes(stats.file_bytes);
  record.set_entry_count(stats.entry_count);
  record.set_tar_bytes(tar_bytes_);
  record.set_created_ns(absl::ToUnixNanos(absl::Now()));
  const std::pair<uint64_t, const char*> warnings[] = {
      {stats.dropped_owners,
       "owners were not kept: the user's ranges in /etc/subuid and /etc/subgid "
       "do not have them"},
      {stats.dropped_devices, "devices were not made"},
      {stats.dropped_xattrs, "extended attributes were not kept"},
      {stats.opaque_roots, "opaque markers of the root have no effect"}};
  for (const auto& [count, what] : warnings) {
    if (count > 0) record.add_warnings(Warning(count, what));
  }
  return record;
}

absl::StatusOr<LayerRecord> LayerUnpacker::Pipeline::Finish() {
  if (std::exchange(finished_, true)) {
    return InternalError(kOperation, "unpacker is finished already");
  }
  if (!chunk_.empty()) {
    CK_RETURN_IF_ERROR(HandOver());
  }
  chunks_.Close();
  if (!threaded_) {
    const absl::Status status = WriteAllFiles();
    if (!status.ok()) Fail(status);
  }
  Join();
  CK_RETURN_IF_ERROR(FirstFailure());
  const Digest diff_id = hasher_.Finish();
  if (!options_.diff_id.empty() && diff_id != options_.diff_id) {
    const absl::Status mismatch =
        MakeError(absl::StatusCode::kDataLoss,
                  absl::StrCat("layer has diff id ", diff_id.str(), ", not ",
                               options_.diff_id.str()),
                  {.reason = Reason::kDiffIdMismatch,
                   .operation = kOperation,
                   .object_kind = "layer",
                   .object_id = options_.diff_id.str()});
    Fail(mismatch);
    return mismatch;
  }
  if (options_.diff_id.empty()) {
    CK_RETURN_IF_ERROR(lease_.Protect({}, {diff_id}));
  }
  LayerRecord record = MakeRecord(diff_id);
  CK_RETURN_IF_ERROR(Publish(diff_id, record));
  if (options_.sync == LayerSync::kNow) {
    CK_RETURN_IF_ERROR(store_.SyncLayers());
  }
  return record;
}

// One transaction: so no collector and no other unpacker of the same layer is
// between the row and the rename.
absl::Status LayerUnpacker::Pipeline::Publish(const Digest& diff_id,
                                              LayerRecord& record) {
  const Layout& layout = store_.layout();
  const int layers_fd = layout.layers_fd(diff_id.algorithm());
  const std::string name(diff_id.hex());
  bool renamed = false;
  const absl::Status status = store_.Transaction([&](Txn& txn) -> absl::Status {
    const bool present = faccessat(layers_fd, name.c_str(), F_OK, 0) == 0;
    absl::StatusOr<LayerRecord> known = txn.GetLayer(diff_id);
    if (known.ok() && present) {
      record = *std::move(known);
      return absl::OkStatus();
    }
    // A directory without a row: its writer died in this transaction.
    if (present) {
      CK_RETURN_IF_ERROR(layout.MoveToTrash(layers_fd, name).status());
    }
    CK_RETURN_IF_ERROR(
        txn.PutLayer(record, store_.options().durable ? layout.boot_id() : ""));
    if (renameat(layout.temp_fd(), temp_.name.c_str(), layers_fd,
                 name.c_str()) != 0) {
      return SyscallError(errno, kOperation, "rename", name);
    }
    renamed = true;
    return absl::OkStatus();
  });
  if (!renamed) return Prefix(status, "publish layer");
  // Whatever happened to the row, the temporary name is gone.
  temp_.fd.Reset();
  if (status.ok()) return status;
  // The commit failed (disk full): take the directory back, unless somebody
  // else has published the layer since. If this fails too, the collector does.
  store_
      .Transaction([&](Txn& txn) -> absl::Status {
        if (txn.GetLayer(diff_id).ok()) return absl::OkStatus();
        return layout.MoveToTrash(layers_fd, name).status();
      })
      .IgnoreError();
  layout.EmptyTrash(absl::InfiniteDuration()).IgnoreError();
  return Prefix(status, "publish layer");
}

LayerUnpacker::LayerUnpacker(std::unique_ptr<Pipeline> pipeline)
    : pipeline_(std::move(pipeline)) {}

LayerUnpacker::~LayerUnpacker() = default;

absl::StatusOr<std::unique_ptr<LayerUnpacker>> LayerUnpacker::Start(
    Store& store, Lease& lease, const LayerUnpackerOptions& options) {
  auto pipeline = std::make_unique<Pipeline>(store, lease, options);
  CK_RETURN_IF_ERROR(pipeline->Start()) << "unpack layer";
  return std::unique_ptr<LayerUnpacker>(new LayerUnpacker(std::move(pipeline)));
}

absl::Status LayerUnpacker::Write(absl::string_view bytes) {
  return pipeline_->Write(bytes);
}

absl::StatusOr<LayerRecord> LayerUnpacker::Finish() {
  return pipeline_->Finish();
}

}  // namespace containerkit::store
