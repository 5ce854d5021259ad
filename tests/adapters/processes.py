"""Programs in processes of their own, which share the imports of one template."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from typing import NamedTuple

from adapters import template_process


class Ended(NamedTuple):
    """`code` is negative if a signal ended it, as subprocess has it."""

    code: int
    stdout: str
    stderr: str


class Processes:
    """Where a system has no fork, each imports for itself."""

    def __init__(self) -> None:
        self._template: subprocess.Popen[str] | None = None

    def run(self, program: str, *words: str, stdin: bytes = b"", seconds: int = 120) -> Ended:
        """Run it to its end, in the environment as it is now; a signal ends it after `seconds`."""
        if not hasattr(os, "fork"):
            command = [sys.executable, "-c", program, *words]
            ran = subprocess.run(command, input=stdin, capture_output=True, check=False, timeout=seconds)  # noqa: S603 - our own code
            return Ended(ran.returncode, ran.stdout.decode(), ran.stderr.decode())
        order = {"program": program, "words": words, "stdin": base64.b64encode(stdin).decode(), "seconds": seconds}
        return Ended(**json.loads(self._asked({**order, "environ": dict(os.environ)})))

    def _asked(self, order: dict[str, object]) -> str:
        if self._template is None:
            command = [sys.executable, template_process.__file__]
            self._template = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own code
        assert self._template.stdin
        assert self._template.stdout
        self._template.stdin.write(json.dumps(order) + "\n")
        self._template.stdin.flush()
        answer = self._template.stdout.readline()
        assert answer, "the template of the processes has ended"
        return answer

    def close(self) -> None:
        if self._template is not None:
            self._template.communicate()
