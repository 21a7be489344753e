import math
from dataclasses import asdict, replace

import pytest
import torch
from torch import nn

from hwnas.training import Recipe, load_recipes, shipped_recipes
from hwnas.training.trainer import optimizer_of
from latency_tables import HwnasError


def test_the_learning_rate_rises_and_falls():
    recipe = Recipe(10, learning_rate=0.8, warmup=0.2)
    assert recipe.learning_rate_at(0.1) == pytest.approx(0.8 * 0.101 / 0.2)
    assert recipe.learning_rate_at(0.2) == 0.8
    assert recipe.learning_rate_at(0.6) == pytest.approx(0.4)  # the middle of the cosine
    assert recipe.learning_rate_at(0.4) == pytest.approx(0.8 * (1 + math.cos(math.pi / 4)) / 2)
    assert recipe.learning_rate_at(1.0) == pytest.approx(0, abs=1e-12)
    linear = replace(recipe, schedule="linear")
    assert [linear.learning_rate_at(p) for p in (0.2, 0.4, 1.0)] == pytest.approx([0.8, 0.6, 0.0])
    assert replace(recipe, schedule="constant", warmup=0.0).learning_rate_at(0.99) == 0.8


def test_what_decays_is_up_to_the_recipe():
    module = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))  # a matrix and three vectors
    (every,) = optimizer_of(module, Recipe(1, weight_decay=0.5)).param_groups
    assert (len(every["params"]), every["weight_decay"]) == (4, 0.5)
    decaying, others = optimizer_of(module, Recipe(1, weight_decay=0.5, decay_all=False, optimizer="sgd")).param_groups
    assert (len(decaying["params"]), decaying["weight_decay"], decaying["nesterov"]) == (1, 0.5, True)
    assert (len(others["params"]), others["weight_decay"]) == (3, 0.0)
    assert isinstance(optimizer_of(module, Recipe(1)), torch.optim.AdamW)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"epochs": 0}, "a recipe's epochs is 0; it must be 1 to 100000"),
        ({"optimizer": "adam"}, "a recipe's optimizer is 'adam'; there are adamw, sgd"),
        ({"precision": "int8"}, "a recipe's precision is 'int8'; there are fp32, bf16, fp16"),
        ({"ema": 1.0}, "a recipe's ema is 1; it must be 0 to 0.999999"),
        ({"learning_rate": math.nan}, "a recipe's learning_rate is nan; it must be 0 to 100"),
    ],
)
def test_what_cannot_be_is_refused(wrong, message):
    with pytest.raises(HwnasError) as e:
        Recipe(**{"epochs": 1, **wrong})
    assert str(e.value) == message


def test_the_shipped_recipes_load():
    assert shipped_recipes() == ["cpu-minutes", "imagenet", "one-gpu"]
    for name in shipped_recipes():
        recipes = load_recipes(name)
        assert recipes.supernet.epochs > 0
        assert recipes.network.batch > 0


def test_a_file_of_ones_own(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('[supernet]\nepochs = 3\nprecision = "bf16"\n\n[network]\nepochs = 2\nema = 0.99\n')
    recipes = load_recipes(str(path))
    assert asdict(recipes.supernet) == asdict(Recipe(3, precision="bf16"))
    assert recipes.network == Recipe(2, ema=0.99)
    assert recipes.with_epochs(None, 7).network.epochs == 7
    assert recipes.with_epochs(5, None) == replace(recipes, supernet=Recipe(5, precision="bf16"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "[supernet]\nepochs = 1\nlr = 1\n[network]\nepochs = 1",
            "[supernet] has an unknown key 'lr'; there are ",
        ),
        ("[supernet]\nepochs = 1\n[net]\nepochs = 1", "it has an unknown key 'net'; there are supernet, network"),
        ("[supernet]\nepochs = 1\n[network]\nema = 0.5", "network has no epochs"),
        ('[supernet]\nepochs = "one"\n[network]\nepochs = 1', "epochs is 'one'"),
        ("[supernet]\nepochs = 1\nema = 2.0\n[network]\nepochs = 1", "a recipe's ema is 2"),
        ("network = 3\n", "[network] must be a table of settings"),
        ("[supernet", "Expected"),
    ],
)
def test_a_bad_file_is_named_with_what_is_wrong(tmp_path, text, message):
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(HwnasError) as e:
        load_recipes(str(path))
    assert str(path) in str(e.value)
    assert message in str(e.value)
    assert "\n" not in str(e.value)


def test_a_recipe_that_is_not_there():
    with pytest.raises(HwnasError, match=r"no recipe .fast.; there are cpu-minutes, imagenet, one-gpu"):
        load_recipes("fast")
    with pytest.raises(HwnasError, match=r"cannot read the recipe none\.toml: No such file"):
        load_recipes("none.toml")
