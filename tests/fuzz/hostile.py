# ruff: noqa: E501 - tables of inputs
"""Seeded hostile inputs, group by group: the same ones at every run."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Callable
from functools import cache

import numpy as np
import torch
from PIL import Image

WORDS = (
    "", " ", "-", "--", "0", "-1", "²:³", "1e400", "nan", "inf", "9" * 30, "9" * 5000, "0:1:0.00001",
    "0:1:0", "1:0:0.1", "0.1:0.2", ":", "::", ",", ",,,", "=", "a=", "=b", "~nosuchuser", "~nosuchuser/x",
    "../..", "/", "/dev/null", "/proc/self/mem", "[/x]", "[bold]", "\x1b[31m", "a\nb", "\n::error::x",
    "##[error]x", "\u202e", "\ud800", "\x7f", "x" * 100_000, "{}", "%s%n", "$(id)", "';drop table trial;--",
    "٣", "½", "+", "@", "g-frtm-lite@", "g-frtm-lite+", "+copy", "random:", "random:-1", "cap:²",
    "masks:", "subprocess:", "davis-layout:", "postgresql://", "sqlite://", "nosuch://x", "http://x/y",
    "1.0,0", "1;2", "0x10", "1_000", "True", "null", "2147483648", "18446744073709551616", "256x", "x448",
)  # fmt: skip


def mutated(text: str, how: random.Random) -> str:
    """``text`` with a few characters gone, doubled or replaced."""
    for _ in range(how.randint(1, 4)):
        at = how.randrange(len(text) + 1)
        piece = how.choice(("", text[at : at + 3] * 2, how.choice('[]{}",:\\=\n'), "\ufffd"))
        text = text[:at] + piece + text[at + how.randint(0, 3) :]
    return text


def options(places: dict[str, str]) -> list[list[str]]:
    """Command lines with one hostile value each; none of them can begin to compute."""
    how = random.Random(1)
    model, data, nowhere = places["model"], places["dataset"], "/dev/null/results.db"
    run = ["run", "--models", model, "--dataset", data, "--db", nowhere]
    commands = [
        *([*run, option] for option in (
            "--tau", "--tau2", "--sequences", "--max-frames", "--repeats", "--seed", "--switch",
            "--trace", "--device", "--precision", "--kind", "--jobs", "--threads", "--train-seeds",
            "--margins", "--weights", "--executor", "--study",
        )),
        ["run", "--dataset", data, "--db", nowhere, "--models"],
        ["run", "--models", model, "--db", nowhere, "--dataset"],
        ["run", "--models", model, "--dataset", data, "--db"],
        ["results", "--db"], ["results", "--db", nowhere, "--by"],
        ["status", "--db", places["db"], "--study"], ["results", "--db", places["db"], "--models"],
        ["compare", "--db", places["db"], "--baseline"],
        ["compare", "--db", places["db"], "--a-a", "--jf-tol"],
        ["compare", "--db", places["db"], "--a-a", "--fps-tol"],
        ["compare", "--db", places["db"], "--a-a", "--tol"],
        ["compare", "--db", places["db"], "--a-a", "--allow"],
        ["baseline", "set", "--db", places["db"]], ["baseline", "show", "--db", places["db"]],
        ["trainings", "show", "--db", places["db"]],
        ["report", "--db", places["db"], "--fig"], ["report", "--db", places["db"], "--table"],
        ["data", "check"], ["data", "add", "davis16"], ["check"],
        ["eval", places["results"], "--dataset"],
        ["render", "--db", places["db"], "--out", "x.mp4", "m", "c", "--fps"],
        *(["train", "g-frtm-lite", "--motion", "1", "--write-recipe", nowhere, option] for option in (
            "--set", "--steps", "--recipe", "--margins", "--davis", "--device", "--batch", "--seed",
        )),
        ["history", "--db"],
    ]  # fmt: skip
    lines = [[*command, word] for command in commands for word in how.sample(WORDS, 9)]
    usual = ("0.1:1.0:0.1", "g-frtm-lite+random:0.4", "davis-layout:DIR", "1.0,0;0.7,0.2", "23:26")
    lines += [[*how.choice(commands), mutated(how.choice(usual), how)] for _ in range(100)]
    return lines


@cache
def json_texts() -> tuple[bytes, ...]:
    """Documents that are no JSON, or JSON of another shape."""
    how = random.Random(2)
    whole = json.dumps(
        {
            "format": "vosbench-run", "schema": 1, "source": "r.db", "machines": [],
            "trials": [{"spec": {"model": "m", "tau": "0.5", "sequences": ["a"]}, "clips": []}],
            "recipe": {"model": "g-frtm-lite", "seed": 0}, "videos": {"a": {"objects": {"1": {}}}},
        }
    )  # fmt: skip
    values = (
        "", " ", "[]", "{}", "null", "1", '"x"', "[" * 100_000, '{"a":' * 50_000, "1" * 6000,
        f'{{"schema": {"9" * 5000}}}', '{"schema": 1e999}', '{"recipe": NaN}', '"\\ud800"', "{,}",
        '{"recipe": {"model": "\\ud800"}}', '{"recipe": {"model": "g-frtm-lite", "seed": 1e400}}',
        '{"recipe": {"model": "g-frtm-lite", "seed": ' + "9" * 40 + "}}", '{"videos": []}',
        '{"videos": {"../x": {}}}', '{"videos": {"a\\nb": {"objects": {}}}}', '{"videos": {"a": 1}}',
        '{"format": "vosbench-run", "schema": 1, "trials": {}}', "\x00", "\ufeff{}",
    )  # fmt: skip
    texts = [value.encode("utf-8", "surrogatepass") for value in values]
    texts += [b"\xff\xfe{", b"\x80", whole.encode("utf-16")]
    texts += [whole[: how.randrange(len(whole))].encode() for _ in range(20)]
    texts += [mutated(whole, how).encode() for _ in range(30)]
    return tuple(texts)


@cache
def toml_texts() -> tuple[bytes, ...]:
    """Configurations that are no TOML, or say what can't be."""
    how = random.Random(3)
    whole = 'command = ["no-such-program"]\nversion = "1"\n[timeouts]\nstep = 5\n[env]\nA = "b"\n'
    values = (
        "", "command = []", "command = 1", 'command = ["\\u0000"]', "command = [1]", "a = " + "[" * 50_000,
        f"a = {'9' * 5000}", f"timeouts = {{step = {'9' * 400}}}\ncommand = ['x']", "x", "= 1",
        "timeouts = {step = nan}\ncommand = ['x']", "timeouts = {step = -1}\ncommand = ['x']",
        "timeouts = {nosuch = 1}\ncommand = ['x']", "env = {A = 1}\ncommand = ['x']", "command = ['']",
        "command = ['x']\nfiles = ['/nosuch']", "command = ['x']\npaths = [1]", "command = ['/etc']",
        "command = ['x']\nversion = 1", "command = ['x']\nmulti_object = 'yes'", "command = ['[/x]']",
        "command = ['x\\n::error::y']", "[command]", "command = ['x']\ncommand = ['y']", "\x00",
    )  # fmt: skip
    texts = [value.encode() for value in values] + [b"\xff", whole.encode("utf-16")]
    texts += [whole[: how.randrange(1, len(whole))].encode() for _ in range(12)]
    texts += [mutated(whole, how).encode() for _ in range(20)]
    return tuple(texts)


