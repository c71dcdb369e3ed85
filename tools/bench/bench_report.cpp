#include "tools/bench/bench_report.h"

#include <fmt/format.h>

namespace bkd {
namespace {

void print_ceilings(const char* when, const Ceilings& c) {
    fmt::print("this machine{}: copies {:.1f} GB/s, products {:.0f} GFLOP/s\n", when, c.copy_gbs, c.product_gflops);
}

Json to_json(const Ceilings& c) { return Json::Object{{"copy_gbs", c.copy_gbs}, {"product_gflops", c.product_gflops}}; }

}

void print_step(const StepBenchOptions& o, const StepBench& b, const Ceilings& ceilings) {
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
    fmt::print("\n\n{:<32} {:>6} {:>9} {:>7} {:>9} {:>8} {:>8}\n", "op", "calls", "ms", "share", "GFLOP/s", "GB/s",
               "of copy");
    double total = 0;
    for (const OpShare& op : b.ops) total += op.milliseconds;
    for (const OpShare& op : b.ops)
        fmt::print("{:<32} {:>6} {:>9.3f} {:>6.1f}% {:>9.1f} {:>8.1f} {:>7.0f}%\n", op.op, op.calls, op.milliseconds,
                   100 * op.milliseconds / total, op.flops / op.milliseconds * 1e-6, op.bytes / op.milliseconds * 1e-6,
                   100 * op.bytes / op.milliseconds * 1e-6 / ceilings.copy_gbs);
    print_ceilings("", ceilings);
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

void print_inference(const TrainingStepOptions& o, const InferenceBench& b) {
    fmt::print("{}\n{} in {}, batch norms folded, batch {} of {}x{}x{}, {} classes: {:.3f} ms a batch (median; "
               "quartile {:.3f}, best {:.3f}), {:.0f} images/s\n"
               "memory {:.1f} MiB of tensors and scratch; asked the system {} times\n",
               b.description, o.network, name_of(o.dtype), o.batch, o.size, o.size, o.channels, o.classes, b.median_ms,
               b.quartile_ms, b.min_ms, 1000.0 * static_cast<double>(o.batch) / b.median_ms,
               static_cast<double>(b.pool_bytes) / (1 << 20), b.steady_requests);
}

Json to_json(const TrainingStepOptions& o, const InferenceBench& b) {
    return Json::Object{{"schema", "bkd.bench-infer/1"},
                        {"device", b.description},
                        {"network", o.network},
                        {"dtype", name_of(o.dtype)},
                        {"batch", o.batch},
                        {"median_ms", b.median_ms},
                        {"quartile_ms", b.quartile_ms},
                        {"min_ms", b.min_ms},
                        {"pool_bytes", b.pool_bytes},
                        {"steady_requests", b.steady_requests},
                        {"logits", Json::array(b.logits)}};
}

void print_start(const StartBench& b) {
    fmt::print(
        "from the start of the process to the first prediction: {:.1f} ms (median of {}, most {:.1f}); to its end "
        "{:.1f} ms; at most {:.1f} MiB resident\n",
        b.first_ms, b.starts, b.first_most_ms, b.total_ms, b.peak_mib);
}

Json to_json(const StartBench& b) {
    return Json::Object{{"schema", "bkd.bench-start/1"}, {"starts", std::int64_t{b.starts}},
                        {"first_ms", b.first_ms},        {"first_most_ms", b.first_most_ms},
                        {"total_ms", b.total_ms},        {"peak_mib", b.peak_mib}};
}

void print_peer(const PeerOptions& o, const PeerBench& b, const Ceilings& before, const Ceilings& after) {
    fmt::print("{} in {}, batch {}, beside {}; {} rounds of one process each; load before: {:.2f}{}\n", o.work.network,
               name_of(o.work.dtype), o.work.batch, b.peer.empty() ? "no peer that answered" : b.peer, o.rounds,
               b.load_before, b.load_before < 0.3 ? "" : " (not quiet: below 0.3 is)");
    print_ceilings(" before", before);
    print_ceilings(" after", after);
    fmt::print("\n{:<10} {:<34} {:>9} {:>12} {:>10}\n", "work", "program", "best ms", "quartile ms", "peak MiB");
    for (const PeerTimes& t : b.times)
        if (t.failure.empty())
            fmt::print("{:<10} {:<34} {:>9.3f} {:>12.3f} {:>10.0f}\n", t.group, t.name, t.best_ms, t.quartile_ms,
                       t.peak_mib);
        else
            fmt::print("{:<10} {:<34} void: {}\n", t.group, t.name, t.failure);
    fmt::print("\nratios of quartiles, round by round\n");
    for (const PeerRatio& r : b.ratios)
        fmt::print("{:<60} {:.3f} ({:.3f} to {:.3f}, {} rounds)\n", r.what, r.median, r.least, r.most, r.rounds);
}

Json to_json(const PeerOptions& o, const PeerBench& b, const Ceilings& before, const Ceilings& after) {
    Json::Array times, ratios;
    for (const PeerTimes& t : b.times)
        times.push_back(Json::Object{{"work", t.group},
                                     {"program", t.name},
                                     {"best_ms", t.best_ms},
                                     {"quartile_ms", t.quartile_ms},
                                     {"quartiles", Json::array(t.quartiles)},
                                     {"peak_mib", t.peak_mib},
                                     {"failure", t.failure}});
    for (const PeerRatio& r : b.ratios)
        ratios.push_back(Json::Object{{"what", r.what},
                                      {"rounds", std::int64_t{r.rounds}},
                                      {"median", r.median},
                                      {"least", r.least},
                                      {"most", r.most}});
    return Json::Object{{"schema", "bkd.bench-peer/1"},
                        {"peer", b.peer},
                        {"network", o.work.network},
                        {"dtype", name_of(o.work.dtype)},
                        {"batch", o.work.batch},
                        {"load_before", b.load_before},
                        {"before", to_json(before)},
                        {"after", to_json(after)},
                        {"times", times},
                        {"ratios", ratios}};
}

}
