#include "tools/bench/peer.h"

#include "tools/bench/timed_program.h"
#include "tools/bench/times.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <set>

namespace bkd {
namespace {

namespace fs = std::filesystem;

struct Contestant {
    PeerTimes times;
    std::vector<std::string> command{}, environment{};
    std::vector<double> peaks{}, bests{};
};

constexpr TimeLimits peer_limits{.seconds = 1200, .bytes = std::size_t{64} << 20};  // PyTorch compiles for minutes

// The end of what a program that failed says: of a traceback, its cause.
std::string last_words(const std::string& text) {
    const std::size_t end = text.find_last_not_of("\n ") + 1, begin = end - std::min<std::size_t>(end, 150);
    std::string words;
    for (const char c : text.substr(begin, end - begin))
        if (c != '\n')
            words += c;
        else
            words += "; ";
    return printable(words);
}

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
                    .command = {program().string(), "bench", o.infers ? "infer" : "step", "--json", "--device",
                                o.work.device.str(), "--dtype", dtype}};
    if (!o.work.backend.winograd) ours.command.emplace_back("--direct");
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

// What a process says of its work: its last line that is JSON. InputError where it says less.
struct Answer {
    std::string program;
    std::vector<double> numbers{};  // losses or logits
    double min_ms = 0, quartile_ms = 0, median_ms = 0;
};

Answer answer_of(const TimedProgram& run, const PeerOptions& o, bool is_ours) {
    const auto give_up = [](std::string why) { throw InputError({.id = 801, .what = std::move(why)}); };
    if (!run.cut.empty()) give_up(fmt::format("ended after {}", run.cut));
    if (run.code != 0) give_up(fmt::format("exit code {}: {}", run.code, last_words(run.err)));
    const std::size_t begin = run.out.rfind("{\"schema\"");
    if (begin == std::string::npos) give_up("it says nothing of its work");
    const Json json = Json::parse(run.out.substr(begin, run.out.find('\n', begin) - begin), "a program's answer");
    if (const Json* error = json.find("error")) give_up(printable(error->text()));
    Answer answer{.program = is_ours ? "bkd" : json.at("program").text(),
                  .min_ms = json.at("min_ms").number(),
                  .quartile_ms = json.at("quartile_ms").number(),
                  .median_ms = json.at("median_ms").number()};
    const std::array<double, 3> rising{answer.min_ms, answer.quartile_ms, answer.median_ms};
    constexpr double most_ms = 3.6e6;  // an hour a step
    if (!(rising.front() > 0) || !std::ranges::is_sorted(rising) || !(rising.back() < most_ms))
        give_up(fmt::format("no times of a step: least {} ms, quartile {} ms, median {} ms", rising[0], rising[1],
                            rising[2]));
    for (const Json& number : json.at(o.infers ? "logits" : "losses").elements())
        answer.numbers.push_back(number.number());
    return answer;
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

// `ours`: the numbers of our own process of this group.
void run_once(Contestant& c, const PeerOptions& o, std::vector<double>& ours, std::string& peer_name) {
    if (c.times.is_ours) ours.clear();
    const TimedProgram run = run_timed(c.command, c.environment, peer_limits);
    try {
        const Answer answer = answer_of(run, o, c.times.is_ours);
        if (c.times.is_ours)
            ours = answer.numbers;
        else if (ours.empty())
            throw InputError({.id = 801, .what = "our own process has no numbers to hold it against"});
        else if (!agree(ours, answer.numbers, o.work.dtype))
            throw InputError({.id = 801, .what = "other work: its losses or logits are not ours"});
        if (!c.times.is_ours) peer_name = printable(answer.program);
        c.times.quartiles.push_back(answer.median_ms > 1.3 * answer.quartile_ms ? 0 : answer.quartile_ms);
        c.bests.push_back(answer.min_ms);
        c.peaks.push_back(run.peak_mib);
    } catch (const InputError& error) {  // the others go on
        c.times.failure = error.parts().what;
    }
}

// False where no round has both.
bool add_ratio(PeerBench& bench, const std::string& what, const PeerTimes& a, const PeerTimes& b) {
    Times ratios;
    for (std::size_t i = 0; i < std::min(a.quartiles.size(), b.quartiles.size()); ++i)
        if (a.quartiles[i] > 0 && b.quartiles[i] > 0) ratios.add_ms(a.quartiles[i] / b.quartiles[i]);
    if (ratios.size() == 0) return false;
    bench.ratios.push_back({what, static_cast<int>(ratios.size()), ratios.median(), ratios.least(), ratios.most()});
    return true;
}

void add_ratios(PeerBench& bench) {
    const PeerTimes* before = nullptr;
    std::size_t groups = 0, compared = 0;
    for (const PeerTimes& ours : bench.times) {
        groups += ours.is_ours ? 1 : 0;
        if (!ours.is_ours || ours.quartile_ms == 0) continue;
        const PeerTimes* best = nullptr;
        for (const PeerTimes& peer : bench.times)
            if (!peer.is_ours && peer.group == ours.group && peer.quartile_ms > 0 &&
                (best == nullptr || peer.quartile_ms < best->quartile_ms))
                best = &peer;
        if (best != nullptr && add_ratio(bench, fmt::format("{}: bkd / {}", ours.group, best->name), ours, *best))
            ++compared;
        if (before != nullptr && ours.group == "bkd") add_ratio(bench, "bkd / ce, both ours", ours, *before);
        before = &ours;
    }
    bench.is_whole = compared == groups;
}

}

PeerBench bench_beside_torch(const PeerOptions& options) {
    PeerBench bench;
    if (::getloadavg(&bench.load_before, 1) != 1) bench.load_before = std::nan("");
    const TimedProgram torch = run_timed({options.python, "-c", "import torch, numpy"}, {}, peer_limits);
    if (torch.code == 127 && torch.out.empty() && torch.err.empty())
        throw InputError({.id = 501,
                          .what = fmt::format("no program {} can be started", printable(options.python)),
                          .at = "option --python",
                          .try_ = "the path of a Python that has torch and numpy"});
    if (!torch.cut.empty() || torch.code != 0)
        throw InputError(
            {.id = 801,
             .what = fmt::format("PyTorch is not here: {} cannot import torch and numpy", printable(options.python)),
             .at = "option --peer",
             .why = torch.cut.empty() ? last_words(torch.err) : fmt::format("ended after {}", torch.cut),
             .try_ = "pip install torch numpy, or --python with one that has them"});
    std::vector<Contestant> all;
    if (options.infers)
        for (const std::int64_t batch : std::set<std::int64_t, std::greater<>>{options.work.batch, 1})
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
