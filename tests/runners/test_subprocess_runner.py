"""``subprocess:CONFIG.toml``: a model in another process, and every way in which one can fail."""

from __future__ import annotations

import gc
import io
import os
import subprocess
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path as FilePath

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from vosbench.baselines.errors import InputError
from vosbench.harness.cli.app import app
from vosbench.harness.contract import CHECKS, Status, Subject, run_checks
from vosbench.harness.contract.clips import tiny_clips
from vosbench.harness.datasets.motion import write_motion
from vosbench.harness.store import State, Storage
from vosbench.runners.external.child.vosbench_child import Closed, pack, read_message
from vosbench.runners.external.config import read_config
from vosbench.runners.external.pipe import ChildFault
from vosbench.runners.external.runner import SubprocessRunner
from vosbench.runners.interface import (
    ClipInfo,
    Frame,
    Path,
    Precision,
    RunnerOptions,
    Step,
    no_spans,
)
from vosbench.runners.registry import resolve

CPU = torch.device("cpu")
HEIGHT, WIDTH = 12, 17
IMAGE = (
    torch.arange(3 * HEIGHT * WIDTH, dtype=torch.int64).reshape(3, HEIGHT, WIDTH).to(torch.uint8)
)
MASK = torch.zeros(HEIGHT, WIDTH, dtype=torch.bool)
MASK[2:6, 3:9] = True

SERVER = """
import os, sys, time
import numpy as np
from vosbench_child import serve

class Model:
    def load(self, settings):
        print("loading", settings["device"])
        self.tau = settings["tau"]
    def start(self, clip):
        self.labels = np.zeros((clip["height"], clip["width"]), np.uint8)
        self.known = []
    def add_objects(self, index, image, masks):
        for i, mask in masks.items():
            self.labels[mask] = i
            self.known.append(i)
    def step(self, index, image):
        assert image.shape == self.labels.shape + (3,)
        {fault}
        return self.labels.copy()

serve(Model())
"""

WRITE_PID = 'open("pid", "w").write(str(os.getpid()))'

Write = Callable[..., FilePath]


@pytest.fixture
def write(tmp_path: FilePath) -> Write:
    """Write a server with a fault, and its config; returns the config's path."""

    def written(fault: str = "pass", server: str = SERVER, **settings: str) -> FilePath:
        (tmp_path / "serve.py").write_text(server.replace("{fault}", fault))
        known = {"command": f'["{sys.executable}", "serve.py"]', "files": '["*.py"]', **settings}
        lines = [f"{name} = {value}" for name, value in known.items() if "." not in name]
        for name, value in known.items():
            table, dot, key = name.partition(".")
            if dot:
                lines.append(f"{table}.{key} = {value}")
        path = tmp_path / "model.toml"
        path.write_text("\n".join(lines))
        return path

    return written


def built(config: FilePath, tau: str | None = None) -> SubprocessRunner:
    options = RunnerOptions(tau=None if tau is None else Decimal(tau))
    runner = resolve(f"subprocess:{config}").build(options)
    assert isinstance(runner, SubprocessRunner)
    return runner


def first_step(runner: SubprocessRunner) -> Step:
    runner.load(CPU, Precision.FLOAT32)
    runner.start(ClipInfo("dog", HEIGHT, WIDTH, 3))
    runner.add_objects(Frame(0, IMAGE), {7: MASK})
    return runner.step(Frame(0, IMAGE), no_spans)


def fault_of(runner: SubprocessRunner) -> str:
    with pytest.raises(ChildFault) as caught:
        first_step(runner)
    return str(caught.value)


