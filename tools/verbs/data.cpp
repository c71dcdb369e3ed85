// bkd data ls | stats NAME: what data sets there are, and the shape of one or of a cut of it.
#include "data/dataset.h"
#include "data/imbalance.h"
#include "data/stats.h"
#include "engine/json.h"
#include "tools/options.h"
#include "tools/terminal.h"

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
    const auto group = [&](Shot which) { return Json(static_cast<std::int64_t>(stats.groups.of(which).size())); };
    return Json::Object{
        {"schema", "bkd.data-stats/1"},
        {"name", stats.name},
        {"split", std::string(name_of(stats.split))},
        {"total", stats.total},
        {"classes", Json::array(stats.class_names)},
        {"counts", Json::array(stats.counts)},
        {"ratio", stats.ratio ? Json(*stats.ratio) : Json()},
        {"groups",
         Json::Object{{"many", group(Shot::many)}, {"medium", group(Shot::medium)}, {"few", group(Shot::few)}}},
        {"index_sha256", stats.index_fingerprint},
        {"position_sha256", stats.position_fingerprint},
        {"bytes_sha256", stats.byte_fingerprint},
        {"files", files}};
}

}

int run_data(const std::vector<std::string>& arguments) {
    std::vector<std::string> words;
    std::string root = "auto", split = "train", imbalance = "none";
    double ratio = 1;
    std::int64_t subset_seed = 0;
    bool as_json = false;
    Options options(
        "data",
        "Statistics of a data set, or of a long-tailed or step cut of it: counts, ratio, shot groups, fingerprints.",
        {"bkd data ls", "bkd data stats fashion_mnist --imbalance long_tailed --ratio 100",
         "bkd data stats cifar10 --root data --imbalance step --ratio 50 --json"});
    options.words("MODE", words, 1, "ls, or stats NAME");
    options.value("--root", root, "folder of the set's files; auto: ./data and where Debian's packages put them");
    options.choice("--split", split, {"train", "test"}, "which part");
    options.choice("--imbalance", imbalance, {"none", "long_tailed", "step"}, "how to cut");
    options.value("--ratio", ratio, 1, 1e9, "largest class / smallest class");
    options.value("--subset-seed", subset_seed, 0, 4294967295, "of the selection");
    options.flag("--json", as_json, "the result as one JSON document");
    if (!options.parse(arguments)) return 0;

    if (words[0] == "ls") {
        for (const DatasetEntry& entry : datasets()) fmt::print("{:<16} {}\n", entry.name, entry.title);
        return 0;
    }
    if (words[0] != "stats" || words.size() != 2)
        throw InputError(
            {.id = 203,
             .what = fmt::format("bkd data takes ls, or stats and one name, got \"{}\"", printable(words[0])),
             .try_ = "bkd data --help"});
    const ImageSet set = open_dataset(words[1], root, parse_split(split));
    const SubsetOptions cut{
        .kind = parse_imbalance(imbalance), .ratio = ratio, .seed = static_cast<std::uint32_t>(subset_seed)};
    const DataStats stats = stats_of(set, select_subset(set, cut));
    const Terminal terminal;
    if (as_json)
        fmt::print("{}\n", to_json(stats).dump());
    else
        fmt::print("{}", text_of(stats, {.columns = terminal.columns, .utf8 = terminal.utf8}));
    return 0;
}

}
