// Fifteen messages in full; numbers that a machine decides are left out. 9 is rendered from its parts, 12 (a
// device's memory) is in tests/cuda_host/memory_test.cpp, and 13 needs a driver.
#include "engine/crc32c.h"
#include "engine/model_file.h"
#include "kernels/cases/pattern.h"
#include "models/network.h"
#include "tests/engine/pth_fixture.h"
#include "tests/tools/program.h"
#include "tests/train/toy_run.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cerrno>

namespace bkd::test {
namespace {

const std::string required = "data.name = \"cifar10\"\nmodel.name = \"resnet8\"\n";

std::string said(const bkd_test::TemporaryFolder& folder, const std::vector<std::string>& words) {
    return run_words(folder.path().string(), words).err;
}

// `text` at the given line number of a recipe that is otherwise fine.
std::string at_line(int number, const std::string& table, const std::string& text) {
    return required + std::string(static_cast<std::size_t>(number - 4), '\n') + table + "\n" + text + "\n";
}

}

TEST_CASE("messages 1 and 2: a verb and an option") {
    const bkd_test::TemporaryFolder folder;
    CHECK(said(folder, {"trian"}) == "\nbkd: error[E0201]: unknown verb \"trian\"\n  try: bkd train --help\n");
    CHECK(said(folder, {"train", "x", "--threads", "0"}) ==
          "\nbkd: error[E0203]: --threads must be 1..1024, got \"0\"\n  at:  option --threads\n");
}

TEST_CASE("messages 3 to 5: a key, a value and a stage of a recipe") {
    const bkd_test::TemporaryFolder folder;
    folder.write("exp.toml", at_line(14, "[optim]", "learning_rate = 0.1"));
    CHECK(said(folder, {"train", "exp.toml"}) == R"(
bkd: error[E0302]: unknown key "optim.learning_rate"
  at:  exp.toml:14:1
       learning_rate = 0.1
       ^~~~~~~~~~~~~
  try: optim.lr
)");
    folder.write("exp.toml", required);
    CHECK(said(folder, {"train", "exp.toml", "kd.temperature=-2"}) == R"(
bkd: error[E0304]: kd.temperature must be in (0, 100], got -2
  at:  override #1 "kd.temperature=-2"
  why: the teacher's probabilities are softmax(z/T)
)");
    folder.write("exp.toml",
                 at_line(31, "method.name = \"bkd\"\n[stages.student]", "init_from = \"techer\"").substr(1));
    folder.write("exp.toml", "method.name = \"bkd\"\n" + at_line(30, "[stages.student]", "init_from = \"techer\""));
    CHECK(said(folder, {"inspect", "exp.toml"}) == R"(
bkd: error[E0311]: stages.student.init_from names stage "techer", which does not exist
  at:  exp.toml:31:13
  try: one of: teacher, student
)");
}

TEST_CASE("message 6: a model file of another network") {
    const bkd_test::TemporaryFolder folder;
    const auto network = make_network({.name = "resnet44", .classes = 10});
    const std::vector<ExpectedTensor> expected = expected_tensors(network->parameters());
    const std::vector<float> zeros(1 << 20);
    std::vector<TensorToStore> tensors;
    int changed = 0;
    for (const ExpectedTensor& t : expected) {
        std::vector<std::int64_t> shape = t.shape;
        const bool is_block = t.name.starts_with("layer") && shape.size() == 4;
        if (is_block && ++changed <= 31) shape = {64, 3, 7, 7};
        std::int64_t count = 1;
        for (const std::int64_t extent : shape) count *= extent;
        tensors.push_back(f32_tensor(t.name, shape, std::span(zeros).first(static_cast<std::size_t>(count))));
    }
    write_file_atomically(folder / "w.safetensors", safetensors_bytes(std::move(tensors), {}, Checksums::no),
                          Overwrite::no);
    CHECK(said(folder, {"convert", "w.safetensors", "out", "--network", "resnet44"}) == fmt::format(R"(
bkd: error[E0413]: tensor "layer1.0.conv1.weight" is [64,3,7,7], this network needs [16,16,3,3]
  at:  w.safetensors
  why: 31 of {} tensors differ; first shown
  try: bkd inspect w.safetensors
)",
                                                                                                    expected.size()));
}

TEST_CASE("message 7: a file of PyTorch's that asks for code") {
    namespace pickled = bkd_test::pickled;
    const bkd_test::TemporaryFolder folder;
    const std::string call = pickled::global("posix", "system") + pickled::tuple({pickled::text("touch trace")}) + "R";
    const std::string pickle = "\x80\x02}" + pickled::text("layer1.weight") + call + "s.";
    folder.write("evil.pth", bkd_test::pth_of(pickle, {}));
    CHECK(said(folder, {"convert", "evil.pth", "out", "--network", "resnet8"}) == R"(
bkd: error[E0427]: pickle asks for "posix.system", which is not on the allow-list
  at:  evil.pth!archive/data.pkl @ byte 21
  why: this reader builds tensors only and runs nothing
  try: get the weights as safetensors from the author
)");
    CHECK(!std::filesystem::exists(folder / "trace"));
}

