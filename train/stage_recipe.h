#pragma once
// What a recipe adds to the stages of a method: wherever a stage leaves a value open, the recipe's, as that stage sees
// it.
#include "train/method.h"

namespace bkd {

// optim.*, schedule.*, batch.*, train.epochs, train.max_steps, data.augment, and the stage's own init_from and freeze,
// which replace its start rules and take back its train rules.
void complete_from_recipe(Stage& stage, const Recipe& recipe);

// All stages of a method, completed. What the recipe says of stages is held against them: errors as check_stages.
std::vector<Stage> complete_stages(const Method& method, const Recipe& recipe);

}
