"""A comparison as JUnit XML, which every CI system shows as tests."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from vosbench.harness.regression.comparison import Comparison, Finding
from vosbench.harness.regression.verdict import Verdict
from vosbench.harness.regression.wording import clips_line, interval_text, reason_text, sides_text
from vosbench.harness.text import xml

_TAGS = {
    Verdict.REGRESSED: "failure",
    Verdict.INCONCLUSIVE: "skipped",
    Verdict.INCOMPARABLE: "error",
    Verdict.ERROR: "error",
}


def junit(comparison: Comparison) -> str:
    """One test case per grid point and metric.

    A regression is a failure; incomparable and error are errors; inconclusive is skipped, which
    is no pass either. A comparison without points is one case with an error.
    """
    cases = [
        _case(point.label, finding) for point in comparison.points for finding in point.findings
    ]
    if not cases:
        cases = [_empty(comparison)]
    counts = {
        f"{tag}s" if tag != "skipped" else tag: str(
            sum(case.find(tag) is not None for case in cases)
        )
        for tag in ("failure", "error", "skipped")
    }
    suite = ET.Element("testsuite", {"name": "vosbench", "tests": str(len(cases)), **counts})
    properties = ET.SubElement(suite, "properties")
    for name in ("base", "head", "verdict", "reason"):
        value = xml(str(getattr(comparison, name)))
        ET.SubElement(properties, "property", {"name": name, "value": value})
    suite.extend(cases)
    root = ET.Element("testsuites")
    root.append(suite)
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _case(label: str, finding: Finding) -> ET.Element:
    case = ET.Element(
        "testcase", {"classname": f"vosbench.{finding.metric.name}", "name": xml(label)}
    )
    lines = [reason_text(finding), sides_text(finding), interval_text(finding), clips_line(finding)]
    text = xml("\n".join(line for line in lines if line))
    tag = _TAGS.get(finding.verdict)
    if tag is None:
        ET.SubElement(case, "system-out").text = f"{finding.verdict}: {text}"
    else:
        _mark(case, tag, finding.verdict, reason_text(finding)).text = text
    return case


def _empty(comparison: Comparison) -> ET.Element:
    case = ET.Element("testcase", {"classname": "vosbench", "name": "comparison"})
    _mark(case, "error", comparison.verdict, comparison.reason)
    return case


def _mark(case: ET.Element, tag: str, verdict: Verdict, reason: str) -> ET.Element:
    return ET.SubElement(case, tag, {"type": verdict.value, "message": xml(f"{verdict}: {reason}")})
