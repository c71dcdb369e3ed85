// The table of keys: complete, sound, and what is derived from it.
#include "train/schema.h"

#include "kernels/error.h"
#include "train/recipe_toml.h"
#include "train/schema_nearest.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>

using namespace bkd;

TEST_CASE("the table has every key of a recipe, once") {
    const std::vector<std::string> expected = split_words(
        "recipe base preset run.name run.dir run.seed run.deterministic run.report "
        "data.name data.root data.imbalance data.imbalance_ratio data.subset_seed data.size data.resize data.augment data.normalize "
        "data.split "
        "data.classes data.max_bad data.empty data.encoding data.exif data.cmyk data.csv.header data.csv.delimiter "
        "data.csv.label data.csv.label_base data.csv.text "
        "model.name model.classifier model.cosine_scale model.init model.init_from model.init_fresh model.stem "
        "model.shortcut "
        "model.experts "
        "model.reduce_dimension model.widths model.filters model.dropout model.max_norm method.name "
        "weights.kind weights.beta weights.normalize weights.defer_until ce.temperature cb.reduction "
        "kd.temperature kd.weight kd.ce_class_weights bkd.form bkd.target_math "
        "mixup.alpha mixup.per_sample mixup.teacher_input mixup.ce_target mixup.scope "
        "teacher.method teacher.file teacher.checkpoint teacher.mode batch.size batch.micro_size batch.drop_last "
        "optim.name optim.lr optim.lr_backbone optim.lr_head optim.momentum optim.nesterov optim.weight_decay "
        "optim.decay_bn_bias optim.clip "
        "schedule.kind schedule.warmup_epochs schedule.milestones schedule.gamma schedule.step schedule.lr_min "
        "schedule.cosine_offset train.epochs train.max_steps train.nonfinite train.divergence.loss_above "
        "train.divergence.for_steps train.stall train.workers "
        "text.vectors text.tokenizer text.entities text.max_length text.pad text.embedding "
        "ride.kd_on ride.kd_reduce ride.teacher_logits ride.diversity_factor ride.diversity_reweight "
        "stages.<name>.epochs stages.<name>.init_from stages.<name>.freeze eval.every eval.groups eval.split "
        "eval.batch "
        "compute.dtype compute.winograd compute.tf32 dist.sync_bn dist.virtual_shards dist.timeout "
        "checkpoint.every checkpoint.keep_last checkpoint.keep_every checkpoint.self_contained log.every "
        "log.tensorboard");
    std::vector<std::string> names;
    for (const Key& key : schema()) names.emplace_back(key.name);
    CHECK(std::set<std::string>(names.begin(), names.end()).size() == names.size());
    for (const std::string& name : expected)
        CHECK_MESSAGE(std::find(names.begin(), names.end(), name) != names.end(), name);
    CHECK(names.size() == expected.size());
}

TEST_CASE("each default passes its own check, each key has its meaning, and each choice a list") {
    for (const Key& key : schema()) {
        CAPTURE(std::string(key.name));
        CHECK_FALSE(key.doc.empty());
        CHECK((key.type == KeyType::choice) == !key.choices.empty());
        if (key.is_later) CHECK(key.standard.empty());
        if (key.effect == KeyEffect::machine) CHECK(key.resume == KeyResume::free);
        if (key.standard.empty()) continue;
        const std::optional<TomlValue> value = parse_toml_value(key.standard);
        REQUIRE(value.has_value());
        CHECK_NOTHROW(checked_value(key, key.name, *value));
    }
}

