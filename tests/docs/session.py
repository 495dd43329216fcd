"""Runs the blocks of one page in order, as its reader would, from a folder that looks like a clone.

What was exported in one block is there in the next, and so are Python's names. Broker, Redis, a
worker and some readings are there from the first command on that needs them.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import sys
import tomllib
from collections.abc import Set
from pathlib import Path
from types import TracebackType
from typing import Self

from docs.blocks import RUN, Block, commands_of
from docs.clone import lay_out
from docs.elsewhere import (
    ENDLESS,
    SAME_AS,
    STAND_INS,
    WORKERS_LEAVE,
    is_elsewhere,
    without_remark,
)
from docs.outputs import differences
from docs.served_city import ServedCity
from docs.shell import Shell

from hedgerow.app.demo.run import CITY as DEMO_CITY
from hedgerow.app.settings import Settings

SECONDS = 120.0  # for one command, on a busy machine
NEEDS_NO_SERVERS = r"hedgerow (backtest|demo|-)|_HEDGEROW_COMPLETE|(?!.*\b(hedgerow|python|curl)\b)"
LEAVES_WITH = re.compile(r"#.* leaves with (\d+)")


class Session:
    """The shell and the Python of one page's reader.

    Parameters
    ----------
    whole_demo : bool
        Its commands meet the demo, learned to its end, under the demo's settings.
    partitions : int
        Of the readings, where it is not the demo.
    """

    def __init__(self, folder: Path, *, whole_demo: bool = False, partitions: int = 2) -> None:
        self._whole = whole_demo
        self._folder = folder
        self._clone = folder / "clone"
        self._printed = ""
        self._elsewhere = False
        self._typed: list[str] = []
        self._names: dict[str, object] = {"__name__": "__main__"}
        self._city: ServedCity | None = None
        folder.mkdir(exist_ok=True)
        lay_out(self._clone)
        self._shell = Shell(self._clone, folder / "shell", SECONDS)
        own = {name: text for name, text in os.environ.items() if not name.startswith("HEDGEROW_")}
        self._environment = {
            **own,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "COLUMNS": "80",
            "HOME": str(folder),  # where the completion of a shell is installed
            "HEDGEROW_CONFIG": str(DEMO_CITY if whole_demo else self._clone / "city.toml"),
            "HEDGEROW_HTTP__PORT": "0",
        }
        if not whole_demo:
            self._environment["HEDGEROW_CHECKPOINT__INTERVAL_SECONDS"] = "0.5"
            self._environment["HEDGEROW_TOPICS__PARTITIONS"] = str(partitions)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._city is not None:
            self._city.close()

    def run(self, block: Block) -> list[str]:
        """Run or read a block; return what is wrong with it."""
        match block.language:
            case "sh":
                return self._run_shell(block)
            case "python":
                self._run_python(block)
            case "toml":
                self._read_settings(block)
            case "json":
                read_json(block.text)
            case "text" if block.output_of is not None and not self._elsewhere:
                found = differences(block.text, self._printed, varies="varies" in block.info)
                return found and [*found, "as it was printed:", self._printed]
        return []

    def unshown(self, block: Block, shown: Set[int | None]) -> list[str]:
        """Tell what a block that was just run has printed, if its page shows nothing of it."""
        if block.language not in RUN or block.line in shown or not self._printed.strip():
            return []
        return ["the page shows nothing of what this prints:", self._printed]

    def whole_story(self) -> str:
        """Tell all that was typed and printed so far, and the end of the servers' logs."""
        logs = "" if self._city is None else self._city.logs()
        return "\n".join([*self._typed, logs])

    @property
    def city(self) -> ServedCity:
        """The servers and their worker, started when they are first asked for."""
        if self._city is None:
            self._city = ServedCity(self._folder, self._environment, SECONDS, whole=self._whole)
            self._environment |= self._city.variables
        return self._city

    def type(self, command: str) -> list[str]:
        """Run one command; return what is wrong with it."""
        typed = without_remark(command)
        due = LEAVES_WITH.search(command)
        if not (due or re.match(NEEDS_NO_SERVERS, typed, re.DOTALL)):
            assert self.city
        before = len(self._printed)
        self._typed.append(f"$ {command}")
        code, right = self._run_command(SAME_AS.get(typed, typed))
        self._typed.append(self._printed[before:] + f"[left with {code}]")
        if due:
            right = int(due[1])
        if code != right:
            return [f"`{typed}` left with {code}, not {right}:\n{self._printed}"]
        return []

    def _run_shell(self, block: Block) -> list[str]:
        self._printed = ""
        self._elsewhere = True  # until one is run here
        for command in commands_of(block.text):
            if is_elsewhere(command):
                continue
            self._elsewhere = False
            if wrong := self.type(command):
                return wrong
        return []

    def _run_command(self, command: str) -> tuple[int, int]:
        """Run a command; return the exit code and what it should be."""
        command = self._stand_in(command)
        for endless in ENDLESS:
            if re.fullmatch(endless.pattern, command, re.DOTALL):
                city = self._city
                code, out = self._shell.interrupt(
                    command,
                    self._environment,
                    endless,
                    city.send_a_reading if city else lambda: None,
                )
                self._printed += out
                return code, endless.code
        alone = re.fullmatch(WORKERS_LEAVE, command, re.DOTALL) is not None
        if alone:
            self.city.worker_leaves()
        code, out = self._shell.run(command, self._environment, answer="y" if alone else "")
        if alone:
            self.city.worker_returns()
        self._printed += out
        return code, 0

    def _run_python(self, block: Block) -> None:
        self._elsewhere = False
        code = compile(self._stand_in(block.text), block.place, "exec")
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed), contextlib.chdir(self._clone):
            exec(code, self._names)
        self._printed = printed.getvalue()
        self._typed.append(f">>> {block.place}\n{self._printed}")

    def _read_settings(self, block: Block) -> None:
        """Read settings as a worker would; the files they name are made."""
        secrets = self._folder / "secrets"
        secrets.mkdir(exist_ok=True)
        text = block.text.replace("/run/secrets/", f"{secrets}/")
        for name in re.findall(rf'"{re.escape(str(secrets))}/([^"]+)"', text):
            (secrets / name).write_text("a long random secret", "utf-8")
        Settings.model_validate(tomllib.loads(text))

    def _stand_in(self, text: str) -> str:
        """Put the addresses of this stack in the place of those on the page."""
        for name, part in STAND_INS:
            if name in text:
                text = text.replace(name, self.city.addresses[part])
        return text


def read_json(text: str) -> None:
    """Read one document, or one of each line."""
    try:
        json.loads(text)
    except json.JSONDecodeError:
        for line in text.splitlines():
            json.loads(line)
