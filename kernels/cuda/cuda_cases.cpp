// cuda_cases: the table of cases on a device against `reference`, and the device's speed.
//
//   cuda_cases check FAMILY...   every op of the families (none: all), f32 and bf16: agrees, same bits, refuses
//   cuda_cases faults            indices out of range are reported at the next synchronisation
//   cuda_cases bench             GB/s of the memory-bound ops at large shapes beside two copies of the same run
#include "kernels/cases/check.h"
#include "kernels/cuda/bench.h"

#include <atomic>
#include <cstdio>
#include <map>
#include <mutex>
#include <string_view>
#include <thread>

namespace bkd::kernels {
namespace reference {
std::unique_ptr<Backend> open(const BackendOptions& options);
}
namespace cuda {
std::unique_ptr<Backend> open(const BackendOptions& options);
}
namespace {

struct Count {
    int passed = 0, all = 0;
    std::string text() const { return fmt::format("{}/{}{}", passed, all, passed == all ? "" : " FAIL"); }
};

// The results of one op: counts a kind of check, and the first failures in words.
class Tally {
public:
    void add(const std::string& kind, const CaseResult& result) {
        const std::lock_guard lock(mutex_);
        Count& count = counts_[kind];
        ++count.all;
        if (result.status == CaseStatus::pass) {
            ++count.passed;
            worst_ = std::max(worst_, result.worst_ratio);
            return;
        }
        constexpr int most_shown = 4;
        if (++shown_[kind] <= most_shown)
            fmt::print("  {} {} {}: {}\n", kind, result.id, name_of(result.kind), result.detail);
    }
    bool print(const std::string& family, const std::string& op) const {
        std::string line = fmt::format("{:<14} {:<30}", family, op);
        bool is_good = true;
        for (const auto& [kind, count] : counts_) {
            line += fmt::format(" {} {}", kind, count.text());
            is_good = is_good && count.passed == count.all;
        }
        fmt::print("{} worst error {:.2f} of its bound\n", line, worst_);
        std::fflush(stdout);
        return is_good;
    }

private:
    std::mutex mutex_;
    std::map<std::string, Count> counts_;
    std::map<std::string, int> shown_;
    double worst_ = 0;
};

// Cases wait for the device most of their time, so several threads walk the table, each with a backend of its own.
bool check(std::span<char*> families) {
    const std::vector<OpCases> table = all_op_cases();
    struct Task {
        const OpCases* op;
        std::size_t first, last;
        Tally* tally;
    };
    std::vector<std::pair<const OpCases*, std::unique_ptr<Tally>>> tallies;
    std::vector<Task> tasks;
    for (const OpCases& op : table) {
        const auto is_named = [&](const char* name) { return op.family == name || op.op == name; };
        if (!families.empty() && std::none_of(families.begin(), families.end(), is_named)) continue;
        constexpr std::size_t together = 16;
        tallies.emplace_back(&op, std::make_unique<Tally>());
        for (std::size_t first = 0; first < op.entries.size(); first += together)
            tasks.push_back({&op, first, std::min(first + together, op.entries.size()), tallies.back().second.get()});
    }
    std::atomic<std::size_t> next{0};
    const auto work = [&] {
        const auto device = cuda::open({}), truth = reference::open({});
        CaseChecker checker(*device, *truth);
        for (std::size_t i = next++; i < tasks.size(); i = next++) {
            const Task& task = tasks[i];
            for (std::size_t entry = task.first; entry < task.last; ++entry)
                for (const DType type : {DType::f32, DType::bf16}) {
                    const CaseReference c{task.op, &task.op->entries[entry], type};
                    if (c.entry->bench || (type == DType::bf16 && !task.op->has_bf16)) continue;
                    task.tally->add(name_of(type), checker.agrees(c));
                    task.tally->add("same", checker.same(c, {}));
                }
            if (task.first != 0) continue;
            for (const CaseResult& result : checker.refuses(*task.op)) task.tally->add("refuses", result);
        }
    };
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < std::thread::hardware_concurrency(); ++i)
        threads.emplace_back([&] {
            try {
                work();
            } catch (const std::exception& error) { fmt::print("a thread ended: {}\n", error.what()); }
        });
    for (std::thread& thread : threads) thread.join();
    bool is_good = true;
    for (const auto& [op, tally] : tallies) is_good = tally->print(op->family, op->op) && is_good;
    return is_good;
}

// The text a bad index is reported with, empty if it is not.
template <class Launch>
std::string fault_of(Stream& stream, const Launch& launch) {
    try {
        launch();
        stream.synchronize();
    } catch (const LogicError& error) { return error.what(); }
    return {};
}

bool faults(Backend& device) {
    const auto stream = device.make_stream();
    Bench bench(device, *stream);
    const View z = bench.numbers({4, 10}, DType::f32), loss = bench.numbers({1}, DType::f32);
    const View labels = bench.integers({4}, {3, 9, 10, 0}), good = bench.integers({4}, {3, 9, 0, 0});
    const auto cross_entropy = [&](const View& of) {
        return fault_of(
            *stream, [&] { device.loss().cross_entropy(*stream, {.z = z, .targets = {.labels = of}, .loss = loss}); });
    };
    const std::string bad = cross_entropy(labels), after = cross_entropy(good);
    fmt::print("label 10 of 10 classes: \"{}\", then a good batch: \"{}\"\n", bad, after);
    const View w = bench.numbers({5, 8}, DType::f32), tokens = bench.integers({2, 2}, {0, -1, 4, 2});
    const View y = bench.numbers({2, 2, 8}, DType::f32);
    const std::string token =
        fault_of(*stream, [&] { device.embedding().embedding_forward(*stream, {.tokens = tokens, .w = w, .y = y}); });
    fmt::print("token -1 of 5: \"{}\"\n", token);
    return bad == "label 10 at 2 is not in 0..9" && after.empty() && token == "token -1 at 1 is not in 0..4";
}

int run(int argc, char** argv) {
    const std::string_view verb = argc > 1 ? argv[1] : "";
    const auto device = cuda::open({});
    fmt::print("{}\n", device->description());
    if (verb == "check") return check(std::span(argv + 2, static_cast<std::size_t>(argc - 2))) ? 0 : 1;
    if (verb == "faults") return faults(*device) ? 0 : 1;
    if (verb == "bench") return run_benchmarks(*device), 0;
    fmt::print("usage: cuda_cases check [FAMILY...] | faults | bench\n");
    return 2;
}

}
}

int main(int argc, char** argv) {
    try {
        return bkd::kernels::run(argc, argv);
    } catch (const bkd::InputError& error) {
        fmt::print(stderr, "{}\n", error.message());
        return error.exit_code();
    }
}