TEST_CASE("ends of a range count as the brackets say, up to the largest integer") {
    const auto accepts = [](const char* path, const char* text) {
        try {
            checked_value(*find_key(path), path, *parse_toml_value(text));
        } catch (const InputError&) { return false; }
        return true;
    };
    CHECK(accepts("kd.temperature", "100"));
    CHECK_FALSE(accepts("kd.temperature", "100.00000000000002"));
    CHECK_FALSE(accepts("kd.temperature", "0"));
    CHECK(accepts("kd.temperature", "5e-324"));
    CHECK(accepts("weights.beta", "0"));
    CHECK(accepts("weights.beta", "0.9999999999999999"));
    CHECK_FALSE(accepts("weights.beta", "1"));
    CHECK(accepts("run.seed", "9223372036854775807"));
    CHECK_FALSE(accepts("run.seed", "-1"));
    CHECK(accepts("data.subset_seed", "4294967295"));
    CHECK_FALSE(accepts("data.subset_seed", "4294967296"));
}

TEST_CASE("a key of a stage has the row of the key it stands for") {
    CHECK(find_key("stages.teacher.optim.lr") == find_key("optim.lr"));
    CHECK(find_key("stages.teacher.epochs")->name == "stages.<name>.epochs");
    CHECK(find_key("stages.teacher.run.seed") == nullptr);
    CHECK(find_key("stages.teacher.preset") == nullptr);
    CHECK(find_key("stages.teacher") == nullptr);
    CHECK(find_key("stages..epochs") == nullptr);
    CHECK(find_key("stages.a.stages.b.epochs") == nullptr);
    CHECK(find_key("optim") == nullptr);
}

TEST_CASE("distance counts insertions, deletions, replacements and exchanged neighbours") {
    CHECK(edit_distance("", "abc") == 3);
    CHECK(edit_distance("nmae", "name") == 1);
    CHECK(edit_distance("kitten", "sitting") == 3);
    CHECK(edit_distance("ca", "abc") == 3);
    CHECK(edit_distance("same", "same") == 0);
    const std::vector<std::string> words = {"resnet8", "resnet32", "text_cnn"};
    CHECK(nearest_word("ResNet8", words) == "resnet8");
    CHECK(nearest_word("resnet33", words) == "resnet32");
    CHECK(nearest_word("vgg", words).empty());
    CHECK(nearest_word("", words).empty());
    CHECK(words_nearest_first("textcnn", words) == "text_cnn, resnet8, resnet32");
}

TEST_CASE("help of a key says value, default, source and effect") {
    CHECK(key_help("kd.temperature") == "kd.temperature\n"
                                        "  temperature of the distillation\n"
                                        "  value:   a number in (0, 100]\n"
                                        "  default: 2\n"
                                        "  from:    section 5.2\n"
                                        "  why:     the teacher's probabilities are softmax(z/T)\n"
                                        "  affects results; on resume it may not change\n");
    CHECK(key_help("text.pad").find("does not have it yet") != std::string::npos);
    CHECK(key_help("stages.<name>.epochs").find("leaves it out") != std::string::npos);
    try {
        key_help("kd.temprature");
        FAIL("accepted");
    } catch (const InputError& error) { CHECK(error.parts().try_ == "kd.temperature"); }
}

TEST_CASE("a word without its table means the keys that end in it, or nearly") {
    using Keys = std::vector<std::string>;
    CHECK(keys_meant_by("epochs") == Keys{"train.epochs"});
    CHECK(keys_meant_by("epoch") == Keys{"train.epochs"});
    CHECK(keys_meant_by("batch-size") == Keys{"batch.size"});
    CHECK(keys_meant_by("LR") == Keys{"optim.lr"});
    CHECK(keys_meant_by("momentun") == Keys{"optim.momentum"});
    CHECK(keys_meant_by("temperature") == Keys{"ce.temperature", "kd.temperature"});
    CHECK(keys_meant_by("kd.temperature") == Keys{"kd.temperature"});
    CHECK(keys_meant_by("foo").empty());
    CHECK(keys_meant_by("wholly-different").empty());
}

TEST_CASE("the page of keys has one row for each") {
    const std::string page = schema_markdown();
    CHECK(static_cast<std::size_t>(std::count(page.begin(), page.end(), '\n')) == schema().size() + 2);
    CHECK(page.find("| `weights.beta` | a number in [0, 1) | `0.9999` |") != std::string::npos);
}
