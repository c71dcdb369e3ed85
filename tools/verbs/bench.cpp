// bkd bench step | ops: how long a training step takes and where, and how long single ops take.
#include "engine/json.h"
#include "kernels/cases/check.h"
#include "tools/bench/step_bench.h"
#include "tools/check/ops_report.h"
#include "tools/options.h"

#include <cstdio>

namespace bkd {
namespace {

void print_step(const StepBenchOptions& o, const StepBench& b) {
    fmt::print("{}\n{} {} in {}{}, batch {} of {}x{}x{}, {} classes: {:.2f} ms a step (median; quartile {:.2f}, best "
               "{:.2f}), {:.0f} images/s\n",
               b.description, o.network, o.distils ? "BKD" : "CE", name_of(o.dtype), o.backend.tf32 ? " as TF32" : "",
               o.batch, o.size, o.size, o.channels, o.classes, b.median_ms, b.quartile_ms, b.min_ms,
               1000.0 * static_cast<double>(o.batch) / b.median_ms);
    fmt::print("queued one behind the other: {:.3f} ms a step{}\n", b.queued_ms,
               b.replayed_ms > 0 ? fmt::format("; recorded and replayed: {:.3f} ms", b.replayed_ms) : "");
    fmt::print("memory {:.1f} MiB of tensors and scratch; asked the system {} times in {} steady steps; first losses",
               static_cast<double>(b.pool_bytes) / (1 << 20), b.steady_requests, o.steps);
    for (const double loss : b.losses) fmt::print(" {:.6f}", loss);
    fmt::print("\n\n{:<32} {:>6} {:>9} {:>7} {:>9} {:>8}\n", "op", "calls", "ms", "share", "GFLOP/s", "GB/s");
    double total = 0;
    for (const OpShare& op : b.ops) total += op.milliseconds;
    for (const OpShare& op : b.ops)
        fmt::print("{:<32} {:>6} {:>9.3f} {:>6.1f}% {:>9.1f} {:>8.1f}\n", op.op, op.calls, op.milliseconds,
                   100 * op.milliseconds / total, op.flops / op.milliseconds * 1e-6, op.bytes / op.milliseconds * 1e-6);
}

Json to_json(const StepBenchOptions& o, const StepBench& b) {
    const auto if_replayed = [&](double number) { return b.replayed_ms > 0 ? Json(number) : Json(); };
    Json::Array ops;
    for (const OpShare& op : b.ops)
        ops.push_back(Json::Object{
            {"op", op.op}, {"calls", op.calls}, {"ms", op.milliseconds}, {"flops", op.flops}, {"bytes", op.bytes}});
    return Json::Object{{"schema", "bkd.bench-step/1"},
                        {"device", b.description},
                        {"network", o.network},
                        {"method", o.distils ? "bkd" : "ce"},
                        {"dtype", name_of(o.dtype)},
                        {"tf32", o.backend.tf32},
                        {"batch", o.batch},
                        {"median_ms", b.median_ms},
                        {"quartile_ms", b.quartile_ms},
                        {"min_ms", b.min_ms},
                        {"queued_ms", b.queued_ms},
                        {"replayed_ms", if_replayed(b.replayed_ms)},
                        {"after_replay_loss", if_replayed(b.after_replay_loss)},
                        {"pool_bytes", b.pool_bytes},
                        {"steady_requests", b.steady_requests},
                        {"losses", Json::array(b.losses)},
                        {"ops", ops}};
}

int bench_ops(const MachineOptions& machine, const std::string& ops, const std::string& cases, DType dtype,
              double seconds, bool as_json) {
    const auto table = kernels::all_op_cases();
    const auto chosen = kernels::select(
        table, {.ops = split_at_commas(ops), .id_regex = cases, .dtypes = {dtype}, .tests = false, .bench = true});
    if (chosen.empty())
        throw InputError({.id = 203,
                          .what = fmt::format("no case of any op passes the filters (--op \"{}\", --case \"{}\")",
                                              printable(ops), printable(cases)),
                          .at = "option --op",
                          .try_ = "bkd check-ops list"});
    const auto backend = open_backend(machine.chosen_device(), machine.backend());
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
    std::string method = "ce", dtype = "f32", ops, cases;
    double seconds = 1;
    bool as_json = false, tf32 = false;
    std::string tune;
    Options options("bench",
                    "Times a training step on synthetic images (step, the default) or single ops at the sizes of a "
                    "ResNet-32 step (ops).",
                    {"bkd bench step --network resnet32 --method bkd", "bkd bench ops --op 'conv2d*'"});
    options.words("MODE", words, 0, 1, "step or ops");
    machine.add_to(options);
    options.value("--network", step.network, "step: a network of models/list.inc");
    options.choice("--method", method, {"ce", "bkd"}, "step: which loss");
    options.choice("--dtype", dtype, {"f32", "bf16"}, "of activations, or of the ops' tensors");
    options.value("--batch", step.batch, 2, 65536, "step: images a batch");
    options.value("--size", step.size, 8, 512, "step: height and width of an image");
    options.value("--channels", step.channels, 1, 16, "step: of an image");
    options.value("--classes", step.classes, 2, 100000, "step: of the classifier");
    options.value("--steps", step.steps, 1, 100000, "step: timed steps");
    options.flag("--tf32", tf32, "step, on a GPU: products of f32 numbers with 10 bits of mantissa");
    options.value("--tune", tune, "step, on a GPU: times cuDNN's engines and notes the fastest in this file");
    options.value("--op", ops, "ops: names, with * and ?, separated by commas");
    options.value("--case", cases, "ops: cases whose id this regular expression finds");
    options.value("--min-time", seconds, 0.01, 60, "ops: seconds of samples a case");
    options.flag("--json", as_json, "the result as one JSON document");
    options.only_in("step", {"--network", "--method", "--batch", "--size", "--channels", "--classes", "--steps",
                             "--tf32", "--tune"});
    options.only_in("ops", {"--op", "--case", "--min-time"});
    if (!options.parse(arguments)) return 0;
    const std::string mode = words.empty() ? "step" : words[0];
    if (mode != "step" && mode != "ops")
        throw InputError(
            {.id = 203, .what = fmt::format("bench has no mode \"{}\"", printable(mode)), .try_ = "step or ops"});
    options.check_mode(mode);
    step.dtype = dtype == "bf16" ? DType::bf16 : DType::f32;
    if (mode == "ops") return bench_ops(machine, ops, cases, step.dtype, seconds, as_json);
    step.distils = method == "bkd";
    step.device = machine.chosen_device();
    step.backend = machine.backend();
    step.backend.tf32 = tf32;
    step.backend.tunes = !tune.empty();
    step.backend.plans = tune;
    if (step.device.kind != DeviceKind::cuda && (tf32 || !tune.empty()))
        throw InputError({.id = 208,
                          .what = fmt::format("{} has no effect on {}", tf32 ? "--tf32" : "--tune", step.device.str()),
                          .at = tf32 ? "option --tf32" : "option --tune",
                          .try_ = "--device cuda"});
    const StepBench result = bench_step(step);
    if (as_json)
        fmt::print("{}\n", to_json(step, result).dump());
    else
        print_step(step, result);
    return 0;
}

}
