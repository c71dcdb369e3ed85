// Lists of pictures: lines, or JSON of iNaturalist's form, whichever the first byte is of. What is read stays under its
// folder and has labels that are counted.
#include "data/picture_list.h"

#include "kernels/error.h"
#include "tests/fuzz/targets.h"

namespace bkd::fuzz {

bool picture_list(Bytes file) try {
    const std::string_view text(reinterpret_cast<const char*>(file.data()), file.size());
    const bool is_json = text.starts_with('{');
    const PictureList list = is_json ? parse_inaturalist(text, "fuzz") : parse_picture_list(text, "fuzz");
    BKD_CHECK(list.size() > 0, "{} pictures", list.size());
    for (std::int64_t i = 0; i < list.size(); ++i) {
        const std::int32_t label = list.labels[static_cast<std::size_t>(i)];
        BKD_CHECK(label >= 0 && label < most_picture_classes, "label {}", label);
        BKD_CHECK(!is_json || label < static_cast<std::int32_t>(list.class_names.size()), "label {}", label);
        const std::string path = "/" + std::string(list.path(i)) + "/";
        BKD_CHECK(!path.starts_with("//") && path.find("/../") == std::string::npos, "path {}", path);
    }
    return true;
} catch (const InputError&) { return false; }

}
