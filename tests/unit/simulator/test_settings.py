from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from capability_router.catalog.card import card_fields
from capability_router.errors import ConfigError
from capability_router.simulator.settings import load_settings

PROVIDER = {"name": "a", "models": [{"name": "m"}]}


def test_the_built_in_fleet() -> None:
    fleet = load_settings()
    models = [m for p in fleet.providers for m in p.models]
    assert len(fleet.providers) == 5
    assert sum(not m.tool_calling for m in models) == 1
    assert sum(not m.structured_output for m in models) == 1
    assert any(m.image_inputs for m in models)
    assert min(m.context_window for m in models) == 8_000
    assert max(m.context_window for m in models) == 200_000
    for model in models:
        card_fields(model.card(fleet.time_scale), model.name)


def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / "sim.yaml"
    providers = "[{name: a, api_key: sk-x, models: [{name: m, rpm: 5}]}]"
    path.write_text(f"seed: 4\nproviders: {providers}\nfaults: ['hang:a']\n")
    fleet = load_settings(path, time_scale=0.5, seed=None)
    assert (fleet.seed, fleet.time_scale, fleet.faults[0].kind) == (4, 0.5, "hang")
    assert fleet.providers[0].models[0].card(0.5)["limits"] == {"rpm": 5}
    assert fleet.providers[0].key_variable == "SIM_A_KEY"
    assert "sk-x" not in repr(fleet)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"provider": []}, "unknown key 'provider'; did you mean 'providers'"),
        ({"providers": []}, "one or more providers"),
        ({"providers": [PROVIDER, PROVIDER]}, "different names"),
        ({"providers": [{"name": "a", "models": []}]}, "one or more models"),
        ({"providers": [{"name": "a/b", "models": [{"name": "m"}]}]}, "without /"),
        ({"providers": [{"name": "a", "models": [{"name": "m", "skil": 1}]}]}, "did you mean 'skill'"),
        ({"providers": [{"name": "a", "models": [{"name": "m", "skill": 2}]}]}, "skill.default must be 0 to 1"),
        ({"providers": [{"name": "a", "models": [{"name": "m", "rpm": 0}]}]}, "rpm must be"),
        ({"providers": [{"name": "a", "models": [{"name": "m", "ttft_s": float("nan")}]}]}, "ttft_s must be"),
        ({"providers": [{"name": "a", "models": [{"name": "m", "price": {"input_mtok": 1}}]}]}, "output_mtok"),
        ({"providers": [{"name": "a", "models": [{"models": 3}]}]}, "unknown key 'models'"),
        ({"time_scale": -1}, "time_scale must be"),
        ({"port_base": 70_000}, "port_base must be"),
        ({"faults": ["outag:alder"]}, "did you mean 'outage'"),
    ],
)
def test_what_is_wrong_is_told(values: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        load_settings(values)


@pytest.mark.parametrize(("text", "said"), [("a: [", "not valid YAML.*line"), ("- 1", "must hold a mapping")])
def test_a_bad_file(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "sim.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=f"(?s){said}"):
        load_settings(path)
    with pytest.raises(ConfigError, match="cannot read"):
        load_settings(tmp_path / "none.yaml")


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)  # noqa: S603 - own code
    return done.stdout + done.stderr


def test_importing_the_room_loads_no_server() -> None:
    code = "import sys, capability_router.simulator as s; s.FaultScript; s.SimulatedModel; print(sorted(sys.modules))"
    loaded = run(code)
    assert "capability_router.simulator.script" in loaded
    assert not [name for name in ("starlette", "uvicorn", "yaml", "click") if f"'{name}'" in loaded]


def test_without_the_extra_the_error_names_it() -> None:
    code = "import sys; sys.modules['starlette'] = None; from capability_router.simulator import Fleet"
    assert 'ImportError: Fleet serves HTTP and needs starlette: pip install "capability-router[simulator]"' in run(code)
