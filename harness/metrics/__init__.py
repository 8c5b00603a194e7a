"""J and F of masks and label maps, and the statistics that the protocols make of them."""

from vosbench.harness.metrics.boundary import boundary_accuracy
from vosbench.harness.metrics.folder import evaluate_folder
from vosbench.harness.metrics.official import object_name, scores_json, write_official_csv
from vosbench.harness.metrics.planes import FrameScore, score_frame
from vosbench.harness.metrics.region import region_similarity
from vosbench.harness.metrics.scorer import ObjectScores, SequenceScorer, SequenceScores
from vosbench.harness.metrics.statistics import SeriesStatistics, series_statistics
from vosbench.harness.metrics.summary import all_equal_warning, object_figures, summarise
from vosbench.harness.metrics.truth_cache import TruthCache

__all__ = [
    "FrameScore",
    "ObjectScores",
    "SequenceScorer",
    "SequenceScores",
    "SeriesStatistics",
    "TruthCache",
    "all_equal_warning",
    "boundary_accuracy",
    "evaluate_folder",
    "object_figures",
    "object_name",
    "region_similarity",
    "score_frame",
    "scores_json",
    "series_statistics",
    "summarise",
    "write_official_csv",
]
