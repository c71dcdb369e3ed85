#pragma once
// What a recipe adds to the stages of a method: wherever a stage leaves a value open, the recipe's, as that stage sees
// it.
#include "train/recipe.h"
#include "train/stage.h"

namespace bkd {

// optim.*, schedule.*, batch.*, train.epochs, train.max_steps, data.augment, and the stage's own init_from and freeze,
// which replace its start rules and take back its train rules.
void complete_from_recipe(Stage& stage, const Recipe& recipe);

}
