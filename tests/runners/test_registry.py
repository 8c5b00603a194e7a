from __future__ import annotations

from decimal import Decimal

import pytest
import torch

from vosbench.baselines.errors import InputError
from vosbench.runners.builtin import Factory
from vosbench.runners.catalogue import catalogue
from vosbench.runners.families import architecture
from vosbench.runners.interface import Path, RunnerOptions
from vosbench.runners.registry import RUNNERS, resolve
from vosbench.runners.switches import SWITCHES, checked_switches


def test_names_compose() -> None:
    model = resolve("g-frtm-fast@m0.7-0.2+random:0.4")
    assert (model.variant, model.policy) == ("m0.7-0.2", "random:0.4")
    assert model.spec.name == "g-frtm-fast@m0.7-0.2+random:0.4"
    assert not model.spec.takes_tau
    assert resolve("g-frtm-fast+g-iou").spec.needs_truth
    assert resolve("g-frtm-fast+copy").spec.paths == {Path.FULL, Path.COPY}


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("g-frtm-fats", "did you mean 'g-frtm-fast'"),
        ("frtm-fast+copy", "decides by P_gate, which this model can't tell"),
        ("g-frtm-fast+cpoy", "did you mean 'copy'"),
        ("g-frtm-fast+", "is no model name"),
        ("", "is no model name"),
    ],
)
def test_bad_names_say_what_to_do(name: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        resolve(name)


def test_missing_weights_name_the_way_out() -> None:
    with pytest.raises(InputError, match="--weights random:0"):
        resolve("frtm").build(RunnerOptions())
    with pytest.raises(InputError, match="random:SEED"):
        resolve("frtm-lite").build(RunnerOptions(weights="random:x"))


def test_plain_and_gated_models_share_random_weights() -> None:
    plain = resolve("frtm-lite").build(RunnerOptions(weights="random:0"))
    gated = resolve("g-frtm-lite").build(RunnerOptions(weights="random:0", tau=Decimal(1)))
    ours, theirs = (r.network.state_dict() for r in (plain, gated))  # type: ignore[attr-defined]
    assert set(ours) < set(theirs)
    assert all(ours[key].equal(theirs[key]) for key in ours)
    assert not plain.weights.trained


def test_the_catalogue_describes_every_built_in_model() -> None:
    entries = {entry.name: entry for entry in catalogue()}
    built_in = [
        name for name in RUNNERS.names() if isinstance(RUNNERS.plugins()[name].value, Factory)
    ]
    assert len(built_in) >= 12
    for name in built_in:
        factory = RUNNERS.get(name)
        with torch.device("meta"):
            network = architecture(factory.family, factory.config).make()
        assert entries[name].problem is None
        assert entries[name].parameters == sum(each.numel() for each in network.parameters())


def test_switches_are_checked() -> None:
    assert checked_switches({"comparison": "paper"}) == {"comparison": "paper"}
    with pytest.raises(InputError, match="did you mean 'comparison'"):
        checked_switches({"comparisn": "paper"})
    with pytest.raises(InputError, match="'paper' or 'code'"):
        checked_switches({"comparison": "mine"})
    assert {s.stage for s in SWITCHES.values()} == {"test", "train", "report"}
