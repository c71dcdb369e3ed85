#pragma once
// StageRun: the stage that is being trained: steps, the end of an epoch, what a checkpoint of it holds, and its result.
// Of the method it knows the loss; of the loss it knows one number.
#include "train/checkpoint.h"
#include "train/fault_search.h"
#include "train/method.h"

#include <chrono>
#include <functional>

namespace bkd {

struct LossPart {
    std::string name;
    double value = 0;
};

// One step, read back: every log.every steps.
struct StepReport {
    std::int64_t epoch = 0, step = 0;  // epoch from 1; step of the stage, from 1
    double loss = 0, learning_rate = 0, gradient_norm = 0;
    std::vector<LossPart> parts{};
    double images_per_second = 0, wait_ms = 0;  // since the last report
};

struct EpochReport {
    std::int64_t epoch = 0, epochs = 0;  // done, from 1; of the stage
    std::int64_t steps_done = 0;         // of the stage
    std::int64_t images = 0, skipped = 0;
    double loss = 0;  // mean over the images
    double learning_rate = 0, seconds = 0;
    double waited_seconds = 0;         // of them for batches that were not ready
    std::optional<Metrics> metrics{};  // on eval.split, when evaluated
    double evaluation_seconds = 0;
    bool is_best = false;
};

class StageRun {
public:
    StageRun(const Training& training, const Stage& stage, Method& method, const FindResult& find);

    StageContext& context() { return context_; }
    const Stage& stage() const { return context_.stage(); }
    std::int64_t steps_per_epoch() const { return steps_per_epoch_; }
    std::int64_t epochs() const { return epochs_; }
    std::int64_t epochs_done() const { return epochs_done_; }
    std::int64_t steps_done() const { return done_; }
    bool is_done() const { return epochs_done_ >= epochs_; }
    bool is_epoch_done() const { return done_ >= epoch_end_; }
    bool is_within_epoch() const { return done_ > epochs_done_ * steps_per_epoch_; }
    double learning_rate() const { return learning_rate_; }

    void begin() { method_.begin(context_); }
    void begin_epoch();  // also of one that a checkpoint was written within
    // A report where the step was read back: InputError E0901 for a loss that is not finite, E0902 for one that
    // diverges.
    std::optional<StepReport> step();
    EpochReport end_epoch();

    // After any step; E0901 and E0902 as step(), so that no checkpoint holds a training that has failed.
    void save(Checkpoint& checkpoint);
    // E1005 if the checkpoint is of another network or length of an epoch.
    void restore(const Checkpoint& checkpoint);
    // The inference network as it is now: finished with the first of Finish::values.
    StageResult result();
    Evaluation evaluate(const std::string& split, bool keeps_logits = false);
    // One evaluation for each of Finish::values, over features computed once.
    std::vector<Metrics> sweep_finish(const std::string& split);

    const std::optional<BestEpoch>& best() const { return best_; }
    // Of the best epoch; after restore() whoever restores must bring it back, if the stage selects it.
    const std::optional<StageResult>& best_result() const { return best_result_; }
    void set_best_result(StageResult result) { best_result_ = std::move(result); }

    // Told of a loss or gradient that is not finite before E0901 is thrown.
    std::function<void(const FaultReport&)> on_fault{};

private:
    using Clock = std::chrono::steady_clock;
    using VisitTensor = std::function<void(const std::string& name, const Parameter& as, const Tensor& memory)>;
    std::vector<Tensor> moved_buffers();
    void find_moved_by_forward();
    void next_numbers();
    bool may_record() const;
    Tensor run(Step& step);
    Tensor record(Step& step);
    Tensor compute(Step& step);
    bool is_left_out();
    void update(const Tensor& loss);
    void check_losses();
    [[noreturn]] void fail_fault(std::int64_t step, double loss);
    FaultReport find_fault(std::int64_t step);
    StepReport read_back(const Step& step);
    double gradient_norm();
    std::unique_ptr<Network> make_inference(double value);
    Network& inference();
    void judge(const Metrics& metrics, EpochReport& report);
    void visit_tensors(const VisitTensor& visit);
    // `step` of the stage, from 0.
    [[noreturn]] void fail_number(int id, const std::string& what, std::int64_t step, const std::string& why) const;

    const Training& training_;
    Method& method_;
    StageContext context_;
    Runtime& runtime_;
    Tape tape_;
    Context training_ctx_, plain_ctx_;
    Sgd optimizer_;
    Schedule schedule_;
    std::unique_ptr<Network> inference_;  // where there is a Finish

    std::int64_t steps_per_epoch_ = 0, epochs_ = 0, total_steps_ = 0;
    std::int64_t epochs_done_ = 0, done_ = 0, epoch_end_ = 0;

    // Numbers of a step, in device memory; position_ [3] i32: epoch, step of the epoch, place in losses_. fault_ [1]
    // i32: how many losses and numbers of gradients were not finite; from the first one on no update is made, so that
    // the weights stay those of that step until the host sees it.
    Tensor learning_rate_memory_, position_, fault_;
    double learning_rate_ = 0;
    // The step as the device replays it until the epoch ends, for batches of these sizes.
    struct Recorded {
        std::unique_ptr<Recording> recording;
        std::vector<std::int64_t> sizes;
        Tensor loss;
        std::array<Step::Note, 4> notes;
    };
    std::optional<Recorded> recorded_;
    std::vector<std::int64_t> sizes_,
        computed_sizes_;  // of the batches of this step; the largest computed, not recorded
    bool reads_progress_ = false;
    // train.nonfinite = skip: what a forward pass may move, with copies to undo it. Else empty.
    struct Moved {
        Tensor memory, before;
    };
    std::vector<Moved> moved_by_forward_;
    // Losses since the last look, on the device, with the images behind each; NaN from the first fault on.
    Tensor losses_;
    std::vector<std::int64_t> loss_images_;
    double loss_sum_ = 0;  // over the images of the epoch looked at so far
    std::int64_t images_ = 0, skipped_ = 0, skipped_in_a_row_ = 0, steps_above_ = 0;
    Clock::time_point epoch_start_{}, last_report_{};
    std::int64_t images_since_report_ = 0;
    Clock::duration waited_{}, waited_in_epoch_{};

    std::optional<BestEpoch> best_;
    std::optional<StageResult> best_result_;
};

}
