// iNaturalist 2018 as it is published: JSON of the form that COCO made known.
#include "data/picture_list.h"
#include "engine/json.h"
#include "kernels/error.h"

#include <unordered_map>

namespace bkd {

PictureList parse_inaturalist(std::string_view text, const std::string& name) {
    const Json json = Json::parse(text, name);
    const auto refuse = [&](int id, std::string what) {
        throw InputError({.id = id,
                          .what = std::move(what),
                          .at = name,
                          .try_ = "train2018.json or val2018.json of iNaturalist 2018, unpacked"});
    };
    const auto label_of = [&](const Json& number) {
        const std::int64_t label = number.integer();
        if (label < 0 || label >= most_picture_classes)
            refuse(431, fmt::format("category {} is out of range 0..{}", label, most_picture_classes - 1));
        return static_cast<std::int32_t>(label);
    };
    PictureList list;
    for (const Json& category : json.at("categories").elements()) {
        const auto label = static_cast<std::size_t>(label_of(category.at("id")));
        if (label >= list.class_names.size()) list.class_names.resize(label + 1);
        list.class_names[label] = category.at("name").text();
    }
    for (std::size_t c = 0; c < list.class_names.size(); ++c)
        if (list.class_names[c].empty()) list.class_names[c] = std::to_string(c);
    std::unordered_map<std::int64_t, std::int32_t> labels;  // by picture
    for (const Json& annotation : json.at("annotations").elements()) {
        const std::int64_t image = annotation.at("image_id").integer();
        const std::int32_t label = label_of(annotation.at("category_id"));
        if (label >= static_cast<std::int32_t>(list.class_names.size()))
            refuse(431, fmt::format("category {} of picture {} is not in \"categories\"", label, image));
        if (const auto [found, is_new] = labels.emplace(image, label); !is_new && found->second != label)
            refuse(431, fmt::format("picture {} is of categories {} and {}", image, found->second, label));
    }
    for (const Json& image : json.at("images").elements()) {
        const std::int64_t id = image.at("id").integer();
        const auto found = labels.find(id);
        if (found == labels.end()) refuse(431, fmt::format("picture {} has no annotation", id));
        const std::string& path = image.at("file_name").text();
        check_picture_path(path, fmt::format("{}: picture {}", name, id));
        list.add(path, found->second);
    }
    if (list.size() == 0) refuse(439, "no pictures");
    return list;
}

}
