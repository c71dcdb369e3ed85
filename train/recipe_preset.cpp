#include "train/recipe_preset.h"

#include "train/schema.h"

#include <algorithm>

namespace bkd {
namespace {

constexpr std::string_view cifar = "cifar10 cifar10_lt100 cifar100";
constexpr std::string_view cifar10 = "cifar10 cifar10_lt100";
constexpr std::string_view small_images = "cifar10 cifar10_lt100 cifar100 fashion_mnist";
constexpr std::string_view large_images = "imagenet_lt inaturalist2018 places_lt";

// In the order of docs/paper-and-code.md.
constexpr PresetValue rows[] = {
    {.key = "mixup.alpha",
     .value = "1.0",
     .presets = "paper",
     .data_sets = small_images,
     .methods = "bkd",
     .source = "D1, D2"},
    {.key = "mixup.alpha",
     .value = "0.2",
     .presets = "paper",
     .data_sets = large_images,
     .methods = "bkd",
     .source = "D1, D2"},
    {.key = "mixup.alpha", .value = "0.0", .presets = "code", .methods = "bkd", .source = "D1"},
    // The baseline mixes under both presets: without mixing it is plain cross-entropy.
    {.key = "mixup.alpha", .value = "1.0", .data_sets = small_images, .methods = "mixup", .source = "D2"},
    {.key = "mixup.alpha", .value = "0.2", .data_sets = large_images, .methods = "mixup", .source = "D2"},
    {.key = "mixup.alpha", .value = "0.0", .methods = "ce kd cb", .source = "D54"},
    {.key = "mixup.teacher_input", .value = "\"mixed\"", .source = "D4"},
    {.key = "kd.ce_class_weights", .value = "\"none\"", .presets = "paper", .source = "D11"},
    {.key = "kd.ce_class_weights", .value = "\"en\"", .presets = "code", .methods = "kd", .source = "D11"},
    {.key = "cb.reduction", .value = "\"weighted_mean\"", .source = "docs/paper-and-code.md"},
    {.key = "weights.normalize", .value = "\"sum_c\"", .source = "D16"},
    {.key = "weights.defer_until", .value = "160", .data_sets = cifar10, .methods = "bkd", .source = "D13"},
    {.key = "weights.defer_until",
     .value = "160",
     .presets = "code",
     .data_sets = cifar10,
     .methods = "kd",
     .source = "D11, D13"},
    {.key = "weights.defer_until", .value = "0", .source = "D14"},
    {.key = "bkd.form", .value = "\"eq8\"", .source = "docs/paper-and-code.md"},
    {.key = "bkd.target_math", .value = "\"log_domain\"", .presets = "paper", .source = "D20"},
    {.key = "bkd.target_math", .value = "\"product\"", .presets = "code", .source = "D20"},
    {.key = "optim.weight_decay", .value = "0.0002", .data_sets = cifar, .source = "D23"},
    {.key = "optim.weight_decay", .value = "0.0005", .data_sets = "imagenet_lt places_lt", .source = "D47"},
    {.key = "optim.weight_decay", .value = "0.0001", .data_sets = "inaturalist2018", .source = "D47"},
    {.key = "schedule.warmup_epochs", .value = "5.0", .data_sets = cifar, .source = "D22"},
    {.key = "teacher.checkpoint", .value = "\"last\"", .source = "D8"},
    {.key = "teacher.mode", .value = "\"eval\"", .source = "D7"},
    {.key = "batch.drop_last", .value = "true", .data_sets = large_images, .source = "D44"},
    {.key = "batch.drop_last", .value = "false", .source = "D26"},
    {.key = "schedule.cosine_offset", .value = "0", .source = "D43"},
};

bool holds(std::string_view condition, std::string_view name) {
    if (condition.empty()) return true;
    const std::vector<std::string> names = split_words(condition);
    return std::find(names.begin(), names.end(), name) != names.end();
}

}

std::span<const PresetValue> preset_values() { return rows; }

std::vector<const PresetValue*> preset_values_for(std::string_view preset, std::string_view data_set,
                                                  std::string_view method) {
    std::vector<const PresetValue*> found;
    for (const PresetValue& row : rows) {
        const auto same_key = [&](const PresetValue* other) { return other->key == row.key; };
        const bool applies = holds(row.presets, preset) && holds(row.data_sets, data_set) && holds(row.methods, method);
        // The first row that holds is the narrower one.
        if (applies && std::none_of(found.begin(), found.end(), same_key)) found.push_back(&row);
    }
    return found;
}

}