TEST_CASE("message 9, of a reader that is to come, fits the form of all messages") {
    CHECK(InputError({.id = 433,
                      .what = "image is cut off: JPEG of 18432 bytes ends inside its scan, without EOI",
                      .at = "train/n01440764/x.JPEG",
                      .try_ = "bkd data verify train --list-bad bad.txt"})
              .message() ==
          R"(error[E0433]: image is cut off: JPEG of 18432 bytes ends inside its scan, without EOI
  at:  train/n01440764/x.JPEG
  try: bkd data verify train --list-bad bad.txt
)");
}

TEST_CASE("message 8: a checkpoint that changed on the disk") {
    const bkd_test::TemporaryFolder folder;
    const std::vector<float> weight{1, 2, 3, 4};
    auto bytes =
        safetensors_bytes({f32_tensor("fc.weight", {2, 2}, weight)}, {{"bkd.schema", "bkd.ckpt/1"}}, Checksums::yes);
    const auto data = std::span(bytes).last(16);
    const std::uint32_t written = crc32c(data);
    data[0] ^= std::byte{1};
    write_file_atomically(folder / "student-e0151-s0012835.ckpt", bytes, Overwrite::no);
    CHECK(said(folder, {"inspect", "student-e0151-s0012835.ckpt"}) == fmt::format(R"(
bkd: error[E0421]: checksum of tensor "fc.weight" is {:08x}, the file says {:08x}
  at:  student-e0151-s0012835.ckpt @ byte {}
  why: the file changed after it was written (disk, copy, or edit)
  try: copy the file again; bkd train --resume RUN takes the newest checkpoint that is whole
)",
                                                                                  crc32c(data), written,
                                                                                  bytes.size() - 16));
}

TEST_CASE("message 10: a data set that is not there, and who named its folder") {
    const bkd_test::TemporaryFolder folder;
    folder.write("exp.toml", "model.name = \"resnet8\"\n\n[data]\nname = \"cifar100\"\nroot = \"data\"\n");
    CHECK(said(folder, {"train", "exp.toml"}) == R"(
bkd: error[E0501]: no such file: data/cifar-100-binary/train.bin
  at:  exp.toml:5:8 (data.root = "data")
  try: the binary version of CIFAR-100 (153700000 bytes); the Python version is a pickle and is not read
)");
}

TEST_CASE("message 11: a disk that is full when a checkpoint is written, and how the run goes on") {
    ToyRun toy;
    RunOptions options;
    options.system.allocate = [inner = options.system.allocate, left = 0](int fd, off_t offset, off_t size) mutable {
        const std::string name = std::filesystem::read_symlink(fmt::format("/proc/self/fd/{}", fd)).filename().string();
        if (name.find(".ckpt.") == std::string::npos || left++ == 0) return inner(fd, offset, size);
        errno = ENOSPC;
        return -1;
    };
    options.system.free_bytes = [](int) { return std::int64_t{1153434}; };
    const std::string message = message_of([&] { toy.train("bkd", "a", {}, options); });
    const std::string run = (toy.path() / "a").string();
    const std::string pattern = fmt::format(
        "^error\\[E0602\\]: no space left while writing checkpoint \\(needed [0-9.]+ (MiB|bytes), free 1\\.1 MiB\\)\n"
        "  at:  {0}/checkpoints\n  why: the previous checkpoint teacher-e0001-s[0-9]+\\.ckpt is intact\n"
        "  try: free space, then bkd train --resume {0}\n$",
        run);
    CAPTURE(message);
    CHECK(kernels::CasePattern(pattern).found_in(message));
    CHECK(toy.resume("a").state == RunResult::State::done);
}

TEST_CASE("message 14: a loss that is no number, and where in the training") {
    const ToyRun toy;
    const std::string folder = toy.path().string();
    std::ofstream(folder + "/exp.toml") << toy.recipe("ce").print();
    const Said end =
        run_words(folder, {"train", "exp.toml", "optim.lr=100", "schedule.warmup_epochs=0", "train.epochs=30",
                           "log.every=1", "eval.every=100", "--name", "a", "--progress", "none", "--threads", "1"});
    CHECK(end.code == 9);
    CAPTURE(end.err);
    CHECK(kernels::CasePattern("\nbkd: error\\[E0901\\]: (loss became -?(inf|nan)|a gradient became not finite) at "
                               "stage train, epoch [0-9]+, step [0-9]+\n  at:  op [a-z0-9_]+")
              .found_in(end.err));
}

TEST_CASE("message 15: a run that another process works on") {
    ToyRun toy;
    toy.train("ce", "a", {}, stop_after(1));
    const RunFolder held = RunFolder::open(toy.path() / "a", {});
    const Said end = run_words(toy.path().string(), {"train", "--resume", "a"});
    CHECK(end.code == 10);
    CAPTURE(end.err);
    CHECK(
        kernels::CasePattern("\nbkd: error\\[E1002\\]: run a is in use by process [0-9]+ on .+ since [0-9]+:[0-9]+ UTC "
                             "\\(heartbeat [0-9]+ s ago\\)\n  try: wait, or stop that process; a stale lock is taken "
                             "over after 60 s without heartbeat\n$")
            .found_in(end.err));
}

}
