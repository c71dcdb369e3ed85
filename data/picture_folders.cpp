// Folders of pictures, one for each class.
#include "data/picture_list.h"
#include "kernels/error.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <map>

namespace bkd {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t most_depth = 32;

[[noreturn]] void refuse(int id, std::string what, const fs::path& at, std::string why, std::string advice) {
    throw InputError({.id = id,
                      .what = std::move(what),
                      .at = printable(at.string()),
                      .why = std::move(why),
                      .try_ = std::move(advice)});
}

// What systems and archivers leave behind.
bool is_litter(std::string_view name) { return name.starts_with('.') || name == "__MACOSX" || name == "Thumbs.db"; }

// By suffix. Those that no decoder here reads are listed too, so that they are named and not missed in silence.
bool is_called_picture(std::string_view name) {
    static constexpr std::array<std::string_view, 19> suffixes = {"avif", "bmp", "gif", "hdr",  "heic", "jfif", "jpe",
                                                                  "jpeg", "jpg", "pbm", "pgm",  "png",  "pnm",  "ppm",
                                                                  "psd",  "tga", "tif", "tiff", "webp"};
    const std::size_t dot = name.rfind('.');
    if (dot == std::string_view::npos) return false;
    return std::ranges::binary_search(suffixes, lower_case(name.substr(dot + 1)));
}

struct Entry {
    std::string name;
    bool is_folder;
};

// By name, as bytes are ordered.
std::vector<Entry> entries_of(const fs::path& folder, std::int64_t& passed_over) {
    std::error_code error;
    std::vector<Entry> entries;
    fs::directory_iterator at(folder, error);
    for (; !error && at != fs::directory_iterator(); at.increment(error)) {
        std::string name = at->path().filename().string();
        std::error_code unknown;  // a dangling link: no folder
        if (is_litter(name))
            ++passed_over;
        else
            entries.push_back({std::move(name), at->is_directory(unknown)});
    }
    if (error == std::errc::no_such_file_or_directory || error == std::errc::not_a_directory)
        refuse(501, "no such folder", folder, "", "data.root = the folder that holds the folders of pictures");
    if (error)
        refuse(error == std::errc::permission_denied ? 502 : 504,
               fmt::format("the folder cannot be read: {}", error.message()), folder, "",
               error == std::errc::permission_denied ? "chmod u+rx, or run as its owner" : "");
    std::ranges::sort(entries, {}, &Entry::name);
    return entries;
}

class Walk {
public:
    Walk(const fs::path& root, PictureList& list) : root_(root), list_(list) {}

    // All pictures under root/inside, deeper folders where their names stand among the files'.
    void add(const fs::path& inside, std::int32_t label) {
        check_lies_under(root_, inside);
        const fs::path folder = root_ / inside;
        enter(folder);
        for (const Entry& entry : entries_of(folder, list_.passed_over)) {
            const fs::path path = inside / entry.name;
            if (entry.is_folder)
                add(path, label);
            else if (is_called_picture(entry.name))
                list_.add(path.string(), label);
            else
                ++list_.passed_over;
        }
        above_.pop_back();
    }

private:
    void enter(const fs::path& folder) {
        struct stat status {};
        if (::stat(folder.c_str(), &status) == 0) {
            const std::pair id{status.st_dev, status.st_ino};
            if (std::ranges::find(above_, id) != above_.end())
                refuse(440, "the folder is one that it lies in", folder, "a link leads back up", "remove the link");
            above_.push_back(id);
        } else {
            above_.emplace_back();
        }
        if (above_.size() > most_depth)
            refuse(407, fmt::format("more than {} folders deep", most_depth), folder, "", "");
    }

    const fs::path& root_;
    PictureList& list_;
    std::vector<std::pair<dev_t, ino_t>> above_{};
};

void check_case(const std::vector<std::string>& names, const fs::path& folder) {
    std::map<std::string, const std::string*> seen;
    for (const std::string& name : names) {
        const auto [found, is_new] = seen.emplace(lower_case(name), &name);
        if (!is_new)
            refuse(438,
                   fmt::format("classes \"{}\" and \"{}\" differ in case alone", printable(*found->second),
                               printable(name)),
                   folder, "they would be two classes", "put their pictures into one folder");
    }
}

}

PictureList list_picture_folders(const fs::path& root, const fs::path& inside, bool allows_empty) {
    PictureList list;
    const fs::path top = root / inside;
    for (Entry& entry : entries_of(top, list.passed_over)) {
        if (!entry.is_folder) {
            ++list.passed_over;
            continue;
        }
        if (!is_utf8(entry.name))
            refuse(406, fmt::format("class \"{}\" is not UTF-8", printable(entry.name)), top,
                   "class names stand in model files and reports", "rename the folder");
        list.class_names.push_back(std::move(entry.name));
    }
    if (list.class_names.empty())
        refuse(439, "no folders, so no classes", top, "each class is a folder of pictures",
               "data.root = the folder that holds them");
    check_case(list.class_names, top);
    Walk walk(root, list);
    for (std::size_t c = 0; c < list.class_names.size(); ++c) {
        const std::int64_t before = list.size();
        const fs::path folder = inside / list.class_names[c];
        walk.add(folder, static_cast<std::int32_t>(c));
        if (list.size() == before && !allows_empty)
            refuse(439, fmt::format("class \"{}\" has no picture", printable(list.class_names[c])), root / folder,
                   "nothing can be learnt of it", "remove the folder, or data.empty=allow");
    }
    return list;
}

}
