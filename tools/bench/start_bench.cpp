#include "tools/bench/start_bench.h"

#include "tools/bench/timed_program.h"
#include "tools/bench/times.h"

#include <algorithm>
#include <filesystem>

namespace bkd {

StartBench bench_start(const std::string& model, const std::string& images, std::int64_t threads, int starts) {
    std::vector<std::string> command{std::filesystem::read_symlink("/proc/self/exe").string(),
                                     "predict",
                                     model,
                                     images,
                                     "--batch",
                                     "1",
                                     "--device",
                                     "cpu"};
    if (threads > 0) command.insert(command.end(), {"--threads", std::to_string(threads)});
    StartBench bench{.starts = starts};
    Times first, total;
    for (int i = 0; i < starts; ++i) {
        const TimedProgram run = run_timed(command);
        if (run.code != 0) return {.exit_code = run.code, .said = run.err};
        first.add_ms(run.first_byte_ms);
        total.add_ms(run.total_ms);
        bench.peak_mib = std::max(bench.peak_mib, run.peak_mib);
    }
    bench.first_ms = first.median();
    bench.first_most_ms = first.most();
    bench.total_ms = total.median();
    return bench;
}

}
