"""Energy by integrating power that a separate process samples."""

from __future__ import annotations

import select
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO

from vosbench.harness.measure.energy_counter import too_short
from vosbench.harness.measure.energy_readings import (
    MIN_WINDOW_S,
    EnergyMethod,
    EnergyReading,
    EnergyScope,
    UnavailableError,
    Window,
    known,
    unknown,
)
from vosbench.harness.measure.power_sampler import ERROR, READY, STOP
from vosbench.harness.measure.power_trace import (
    energy_j,
    from_csv,
    samples_within,
    update_period_ms,
)

HANDSHAKE_S = 30.0
"""How long the sampling process may take to start or to hand over."""


@dataclass(frozen=True)
class SampledSource:
    """Power of one NVML device, sampled every ``period_ms`` by a process of its own."""

    uuid: str
    period_ms: float = 10.0
    min_window_s: float = MIN_WINDOW_S
    now_s: Callable[[], float] = time.monotonic
    scope: EnergyScope = EnergyScope.GPU_BOARD

    def begin(self) -> Window:
        """Start the sampler and wait until it holds its first sample."""
        module = "vosbench.harness.measure.power_sampler"
        command = [sys.executable, "-m", module, self.uuid, str(self.period_ms)]
        try:
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
            )
        except OSError as error:
            return _FailedWindow(f"the power sampler did not start: {error}", self.scope)
        try:
            method = _handshake(process)
        except UnavailableError as error:
            _abandon(process)
            return _FailedWindow(str(error), self.scope)
        return _SampledWindow(self, process, method, self.now_s())


@dataclass(frozen=True)
class _FailedWindow:
    reason: str
    scope: EnergyScope

    def end(self) -> EnergyReading:
        return unknown(self.reason, self.scope)


@dataclass(frozen=True)
class _SampledWindow:
    source: SampledSource
    process: subprocess.Popen[bytes]
    method: EnergyMethod
    start_s: float

    def end(self) -> EnergyReading:
        source = self.source
        end_s = source.now_s()
        duration_s = end_s - self.start_s
        try:
            trace = from_csv(_hand_over(self.process))
            if duration_s < source.min_window_s:
                raise UnavailableError(too_short(duration_s, source.min_window_s))
            joules = energy_j(trace, self.start_s, end_s)
            if joules <= 0:
                raise UnavailableError("the device reports no power at all")
        except UnavailableError as error:
            return unknown(str(error), source.scope, duration_s, self.method)
        finally:
            _abandon(self.process)
        return known(
            gross_j=joules,
            duration_s=duration_s,
            method=self.method,
            scope=source.scope,
            samples=samples_within(trace, self.start_s, end_s),
            update_period_ms=update_period_ms(trace.time_s.tolist(), trace.power_w.tolist()),
        )


def _handshake(process: subprocess.Popen[bytes]) -> EnergyMethod:
    assert process.stdout is not None
    word, _, rest = _line_within(process.stdout, HANDSHAKE_S).partition(" ")
    if word == READY and rest in EnergyMethod.__members__:
        return EnergyMethod[rest]
    raise UnavailableError(rest if word == ERROR else "the power sampler ended before it was ready")


def _line_within(stream: IO[bytes], seconds: float) -> str:
    # The pipe is unbuffered, so that nothing after this line is lost to communicate() later.
    readable, _, _ = select.select([stream], [], [], seconds)
    if not readable:
        raise UnavailableError(f"the power sampler was not ready within {seconds:g} s")
    return stream.readline().decode().strip()


def _hand_over(process: subprocess.Popen[bytes]) -> str:
    """Stop the sampler and take what it prints; raises its error line as the reason."""
    try:
        output, _ = process.communicate(f"{STOP}\n".encode(), timeout=HANDSHAKE_S)
    except subprocess.TimeoutExpired as error:
        raise UnavailableError("the power sampler did not hand over its samples") from error
    except (OSError, ValueError) as error:
        raise UnavailableError(f"the power sampler is gone: {error}") from error
    printed = output.decode()
    if printed.startswith(ERROR):
        raise UnavailableError(printed.removeprefix(ERROR).strip())
    if process.returncode != 0 or not printed.strip():
        raise UnavailableError(f"the power sampler ended early, status {process.returncode}")
    return printed


def _abandon(process: subprocess.Popen[bytes]) -> None:
    """Make sure that no sampler outlives its window."""
    if process.poll() is None:
        process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None and not stream.closed:
            stream.close()
