"""The fleet's life: start, ports, config, stop; and the command that runs one."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
import yaml
from click.testing import CliRunner

from capability_router.catalog.card import ModelCard
from capability_router.cli.main import main
from capability_router.errors import ConfigError
from capability_router.simulator import Fleet

ONE = {"providers": [{"name": "a", "models": [{"name": "m", "skill": 1, "concurrency": 1, "queue": 0, "ttft_s": 0.3}]}]}
BODY = {"model": "m", "messages": [{"role": "user", "content": "what is 2+2"}]}


def threads() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name == "capability-router-simulator"]


def test_stop_is_clean_and_may_be_repeated() -> None:
    fleet = Fleet.from_config(ONE)
    with pytest.raises(ConfigError, match="not running"):
        fleet.base_url("a")
    with fleet:
        url = fleet.base_url("a")
        assert fleet.start() is fleet
        assert len(threads()) == 1
        with pytest.raises(ConfigError, match="no provider 'x'"):
            fleet.base_url("x")
    fleet.stop()
    fleet.stop()
    assert threads() == []
    with pytest.raises(httpx.ConnectError):
        httpx.get(url + "/models")
    with fleet:  # and it may be started again
        assert httpx.get(fleet.base_url("a") + "/models").status_code == 200


def test_stop_with_requests_that_hang() -> None:
    fleet = Fleet.from_config({**ONE, "faults": ["hang:a"]}).start()
    url = fleet.base_url("a") + "/chat/completions"
    with ThreadPoolExecutor(4) as pool:
        calls = [pool.submit(httpx.post, url, json=BODY, timeout=30) for _ in range(4)]
        while fleet.script._entries[0].struck < 4:
            fleet.script._clock.sleep(0.01)
        fleet.stop()
        for call in calls:
            with pytest.raises(httpx.TransportError):
                call.result(10)
    assert threads() == []
    assert [r.status for r in fleet.log()] == [499] * 4


def test_replies_are_not_held_back_by_the_kernel() -> None:
    with Fleet.from_config(ONE) as fleet, httpx.Client() as client:
        client.get(fleet.base_url("a") + "/models")
        (connection,) = fleet._listeners["a"]._state.connections
        raw = connection.transport.get_extra_info("socket")
        assert raw.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)  # else each reply waits 40 ms for an ACK


def test_a_client_that_leaves_in_the_middle_of_its_request(caplog: pytest.LogCaptureFixture) -> None:
    with Fleet.from_config(ONE) as fleet:
        with socket.create_connection(("127.0.0.1", fleet.port("a"))) as raw:
            raw.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{")
            while not fleet._listeners["a"]._state.tasks:
                fleet.script._clock.sleep(0.01)
        while fleet._listeners["a"]._state.tasks:
            fleet.script._clock.sleep(0.01)
        assert httpx.get(fleet.base_url("a") + "/models").status_code == 200
    assert fleet.log() == []
    assert caplog.records == []


def test_a_full_queue_is_an_overload() -> None:
    with Fleet.from_config(ONE) as fleet, ThreadPoolExecutor(3) as pool:
        url = fleet.base_url("a") + "/chat/completions"
        statuses = sorted(r.status_code for r in pool.map(lambda _: httpx.post(url, json=BODY), range(3)))
    assert statuses == [200, 503, 503]


def test_a_taken_port_is_an_error_and_leaves_nothing_behind() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        fleet = Fleet.from_config(ONE, port_base=taken.getsockname()[1])
        with pytest.raises(OSError, match="in use"):
            fleet.start()
    assert threads() == []
    with fleet:
        assert fleet.port("a") == fleet.settings.port_base


def test_router_config_is_a_valid_list_of_cards() -> None:
    with Fleet.from_config(faults=[], time_scale=0.5) as fleet:
        config = fleet.router_config(policy={"name": "cheapest"})
        assert yaml.safe_load(yaml.safe_dump(config)) == config
        cards = [ModelCard(**entry) for entry in config["models"]]
        assert config["policy"] == {"name": "cheapest"}
        assert [c.id for c in cards][:2] == ["alder/alder-nano", "birch/birch-mini"]
        assert cards[0].endpoint == {"base_url": fleet.base_url("alder"), "model": "alder-nano"}
        assert cards[0].latency == {"ttft_s": 0.09, "tokens_per_s": 440}


def test_keys_are_named_not_shown() -> None:
    locked = {"providers": [{"name": "a-b", "api_key": "sk-secret", "models": [{"name": "m"}]}]}
    with Fleet.from_config(locked) as fleet:
        assert fleet.router_config()["models"][0]["endpoint"]["api_key_env"] == "SIM_A_B_KEY"
        assert "sk-secret" not in str(fleet.router_config()) + repr(fleet) + repr(fleet.settings)
        assert fleet.environment() == {"SIM_A_B_KEY": "sk-secret"}


def test_same_seed_same_answers() -> None:
    def answers(seed: int) -> list[tuple[bool | None, int]]:
        with Fleet.from_config(seed=seed, time_scale=0) as fleet, httpx.Client() as client:
            for n in range(40):
                body = {"model": "alder-nano", "messages": [{"role": "user", "content": f"what is {n}+5"}]}
                assert client.post(fleet.base_url("alder") + "/chat/completions", json=body).status_code == 200
            return [(r.correct, r.cost_pico) for r in fleet.log()]

    assert answers(1) == answers(1)
    assert [c for c, _ in answers(1)] != [c for c, _ in answers(2)]


def test_the_command_runs_until_interrupted(tmp_path: Path) -> None:
    path = tmp_path / "router.yaml"
    command = [sys.executable, "-c", "from capability_router.cli.main import main; main()", "simulate"]
    options = ["--time-scale", "0", "--seed", "3", "--fault", "outage:cedar", "--write", str(path)]
    with subprocess.Popen([*command, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:  # noqa: S603 - own command
        assert process.stdout
        shown = ""
        while "elder-think" not in shown.rpartition("models:")[2]:
            line = process.stdout.readline()
            assert line, process.stderr.read() if process.stderr else ""
            shown += line
        process.stdout.readline()
        url = next(line for line in shown.splitlines() if "alder" in line).split()[2]
        assert httpx.get(url + "/models").status_code == 200
        os.kill(process.pid, signal.SIGINT)
        assert process.wait(20) == 0
        assert process.stderr
        assert "stopped after 0 requests" in process.stderr.read()
    assert yaml.safe_load(path.read_text())["models"][0]["id"] == "alder/alder-nano"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--fault", "outag:cedar"], "did you mean 'outage'"),
        (["--fault", "outage:cedr"], "did you mean 'cedar'"),
        (["--config", "/nowhere/sim.yaml"], "cannot read"),
        (["--time-scale", "-1"], "time_scale"),
    ],
)
def test_the_command_tells_what_is_wrong(options: list[str], said: str) -> None:
    result = CliRunner().invoke(main, ["simulate", *options])
    assert result.exit_code == 1
    assert said in result.output
    assert "Traceback" not in result.output


def test_help_lists_the_commands() -> None:
    assert "simulate" in CliRunner().invoke(main, ["--help"]).output