def children() -> set[int]:
    """Processes whose parent is this one, zombies left out."""
    command = ["ps", "-o", "pid=,stat=", "--ppid", str(os.getpid())]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as ps:
        pairs = [line.split() for line in ps.communicate()[0].splitlines()]
    return {int(pid) for pid, state in pairs if not state.startswith("Z")} - {ps.pid}


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = FilePath(f"/proc/{pid}/stat")
    return not (stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z")


def test_labels_and_paths_come_back(write: Write) -> None:
    fault = 'return self.labels, {7: ("reuse", 0.75)}'
    runner = built(write(fault, paths='["full", "reuse"]', takes_tau="true"), tau="0.5")
    assert runner.spec.paths == {Path.FULL, Path.REUSE}
    assert runner.spec.takes_tau
    first = first_step(runner)
    assert torch.equal(first.labels, MASK.to(torch.uint8) * 7)
    assert [(o.id, o.path, o.p_gate) for o in first.objects] == [(7, Path.INIT, None)]
    second = runner.step(Frame(1, IMAGE), no_spans)
    assert [(o.id, o.path, o.p_gate) for o in second.objects] == [(7, Path.REUSE, 0.75)]


def test_it_gets_the_pixels_that_were_sent(write: Write) -> None:
    fault = "return (image[..., 0] % 2 * 7 if index else self.labels).astype(np.uint8)"
    runner = built(write(fault))
    first_step(runner)
    step = runner.step(Frame(1, IMAGE), no_spans)
    assert torch.equal(step.labels, IMAGE[0] % 2 * 7)


def test_the_contract_holds_over_a_pipe(write: Write) -> None:
    subject = Subject.of(f"subprocess:{write()}", tiny_clips())
    failed = [o.line for o in run_checks(CHECKS, subject) if o.status is Status.FAILED]
    assert failed == []


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (
            'raise KeyError("weights of layer 3")',
            "the child failed while in frame 0: KeyError: 'weights of layer 3'",
        ),
        (
            'sys.stderr.write("CUDA is on fire"); sys.stderr.flush(); os._exit(3)',
            "died while in frame 0 (exit status 3); its stderr ends: CUDA is on fire",
        ),
        ("os.kill(os.getpid(), 11)", "died while in frame 0 (killed by SIGSEGV)"),
        (
            'print("still thinking", flush=True); time.sleep(60)',
            "hangs: no answer for 1 s while in frame 0; its stderr ends: still thinking",
        ),
        ("return self.labels[1:]", "labels of uint8 (11, 17), not uint8 (12, 17)"),
        ("return self.labels + 0.5", "labels of float64"),
    ],
)
def test_a_fault_ends_the_child_and_says_what_it_said(write: Write, fault: str, says: str) -> None:
    before = children()
    settings = {"timeouts.first_frame_s": "1", "timeouts.load_s": "60"}
    message = fault_of(built(write(fault, **settings)))
    assert says in message.splitlines()[0]
    assert "stderr of the child:\n  loading cpu" in message
    assert children() <= before


@pytest.mark.parametrize(
    ("server", "says"),
    [
        ("import no_such_module", "died while loading (exit status 1); its stderr ends: Module"),
        ("print('Welcome to this machine, it has news')", "broke the protocol while loading"),
        ("import time; time.sleep(60)", "hangs: no answer for 1 s while loading"),
        ("import sys; sys.stdin.close()", "died while loading (exit status 0)"),
    ],
)
def test_a_child_that_never_serves(write: Write, server: str, says: str) -> None:
    runner = built(write(server=server, **{"timeouts.load_s": "1"}))
    if "died" in says:
        runner = built(write(server=server))
    message = fault_of(runner)
    assert says in message.splitlines()[0]


def test_a_child_that_stops_reading_is_no_trap(write: Write) -> None:
    server = (
        "import os, time\n"
        "from vosbench_child import pack, read_message\n"
        "stream = os.fdopen(0, 'rb')\n"
        "for _ in range(2):\n"
        "    read_message(stream)\n"
        "    os.write(1, pack({}))\n"
        "time.sleep(60)\n"
    )
    runner = built(write(server=server, **{"timeouts.first_frame_s": "1"}))
    runner.load(CPU, Precision.FLOAT32)
    runner.start(ClipInfo("dog", 900, 900, 3))
    large = torch.zeros(3, 900, 900, dtype=torch.uint8)  # more than a pipe holds
    with pytest.raises(ChildFault, match="hangs: no answer for 1 s while adding objects"):
        runner.add_objects(Frame(0, large), {1: large[0] > 0})


def test_children_end_with_their_runner(write: Write) -> None:
    before = children()
    # A shell that starts the model and stays when the model has gone.
    config = write(WRITE_PID, command=f'["sh", "-c", "{sys.executable} serve.py; sleep 60"]')
    runner = built(config)
    first_step(runner)
    pid = int((config.parent / "pid").read_text())
    assert len(children() - before) == 1
    assert is_alive(pid)
    del runner
    gc.collect()
    assert children() <= before
    assert not is_alive(pid)


