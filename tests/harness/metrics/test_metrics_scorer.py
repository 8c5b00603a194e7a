"""What the scorer counts, keeps and refuses; the statistics made of it."""

from __future__ import annotations

import numpy as np
import pytest

from vosbench.baselines.errors import InputError
from vosbench.harness.datasets.plan import ScoringPlan
from vosbench.harness.metrics import (
    ObjectScores,
    SequenceScorer,
    SequenceScores,
    TruthCache,
    all_equal_warning,
    object_figures,
    summarise,
)


def _davis(ids: tuple[int, ...], frame_count: int, merge: bool = False) -> ScoringPlan:
    """A plan in which all frames but the first and the last count."""
    return ScoringPlan(dict.fromkeys(ids, tuple(range(1, frame_count - 1))), merge)


def _square(label: int = 1, at: int = 4, size: tuple[int, int] = (32, 48)) -> np.ndarray:
    labels = np.zeros(size, np.uint8)
    labels[at : at + 8, at : at + 8] = label
    return labels


def _scores(j: list[float], f: list[float], object_id: int = 1) -> ObjectScores:
    series = {"j": np.array(j, float), "f": np.array(f, float)}
    return ObjectScores(object_id, np.arange(len(j)), series)


def test_frames_that_do_not_count_are_not_looked_at() -> None:
    scorer = SequenceScorer("clip", _davis((2, 1), 5))
    for index in range(5):
        truth = _square()
        scorer.add(index, truth, truth if 0 < index < 4 else np.full((3, 3), 9, np.uint8))
    first, second = scorer.result().objects
    np.testing.assert_array_equal(first.j, [1, 1, 1])
    # Object 2 is nowhere, in neither: that counts 1.
    np.testing.assert_array_equal(second.f, [1, 1, 1])


def test_each_object_has_frames_of_its_own() -> None:
    scorer = SequenceScorer("late", ScoringPlan({1: (5, 10, 15, 20), 4: (15, 20), 7: ()}))
    for index in range(25):
        truth = _square(1) + _square(4, at=20)
        scorer.add(index, truth, truth if index % 2 else _square(1))
    one, four, seven = scorer.result().objects
    np.testing.assert_array_equal(one.j, [1, 1, 1, 1])
    np.testing.assert_array_equal(four.frames, [15, 20])
    np.testing.assert_array_equal(four.j, [1, 0])
    assert len(seven.frames) == 0


def test_merged_objects_are_one() -> None:
    truth = _square(3) + _square(200, at=20)
    scorer = SequenceScorer("merged", _davis((1,), 4, merge=True))
    scorer.add(1, truth, (truth > 0).astype(np.uint8))
    scorer.add(2, truth, truth + _square(255, at=12))
    assert scorer.result().objects[0].j.tolist() == [1, 1]


def test_ids_that_do_not_count_may_be_predicted() -> None:
    plan = ScoringPlan({1: (1,)}, ignored=frozenset({255, 7}))
    scorer = SequenceScorer("void", plan)
    scorer.add(1, _square(1), _square(1) + _square(255, at=12) + _square(7, at=20))
    assert scorer.result().objects[0].j[0] == 1


def test_labels_that_the_first_annotation_lacks_are_background() -> None:
    truth = _square(1) + _square(255, at=20)
    scorer = SequenceScorer("void", _davis((1,), 3))
    scorer.add(1, truth, _square(1))
    scores = scorer.result().objects[0]
    assert (scores.j[0], scores.f[0]) == (1, 1)


def test_annotations_are_loaded_once_for_all_predictions() -> None:
    cache, loads = TruthCache(), []

    def load() -> np.ndarray:
        loads.append(1)
        return _square()

    for _ in range(3):
        scorer = SequenceScorer("clip", _davis((1,), 3), cache)
        scorer.add(1, load, _square(at=5))
        assert 0 < scorer.result().objects[0].j[0] < 1
    assert len(loads) == 1


def test_a_cache_keeps_merged_and_single_objects_apart() -> None:
    cache = TruthCache()
    truth = _square(1) + _square(2, at=20)
    merged = SequenceScorer("dog", _davis((1,), 3, merge=True), cache)
    single = SequenceScorer("dog", _davis((1, 2), 3), cache)
    merged.add(1, truth, truth)
    single.add(1, truth, truth)
    assert merged.result().objects[0].j == 1
    assert [o.j[0] for o in single.result().objects] == [1, 1]


def test_a_full_cache_forgets_the_longest_unused() -> None:
    loads: list[int] = []

    def use(cache: TruthCache, index: int) -> None:
        def load() -> np.ndarray:
            loads.append(index)
            return _square()

        SequenceScorer("clip", _davis((1,), 9), cache).add(index, load, _square())

    one_frame = TruthCache()
    use(one_frame, 1)
    loads.clear()
    cache = TruthCache(limit_bytes=2 * one_frame.held_bytes)
    for index in (1, 2, 1, 3, 1, 3, 2):
        use(cache, index)
    # 3 drove out 2, which was used before 1.
    assert loads == [1, 2, 3, 2]
    assert len(cache) == 2
    assert cache.held_bytes == 2 * one_frame.held_bytes


