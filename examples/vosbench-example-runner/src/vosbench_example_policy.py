"""A gate policy for VOSBench: full frames come sooner while the object's area changes."""

from vosbench.runners.policy import Decision, Need, PolicySpec


class Steady:
    spec = PolicySpec(
        "example-steady", "reuse until the area drifts by SHARE, or for 8 frames",
        needs=frozenset({Need.AREA}), argument="SHARE", examples=("0.1",),
        label="steady area", colour="#aa3377", marker="P",
    )  # fmt: skip

    def __init__(self, settings):
        self.share = float(settings.number())

    def decide(self, seen):
        before = seen.memory if seen.age > 1 and seen.memory else seen.area
        steady = abs(seen.area - before) <= self.share * before
        return Decision(seen.cheap_if(steady and seen.age < 8), before)
