#include "train/run_data.h"

#include "train/recipe_check.h"

#include <algorithm>

namespace bkd {

namespace {

// What is said of the folder is said with the place that named it.
ImageSet open_split(const Recipe& r, const DataSettings& settings, Split split) {
    try {
        return open_dataset(settings.name, settings.set, split);
    } catch (const InputError& error) {
        InputError::Parts parts = error.parts();
        if (!parts.at.starts_with("data.root")) throw;
        parts.at = fmt::format("{} ({})", r.at("data.root"), parts.at);
        throw InputError(std::move(parts));
    }
}

// How pictures in files become samples: nothing of it has an effect on a set that lies in memory.
void read_picture_settings(const Recipe& r, DatasetOptions& set) {
    PictureTransform& t = set.pictures;
    if (r.is_set("data.size")) t.side = r.integer("data.size");
    t.resize = r.is_set("data.resize") ? r.integer("data.resize") : usual_short_side(t.side);
    if (t.resize < t.side)
        throw InputError({.id = 305,
                          .what = fmt::format("data.resize = {} is less than data.size = {}", t.resize, t.side),
                          .at = r.at("data.resize"),
                          .why = "evaluation cuts a square of data.size out of the resized picture"});
    const std::string augment = r.text("data.augment");
    t.random_crop = augment.starts_with("crop");
    t.mirror = augment != "none";
    if (augment == "crop_flip_colour") t.colours = {.brightness = 0.4, .contrast = 0.4, .saturation = 0.4};
    if (augment == "crop_flip_rotate") t.rotation = 15;
    t.apply_orientation = r.text("data.exif") == "apply";
    set.allows_empty = r.text("data.empty") == "allow";
    set.max_bad = r.integer("data.max_bad");
    for (const std::string& stage : r.stage_names())
        if (const std::string own = fmt::format("stages.{}.data.augment", stage); r.find(own) != nullptr)
            throw InputError({.id = 305,
                              .what = fmt::format("{} has no effect", own),
                              .at = r.at(own),
                              .why = "pictures in files are changed the same way in every stage",
                              .try_ = "data.augment"});
}

// Colours and rotations are of pictures in files: what lies in memory is cropped and flipped where it is copied.
void check_augment_in_memory(const Recipe& r) {
    for (const auto& [path, leaf] : r.leaves())
        if (path.ends_with("data.augment"))
            if (const auto* augment = std::get_if<std::string>(&leaf.value);
                augment && augment->starts_with("crop_flip_"))
                throw InputError({.id = 305,
                                  .what = fmt::format("{} = {} is for pictures in files", path, *augment),
                                  .at = r.at(path),
                                  .why = fmt::format("the images of {} lie in memory", r.text("data.name")),
                                  .try_ = "crop_flip, flip or none"});
}

}

DataSettings read_data_settings(const Recipe& r) {
    DataSettings s{.name = r.text("data.name"),
                   .set = {.root = r.text("data.root")},
                   .cut = {.kind = parse_imbalance(r.text("data.imbalance"))},
                   .held_out = r.number("data.split"),
                   .seed = static_cast<std::uint64_t>(r.integer("run.seed")),
                   .normalises = r.text("data.normalize") == "dataset"};
    if (s.cut.kind != Imbalance::none) {
        s.cut.ratio = r.number("data.imbalance_ratio");
        s.cut.seed = static_cast<std::uint32_t>(r.integer("data.subset_seed"));
    }
    if (describe_dataset(s.name).short_side > 0)
        read_picture_settings(r, s.set);
    else
        check_augment_in_memory(r);
    return s;
}

RunData open_run_data(const Recipe& r) {
    const DataSettings settings = read_data_settings(r);
    const SubsetOptions& cut = settings.cut;
    RunData data;
    const ImageSet whole = open_split(r, settings, Split::train);
    data.test = open_split(r, settings, Split::test);

    const auto largest = std::ranges::max(class_counts(whole.labels, whole.classes()));
    check_sizes(r, whole.size(), largest);
    std::vector<std::int32_t> selection = select_subset(whole, cut);
    if (settings.held_out > 0) {
        HoldOut parts = hold_out(whole, selection, settings.held_out, settings.seed);
        data.validation = take(whole, parts.validation);
        selection = std::move(parts.train);
    }
    data.train = take(whole, selection);
    check_sizes(r, data.train.size(), largest);
    data.fingerprint = byte_fingerprint(whole, selection);
    const auto channels = static_cast<std::size_t>(data.train.channels);
    data.mean = settings.normalises ? whole.mean : std::vector<float>(channels, 0.0F);
    data.deviation = settings.normalises ? whole.deviation : std::vector<float>(channels, 1.0F);

    const std::vector<std::int64_t> counts = data.counts();
    const std::string tail = cut.kind == Imbalance::none
                                 ? std::string()
                                 : fmt::format(" {} ratio {} subset seed {}", name_of(cut.kind), cut.ratio, cut.seed);
    data.description = fmt::format("{}{}: {} train / {} test, {} classes, counts {}..{}, sha256 {}", whole.name, tail,
                                   data.train.size(), data.test.size(), data.train.classes(), std::ranges::max(counts),
                                   std::ranges::min(counts), data.fingerprint.substr(0, 12));
    return data;
}

Json RunData::facts() const {
    Json::Array files;
    for (const FileFact& file : train.files)
        files.push_back(Json::Object{{"path", file.path}, {"bytes", file.stored_bytes}, {"sha256", file.sha256}});
    Json facts = Json::Object{{"split", "train"},           {"n", train.size()},
                              {"classes", train.classes()}, {"counts", Json::array(counts())},
                              {"sha256", fingerprint},      {"files", std::move(files)}};
    if (!train.skipped.empty()) facts.set("skipped", Json::array(train.skipped));
    return facts;
}

}
