#include "tools/bench/peer.h"

#include "tools/bench/timed_program.h"
#include "tools/bench/times.h"

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <optional>

namespace bkd {
namespace {

namespace fs = std::filesystem;

struct Contestant {
    PeerTimes times;
    std::vector<std::string> command{}, environment{};
    std::vector<double> peaks{}, bests{};
};

fs::path program() { return fs::read_symlink("/proc/self/exe"); }

// In the installed tree, or the checkout.
fs::path peer_script() {
    const fs::path folder = program().parent_path();
    for (const fs::path& candidate : {folder / "../share/bkd/peer_torch.py", folder / "../../tools/peer_torch.py"})
        if (fs::exists(candidate)) return candidate.lexically_normal();
    throw InputError({.id = 501,
                      .what = "peer_torch.py is not beside the program",
                      .at = folder.string(),
                      .try_ = "the program in its installed tree or in the build folder of its checkout"});
}

// An allocator that keeps its memory is the best peer's (Debian: libtcmalloc-minimal4); empty: not here.
std::string tcmalloc() {
    for (const char* folder : {"/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib"}) {
        const fs::path library = fs::path(folder) / "libtcmalloc_minimal.so.4";
        if (fs::exists(library)) return library.string();
    }
    return {};
}

std::vector<std::string> numbers_of(const PeerOptions& o, std::int64_t batch) {
    const TrainingStepOptions& w = o.work;
    std::vector<std::string> words{"--network",           w.network, "--batch",
                                   std::to_string(batch), "--size",  std::to_string(w.size)};
    for (const auto& [name, value] :
         {std::pair<const char*, std::int64_t>{"--channels", w.channels}, {"--classes", w.classes}})
        words.insert(words.end(), {name, std::to_string(value)});
    // A single image takes a hundredth of the time.
    words.insert(words.end(), {"--steps", std::to_string(batch == 1 ? 20 * o.steps : o.steps)});
    if (w.backend.threads > 0) words.insert(words.end(), {"--threads", std::to_string(w.backend.threads)});
    return words;
}

void add_group(std::vector<Contestant>& all, const PeerOptions& o, const std::string& group, const std::string& method,
               std::int64_t batch) {
    const std::string dtype = name_of(o.work.dtype), allocator = tcmalloc();
    const std::vector<std::string> numbers = numbers_of(o, batch);
    Contestant ours{.times = {.group = group, .name = "bkd", .is_ours = true},
                    .command = {program().string(), "bench", o.infers ? "infer" : "step", "--json", "--device", "cpu",
                                "--dtype", dtype}};
    if (!o.infers) ours.command.insert(ours.command.end(), {"--method", method});
    ours.command.insert(ours.command.end(), numbers.begin(), numbers.end());
    all.push_back(ours);
    std::vector<std::string> modes{"eager", "compile"};
    if (o.infers) modes.emplace_back("freeze");
    if (method == "bkd") modes.pop_back();  // twice a minute to compile, and never the faster one
    for (const std::string& mode : modes)
        for (const bool allocates : {false, true}) {
            if (allocates && allocator.empty()) continue;
            Contestant peer{.times = {.group = group, .name = mode + " channels_last" + (allocates ? " tcmalloc" : "")},
                            .command = {o.python, peer_script().string(), "--device", "cpu"}};
            peer.command.insert(peer.command.end(), numbers.begin(), numbers.end());
            peer.command.push_back(fmt::format("{}:{}:{}:channels_last", method, dtype, mode));
            if (allocates) peer.environment.push_back("LD_PRELOAD=" + allocator);
            all.push_back(peer);
        }
}

// The last line of the output that is JSON.
std::optional<Json> answer_of(const TimedProgram& run) {
    const std::size_t begin = run.out.rfind("{\"schema\"");
    if (run.code != 0 || begin == std::string::npos) return std::nullopt;
    return Json::parse(run.out.substr(begin, run.out.find('\n', begin) - begin), "a program's answer");
}

std::vector<double> checked_numbers(const Json& answer, bool infers) {
    std::vector<double> numbers;
    for (const Json& number : answer.at(infers ? "logits" : "losses").elements()) numbers.push_back(number.number());
    return numbers;
}

bool agree(const std::vector<double>& ours, const std::vector<double>& theirs, DType dtype) {
    const double tolerance = dtype == DType::f32 ? 2e-4 : 3e-3;
    if (ours.size() != theirs.size()) return false;
    double largest = 0;
    for (const double number : ours) largest = std::max(largest, std::abs(number));
    for (std::size_t i = 0; i < ours.size(); ++i)
        if (!(std::abs(ours[i] - theirs[i]) <= tolerance * largest)) return false;
    return true;
}

// Of those above 0; 0 if there is none.
double median_of(const std::vector<double>& numbers) {
    Times sorted;
    for (const double number : numbers)
        if (number > 0) sorted.add_ms(number);
    return sorted.size() == 0 ? 0 : sorted.median();
}

void run_once(Contestant& c, const PeerOptions& o, std::vector<double>& ours, std::string& peer_name) {
    const TimedProgram run = run_timed(c.command, c.environment);
    const std::optional<Json> answer = answer_of(run);
    const auto give_up = [&](const std::string& why) { c.times.failure = why; };
    if (!answer) return give_up(fmt::format("exit code {}: {}", run.code, printable(run.err.substr(0, 300))));
    if (answer->find("error")) return give_up(printable(answer->at("error").text()));
    const std::vector<double> numbers = checked_numbers(*answer, o.infers);
    if (c.times.is_ours)
        ours = numbers;
    else if (!agree(ours, numbers, o.work.dtype))
        return give_up("other work: its losses or logits are not ours");
    if (!c.times.is_ours) peer_name = answer->at("program").text();
    const double quartile = answer->at("quartile_ms").number();
    c.times.quartiles.push_back(answer->at("median_ms").number() > 1.3 * quartile ? 0 : quartile);
    c.bests.push_back(answer->at("min_ms").number());
    c.peaks.push_back(run.peak_mib);
}

void add_ratio(PeerBench& bench, const std::string& what, const PeerTimes& a, const PeerTimes& b) {
    Times ratios;
    for (std::size_t i = 0; i < std::min(a.quartiles.size(), b.quartiles.size()); ++i)
        if (a.quartiles[i] > 0 && b.quartiles[i] > 0) ratios.add_ms(a.quartiles[i] / b.quartiles[i]);
    if (ratios.size() == 0) return;
    bench.ratios.push_back({what, static_cast<int>(ratios.size()), ratios.median(), ratios.least(), ratios.most()});
}

void add_ratios(PeerBench& bench) {
    const PeerTimes* before = nullptr;
    for (const PeerTimes& ours : bench.times) {
        if (!ours.is_ours || ours.quartile_ms == 0) continue;
        const PeerTimes* best = nullptr;
        for (const PeerTimes& peer : bench.times)
            if (!peer.is_ours && peer.group == ours.group && peer.quartile_ms > 0 &&
                (best == nullptr || peer.quartile_ms < best->quartile_ms))
                best = &peer;
        if (best != nullptr) add_ratio(bench, fmt::format("{}: bkd / {}", ours.group, best->name), ours, *best);
        if (before != nullptr && ours.group == "bkd") add_ratio(bench, "bkd / ce, both ours", ours, *before);
        before = &ours;
    }
}

}

PeerBench bench_beside_torch(const PeerOptions& options) {
    PeerBench bench;
    if (::getloadavg(&bench.load_before, 1) != 1) bench.load_before = std::nan("");
    if (const TimedProgram torch = run_timed({options.python, "-c", "import torch, numpy"}); torch.code != 0)
        throw InputError(
            {.id = 801,
             .what = fmt::format("PyTorch is not here: {} cannot import torch and numpy", printable(options.python)),
             .at = "option --peer",
             .why = printable(torch.err.substr(torch.err.size() - std::min<std::size_t>(torch.err.size(), 200))),
             .try_ = "pip install torch numpy, or --python with one that has them"});
    std::vector<Contestant> all;
    if (options.infers)
        for (const std::int64_t batch : {options.work.batch, std::int64_t{1}})
            add_group(all, options, fmt::format("batch {}", batch), "infer", batch);
    else
        for (const char* method : {"ce", "bkd"}) add_group(all, options, method, method, options.work.batch);
    std::vector<double> ours;
    for (int round = 0; round < options.rounds; ++round)
        for (Contestant& c : all)
            if (c.times.failure.empty()) run_once(c, options, ours, bench.peer);
    for (Contestant& c : all) {
        c.times.quartile_ms = median_of(c.times.quartiles);
        c.times.best_ms = c.bests.empty() ? 0 : *std::min_element(c.bests.begin(), c.bests.end());
        c.times.peak_mib = median_of(c.peaks);
        bench.times.push_back(c.times);
    }
    add_ratios(bench);
    return bench;
}

}
