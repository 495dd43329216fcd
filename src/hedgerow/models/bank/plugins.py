"""River regressors as further experts of a bank, and their state under lock and key.

A bank with plug-ins walks its readings in Python: the compiled ``take``, then each plug-in
learns from the label that came due and predicts on the same frozen features, then the compiled
``forecast`` weighs their predictions with the rest. What a plug-in has learned can only be
stored pickled, so it is signed, and read back by an unpickler that admits River, numpy and
plain containers only.
"""

from __future__ import annotations

import builtins
import hashlib
import hmac
import importlib
import io
import math
import pickle
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from river import base

from hedgerow.models.alerts.episodes import Reading, rules_of
from hedgerow.models.arithmetic import LARGEST, clamp
from hedgerow.models.bank import kernel
from hedgerow.models.bank import rows as row_places
from hedgerow.models.bank.bank import CHUNK_ROWS, Bank
from hedgerow.models.errors import PluginError, SnapshotError, StateTampered
from hedgerow.models.experts.companions import Company
from hedgerow.models.experts.ensemble import label_of
from hedgerow.models.profile import Profile, RiverExpert
from hedgerow.models.snapshot.chunks import RawChunk
from hedgerow.models.zone import ZoneTable

Lesson = tuple[dict[str, float], float]  # features and label
Regressor = Any  # river.base.Regressor; River ships no types that mypy may follow

_BUILTINS = frozenset(
    {"bool", "bytearray", "bytes", "complex", "dict", "float", "frozenset", "int", "list"}
    | {"object", "range", "set", "slice", "str", "tuple"}
)
_NUMPY = frozenset(
    {"_frombuffer", "_reconstruct", "dtype", "ndarray", "scalar"}
    | {"__bit_generator_ctor", "__generator_ctor", "__randomstate_ctor"}
    | {"Generator", "MT19937", "PCG64", "RandomState", "SeedSequence"}
)
_NAMED = frozenset(
    {("copyreg", "_reconstructor"), ("random", "Random"), ("functools", "partial")}
    | {("collections", name) for name in ("Counter", "OrderedDict", "defaultdict", "deque")}
)


def make_regressor(expert: RiverExpert) -> Regressor:
    """Make the regressor a profile names.

    Raises
    ------
    PluginError
        If there is no such class in River, or it is no regressor, or refuses its parameters.

    Examples
    --------
    >>> type(make_regressor(RiverExpert("river.linear_model.PARegressor", {"C": 0.1}))).__name__
    'PARegressor'
    """
    module, _, name = expert.name.rpartition(".")
    if module.partition(".")[0] != "river":
        raise PluginError(f"plug-in {expert.name!r} is not in River; river.linear_model.… is")
    try:
        found = getattr(importlib.import_module(module), name, None)
    except ImportError as error:
        raise PluginError(f"plug-in {expert.name!r} cannot be imported: {error}") from None
    if not (isinstance(found, type) and issubclass(found, base.Regressor)):
        raise PluginError(f"plug-in {expert.name!r} is not a regressor of River")
    try:
        return found(**expert.params)
    except (TypeError, ValueError) as error:
        raise PluginError(f"plug-in {expert.name!r} refuses its parameters: {error}") from None


