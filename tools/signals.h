#pragma once
// Signals that ask a training to end: SIGINT, SIGTERM, SIGHUP. The first is remembered, for the run to end in order with
// a checkpoint; the same one again, or any after a second, ends the process at once: a closed terminal or a scheduler
// sends several kinds together. One that was ignored when the program started (nohup) stays so.

namespace bkd {

// SIGPIPE is ignored from here on, too: a run goes on without whoever read its narration.
void watch_stop_signals();

const char* stop_signal();  // "SIGTERM"; null if there was none

// SIGUSR1, watched as well, asks for a checkpoint now: true once for those since the last call.
bool takes_checkpoint_wish();

// Ends the process by the signal seen, as if it had not been watched, so that a shell or scheduler sees it. Returns if
// there was none.
void end_by_stop_signal();

}
