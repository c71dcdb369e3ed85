#include "data/dataset.h"
#include "tools/inspect/inspect.h"
#include "tools/terminal.h"
#include "train/class_weights.h"

#include <cmath>
#include <cstdio>

namespace bkd {
namespace {

// A table whose columns are as wide as what stands in them; the first is aligned left.
class TextTable {
public:
    explicit TextTable(std::vector<std::string> head) : rows_{std::move(head)} {}
    void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
    void print() const {
        std::vector<std::size_t> widths;
        for (const auto& row : rows_) {
            widths.resize(std::max(widths.size(), row.size()));
            for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
        }
        for (const auto& row : rows_) {
            for (std::size_t i = 0; i < row.size(); ++i)
                fmt::print("{}{:{}}{:>{}}", i == 0 ? "  " : "   ", i == 0 ? row[i] : "", i == 0 ? widths[i] : 0,
                           i == 0 ? "" : row[i], i == 0 ? 0 : widths[i]);
            fmt::print("\n");
        }
    }

private:
    std::vector<std::vector<std::string>> rows_;
};

struct Law {
    std::string name;
    ClassWeightOptions options;
};

// Those of the paper's Fig. 6, scaled alike.
std::vector<Law> laws() {
    std::vector<Law> all;
    for (const double beta : {0.9, 0.99, 0.999, 0.9999})
        all.push_back({fmt::format("beta={}", beta), {.kind = WeightKind::effective_number, .beta = beta}});
    all.push_back({"inverse", {.kind = WeightKind::inverse_frequency}});
    return all;
}

struct Classes {
    std::vector<std::string> names{};
    std::vector<std::int64_t> counts{};
    std::vector<std::string> row(std::size_t c) const {
        return {fmt::format("{} {}", c, printable(names[c])), std::to_string(counts[c])};
    }
};

Classes classes_of(const RunRecord& run) {
    Classes classes{.counts = run.class_counts()};
    if (!run.evaluations.empty()) classes.names = run.evaluations.begin()->second.class_names;
    if (classes.names.size() != classes.counts.size())
        classes.names = describe_dataset(run.text("data.name")).class_names;
    classes.names.resize(classes.counts.size(), "-");
    return classes;
}

std::string percent(double share) { return std::isfinite(share) ? fmt::format("{:.2f}", 100 * share) : "-"; }

void print_omega(const Classes& classes, const RunStudy& study) {
    fmt::print("class weights omega; those of the laws scaled to a mean of 1        Eq. 2, Fig. 6\n");
    std::vector<std::string> head{"class", "trained"};
    std::vector<std::vector<double>> columns;
    for (const StageStudy& stage : study.stages)
        if (!stage.omega.empty()) head.push_back("of " + stage.stage), columns.push_back(stage.omega);
    for (const Law& law : laws())
        head.push_back(law.name), columns.push_back(class_weights(classes.counts, law.options));
    TextTable table(head);
    for (std::size_t c = 0; c < classes.counts.size(); ++c) {
        std::vector<std::string> row = classes.row(c);
        for (const auto& column : columns) row.push_back(fmt::format("{:.4f}", column[c]));
        table.add(std::move(row));
    }
    table.print();
}

void print_gradients(const Classes& classes, const StageStudy& study) {
    fmt::print("{}: what its loss adds to a class's logit and takes from it, summed over the training images    3.1\n",
               study.stage);
    if (study.encouraging.empty()) {
        fmt::print("  not known: the loss does not take the network's logits as they are\n");
        return;
    }
    TextTable table({"class", "trained", "adds", "takes", "takes/adds", "added by others, %"});
    for (std::size_t c = 0; c < classes.counts.size(); ++c) {
        std::vector<std::string> row = classes.row(c);
        const double adds = study.encouraging[c], takes = study.discouraging[c];
        row.push_back(fmt::format("{:.3f}", adds));
        row.push_back(fmt::format("{:.3f}", takes));
        row.push_back(adds > 0 ? fmt::format("{:.2f}", takes / adds) : "-");
        row.push_back(adds > 0 ? percent(study.encouraging_by_others[c] / adds) : "-");
        table.add(std::move(row));
    }
    table.print();
}

void print_probabilities(const Classes& classes, const StageStudy& study) {
    fmt::print("{}: mean of softmax(z/{}), percent; what a class is given on its own images, and of all images\n",
               study.stage, study.temperature);
    std::vector<std::string> head{"class", "trained"};
    std::vector<const std::vector<double>*> columns;
    for (const bool own : {true, false}) {
        const auto add = [&](const std::string& name, const ClassProbabilities& p) {
            head.push_back(fmt::format("{}: {}", own ? "own" : "all", name));
            columns.push_back(own ? &p.of_label : &p.of_class);
        };
        if (study.teacher) add("teacher", *study.teacher);
        if (study.balanced) add("omega*teacher", *study.balanced);
        add(study.teacher ? "student" : study.stage, study.student);
    }
    TextTable table(head);
    for (std::size_t c = 0; c < classes.counts.size(); ++c) {
        std::vector<std::string> row = classes.row(c);
        for (const auto* column : columns) row.push_back(percent((*column)[c]));
        table.add(std::move(row));
    }
    table.print();
}

Json run_json(const RunRecord& run, const Classes& classes, const RunTables& tables, const RunStudy& study,
              const StudyParts& parts) {
    Json::Array stages;
    for (const StageStudy& stage : study.stages) {
        Json::Object object{{"stage", stage.stage}};
        for (Json::Member& member : study_json(stage, parts)) object.push_back(std::move(member));
        stages.emplace_back(std::move(object));
    }
    Json::Object whole{{"schema", "bkd.inspect-run/1"},
                       {"run", run.path.string()},
                       {"class_names", Json::array(classes.names)},
                       {"class_counts", Json::array(classes.counts)},
                       {"stages", std::move(stages)},
                       {"missing", Json::array(study.missing)}};
    if (tables.omega) {
        Json::Object all;
        for (const Law& law : laws())
            all.emplace_back(law.name, Json::array(class_weights(classes.counts, law.options)));
        whole.emplace_back("laws", std::move(all));
    }
    return whole;
}

}

void inspect_run(const RunRecord& run, const RunTables& tables, const StudyOptions& options, bool as_json) {
    StudyOptions asked = options;
    asked.parts = {.gradients = tables.gradients, .probabilities = tables.teacher_probs};
    const RunStudy study = study_run(run, asked);
    const Classes classes = classes_of(run);
    if (as_json) {
        fmt::print("{}\n", run_json(run, classes, tables, study, asked.parts).dump());
        return;
    }
    for (const std::string& what : study.missing) say("warning: {}\n", printable(what));
    if (tables.omega) print_omega(classes, study);
    for (const StageStudy& stage : study.stages) {
        if (tables.gradients) print_gradients(classes, stage);
        if (tables.teacher_probs) print_probabilities(classes, stage);
    }
}

}