ORPHAN = """
import os, subprocess
if os.fork() == 0:
    sleeper = subprocess.Popen(["sleep", "600"], start_new_session=True)
    open("pid", "w").write(str(sleeper.pid))
    os._exit(0)
os.wait()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the process group alone is killed")
@pytest.mark.parametrize("then", ["", "time.sleep(60)"])
def test_a_grandchild_in_a_session_of_its_own_ends_too(write: Write, then: str) -> None:
    """Its parent has gone: neither the group nor the parents lead to it."""
    server = SERVER.replace("serve(Model())", ORPHAN + "serve(Model())")
    config = write(then or "pass", server=server, **{"timeouts.first_frame_s": "1"})
    runner = built(config)
    if then:
        assert "hangs" in fault_of(runner)
    else:
        first_step(runner)
        assert is_alive(int((config.parent / "pid").read_text()))
        runner.close()
    until = time.monotonic() + 10  # a process that was killed needs a moment to go
    while is_alive(pid := int((config.parent / "pid").read_text())) and time.monotonic() < until:
        time.sleep(0.01)
    assert not is_alive(pid)


def test_children_end_with_the_program(write: Write) -> None:
    config = write(WRITE_PID)
    script = (
        "import sys, torch\n"
        "from vosbench.runners.interface import *\n"
        "from vosbench.runners.registry import resolve\n"
        f"runner = resolve({f'subprocess:{config}'!r}).build(RunnerOptions())\n"
        "runner.load(torch.device('cpu'), Precision.FLOAT32)\n"
        "runner.start(ClipInfo('dog', 8, 8, 1))\n"
        "frame = Frame(0, torch.zeros(3, 8, 8, dtype=torch.uint8))\n"
        "runner.add_objects(frame, {1: torch.ones(8, 8, dtype=torch.bool)})\n"
        "runner.step(frame, no_spans)\n"
        "sys.exit(5)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], check=False, text=True, stderr=subprocess.PIPE
    )
    assert done.returncode == 5, done.stderr
    assert not is_alive(int((config.parent / "pid").read_text()))


def test_the_weights_hash_is_that_of_config_and_files(write: Write) -> None:
    before = built(write()).weights
    assert built(write()).weights == before
    assert built(write("return self.labels")).weights.sha256 != before.sha256
    assert built(write(version='"2"')).weights.sha256 != before.sha256
    noted = built(write(trained="false", note='"fine-tuned here"')).weights
    assert (noted.trained, noted.note) == (False, "fine-tuned here")


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"comand": '["x"]'}, r"unknown field 'comand'; did you mean 'command'"),
        ({"command": "[]"}, r"no command: write e.g. command ="),
        ({"command": '"python"'}, r"command is 'python', which is no list"),
        ({"command": "[1]"}, r"command\[0\] is 1, which is no text"),
        ({"timeouts.step": "1"}, r"timeouts has an unknown field 'step'; did you mean 'step_s'"),
        ({"timeouts.step_s": "0"}, r"step_s must be a number of seconds above 0"),
        ({"paths": '["ful"]'}, r"paths: unknown 'ful'; did you mean 'full'"),
        ({"env.X": "1"}, r"env: X is 1, which is no text"),
        ({"files": '["weights.pt"]'}, r"files: nothing matches 'weights.pt'"),
        ({"command": "["}, r"no TOML"),
        ({"takes_tau": "true"}, r"model.toml needs a threshold: give --tau"),
        ({"command": '["no-such-program"]'}, r"can't start 'no-such-program': No such file"),
    ],
)
def test_bad_configs_are_one_line(write: Write, settings: dict[str, str], says: str) -> None:
    with pytest.raises(InputError, match=says) as caught:
        built(write(**settings)).load(CPU, Precision.FLOAT32)
    assert "\n" not in str(caught.value)


def test_a_missing_config_says_so(tmp_path: FilePath) -> None:
    with pytest.raises(InputError, match=r"no such file: write subprocess:CONFIG\.toml"):
        read_config(tmp_path / "none.toml")


@given(
    header=st.dictionaries(st.text(), st.integers() | st.text() | st.none()),
    body=st.binary(max_size=40),
    cut=st.integers(1, 8),
)
def test_messages_are_read_as_they_were_packed(
    header: dict[str, object], body: bytes, cut: int
) -> None:
    packed = pack(header, np.frombuffer(body, np.uint8))
    message = read_message(io.BytesIO(packed + b"rest"))
    assert (message.header, message.body) == (header, body)
    with pytest.raises(Closed):
        read_message(io.BytesIO(packed[:-cut]))


def test_a_dead_child_fails_its_trial_and_nothing_else(
    write: Write, tmp_path: FilePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_motion(tmp_path / "small", {"fast": 502, "late": 309}, (64, 96), 4)
    sound = write()
    ill = tmp_path / "ill.toml"
    ill.write_text(sound.read_text().replace("serve.py", "ill.py"))
    text = SERVER.replace("{fault}", 'sys.exit("out of luck") if index == 2 else None')
    (tmp_path / "ill.py").write_text(text)
    names = ["run", "--models", "subprocess:ill.toml,subprocess:model.toml", "--db", "r.db"]
    dataset = f"davis-layout:{tmp_path / 'small'}"
    invoked = CliRunner().invoke(app, [*names, "--study", "s", "--dataset", dataset])
    assert invoked.exit_code == 1, invoked.output
    assert "out of luck" in invoked.output
    with Storage.open("r.db") as storage:
        states = {r.spec.model: r.state for r in storage.trials(storage.study("s"))}
    assert states == {
        f"subprocess:{ill}": State.FAILED,
        f"subprocess:{tmp_path / 'model.toml'}": State.COMPLETE,
    }
