// bkd bench step | ops: how long a training step takes and where, and how long single ops take.
#include "kernels/cases/check.h"
#include "tools/bench/bench_report.h"
#include "tools/check/ops_report.h"
#include "tools/options.h"
#include "tools/terminal.h"

#include <cstdio>

namespace bkd {
namespace {

int bench_ops(const StepBenchOptions& machine, const std::string& ops, const std::string& cases, double seconds,
              bool as_json) {
    const auto table = kernels::all_op_cases();
    const auto chosen = kernels::select(
        table,
        {.ops = split_at_commas(ops), .id_regex = cases, .dtypes = {machine.dtype}, .tests = false, .bench = true});
    if (chosen.empty())
        throw InputError({.id = 203,
                          .what = fmt::format("no case of any op passes the filters (--op \"{}\", --case \"{}\")",
                                              printable(ops), printable(cases)),
                          .at = "option --op",
                          .try_ = "bkd check-ops list"});
    const auto backend = open_backend(machine.device, machine.backend);
    kernels::CaseChecker checker(*backend, *backend);
    Json::Array rows;
    if (!as_json)
        fmt::print("{}\n{:<72} {:>10} {:>9} {:>8}\n", backend->description(), "case", "us", "GFLOP/s", "GB/s");
    for (const auto& c : chosen) {
        const kernels::CaseTiming t = checker.time(c, {.seconds = seconds});
        if (as_json)
            rows.push_back(Json::Object{{"case", t.id},
                                        {"median_ns", t.median_ns},
                                        {"min_ns", t.min_ns},
                                        {"iqr_ns", t.quartile_range_ns},
                                        {"flops", t.flops},
                                        {"bytes", t.bytes_read + t.bytes_written}});
        else
            fmt::print("{:<72} {:>10.2f} {:>9.1f} {:>8.1f}\n", t.id, t.median_ns / 1000, t.gigaflops(),
                       t.gigabytes_per_second());
        std::fflush(stdout);
    }
    if (as_json)
        fmt::print("{}\n", Json(Json::Object{
                                    {"schema", "bkd.bench-ops/1"}, {"device", backend->description()}, {"cases", rows}})
                               .dump());
    return 0;
}

}

int run_bench(const std::vector<std::string>& arguments) {
    std::vector<std::string> words;
    MachineOptions machine;
    StepBenchOptions step;
    PeerOptions beside;
    std::string method = "ce", dtype = "f32", ops, cases, tune, peer;
    double seconds = 1;
    std::int64_t rounds = beside.rounds;
    bool as_json = false, tf32 = false, direct = false;
    Options options(
        "bench",
        "Times a training step (step, the default) or inference (infer) on random images, single ops (ops),\n"
        "or a process from its start to its first prediction (start MODEL IMAGES).",
        {"bkd bench step --network resnet32 --method bkd", "bkd bench infer --batch 1", "bkd bench step --peer torch",
         "bkd bench ops --op 'conv2d*'"});
    options.words("MODE", words, 0, 3, "step, infer, ops, or start with its two files");
    machine.add_to(options);
    options.value("--network", step.network, "step, infer: a network of models/list.inc");
    options.choice("--method", method, {"ce", "bkd"}, "step: which loss");
    options.choice("--dtype", dtype, {"f32", "bf16"}, "of activations, or of the ops' tensors");
    options.value("--batch", step.batch, 1, 65536, "step, infer: images a batch; step: at least 2");
    options.value("--size", step.size, 8, 512, "step, infer: height and width of an image");
    options.value("--channels", step.channels, 1, 16, "step, infer: of an image");
    options.value("--classes", step.classes, 5, 100000, "step, infer: of the classifier, at least 5");
    options.value("--steps", step.steps, 1, 100000, "step, infer: timed steps or batches");
    options.flag("--direct", direct, "on a CPU: compute.winograd = false");
    options.flag("--tf32", tf32, "step, on a GPU: products of f32 numbers with 10 bits of mantissa");
    options.value("--tune", tune, "step, on a GPU: times cuDNN's engines and notes the fastest in this file");
    options.choice("--peer", peer, {"torch"}, "step, infer, on a CPU: ratios to the same work in PyTorch");
    options.value("--rounds", rounds, 1, 1000, "--peer: processes of each program, in turn");
    options.value("--python", beside.python, "--peer: a Python with torch and numpy");
    options.value("--op", ops, "ops: names, with * and ?, separated by commas");
    options.value("--case", cases, "ops: cases whose id this regular expression finds");
    options.value("--min-time", seconds, 0.01, 60, "ops: seconds of samples a case");
    options.flag("--json", as_json, "the result as one JSON document");
    options.only_in("step", {"--method", "--tf32", "--tune"});
    options.only_in({"step", "infer", "step --peer torch", "infer --peer torch"},
                    {"--network", "--batch", "--size", "--channels", "--classes", "--steps", "--peer"});
    options.only_in({"step --peer torch", "infer --peer torch"}, {"--rounds", "--python"});
    options.only_in({"step", "infer", "ops", "step --peer torch", "infer --peer torch"}, {"--direct", "--dtype"});
    options.only_in("ops", {"--op", "--case", "--min-time"});
    if (!options.parse(arguments)) return 0;
    const std::string mode = words.empty() ? "step" : words[0];
    if (mode != "step" && mode != "infer" && mode != "ops" && mode != "start")
        throw InputError({.id = 203,
                          .what = fmt::format("bench has no mode \"{}\"", printable(mode)),
                          .try_ = "step, infer, ops or start"});
    options.check_mode(peer.empty() ? mode : fmt::format("{} --peer {}", mode, peer));
    const std::size_t words_of_mode = mode == "start" ? 3 : 1;
    if (words.size() > words_of_mode)
        throw InputError(
            {.id = 207, .what = fmt::format("\"{}\" is one word too many", printable(words[words_of_mode]))});
    if (mode == "start" && words.size() < words_of_mode)
        throw InputError(
            {.id = 206, .what = "bench start needs a model and a file of images", .try_ = "bkd help predict"});
    step.dtype = dtype == "bf16" ? DType::bf16 : DType::f32;
    step.distils = method == "bkd";
    step.device = machine.chosen_device();
    step.backend = machine.backend();
    step.backend.winograd = !direct;
    step.backend.tf32 = tf32;
    step.backend.tunes = !tune.empty();
    step.backend.plans = tune;
    const auto needs = [&](DeviceKind kind, bool is_given, const char* option) {
        if (is_given && (step.device.kind == DeviceKind::cuda) != (kind == DeviceKind::cuda))
            throw InputError({.id = 208,
                              .what = fmt::format("{} has no effect on {}", option, step.device.str()),
                              .at = fmt::format("option {}", option),
                              .try_ = kind == DeviceKind::cuda ? "--device cuda" : "--device cpu"});
    };
    needs(DeviceKind::cuda, tf32, "--tf32");
    needs(DeviceKind::cuda, !tune.empty(), "--tune");
    needs(DeviceKind::cpu, direct, "--direct");
    needs(DeviceKind::cpu, !peer.empty(), "--peer");
    const auto print = [&](const auto& json, const auto& text) {
        if (as_json)
            fmt::print("{}\n", json().dump());
        else
            text();
        return 0;
    };
    if (mode == "ops") return bench_ops(step, ops, cases, seconds, as_json);
    if (mode == "start") {
        const StartBench b = bench_start(words[1], words[2], machine.threads);
        if (b.exit_code != 0) {
            say("{}", b.said);
            return b.exit_code;
        }
        return print([&] { return to_json(b); }, [&] { print_start(b); });
    }
    if (!peer.empty()) {
        beside.work = step;
        beside.infers = mode == "infer";
        beside.steps = step.steps;
        beside.rounds = static_cast<int>(rounds);
        const Ceilings before = measure_ceilings(step.device, step.backend);
        const PeerBench b = bench_beside_torch(beside);
        const Ceilings after = measure_ceilings(step.device, step.backend);
        print([&] { return to_json(beside, b, before, after); }, [&] { print_peer(beside, b, before, after); });
        return b.is_whole ? 0 : 1;
    }
    if (mode == "infer") {
        const InferenceBench b = bench_inference(step, step.steps);
        return print([&] { return to_json(static_cast<const TrainingStepOptions&>(step), b); },
                     [&] { print_inference(step, b); });
    }
    if (step.batch < 2)
        throw InputError(
            {.id = 203, .what = "--batch 1 is no batch that batch norm can train on", .try_ = "--batch 2"});
    const StepBench b = bench_step(step);
    return print([&] { return to_json(step, b); },
                 [&] { print_step(step, b, measure_ceilings(step.device, step.backend)); });
}

}
