"""The model's side of ``subprocess:CONFIG.toml``: one file, Python 3.7 or later, and NumPy.

A model is an object with four methods; :func:`serve` answers for it until the harness is done::

    from vosbench_child import serve

    class Model:
        def load(self, settings):               # dict: device, precision, tau, seed, ...
            ...
        def start(self, clip):                  # dict: name, height, width, frames
            ...
        def add_objects(self, index, image, masks):     # {id: bool (H, W)}
            ...
        def step(self, index, image):           # uint8 RGB (H, W, 3)
            return labels                       # uint8 (H, W), 0 for background
            # or: labels, {id: ("full" | "reuse" | "copy", p_gate or None)}

    serve(Model())

In the frame in which objects are given, their masks are painted over the labels. Whatever the
model prints goes to stderr, since stdout belongs to the protocol.

A message is the four bytes ``VOSB``, the lengths of its header and of its body (unsigned, big
endian, 4 and 8 bytes), the header (JSON, UTF-8) and the body (raw arrays, C order).
"""

from __future__ import annotations

import json
import os
import struct
import sys
import traceback
from typing import Any, BinaryIO, NamedTuple

import numpy as np

PROTOCOL = 1
MAGIC = b"VOSB"
PREFIX = struct.Struct(">4sIQ")
_TRACE_LINES = 40


class Message(NamedTuple):
    """One message: what it says, and raw pixels."""

    header: dict[str, Any]
    body: bytes = b""


class Closed(Exception):  # noqa: N818 - no error: the harness is done
    """The other side has gone."""


def pack(header: dict[str, Any], *arrays: np.ndarray) -> bytes:
    """The bytes of a message."""
    text = json.dumps(header).encode()
    body = b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)
    return PREFIX.pack(MAGIC, len(text), len(body)) + text + body


def read_message(stream: BinaryIO) -> Message:
    """The next message; raises Closed at the end, ValueError for anything that is none."""
    magic, header_bytes, body_bytes = PREFIX.unpack(_exactly(stream, PREFIX.size))
    if magic != MAGIC:
        raise ValueError("stdin carries something that is no message of vosbench")
    header = json.loads(_exactly(stream, header_bytes).decode())
    return Message(header, _exactly(stream, body_bytes))


def serve(model: Any) -> None:
    """Answer the harness until it closes the pipe; a fault of the model is reported, then ends.

    Exit status 1 after a fault.
    """
    incoming = os.fdopen(os.dup(0), "rb")
    outgoing = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what the model prints must not get between the messages
    sys.stdout = sys.stderr
    session = _Session(model)
    while True:
        try:
            message = read_message(incoming)
        except Closed:
            return
        try:
            answer = session.answer(message)
        except Exception as error:
            trace = traceback.format_exc().splitlines()[-_TRACE_LINES:]
            what = "%s: %s" % (type(error).__name__, error)  # noqa: UP031 - for old Pythons
            sys.stderr.write("\n".join(trace) + "\n")
            sys.stderr.flush()
            outgoing.write(pack({"error": what}))
            outgoing.flush()
            sys.exit(1)
        outgoing.write(answer)
        outgoing.flush()


class _Session:
    """The model, and which of a clip's objects are there."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._size = (0, 0)
        self._known = []  # type: list[int]
        self._given = {}  # type: dict[int, np.ndarray]

    def answer(self, message: Message) -> bytes:
        """Do what a message asks, and pack the answer."""
        header = message.header
        do = header["do"]
        if do == "load":
            if header["protocol"] != PROTOCOL:
                raise ValueError("vosbench speaks protocol %s" % header["protocol"])  # noqa: UP031
            self._model.load(header)
        elif do == "start":
            self._size = (header["height"], header["width"])
            self._known, self._given = [], {}
            self._model.start(header)
        elif do == "add":
            image, masks = self._pixels(message.body, len(header["ids"]))
            self._given = dict(zip(header["ids"], masks.astype(bool)))  # noqa: B905 - Python 3.7
            self._model.add_objects(header["frame"], image, dict(self._given))
        elif do == "step":
            image, _ = self._pixels(message.body, 0)
            return self._step(header["frame"], image)
        else:
            raise ValueError("unknown request %r" % do)  # noqa: UP031
        return pack({"ok": True})

    def _pixels(self, body: bytes, masks: int) -> tuple[np.ndarray, np.ndarray]:
        height, width = self._size
        planes = np.frombuffer(body, np.uint8)
        image = planes[: 3 * height * width].reshape(height, width, 3).copy()
        return image, planes[3 * height * width :].reshape(masks, height, width)

    def _step(self, index: int, image: np.ndarray) -> bytes:
        result = self._model.step(index, image)
        labels, told = result if isinstance(result, tuple) else (result, {})
        labels = np.array(labels)
        if labels.dtype != np.uint8 or labels.shape != self._size:
            raise ValueError(
                "step() gives labels of %s %s, not uint8 %s"  # noqa: UP031
                % (labels.dtype, labels.shape, self._size)
            )
        objects = []
        for object_id in self._known:
            path, p_gate = told.get(object_id, ("full", None))
            p_gate = None if p_gate is None else float(p_gate)
            objects.append({"id": object_id, "path": path, "p_gate": p_gate})
        for object_id, mask in self._given.items():
            labels[labels == object_id] = 0
            labels[mask] = object_id
            objects.append({"id": object_id, "path": "init", "p_gate": None})
        self._known, self._given = self._known + list(self._given), {}
        return pack({"objects": objects}, labels)


def _exactly(stream: BinaryIO, count: int) -> bytes:
    data = stream.read(count)
    if len(data) < count:
        raise Closed
    return data
