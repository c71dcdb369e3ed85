#pragma once
// Workers: jobs 0 .. n-1 done by processes of their own, so that a job that crashes, hangs or poisons its process takes
// nothing with it. The process that forks them must not have used OpenMP or a device: neither survives a fork.
#include <functional>
#include <string>
#include <vector>

namespace bkd {

struct WorkersOptions {
    int processes = 1;
    double time_limit = 0;  // seconds a job; 0: none
};

struct JobOutcome {
    enum class Kind { done, crashed, timed_out };
    Kind kind = Kind::done;
    std::string text{};  // of done: what the job returned; of crashed: "signal 11 (Segmentation fault)"
};

enum class NextJob {
    go_on,
    fresh_process,  // go on, but the process that did this job does no other
    stop            // jobs not begun yet are left out
};

// In a new process: makes what all its jobs need and returns what does one. What it throws (InputError) ends run_jobs.
using MakeWorker = std::function<std::function<std::string(std::size_t job)>()>;

// `done` is called here, in the order in which jobs end.
void run_jobs(const std::vector<std::size_t>& jobs, const WorkersOptions& options, const MakeWorker& make,
              const std::function<NextJob(std::size_t job, const JobOutcome&)>& done);

}
