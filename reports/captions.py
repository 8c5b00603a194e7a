"""A figure's notes as a caption beside it, to be put into a paper."""

from __future__ import annotations

from pathlib import Path

from vosbench.baselines.errors import InputError
from vosbench.baselines.text import escaped, one_line
from vosbench.harness.text import latex, markdown
from vosbench.reports.style import Caption


def write_captions(caption: Caption, out: Path, command: str) -> list[Path]:
    """Write ``NAME.caption.tex`` and ``NAME.caption.md`` beside the figure ``out``.

    Raises:
        InputError: the place can't be written.
    """
    sentences = [_sentence(text) for text in (caption.title, *caption.notes)]
    tex = [latex(text) for text in sentences]
    told = [f"**{markdown(sentences[0])}**", *map(markdown, sentences[1:])]
    command = escaped(one_line(command))
    if command:
        tex.append(f"% made by: {command}")
        told.append(f"\nMade by `{command}`.")
    files = []
    for extension, lines in ((".caption.tex", tex), (".caption.md", told)):
        file = out.with_suffix(extension)
        try:
            file.write_text("\n".join(lines) + "\n", encoding="utf-8")
        except OSError as error:
            raise InputError(f"can't write {file}: {error.strerror}") from None
        files.append(file)
    return files


def _sentence(text: str) -> str:
    """A note with a capital and a full stop."""
    text = text.strip()
    return text if text.endswith((".", "!", "?")) else f"{text}."
