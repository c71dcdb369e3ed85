#pragma once
// Which pictures a split has, and of which class each is: paths under one folder, with labels. Three forms say it.
//
//   list      lines "path label", as ImageNet-LT and Places-LT come                   read_picture_list
//   folders   the first folder is the class, what lies under it its pictures          list_picture_folders
//   JSON      images, annotations and categories, as iNaturalist 2018 comes           read_picture_list
//
// No picture is opened here. A path is relative and stays under its folder: E0440 where it is absolute or has "..".
#include "data/image_set.h"

#include <filesystem>
#include <string_view>

namespace bkd {

// A label is below this: a wrong number must not become a million classes without samples.
constexpr std::int32_t most_picture_classes = 1'000'000;

class PictureList {
public:
    std::vector<std::int32_t> labels{};
    std::vector<std::string> class_names{};  // of folders and JSON; a list does not say them
    std::vector<FileFact> files{};           // that it was read from
    std::int64_t passed_over = 0;            // of folders: hidden files and files without a picture's suffix

    std::int64_t size() const { return static_cast<std::int64_t>(labels.size()); }
    std::string_view path(std::int64_t index) const;
    void add(std::string_view path, std::int32_t label);

private:
    std::string text_{};                 // all paths, one after another: ten million of them are half a GiB
    std::vector<std::uint64_t> ends_{};  // of each in the text
};

// Lines of a path, blanks or a tab, a label from 0; a path may have blanks inside. Empty lines, CR and a byte-order mark
// are passed over. `name` is for messages, which name the line: E0431 for a label that is none, that is missing (the
// file is cut off) or out of range, E0406 for a path that is empty or has NUL, E0440, E0439 for a list without any line.
PictureList parse_picture_list(std::string_view text, const std::string& name);
// Of a file, plain, .xz or .gz: JSON where its name has .json, else lines. E0407, E0421, E0430, E0501 .. E0504.
PictureList read_picture_list(const std::filesystem::path& path);

// root/inside/CLASS/**: classes are the folders' names in the order of their bytes, pictures likewise; a picture is what
// has the suffix of one, be it one that is not read (then E0434 when it is). Paths are relative to `root`. E0501 no such
// folder, E0502 not to be read, E0438 two classes differ in case alone, E0439 a class without pictures (unless
// `allows_empty`) or no class at all, E0440 a link that leads out of the root or back up, E0407 more than 32 folders deep.
PictureList list_picture_folders(const std::filesystem::path& root, const std::filesystem::path& inside,
                                 bool allows_empty);

// {"images": [{"id", "file_name"}], "annotations": [{"image_id", "category_id"}], "categories": [{"id", "name"}]}, in
// the order of "images"; category_id is the label. E0403, E0404, E0405, E0431, E0440.
PictureList parse_inaturalist(std::string_view json, const std::string& name);

// E0406, E0440 as above, `at` that place.
void check_picture_path(std::string_view path, const std::string& at);

// E0440 where links on the way to root/path, a file or a folder, lead out of `root`. What is not there is in its place.
void check_lies_under(const std::filesystem::path& root, const std::filesystem::path& path);

// Calls a class what the folder is called that holds all its pictures and no other class's; else its number.
std::vector<std::string> classes_by_folder(const PictureList& list, std::int64_t classes);

}
