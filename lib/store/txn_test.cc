#include "lib/store/txn.h"

#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "lib/base/status.h"
#include "lib/store/store_test_util.h"

namespace containerkit::store {
namespace {

ImageRecord Image(const std::string& seed, int64_t created_ns = 1) {
  ImageRecord image;
  image.set_id(Sha256::Of(seed).str());
  image.set_created_ns(created_ns);
  image.add_layers()->set_diff_id(Sha256::Of(seed + " layer").str());
  return image;
}

ReferenceRecord Reference(const std::string& name, const ImageRecord& image) {
  ReferenceRecord reference;
  reference.set_name(name);
  reference.set_image_id(image.id());
  return reference;
}

class TxnTest : public StoreTest {
 protected:
  absl::Status Write(absl::FunctionRef<absl::Status(Txn&)> fn) {
    return store_->Transaction(fn);
  }
  void MustWrite(absl::FunctionRef<absl::Status(Txn&)> fn) {
    const absl::Status status = Write(fn);
    ASSERT_TRUE(status.ok()) << status;
  }
};

TEST_F(TxnTest, KeepsImagesAndNames) {
  const ImageRecord one = Image("one", 1), two = Image("two", 2);
  MustWrite([&](Txn& txn) -> absl::Status {
    CK_RETURN_IF_ERROR(txn.PutImage(one));
    CK_RETURN_IF_ERROR(txn.PutImage(two));
    CK_RETURN_IF_ERROR(txn.PutReference(Reference("a:1", one)));
    CK_RETURN_IF_ERROR(txn.PutReference(Reference("b\xff:1", one)));
    return txn.PutReference(Reference("c:1", two));
  });
  Reopen();
  MustWrite([&](Txn& txn) -> absl::Status {
    CK_ASSIGN_OR_RETURN(const auto images, txn.ListImages());
    EXPECT_EQ(images.size(), 2u);
    EXPECT_EQ(images[0].id(), two.id());  // Newest first.
    EXPECT_EQ(txn.GetImage(one.id())->layers(0).diff_id(),
              one.layers(0).diff_id());
    EXPECT_EQ(txn.FindImage(one.id().substr(7, 12))->id(), one.id());
    EXPECT_EQ(txn.FindImage(one.id().substr(0, 19))->id(), one.id());
    EXPECT_EQ(txn.GetReference("b\xff:1")->image_id(), one.id());
    EXPECT_EQ(txn.ListReferences()->size(), 3u);
    EXPECT_EQ(txn.ListReferences(one.id())->size(), 2u);
    // Moving a name.
    CK_RETURN_IF_ERROR(txn.PutReference(Reference("a:1", two)));
    EXPECT_EQ(txn.ListReferences(one.id())->size(), 1u);
    EXPECT_TRUE(txn.RemoveReference("a:1").value());
    EXPECT_FALSE(txn.RemoveReference("a:1").value());
    return absl::OkStatus();
  });
}

TEST_F(TxnTest, NamesWhatIsNotThere) {
  MustWrite([&](Txn& txn) -> absl::Status {
    const absl::Status results[] = {
        txn.GetImage(Sha256::Of("x").str()).status(),
        txn.FindImage("abc").status(),
        txn.FindImage("").status(),
        txn.FindImage("%").status(),
        txn.GetReference("x").status(),
        txn.RemoveImage(Sha256::Of("x").str()),
        txn.PutReference(Reference("x", Image("absent")))};
    for (const absl::Status& status : results) {
      EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
      EXPECT_EQ(GetReason(status), Reason::kImageNotFound);
    }
    EXPECT_EQ(GetReason(txn.GetLayer(Sha256::Of("x")).status()),
              Reason::kLayerNotFound);
    for (const absl::Status& status :
         {txn.GetContainer("x").status(), txn.FindContainer("x").status(),
          txn.FindContainer("").status(),
          txn.UpdateContainer({.id = "x", .name = "y"})}) {
      EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
      EXPECT_EQ(GetReason(status), Reason::kContainerNotFound);
    }
    EXPECT_FALSE(txn.RemoveContainer("x").value());
    ImageRecord bad;
    bad.set_id("sha256:../../etc");
    EXPECT_EQ(GetReason(txn.PutImage(bad)), Reason::kInvalidDigest);
    return absl::OkStatus();
  });
}

TEST_F(TxnTest, FindsImagesByUnambiguousBeginnings) {
  // Two ids with one first digit in common; 17 always have.
  std::vector<ImageRecord> images;
  for (int i = 0; i < 17; ++i) images.push_back(Image(absl::StrCat(i)));
  MustWrite([&](Txn& txn) -> absl::Status {
    for (const ImageRecord& image : images) {
      CK_RETURN_IF_ERROR(txn.PutImage(image));
    }
    int ambiguous = 0;
    for (const ImageRecord& image : images) {
      const auto found = txn.FindImage(image.id().substr(7, 1));
      if (found.ok()) continue;
      ++ambiguous;
      EXPECT_EQ(found.status().code(), absl::StatusCode::kInvalidArgument);
      EXPECT_EQ(GetReason(found.status()), Reason::kImageAmbiguous);
      EXPECT_EQ(txn.FindImage(image.id().substr(7, 20))->id(), image.id());
    }
    EXPECT_GT(ambiguous, 0);
    return absl::OkStatus();
  });
}

TEST_F(TxnTest, KeepsContainersWithUniqueNames) {
  const ImageRecord image = Image("i");
  MustWrite([&](Txn& txn) -> absl::Status {
    CK_RETURN_IF_ERROR(txn.PutImage(image));
    return txn.InsertContainer({.id = "abc1",
                                .name = "db",
                                .image_id = image.id(),
                                .created_ns = 5,
                                .scope_id = "s",
                                .auto_remove = true,
                                .state = 3,
                                .record = std::string("\0\xff", 2)});
  });
  const absl::Status taken = Write([](Txn& txn) {
    return txn.InsertContainer({.id = "abc2", .name = "db"});
  });
  EXPECT_EQ(taken.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(GetReason(taken), Reason::kNameInUse);
  EXPECT_EQ(GetErrorDetail(taken)->object_id, "abc1");
  EXPECT_EQ(Write([](Txn& txn) {
              return txn.InsertContainer({.id = "abc1", .name = "other"});
            }).code(),
            absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(GetReason(Write([](Txn& txn) {
              return txn.InsertContainer({.id = "", .name = "x"});
            })),
            Reason::kInvalidArgument);
  EXPECT_EQ(GetReason(Write([](Txn& txn) {
              return txn.InsertContainer(
                  {.id = "x", .name = "x", .image_id = "sha256:none"});
            })),
            Reason::kImageNotFound);
  MustWrite([&](Txn& txn) -> absl::Status {
    CK_RETURN_IF_ERROR(txn.InsertContainer(
        {.id = "abc2", .name = "abc", .created_ns = 6, .state = 4}));
    CK_ASSIGN_OR_RETURN(ContainerRow row, txn.GetContainer("abc1"));
    EXPECT_EQ(row.name, "db");
    EXPECT_EQ(row.image_id, image.id());
    EXPECT_EQ(row.created_ns, 5);
    EXPECT_EQ(row.scope_id, "s");
    EXPECT_TRUE(row.auto_remove);
    EXPECT_EQ(row.state, 3);
    EXPECT_EQ(row.record, std::string("\0\xff", 2));
    EXPECT_EQ(txn.FindContainer("abc1")->id, "abc1");
    EXPECT_EQ(txn.FindContainer("db")->id, "abc1");
    EXPECT_EQ(txn.FindContainer("abc")->id, "abc2");  // A name wins.
    EXPECT_EQ(GetReason(txn.FindContainer("ab").status()),
              Reason::kContainerAmbiguous);
    EXPECT_EQ(txn.ListContainers()->front().id, "abc2");  // Newest first.
    EXPECT_EQ(txn.ListContainers({.image_id = image.id()})->size(), 1u);
    EXPECT_EQ(txn.ListContainers({.scope_id = "s"})->front().id, "abc1");
    EXPECT_EQ(txn.ListContainers({.state = 4})->front().id, "abc2");
    EXPECT_TRUE(txn.ListContainers({.scope_id = "s", .state = 4})->empty());
    // Rename, also onto a taken name.
    row.name = "abc";
    EXPECT_EQ(GetReason(txn.UpdateContainer(row)), Reason::kNameInUse);
    row.name = "renamed";
    row.state = 9;
    CK_RETURN_IF_ERROR(txn.UpdateContainer(row));
    EXPECT_EQ(txn.FindContainer("renamed")->state, 9);
    EXPECT_TRUE(txn.RemoveContainer("abc1").value());
    return txn.InsertContainer({.id = "abc3", .name = "renamed"});
  });
}

TEST_F(TxnTest, KeepsImagesThatContainersUse) {
  const ImageRecord image = Image("i");
  MustWrite([&](Txn& txn) -> absl::Status {
    CK_RETURN_IF_ERROR(txn.PutImage(image));
    CK_RETURN_IF_ERROR(txn.PutReference(Reference("n", image)));
    return txn.InsertContainer(
        {.id = "c", .name = "c", .image_id = image.id()});
  });
  const absl::Status refused =
      Write([&](Txn& txn) { return txn.RemoveImage(image.id()); });
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(GetReason(refused), Reason::kImageInUse);
  EXPECT_EQ(GetErrorDetail(refused)->object_id, "c");
  MustWrite([&](Txn& txn) -> absl::Status {
    CK_RETURN_IF_ERROR(txn.RemoveImage(image.id(), /*force=*/true));
    EXPECT_TRUE(absl::IsNotFound(txn.GetImage(image.id()).status()));
    EXPECT_TRUE(absl::IsNotFound(txn.GetReference("n").status()));
    EXPECT_TRUE(txn.ListImages()->empty());
    EXPECT_EQ(txn.GetContainer("c")->image_id, image.id());
    // Pulled again, it is back.
    CK_RETURN_IF_ERROR(txn.PutImage(image));
    EXPECT_TRUE(txn.GetImage(image.id()).ok());
    return absl::OkStatus();
  });
}

TEST_F(TxnTest, UpdatesOfAHiddenImagesContainerSucceed) {
  const ImageRecord image = Image("i");
  MustWrite([&](Txn& txn) -> absl::Status {
    CK_RETURN_IF_ERROR(txn.PutImage(image));
    CK_RETURN_IF_ERROR(
        txn.InsertContainer({.id = "c", .name = "c", .image_id = image.id()}));
    CK_RETURN_IF_ERROR(txn.RemoveImage(image.id(), /*force=*/true));
    CK_ASSIGN_OR_RETURN(ContainerRow row, txn.GetContainer("c"));
    row.state = 2;
    return txn.UpdateContainer(row);
  });
}

TEST_F(TxnTest, KeepsValuesByPrefix) {
  MustWrite([](Txn& txn) -> absl::Status {
    CK_RETURN_IF_ERROR(txn.PutValue("a/1", "x"));
    CK_RETURN_IF_ERROR(txn.PutValue("a/2", std::string("\0", 1)));
    CK_RETURN_IF_ERROR(txn.PutValue("a0", "not below a/"));
    CK_RETURN_IF_ERROR(txn.PutValue("\xff\xff/1", ""));
    CK_RETURN_IF_ERROR(txn.PutValue("a/1", "y"));
    EXPECT_EQ(txn.GetValue("a/1").value(), "y");
    EXPECT_EQ(txn.GetValue("\xff\xff/1").value(), "");
    EXPECT_EQ(txn.GetValue("none").value(), std::nullopt);
    EXPECT_EQ(txn.ListValues("a/")->size(), 2u);
    EXPECT_EQ(txn.ListValues("\xff")->size(), 1u);
    EXPECT_EQ(txn.ListValues("")->size(), 4u);
    EXPECT_TRUE(txn.RemoveValue("a/1").value());
    EXPECT_FALSE(txn.RemoveValue("a/1").value());
    return absl::OkStatus();
  });
}

TEST_F(TxnTest, ReadsCannotWrite) {
  EXPECT_EQ(store_
                ->Read([](const Txn& txn) {
                  return const_cast<Txn&>(txn).PutValue("k", "v");
                })
                .code(),
            absl::StatusCode::kInternal);
}

TEST_F(TxnTest, CountsRightUnderManyThreadsAndStores) {
  constexpr int kThreads = 4, kRounds = 100;
  std::vector<std::thread> threads;
  std::vector<absl::Status> results(kThreads);
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      // Half of them through a connection of their own.
      std::unique_ptr<Store> own;
      if (t % 2 == 0) own = Store::Open(root(), {.durable = false}).value();
      Store& store = own != nullptr ? *own : *store_;
      for (int i = 0; i < kRounds && results[t].ok(); ++i) {
        results[t] = store.Transaction([](Txn& txn) -> absl::Status {
          CK_ASSIGN_OR_RETURN(const auto old, txn.GetValue("n"));
          return txn.PutValue("n",
                              absl::StrCat(std::stoi(old.value_or("0")) + 1));
        });
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const absl::Status& result : results) EXPECT_TRUE(result.ok()) << result;
  MustWrite([](Txn& txn) -> absl::Status {
    EXPECT_EQ(txn.GetValue("n").value(), absl::StrCat(kThreads * kRounds));
    return absl::OkStatus();
  });
}

}  // namespace
}  // namespace containerkit::store