class PluginBank(Bank):
    """A bank whose rows have River regressors beside them.

    Parameters
    ----------
    profile, period_ms, zone, places
        As in `Bank`.
    key : bytes
        Signs the plug-ins' state.

    Attributes
    ----------
    models : list
        Per row, per horizon, per plug-in: one regressor.
    failures : int
        Times a plug-in raised, or predicted no finite number, and counted as asleep.
    """

    def __init__(
        self,
        profile: Profile,
        period_ms: int,
        zone: ZoneTable,
        key: bytes,
        *,
        places: int | None = None,
    ) -> None:
        super().__init__(profile, period_ms, zone, places=places)
        self.models: list[list[list[Regressor]]] = []
        self._key = key

    def extend(self, rows: int) -> int:
        """Take room for rows, each with untrained plug-ins."""
        for _ in range(rows):
            self.models.append(
                [[make_regressor(e) for e in self.profile.river] for _ in self.profile.horizons]
            )
        return super().extend(rows)

    def step(
        self,
        where: NDArray[np.int64],
        positions: NDArray[np.int64],
        *,
        time_ms: NDArray[np.int64],
        values: NDArray[np.float64],
        offsets: NDArray[np.int64],
        outside: NDArray[np.int64],
        company: Company,
        out: kernel.Outputs,
        silent: bool = False,
    ) -> None:
        """Step readings as `Bank.step` does, the plug-ins between learning and forecasting."""
        self._before_change(where)
        for line, p in zip(where.tolist(), positions.tolist(), strict=True):
            reading = Reading(p, int(time_ms[p]), float(values[p]), int(offsets[p]))
            rows = row_places.Rows(*2 * (self.rows[line], self.singles[line]))
            if outside[p] >= 0:
                out.outcomes[p] = kernel.take_outside(
                    rows.exact, self.setup.sizes, outside[p], reading.time_ms, reading.value
                )
                continue
            slot = row_places.slot_of(rows.exact, self.setup.sizes, reading.time_ms)
            frozen = self._frozen(rows, slot, reading.value)
            rules = rules_of(rows.exact, self.setup.rules, self.bounds[line])
            learned = kernel.take(
                rows, self.setup, rules, reading, company, silent, self.scratch, out
            )
            if not silent:
                kernel.show_last(rows.exact, self.setup.sizes, company, p)
            if learned:
                self._learn(line, frozen)
                external = self._predict(line, rows)
                kernel.forecast(
                    rows, self.setup, rules, reading, silent, external, self.scratch, out
                )

    def _frozen(self, rows: row_places.Rows, slot: int, value: float) -> list[Lesson | None]:
        """Return each horizon's features and label for a slot, ``None`` without a forecast."""
        sizes = self.setup.sizes
        lessons: list[Lesson | None] = []
        for k, horizon in enumerate(self.profile.horizons):
            block = int(self.setup.blocks[k])
            entry = row_places.due(rows.exact, sizes, block, horizon, slot)
            if entry < 0:
                lessons.append(None)
                continue
            standard = entry + sizes.standard
            label = label_of(rows.exact, standard, clamp(value, LARGEST))
            lessons.append((self._features(rows, slot - horizon), label))
        return lessons

    def _features(self, rows: row_places.Rows, slot: int) -> dict[str, float]:
        start = row_places.origin_of(self.setup.sizes, slot)
        names = self.layout.features
        values = rows.single[start : start + len(names)].tolist()
        return dict(zip(names[1:], values[1:], strict=True))  # River brings its own bias

    def _learn(self, line: int, frozen: Sequence[Lesson | None]) -> None:
        for models, lesson in zip(self.models[line], frozen, strict=True):
            if lesson is None:
                continue
            x, label = lesson
            for model in models:
                try:
                    model.learn_one(x, label)
                except Exception:  # noqa: BLE001 (foreign code: whatever it raises, it sleeps)
                    self.failures += 1

    def _predict(self, line: int, rows: row_places.Rows) -> NDArray[np.float64]:
        external = np.full((len(self.profile.horizons), len(self.profile.river)), np.nan)
        x = self._features(rows, row_places.current_slot(rows.exact))
        for k in range(len(self.profile.horizons)):
            for i, model in enumerate(self.models[line][k]):
                try:
                    predicted = float(model.predict_one(x))
                except Exception:  # noqa: BLE001 (as above)
                    predicted = math.nan
                if math.isfinite(predicted):
                    external[k, i] = predicted
                else:
                    self.failures += 1
        return external

    def plugin_chunk(self, name: str, chunk: int) -> RawChunk:
        """Pickle and sign the plug-ins of a chunk of rows."""
        pickled = pickle.dumps(self.models[chunk * CHUNK_ROWS : (chunk + 1) * CHUNK_ROWS])
        return RawChunk(
            name,
            {"pickled": np.frombuffer(pickled, np.uint8)},
            {
                "signature": _sign(self._key, name, pickled),
                "failures": self.failures,
                "river": [[one.name, dict(one.params)] for one in self.profile.river],
            },
        )

    def restore_plugins(
        self,
        raw: RawChunk,
        first: int,
        taken: NDArray[np.bool_],
        *,
        rows: int,
        before: Sequence[RiverExpert],
    ) -> set[str]:
        """Put stored plug-ins (those ``taken`` of the chunk's ``rows``) beside rows from ``first``.

        Parameters
        ----------
        before : sequence of RiverExpert
            What they are where the chunk does not say, as those of earlier releases do not.

        Returns
        -------
        set of str
            The experts that begin anew, with their weights, since they are made otherwise now.

        Raises
        ------
        SnapshotError
            If they were signed with another key, or would bring in anything but River's models
        (`StateTampered`), or cannot be read.
        """
        pickled = raw.arrays["pickled"].tobytes()
        signature = raw.meta["signature"]
        if not isinstance(signature, str) or not hmac.compare_digest(
            signature, _sign(self._key, raw.name, pickled)
        ):
            raise StateTampered(f"{raw.name}: not signed with this plugin_key")
        models = read_models(pickled)
        if len(models) != rows:
            raise SnapshotError(f"{raw.name}: {len(models)} plug-ins for {rows} rows")
        kept = [model for model, mine in zip(models, taken.tolist(), strict=True) if mine]
        self.failures = int(raw.meta["failures"])
        if "river" in raw.meta:
            before = [RiverExpert(str(name), dict(params)) for name, params in raw.meta["river"]]
        anew = [i for i, one in enumerate(self.profile.river) if [one] != list(before[i : i + 1])]
        for models, stored in zip(self.models[first : first + len(kept)], kept, strict=True):
            for mine, theirs in zip(models, stored, strict=True):
                mine[:] = [
                    mine[i] if i in anew else theirs[i] for i in range(len(self.profile.river))
                ]
        names = {f"{i}:{self.profile.river[i].name}" for i in anew}
        for field in self.layout.fields:
            if not field.single and field.name.endswith(tuple(f".{name}" for name in names)):
                at = slice(field.offset, field.offset + field.size)
                self.rows[first : first + len(kept), at] = self.layout.blank[at]
        return names


