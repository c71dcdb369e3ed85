#pragma once
// Whether a run's log is whole. One that was cut, or lost lines, still reads as the log of a shorter run: only what its
// own records and run.json say of each other shows it. That of a process at work may end anywhere.
#include "train/run_lock.h"
#include "train/run_record.h"

namespace bkd {

// Looks for: an incomplete last line, the records that open and close the log, its last step against that of run.json,
// and for each stage its beginning, every epoch, every evaluation that eval.every asks for and every step that
// log.every asks for (but where a resumed run changed these). `run` has its facts, recipe and stages. `worker` is the
// process that its lock names, if any: a run in state "running" whose process is gone has lost its end.
LogDamage log_damage(const RunRecord& run, const RunLog& log, const std::optional<LockHolder>& worker);

}