def _encoded(kind: str, mode: str, size: tuple[int, int] = (32, 24)) -> bytes:
    out = io.BytesIO()
    Image.new(mode, size).save(out, kind)
    return out.getvalue()


@cache
def pictures() -> tuple[bytes, ...]:
    """Bytes in the place of a frame or a mask."""
    how = random.Random(4)
    wholes = [_encoded("PNG", "RGB"), _encoded("JPEG", "RGB"), _encoded("PNG", "P")]
    found = [b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF89a", b"RIFF", b"x" * 10_000]
    found += [_encoded("PNG", mode) for mode in ("1", "L", "LA", "RGBA", "I;16")]
    found += [_encoded("PNG", "RGB", size) for size in ((1, 1), (31, 24), (2000, 1))]
    found += [_encoded("GIF", "P"), _encoded("BMP", "RGB"), _encoded("TIFF", "RGB")]
    # A header that promises 4 × 10^9 pixels.
    bomb = bytearray(wholes[0])
    bomb[16:24] = (65_500).to_bytes(4, "big") * 2
    found.append(bytes(bomb))
    for whole in wholes:
        found += [whole[: how.randrange(len(whole))] for _ in range(15)]
        for _ in range(15):
            changed = bytearray(whole)
            for _ in range(how.randint(1, 8)):
                changed[how.randrange(len(changed))] = how.randrange(256)
            found.append(bytes(changed))
    return tuple(found)


def _saved(value: object) -> bytes:
    out = io.BytesIO()
    torch.save(value, out)
    return out.getvalue()


@cache
def checkpoints() -> tuple[tuple[str, bytes], ...]:
    """Files in the place of weights, with their suffix."""
    how = random.Random(5)
    header = json.dumps({"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
    tensors = len(header).to_bytes(8, "little") + header + bytes(8)
    pickled = _saved({"net": {"w": torch.zeros(2)}})
    values: list[Callable[[], object]] = [
        lambda: {}, lambda: [], lambda: 1, lambda: "x", lambda: None, lambda: {"w": 1},
        lambda: {"w": torch.zeros(2)}, lambda: {1: torch.zeros(2)}, lambda: torch.zeros(3),
        lambda: {"net": {}}, lambda: {"w": torch.full((2,), float("nan"))}, lambda: np.float64(1),
        lambda: {"w": torch.zeros(0)}, lambda: {"a\n::error::": torch.zeros(2)},
        lambda: {"state_dict": {"module.w": torch.zeros(2, dtype=torch.complex64)}},
    ]  # fmt: skip
    found = [(".pth", _saved(make())) for make in values]
    found += [
        (suffix, data)
        for suffix in (".pth", ".safetensors", ".txt")
        for data in (b"", b"\x80\x05.", b"cos\nsystem\n(S'true'\ntR.", bytes(8), b"\xff" * 64, b"PK\x03\x04")
    ]  # fmt: skip
    found += [(".safetensors", tensors[: how.randrange(len(tensors))]) for _ in range(8)]
    deep = b'{"a":' * 20_000
    found.append((".safetensors", len(deep).to_bytes(8, "little") + deep))
    for suffix, whole in ((".pth", pickled), (".safetensors", tensors)):
        for _ in range(10):
            changed = bytearray(whole)
            for _ in range(how.randint(1, 6)):
                changed[how.randrange(len(changed))] = how.randrange(256)
            found.append((suffix, bytes(changed)))
    return tuple(found)


PHASES = ("load", "start", "add_objects", "step")
RAISED = (
    "ValueError('plain')", "Own('a base exception')", "Silent()", "SystemExit(3)", "GeneratorExit()",
    "KeyError('a\\nb')", "ValueError('nul \\x00 here')", "ValueError('\\ud800')", "MemoryError()",
    "ValueError('x' * 1_000_000)", "ValueError('[/x] [bold]')", "ValueError('\\n::error::injected')",
    "ValueError('\\x1b[2J')", "RecursionError()", "StopIteration()", "Gone('moved')",
)  # fmt: skip

PLUGINS = """
import os
import torch
from vosbench.runners.interface import ObjectStep, Path, RunnerSpec, Step, WeightsInfo

class Own(BaseException):
    pass

class Silent(Exception):
    def __str__(self):
        raise ValueError("no words")

class Gone(Exception):
    def __init__(self, text):
        os.chdir("/")
        super().__init__(text)

class Hostile:
    def __init__(self, options):
        self.weights = WeightsInfo("none", "0" * 64, trained=True)
    def load(self, device, precision):
        self.may("load")
    def start(self, clip):
        self.size = (clip.height, clip.width)
        self.may("start")
    def add_objects(self, frame, masks):
        self.may("add_objects")
    def step(self, frame, spans):
        self.may("step")
        return Step(torch.zeros(self.size, dtype=torch.uint8), ())
    def may(self, phase):
        if phase == self.phase:
            raise self.make()

def made(name, phase, make):
    body = {"spec": RunnerSpec(name, "1", "hostile"), "phase": phase, "make": staticmethod(make)}
    return type(name, (Hostile,), body)
"""


def plugins() -> tuple[tuple[str, str], ...]:
    """Names of hostile models, and the lines that make them."""
    return tuple(
        (name, f"M{n} = made({name!r}, {phase!r}, lambda: {raised})\n")
        for n, (phase, raised) in enumerate((p, r) for p in PHASES for r in RAISED)
        for name in [f"hostile-{n}"]
    )