def _sign(key: bytes, name: str, pickled: bytes) -> str:
    return hmac.new(key, name.encode() + b"\0" + pickled, hashlib.sha256).hexdigest()


class _Unpickler(pickle.Unpickler):
    """Admits River's classes and functions, numpy's arrays, plain containers, nothing else."""

    def find_class(self, module: str, name: str) -> Any:  # whatever the pickle names
        if module == "builtins" and name == "getattr":
            return _method
        if module == "builtins" and name in _BUILTINS:
            return getattr(builtins, name)
        if (module, name) in _NAMED:
            return super().find_class(module, name)
        if _of_river(module):
            found = importlib.import_module(module)
            for part in name.split("."):
                found = getattr(found, part)
                # Not what a module of River's has merely imported.
                if not (callable(found) and _of_river(getattr(found, "__module__", None))):
                    break
            else:
                return found
        if module.partition(".")[0] == "numpy":
            found = super().find_class(module, name)
            if name in _NUMPY or (isinstance(found, type) and issubclass(found, np.generic)):
                return found
        raise StateTampered(f"a plug-in's state names {module}.{name}, which is not admitted")


def _of_river(module: str | None) -> bool:
    parts = (module or "").split(".")
    # Data sets and streams read files and the network.
    return parts[0] == "river" and parts[1:2] not in (["datasets"], ["stream"], ["checks"])


def _method(owner: object, name: str) -> Any:
    """Stand in for ``getattr``: a bound method of one of River's own objects."""
    method = getattr(owner, name)
    if name.startswith("__") or not _of_river(type(owner).__module__) or not callable(method):
        raise StateTampered(f"a plug-in's state asks for the attribute {name!r}")
    return method


def read_models(pickled: bytes) -> list[Any]:
    """Unpickle plug-ins, refusing everything that is not River's, numpy's or a container.

    Raises
    ------
    SnapshotError
        If the bytes name something else, or are no pickle of plug-ins.
    """
    try:
        models = _Unpickler(io.BytesIO(pickled)).load()
    except SnapshotError:
        raise
    except Exception as error:  # noqa: BLE001 (a pickle can raise anything)
        raise SnapshotError(f"a plug-in's state cannot be read: {error}") from error
    if not isinstance(models, list):
        raise SnapshotError("a plug-in's state is not a list of models")
    return models