@pytest.mark.parametrize(
    ("truth", "predicted", "message"),
    [
        (_square(), _square(size=(32, 49)), "49x32, its annotation 48x32"),
        (_square(), _square(3), "object id 3 that the annotation of clip lacks"),
        (_square(), _square().astype(np.uint16), "uint16"),
        (_square(), np.zeros((32, 48, 3), np.uint8), r"\(32, 48, 3\)"),
        (_square().astype(np.int64), _square(), "annotation of frame 1 is int64"),
        (_square(), np.zeros((0, 48), np.uint8), "no label map"),
    ],
)
def test_bad_masks_are_refused(truth: np.ndarray, predicted: np.ndarray, message: str) -> None:
    scorer = SequenceScorer("clip", _davis((1, 2), 5))
    with pytest.raises(InputError, match=message) as caught:
        scorer.add(1, truth, predicted)
    assert "\n" not in str(caught.value)


def test_messages_name_the_file_where_there_is_one() -> None:
    scorer = SequenceScorer("clip", _davis((1,), 5))
    with pytest.raises(InputError, match=r"^results/clip/00001\.png has object ids 2, 3"):
        scorer.add(1, _square(), _square(2) + _square(3, at=20), source="results/clip/00001.png")


def test_frames_left_out_are_an_error() -> None:
    scorer = SequenceScorer("clip", _davis((1,), 5))
    scorer.add(1, _square(), _square())
    with pytest.raises(
        InputError, match="2 of 3 frames to score have no prediction, first frame 2"
    ):
        scorer.result()


def test_a_frame_counts_once() -> None:
    scorer = SequenceScorer("clip", _davis((1,), 5))
    scorer.add(1, _square(), _square())
    with pytest.raises(ValueError, match="scored before"):
        scorer.add(1, _square(), _square())


def test_a_plan_scores_something_or_says_why_not() -> None:
    for frames, reason in (({1: ()}, None), ({1: (2,)}, "no")):
        with pytest.raises(ValueError, match="scores something, or says why"):
            ScoringPlan(frames, unscored=reason)
    with pytest.raises(ValueError, match="object 1"):
        ScoringPlan({2: (1,)}, merge_objects=True)
    assert ScoringPlan({1: (2,)}).unscorable("no").objects_at == {}


def test_means_are_over_objects_not_over_sequences() -> None:
    summary = summarise(
        (
            SequenceScores("a", (_scores([1, 1], [1, 1]), _scores([1, 0], [0, 0], 2))),
            SequenceScores("b", (_scores([0.2] * 5, [0.4] * 5), _scores([], [], 9))),
        )
    )
    assert summary["j_mean"] == pytest.approx((1 + 0.5 + 0.2) / 3)
    assert summary["j_recall"] == pytest.approx((1 + 0.5 + 0) / 3)
    # Only the series 1, 0 falls, from its first bin (1) to its last (0).
    assert summary["j_decay"] == pytest.approx(1 / 3)
    assert summary["f_mean"] == pytest.approx((1 + 0 + 0.4) / 3)
    assert summary["jf_mean"] == pytest.approx(((1 + 0.5 + 0.2) / 3 + (1 + 0 + 0.4) / 3) / 2)


def test_nothing_scored_has_no_mean() -> None:
    empty = SequenceScores("a", (_scores([], []),))
    assert object_figures((empty,))[0].figures["j_mean"] is None
    with pytest.raises(ValueError, match="no object"):
        summarise((empty,))


def test_g_is_the_mean_of_seen_and_unseen() -> None:
    sequences = (
        SequenceScores("a", (_scores([0.8], [0.6]), _scores([0.2, 0.4], [0.1, 0.3], 2)), "ytvos"),
        SequenceScores("b", (_scores([0.4], [0.2]), _scores([], [], 3)), "ytvos"),
    )
    score = summarise(sequences, lambda name: frozenset({2} if name == "a" else ()))
    assert score["j_seen"] == pytest.approx(0.6)
    assert score["f_seen"] == pytest.approx(0.4)
    assert score["j_unseen"] == pytest.approx(0.3)
    assert score["f_unseen"] == pytest.approx(0.2)
    assert score["g_all"] == pytest.approx((0.6 + 0.4 + 0.3 + 0.2) / 4)
    only_seen = summarise(sequences, lambda _: frozenset())
    assert (only_seen["j_unseen"], only_seen["g_all"]) == (None, None)
    assert "g_all" not in summarise(sequences)


def test_equal_scores_are_suspicious() -> None:
    same = SequenceScores("a", (_scores([0, 0], [0, 0]),))
    other = SequenceScores("b", (_scores([0, 0.1], [0, 0]),))
    assert "all 2 scores are equal" in str(all_equal_warning((same,)))
    assert all_equal_warning((same, other)) is None
    assert all_equal_warning((SequenceScores("c", (_scores([1], [1]),)),)) is None
