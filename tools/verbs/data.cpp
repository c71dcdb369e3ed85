// bkd data ls | stats NAME | verify NAME: what data sets there are, the shape of one or of a cut of it, and whether all
// of it can be read.
#include "data/dataset.h"
#include "data/imbalance.h"
#include "data/stats.h"
#include "engine/json.h"
#include "tools/data_verify.h"
#include "tools/options.h"
#include "tools/recipe_folders.h"
#include "tools/terminal.h"

#include <fmt/format.h>

#include <cstdio>

namespace bkd {
namespace {

Json to_json(const DataStats& stats) {
    Json::Array files;
    for (const FileFact& file : stats.files)
        files.push_back(Json::Object{{"path", file.path},
                                     {"bytes", file.stored_bytes},
                                     {"unpacked_bytes", file.unpacked_bytes},
                                     {"sha256", file.sha256}});
    Json ratio;  // null: a class is empty
    if (stats.ratio) ratio = *stats.ratio;
    const auto group = [&](Shot which) { return Json(static_cast<std::int64_t>(stats.groups.of(which).size())); };
    return Json::Object{
        {"schema", "bkd.data-stats/1"},
        {"name", stats.name},
        {"split", std::string(name_of(stats.split))},
        {"total", stats.total},
        {"classes", Json::array(stats.class_names)},
        {"counts", Json::array(stats.counts)},
        {"ratio", ratio},
        {"groups",
         Json::Object{{"many", group(Shot::many)}, {"medium", group(Shot::medium)}, {"few", group(Shot::few)}}},
        {"index_sha256", stats.index_fingerprint},
        {"position_sha256", stats.position_fingerprint},
        {"bytes_sha256", stats.byte_fingerprint},
        {"files", files}};
}

Json list_json() {
    Json::Array sets;
    for (const DatasetEntry& entry : datasets()) {
        sets.emplace_back();
        sets.back().set("name", entry.name).set("title", entry.title);
    }
    return Json::Object{{"schema", "bkd.data-list/1"}, {"sets", sets}};
}

// A cut has a law and a ratio; what one of them says alone would be ignored.
void check_cut(const std::string& imbalance, const std::optional<double>& ratio,
               const std::optional<std::int64_t>& seed) {
    const bool is_cut = imbalance != "none";
    const auto refuse = [](const std::string& option, const std::string& needs, const std::string& advice) {
        throw InputError(
            {.id = 206, .what = fmt::format("{} needs {}", option, needs), .at = "option " + option, .try_ = advice});
    };
    if (!is_cut && (ratio || seed))
        refuse(ratio ? "--ratio" : "--subset-seed", "--imbalance: without a law nothing is cut",
               "--imbalance long_tailed --ratio 100");
    if (is_cut && !ratio) refuse("--imbalance", "--ratio, largest class / smallest class", "--ratio 100");
}

}

int run_data(const std::vector<std::string>& arguments) {
    std::vector<std::string> words;
    std::string root, split = "train", imbalance = "none", bad_list;
    std::int64_t threads = 0;
    std::optional<double> ratio;
    std::optional<std::int64_t> subset_seed;
    bool as_json = false;
    Options options(
        "data",
        "Counts, ratio, shot groups and fingerprints of a data set, or of a cut of it; or a look at each of its files.",
        {"bkd data ls", "bkd data stats fashion_mnist --imbalance long_tailed --ratio 100",
         "bkd data stats cifar10 --root data --imbalance step --ratio 50 --json",
         "bkd data verify image_folder --root photos --list-bad bad.txt"});
    options.words("MODE", words, 1, 2, "ls, stats NAME or verify NAME");
    options.value("--root", root,
                  "folder of the set's files; unset: BKD_DATA, else auto: ./data and where Debian's packages are");
    options.choice("--split", split, {"train", "test"}, "which part");
    options.choice("--imbalance", imbalance, {"none", "long_tailed", "step"}, "how to cut");
    options.value("--ratio", ratio, 1, 1e9, "largest class / smallest class");
    options.value("--subset-seed", subset_seed, 0, 4294967295, "of the selection");
    options.value("--list-bad", bad_list, "a file for the paths that cannot be read, one a line");
    options.value("--threads", threads, 0, 1024, "that read pictures; 0: as many as allowed");
    options.flag("--json", as_json, "the result as one JSON document");
    options.only_in({"stats", "verify"}, {"--root"});
    options.only_in("stats", {"--split", "--imbalance", "--ratio", "--subset-seed"});
    options.only_in("verify", {"--list-bad", "--threads"});
    if (!options.parse(arguments)) return 0;

    if (words[0] == "ls" || words[0] == "stats" || words[0] == "verify") options.check_mode(words[0]);
    check_cut(imbalance, ratio, subset_seed);
    if (words[0] == "ls" && words.size() == 1) {
        if (as_json)
            fmt::print("{}\n", list_json().dump());
        else
            for (const DatasetEntry& entry : datasets()) fmt::print("{:<16} {}\n", entry.name, entry.title);
        return 0;
    }
    if ((words[0] != "stats" && words[0] != "verify") || words.size() != 2)
        throw InputError({.id = 203,
                          .what = fmt::format("bkd data takes ls, or stats or verify and one name, got \"{}\"",
                                              printable(fmt::format("{}", fmt::join(words, " ")))),
                          .try_ = "bkd data --help"});
    if (root.empty()) root = data_root_of_environment();
    if (words[0] == "verify")
        return verify_data({.name = words[1],
                            .root = root,
                            .bad_list = bad_list,
                            .threads = static_cast<int>(threads),
                            .as_json = as_json});
    const ImageSet set = open_dataset(words[1], root, parse_split(split));
    const SubsetOptions cut{.kind = parse_imbalance(imbalance),
                            .ratio = ratio.value_or(1),
                            .seed = static_cast<std::uint32_t>(subset_seed.value_or(0))};
    const DataStats stats = stats_of(set, select_subset(set, cut));
    const Terminal terminal;
    if (as_json)
        fmt::print("{}\n", to_json(stats).dump());
    else
        fmt::print("{}", text_of(stats, {.columns = terminal.columns, .utf8 = terminal.utf8}));
    return 0;
}

}
