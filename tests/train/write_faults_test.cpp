// A disk that is full, or fails, at each of the first fifty writes of a process that takes up a run.
#include "engine/sha256.h"
#include "tests/train/toy_run.h"

#include <doctest/doctest.h>

#include <cerrno>

namespace bkd::test {
namespace {

using bkd_test::id_of;

constexpr int first_writes = 50;

// The n-th write fails with `error`; where it is that of a full disk, so does each after it. `count` is of all writes.
FileSystem failing_at(int n, int error, std::shared_ptr<int> count) {
    FileSystem system;
    system.write = [inner = system.write, n, error, count](int fd, const void* bytes, std::size_t size) -> ssize_t {
        const int now = ++*count;
        if (now != n && !(error == ENOSPC && now > n)) return inner(fd, bytes, size);
        errno = error;
        return -1;
    };
    return system;
}

std::string hash(const std::filesystem::path& file) { return sha256_hex(read_file(file, 1 << 30)); }

void check_equal(const ToyRun& toy, const std::string& a, const std::string& b) {
    for (const char* file : {"models/teacher.last.safetensors", "models/student.last.safetensors", "metrics.csv"}) {
        CAPTURE(file);
        CHECK(toy.bytes(a + "/" + file) == toy.bytes(b + "/" + file));
    }
    const std::vector<std::string> first = comparable_log(toy, a), second = comparable_log(toy, b);
    CHECK(first.size() == second.size());
    for (std::size_t i = 0; i < std::min(first.size(), second.size()); ++i) CHECK(first[i] == second[i]);
}

}

TEST_CASE("whichever of the first fifty writes fails, the old checkpoint stays as it is and the run goes on to the "
          "same bits") {
    ToyRun toy;
    const std::vector<std::string> small{"train.epochs=4", "log.every=1", "data.imbalance_ratio=20"};
    REQUIRE(toy.train("bkd", "whole", small).state == RunResult::State::done);
    toy.train("bkd", "stopped", small, stop_after(1));
    const std::filesystem::path stopped = toy.path() / "stopped", run = toy.path() / "run";
    const std::string old_name = checkpoints(toy, "stopped").back().filename().string();
    const std::string old_hash = hash(checkpoints(toy, "stopped").back());
    for (const int error : {ENOSPC, EIO})
        for (int n = 1; n <= first_writes; ++n) {
            CAPTURE(error);
            CAPTURE(n);
            std::filesystem::remove_all(run);
            std::filesystem::copy(stopped, run, std::filesystem::copy_options::recursive);
            const auto count = std::make_shared<int>(0);
            RunOptions options;
            options.system = failing_at(n, error, count);
            const std::string id = id_of([&] { toy.resume("run", {}, options); });
            REQUIRE(*count >= n);  // it came to that write
            CHECK(id == (error == ENOSPC ? "E0602" : "E0603"));
            // Gone only when a newer one is whole.
            if (std::filesystem::exists(run / "checkpoints" / old_name))
                CHECK(hash(run / "checkpoints" / old_name) == old_hash);
            else
                CHECK(checkpoints(toy, "run").size() >= 2);
            toy.resume("run");
            CHECK(Json::parse(toy.bytes("run/run.json"), "run.json").at("state").text() == "done");
            check_equal(toy, "whole", "run");
        }
}

TEST_CASE("writes that take only a part of the bytes lose none") {
    ToyRun toy;
    REQUIRE(toy.train("ce", "whole").state == RunResult::State::done);
    RunOptions options;
    options.system.write = [inner = options.system.write](int fd, const void* bytes, std::size_t size) {
        return inner(fd, bytes, size > 1 ? size / 2 : size);
    };
    REQUIRE(toy.train("ce", "run", {}, options).state == RunResult::State::done);
    CHECK(toy.bytes("whole/models/train.last.safetensors") == toy.bytes("run/models/train.last.safetensors"));
    CHECK(comparable_log(toy, "whole") == comparable_log(toy, "run"));
}

}
