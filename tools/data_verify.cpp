#include "tools/data_verify.h"

#include "data/picture_check.h"
#include "data/picture_set.h"
#include "engine/file.h"
#include "engine/json.h"
#include "tools/terminal.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>

namespace bkd {
namespace {

constexpr std::array splits = {Split::train, Split::test};
constexpr std::size_t lines_of_a_kind = 20;  // that are printed; --json and --list-bad have all

struct Verified {
    std::vector<ImageSet> sets{};                         // as `splits`
    std::vector<std::vector<PictureFinding>> findings{};  // likewise
    // Groups of the same bytes: under two classes, else in both splits, else twice in one.
    std::vector<std::vector<ListedPicture>> mislabelled{}, leaks{}, twice{};
    std::map<std::string, std::vector<ListedPicture>> oddities{};  // the pictures that each is true of

    std::string path(const ListedPicture& picture) const {
        const ImageSet& set = sets[picture.list];
        return set.source ? set.source->name(static_cast<std::int32_t>(picture.index))
                          : fmt::format("{} image {}", name_of(set.split), picture.index);
    }
    const std::string& class_of(const ListedPicture& picture) const {
        const ImageSet& set = sets[picture.list];
        return set.class_names[static_cast<std::size_t>(set.labels[static_cast<std::size_t>(picture.index)])];
    }
    std::vector<ListedPicture> bad() const {
        std::vector<ListedPicture> all;
        for (std::size_t s = 0; s < findings.size(); ++s)
            for (std::size_t i = 0; i < findings[s].size(); ++i)
                if (findings[s][i].is_bad()) all.push_back({s, static_cast<std::int64_t>(i)});
        return all;
    }
    const InputError& error_of(const ListedPicture& picture) const {
        return *findings[picture.list][static_cast<std::size_t>(picture.index)].error;
    }
};

// Of a set in memory the bytes of each image stand for a file's.
std::vector<PictureFinding> findings_of(const ImageSet& set, const VerifyData& options) {
    if (const PictureFiles* files = picture_files(set)) {
        const Terminal terminal;
        PictureCheck check{.threads = options.threads, .hashes = true};
        if (terminal.is_terminal)
            check.progress = [&](std::int64_t done) { say("\r{} {} of {}", name_of(set.split), done, set.size()); };
        std::vector<PictureFinding> findings = check_pictures(files->list(), files->root(), check);
        if (terminal.is_terminal) say("\n");
        return findings;
    }
    std::vector<PictureFinding> findings(static_cast<std::size_t>(set.size()));
    for (std::int64_t i = 0; i < set.size(); ++i) {
        Sha256 hash;
        hash.update(std::as_bytes(set.image(i)));
        findings[static_cast<std::size_t>(i)].content = hash.digest();
    }
    return findings;
}

void sort_groups(Verified& verified) {
    for (std::vector<ListedPicture>& group : same_pictures(verified.findings)) {
        std::set<std::string> classes;
        std::set<std::size_t> lists;
        for (const ListedPicture& picture : group)
            classes.insert(verified.class_of(picture)), lists.insert(picture.list);
        auto& kind = classes.size() > 1 ? verified.mislabelled : lists.size() > 1 ? verified.leaks : verified.twice;
        kind.push_back(std::move(group));
    }
}

Verified verify(const VerifyData& options) {
    Verified verified;
    for (const Split split : splits) {
        verified.sets.push_back(open_dataset(options.name, {.root = options.root, .allows_empty = true}, split));
        verified.findings.push_back(findings_of(verified.sets.back(), options));
        const ImageSet& set = verified.sets.back();
        for (std::int32_t i = 0; set.source && i < set.size(); ++i)
            if (const PictureFinding& f = verified.findings.back()[static_cast<std::size_t>(i)]; !f.is_bad())
                for (std::string& odd : oddities(set.source->name(i), f.header))
                    verified.oddities[std::move(odd)].push_back({verified.sets.size() - 1, i});
    }
    sort_groups(verified);
    return verified;
}

Json to_json(const Verified& verified) {
    const auto entry = [&](const ListedPicture& picture) {
        return Json(Json::Object{{"split", std::string(name_of(verified.sets[picture.list].split))},
                                 {"path", verified.path(picture)},
                                 {"class", verified.class_of(picture)}});
    };
    const auto groups = [&](const std::vector<std::vector<ListedPicture>>& all) {
        Json::Array array;
        for (const std::vector<ListedPicture>& group : all) {
            Json::Array same;
            for (const ListedPicture& picture : group) same.push_back(entry(picture));
            array.emplace_back(std::move(same));
        }
        return array;
    };
    Json::Array sets, bad;
    for (const ImageSet& set : verified.sets) {
        Json::Array files;
        for (const FileFact& file : set.files)
            files.push_back(Json::Object{{"path", file.path}, {"sha256", file.sha256}});
        sets.push_back(Json::Object{{"split", std::string(name_of(set.split))},
                                    {"n", set.size()},
                                    {"classes", set.classes()},
                                    {"counts", Json::array(class_counts(set.labels, set.classes()))},
                                    {"files", std::move(files)}});
    }
    for (const ListedPicture& picture : verified.bad()) {
        bad.push_back(entry(picture));
        bad.back().set("id", verified.error_of(picture).id()).set("what", verified.error_of(picture).parts().what);
    }
    Json odd = Json::Object{};
    for (const auto& [what, pictures] : verified.oddities) {
        Json::Array paths;
        for (const ListedPicture& picture : pictures) paths.emplace_back(verified.path(picture));
        odd.set(what, std::move(paths));
    }
    return Json::Object{{"schema", "bkd.data-verify/1"},
                        {"name", verified.sets.front().name},
                        {"splits", std::move(sets)},
                        {"bad", std::move(bad)},
                        {"mislabelled", groups(verified.mislabelled)},
                        {"leaks", groups(verified.leaks)},
                        {"twice", groups(verified.twice)},
                        {"odd", std::move(odd)}};
}

void print_lines(const std::vector<std::string>& lines) {
    for (std::size_t i = 0; i < std::min(lines.size(), lines_of_a_kind); ++i) fmt::print("  {}\n", lines[i]);
    if (lines.size() > lines_of_a_kind) fmt::print("  and {} more\n", lines.size() - lines_of_a_kind);
}

void print_groups(const Verified& verified, const char* title, const std::vector<std::vector<ListedPicture>>& groups) {
    if (groups.empty()) return;
    fmt::print("{}: {}\n", title, groups.size());
    std::vector<std::string> lines;
    for (const std::vector<ListedPicture>& group : groups) {
        std::string line;
        for (const ListedPicture& picture : group)
            line += fmt::format("{}{} ({})", line.empty() ? "" : " = ", printable(verified.path(picture)),
                                printable(verified.class_of(picture)));
        lines.push_back(std::move(line));
    }
    print_lines(lines);
}

void print_text(const Verified& verified) {
    const std::vector<ListedPicture> bad = verified.bad();
    for (std::size_t s = 0; s < verified.sets.size(); ++s) {
        const ImageSet& set = verified.sets[s];
        const auto unreadable = std::ranges::count(bad, s, &ListedPicture::list);
        const std::vector<std::int64_t> counts = class_counts(set.labels, set.classes());
        const auto empty = std::ranges::count(counts, 0);
        fmt::print("{:<6} {} samples of {} classes, {} of them cannot be read{}\n", name_of(set.split), set.size(),
                   set.classes(), unreadable, empty > 0 ? fmt::format("; {} classes have none", empty) : "");
        for (const FileFact& file : set.files) fmt::print("       {}  sha256 {}\n", file.path, file.sha256);
    }
    if (!bad.empty()) {
        fmt::print("cannot be read: {}\n", bad.size());
        std::vector<std::string> lines;
        for (const ListedPicture& picture : bad)
            lines.push_back(fmt::format("{} {}: {}", verified.error_of(picture).id(), printable(verified.path(picture)),
                                        verified.error_of(picture).parts().what));
        print_lines(lines);
    }
    print_groups(verified, "the same bytes under two classes", verified.mislabelled);
    print_groups(verified, "the same bytes in training and test", verified.leaks);
    print_groups(verified, "the same bytes twice", verified.twice);
    if (!verified.oddities.empty()) fmt::print("read, but odd:\n");
    for (const auto& [what, pictures] : verified.oddities)
        fmt::print("  {} {}, the first: {}\n", pictures.size(), what, printable(verified.path(pictures.front())));
}

}

int verify_data(const VerifyData& options) {
    if (!options.bad_list.empty()) check_place(options.bad_list, Overwrite::no, "list");
    const Verified verified = verify(options);
    if (!options.bad_list.empty()) {
        std::string lines;
        for (const ListedPicture& picture : verified.bad()) lines += verified.path(picture) + "\n";
        write_file_atomically(options.bad_list, lines, Overwrite::no, "list");
    }
    if (options.as_json)
        fmt::print("{}\n", to_json(verified).dump());
    else
        print_text(verified);
    return verified.bad().empty() && verified.mislabelled.empty() && verified.leaks.empty() ? 0 : 1;
}

}
