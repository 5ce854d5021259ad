"""The learned state as JSON: with a version and a checksum, never pickled.

It holds hashed words, scores and the weights made from them; no text, and no names except the models' ids. Rows have
their requests' ids, so the states of several processes are merged by taking each request once.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

import numpy as np

from capability_router.json_text import parsed
from capability_router.learning.implicit_signs import SignCounts
from capability_router.learning.quality.arrays import UnreadableState, array, finite, packed
from capability_router.learning.quality.blend import SOURCES, Blend
from capability_router.learning.quality.calibration import Calibration
from capability_router.learning.quality.decomposition import ScoreDecomposition
from capability_router.learning.quality.embedding import MEANING, Meaning, Origin
from capability_router.learning.quality.fit import FEATURES, FeatureScaler, Fit
from capability_router.learning.quality.levels import STORED, Level
from capability_router.learning.quality.memory import Remembered, RequestMemory, ScoredResult, meant
from capability_router.learning.quality.model import DominantTenant, FitSnapshot, QualityModel
from capability_router.learning.quality.own_levels import LEAST, MOST, OwnLevels
from capability_router.learning.quality.sketch import Sketch
from capability_router.learning.quality.surface import SIZE
from capability_router.learning.quality.traits import BAG
from capability_router.learning.quality.trees import LEAVES, TREES, Trees, no_trees
from capability_router.learning.quality.verbosity import Verbosity
from capability_router.learning.quality.versions import ModelVersion, ModelVersions, shown
from capability_router.learning.tenants import TenantBounds, TenantScores

SCHEMA = 4
"""Version 1 had no embedder, 2 no neighbours by form, 3 no trees. All can be read."""
_NAME = "capability-router quality"
_HEAD = re.compile(rb'\{"state": "capability-router quality", "schema": (\d{1,9})')
"""How `text_of` begins, in every version."""
_MOST_SCORES = 1e6  # the most that a level can count; scores fade


def dumped(quality: QualityModel, base: str | None = None) -> str:
    """The whole state as one JSON text, including the state that it began from, if any."""
    return text_of(state_snapshot(quality), base)


def base_of(text: str) -> str | None:
    """The state that a readable one began from: the one inside, or itself if it got no score after training."""
    told = parsed(text)
    if told.get("base") is not None:
        return str(told["base"])
    return text if told["body"]["scored"] and not told["body"].get("askers") else None


def state_snapshot(quality: QualityModel) -> dict[str, Any]:
    """A copy of the present state, for `text_of`."""
    with quality.still():
        memory, view, apart = quality.memory, quality.view, quality.apart
        return {
            "apart": None if apart is None else [apart.whose, state_snapshot(apart.quality)],
            "embedder": list(quality.origin),
            "models": list(memory.models),
            "scored": quality.scored,
            "new": quality.new,
            "askers": quality.tenants.kept(),
            "own": [[whose, dict(levels)] for whose, levels in quality.own.known.items()],
            "versions": {m: [v.name, v.other, v.run, list(v.former)] for m, v in quality.versions.known.items()},
            "signs": {model: list(counted) for model, counted in quality.signs.items()},
            "levels": {model: level.to_dict() for model, level in quality.levels.items()},
            "rows": _rows(memory),
            "fit": None if view is None else _fit(view, np.argsort(memory.order[: len(memory)])),
        }


def text_of(body: Mapping[str, Any], base: str | None = None) -> str:
    """The state as JSON, with its version and a checksum."""
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), allow_nan=False)
    told = {"state": _NAME, "schema": SCHEMA, "checksum": _checksum(text), "body": body}
    return json.dumps(told if base is None else {**told, "base": base}, allow_nan=False)


class IncompatibleState(UnreadableState):
    """It is intact as far as we know, but of another kind or a newer version: it must not be changed."""


def loaded(text: str) -> QualityModel:
    """From such a text; raises IncompatibleState for another kind or a newer version, UnreadableState for a damaged
    one.
    """
    try:
        told = parsed(text)
    except ValueError as error:
        raise unreadable(text.encode(), "no JSON") from error
    if not isinstance(told, Mapping) or told.get("state") != _NAME:
        raise unreadable(text.encode(), "no state of the learned model")
    schema = told.get("schema")
    if schema not in (1, 2, 3, SCHEMA):
        newer = isinstance(schema, (int, float)) and schema > SCHEMA
        raise (IncompatibleState if newer else UnreadableState)(f"schema {schema!r}, this version reads 1 to {SCHEMA}")
    body: Any = told.get("body")
    if told.get("checksum") != _checksum(json.dumps(body, sort_keys=True, separators=(",", ":"))):
        raise UnreadableState("the checksum does not match")
    try:
        return _quality(body)
    except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise (
            error if isinstance(error, UnreadableState) else UnreadableState(f"{type(error).__name__} in it")
        ) from error


def unreadable(data: bytes, why: str) -> UnreadableState:
    """The error for what can't be read: IncompatibleState, unless it begins like a state of this version or an older
    one.

    An empty file, or one of zeros after a crash of the machine, holds nothing to lose.
    """
    head = _HEAD.match(data)
    if head is None:
        return IncompatibleState("no state of the learned model") if data.strip(b"\0 \t\r\n") else UnreadableState(why)
    return (
        IncompatibleState(f"schema {int(head[1])}, this version reads 1 to {SCHEMA}")
        if int(head[1]) > SCHEMA
        else UnreadableState(why)
    )


def merged(into: QualityModel, other: QualityModel) -> None:
    """Add what another process remembers; a request that both know counts once. Ends with a refit."""
    memory = other.memory
    into.signs = {**other.signs, **into.signs}
    for model, version in other.versions.known.items():
        into.versions.known.setdefault(model, version)
    known = {row.id for row in into.memory.rows}
    for name, mass, levels in other.tenants.kept():
        into.tenants.put(name, TenantScores(levels, mass))
    into.learn_log((row, memory.results(at)) for at, row in enumerate(memory.rows) if row.id not in known)


def _checksum(text: str) -> str:
    return blake2b(text.encode(), digest_size=16).hexdigest()


def _rows(memory: RequestMemory) -> dict[str, Any]:
    """In the order in which they came."""
    order = np.argsort(memory.order[: len(memory)])
    sketches = [memory.rows[at].sketch for at in order]
    empty = [np.zeros(0, np.int64)]
    meanings = (
        {"meanings": packed(np.concatenate([meant(s) for s in sketches]), "i1")} if memory.meanings is not None else {}
    )
    return {
        **meanings,
        "ids": [memory.rows[at].id for at in order],
        **_whose([memory.rows[at].whose for at in order]),
        "sizes": packed(np.array([len(s.places) for s in sketches]), "i4"),
        "places": packed(np.concatenate([s.places for s in sketches] or empty), "u2"),
        "values": packed(np.concatenate([s.values for s in sketches] or empty), "i1"),
        "surfaces": packed(np.array([s.surface for s in sketches]).reshape(-1, SIZE), "f4"),
        "scores": packed(memory.scores[: len(memory)][order], "f4"),
        "tokens": packed(memory.tokens[: len(memory)][order], "f4"),
    }


def _whose(names: Sequence[str]) -> dict[str, Any]:
    """Tenants by hash: each name once, and its index for each row; nothing if only logs were learned from."""
    known = {name: place for place, name in enumerate(dict.fromkeys(names))}
    return {"askers": list(known), "whose": packed(np.array([known[n] for n in names]), "i4")} if any(names) else {}


def _fit(view: FitSnapshot, order: Any) -> dict[str, Any]:
    fit = view.fit
    return {
        "scale": [packed(each, "f4") for each in fit.scale],
        "weights": packed(fit.weights, "f4"),
        "slopes": packed(fit.slopes, "f4"),
        "blend": [packed(each, "f4") for each in fit.blend],
        "trees": [packed(fit.trees.asks, "u2"), packed(fit.trees.cuts, "f4"), packed(fit.trees.leaves, "f4")],
        "calibration": [list(fit.calibration.predicted), list(fit.calibration.realised)],
        "lengths": [packed(np.nan_to_num(each), "f4") for each in fit.lengths],
        "levels": packed(fit.levels, "f4"),
        "values": packed(view.values[order], "f4"),
        "there": packed(view.there[order], "i1"),
    }


def _quality(body: Mapping[str, Any]) -> QualityModel:
    models, scored = [str(model) for model in body["models"]], _count(body["scored"])
    memory = _memory(body["rows"], models)
    levels = {str(model): _level({"seen": scored, **told}) for model, told in body["levels"].items()}
    view = None if body["fit"] is None else _view(body["fit"], memory)
    quality = QualityModel(memory, levels, view, scored, _tenants(body.get("askers", [])), _count(body.get("new", 0)))
    quality.own = OwnLevels((str(whose), _sums(levels, LEAST, MOST)) for whose, levels in body.get("own", ()))
    name, size = body.get("embedder", Origin())
    quality.origin = Origin(str(name), int(size))
    if (apart := body.get("apart")) is not None:
        whose, its = apart
        quality.apart = DominantTenant(str(whose), _quality({**its, "apart": None}))
    quality.signs = {str(model): _counted(*told) for model, told in body.get("signs", {}).items()}
    quality.versions = ModelVersions((str(model), _version(*told)) for model, told in body.get("versions", {}).items())
    return quality


def _version(name: object, other: object, run: object, former: Sequence[object]) -> ModelVersion:
    return ModelVersion(shown(str(name)), shown(str(other)), _count(run), [shown(str(each)) for each in former])


def _level(told: Mapping[str, Any]) -> Level:
    level = Level(**{name: _number(told[name]) for name in STORED})
    possible = 0.0 <= level.count <= _MOST_SCORES and abs(level.total) <= 2.0 * level.count + 1.0
    if not possible or not 0.0 < level.variance <= 4.0:
        raise UnreadableState("a level that no scores come to")
    return level


def _counted(answers: object, lost: object) -> SignCounts:
    counted = SignCounts(float(_number(answers)), float(_number(lost)))
    if not abs(counted.lost) <= counted.answers:
        raise UnreadableState("more signs than answers")
    return counted


def _tenants(told: Sequence[Any]) -> TenantBounds:
    """None in a state from before there were tenants."""
    tenants = TenantBounds()
    for name, mass, levels in told:
        own = _sums(levels, 0.0, 1.0)
        if not 0.0 <= mass <= _MOST_SCORES:
            raise UnreadableState("a tenant with scores that nobody gives")
        tenants.put(str(name), TenantScores(own, _number(mass)))
    return tenants


def _sums(told: Mapping[str, Any], least: float, most: float) -> dict[str, tuple[float, float]]:
    """Faded sums and counts of scores by model; `least` and `most`: of one of them."""
    found = {str(model): (_number(total), _number(count)) for model, (total, count) in told.items()}
    for total, count in found.values():
        if not (0.0 <= count <= _MOST_SCORES and least * count - 1e-6 <= total <= most * count + 1e-6):
            raise UnreadableState("a tenant with scores that nobody gives")
    return found


def _count(value: object) -> int:
    if (found := _number(value)) < 0:
        raise UnreadableState("less than nothing was scored")
    return int(found)


def _number(value: object) -> Any:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise UnreadableState("a level holds what is no number")
    return value


def _memory(told: Mapping[str, Any], models: list[str]) -> RequestMemory:
    ids = [str(id) for id in told["ids"]]
    sizes = array(told["sizes"], len(ids))
    ends = np.cumsum(sizes)
    places, values = array(told["places"], None), array(told["values"], None)
    surfaces = finite(told["surfaces"], len(ids), SIZE)
    scores, tokens = (array(told[name], len(ids), len(models)).tolist() for name in ("scores", "tokens"))
    if len(set(ids)) < len(ids) or (sizes < 0).any() or len(places) != sizes.sum() or len(values) != sizes.sum():
        raise UnreadableState("rows that do not fit together")
    askers = [str(name) for name in told.get("askers", [""])]
    whose = array(told["whose"], len(ids)) if "whose" in told else np.zeros(len(ids), np.int32)
    if ((whose < 0) | (whose >= len(askers))).any():
        raise UnreadableState("a row of nobody")
    if (places >= BAG).any():
        raise UnreadableState("a row beyond the bag")
    meanings = array(told["meanings"], len(ids), MEANING).astype(np.int8) if "meanings" in told else None
    memory = RequestMemory()
    for model in models:
        memory.column(model)
    for at, id in enumerate(ids):
        own = slice(ends[at] - sizes[at], ends[at])
        found = zip(models, scores[at], tokens[at], strict=True)
        memory.add(
            Remembered(id, Sketch(places[own], values[own], surfaces[at], _meaning(meanings, at)), askers[whose[at]]),
            {m: ScoredResult(s, None if math.isnan(t) else round(t)) for m, s, t in found if 0.0 <= s <= 1.0},
        )
    return memory


def _meaning(meanings: Any, at: int) -> Meaning | None:
    """A row of zeros stands for none."""
    return meanings[at] if meanings is not None and meanings[at].any() else None


def _view(told: Mapping[str, Any], memory: RequestMemory) -> FitSnapshot:
    levels, rows = finite(told["levels"], None), len(memory)
    models = len(levels)
    if models > len(memory.models):
        raise UnreadableState("a fit of unknown models")
    centre, spread = (finite(each, SIZE) for each in told["scale"])
    middle, factors, longest, weights = told["lengths"]
    values, there = finite(told["values"], rows, 1 + models), finite(told["there"], rows, 1 + models)
    known = finite(factors, models)
    lengths = Verbosity(
        finite(middle, models), np.where(known > 0, known, np.nan).astype(np.float32), finite(longest, models),
        finite(weights, FEATURES, 1 + models),
    )  # fmt: skip
    predicted, realised = ([float(_number(x)) for x in each] for each in told["calibration"])
    fit = Fit(
        FeatureScaler(centre, spread), finite(told["weights"], FEATURES, 1 + models), lengths,
        _blend(told["blend"], models), finite(told["slopes"], models),
        Calibration(tuple(predicted), tuple(realised)),
        ScoreDecomposition(levels, values[:, :1], values[:, 1:], there[:, 1:]), _trees(told.get("trees"), 1 + models),
    )  # fmt: skip
    return FitSnapshot.of(fit, values, there, memory.rows)


def _blend(told: Sequence[Any], models: int) -> Blend:
    """A source that did not exist yet has no weight."""
    shared, own = finite(told[0], None), finite(told[1], None, models, models)
    if not 2 <= len(shared) <= SOURCES or len(own) != len(shared):
        raise UnreadableState("sources that nobody knows")
    lacking = SOURCES - len(shared)
    return Blend(np.pad(shared, (0, lacking)), np.pad(own, ((0, lacking), (0, 0), (0, 0))))


def _trees(told: Sequence[Any] | None, columns: int) -> Trees:
    """Before version 4 there were none."""
    if told is None:
        return no_trees(columns)
    asks, cuts, leaves = told
    found = array(asks, None, LEAVES).astype(np.intp)
    if len(found) > TREES or (found >= SIZE + (SOURCES - 1) * columns).any():
        raise UnreadableState("trees that look at numbers which there are not")
    return Trees(found, finite(cuts, len(found), LEAVES), finite(leaves, len(found), LEAVES, columns))
