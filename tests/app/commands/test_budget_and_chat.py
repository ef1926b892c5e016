"""What budget and chat options become on their way to the engine, and what is told of memory and formats."""

import json
from collections.abc import Callable

import pytest
from msgspec import structs

from app.commands import conversation
from main import main
from model.messages import (
    Command,
    Describe,
    Described,
    Event,
    Generate,
    Heartbeat,
    OpenCheckpoint,
    Verified,
    Verify,
)
from tests.app.events import finished, grown, opened, started, summary


class ScriptedClient:
    """Answers every command at once, and remembers it."""

    sent: list[Command] = []

    def __init__(self, on_event: Callable[[Event], None], _on_death: Callable[[str], None]) -> None:
        self._on_event, self._requests = on_event, 0
        ScriptedClient.sent = []

    def next_request(self) -> int:
        self._requests += 1
        return self._requests

    def send(self, command: Command) -> bool:
        self.sent.append(command)
        for event in self._answers(command):
            self._on_event(event)
        return True

    def close(self) -> None: ...

    def _answers(self, command: Command) -> list[Event]:
        request = command.request
        if isinstance(command, Describe):
            told = {"formats": {"fp8 e4m3": 641, "bfloat16": 20}, "resident_bytes": 14, "fits": False}
            told |= {"expert_cache_bytes": 5, "largest_expert_bytes": 2, "has_chat_template": True}
            notes = ["routers decide as transformers does", "auto_map is ignored"]
            return [Described(request=request, summary=structs.replace(summary(), notes=notes, **told))]
        if isinstance(command, OpenCheckpoint):
            return [opened(request)]
        if isinstance(command, Verify):
            proof = {"attention_max_abs": 0.0, "absorbed_max_abs": 0.0, "routing_equal": True, "tokens": 64}
            return [Verified(request=request, passed=True, **proof)]
        assert isinstance(command, Generate)
        beats = [Heartbeat(step_age=0.1, resident_bytes=9, unreclaimable_bytes=kept) for kept in (5, 7, 6)]
        run = [started(request), grown(0, 3, step=0, request=request), grown(3, 1, step=1, request=request)]
        return [run[0], *beats, *run[1:], finished(request)]


@pytest.fixture(autouse=True)
def client(monkeypatch: pytest.MonkeyPatch) -> type[ScriptedClient]:
    monkeypatch.setattr(conversation, "EngineClient", ScriptedClient)
    monkeypatch.setattr("app.commands.record._folder_bytes", lambda _folder: 1)
    return ScriptedClient


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict:
    assert main([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_inspect_tells_formats_and_memory_plan(capsys) -> None:
    found = printed(capsys, "inspect", "model.gguf", "--budget", "7.5")
    assert found["formats"] == {"fp8 e4m3": 641, "bfloat16": 20}
    plan = [found[key] for key in ("resident_bytes", "expert_cache_bytes", "largest_expert_bytes", "file_bytes")]
    assert plan == [14, 5, 2, 4000]
    assert (found["fits"], found["has_chat_template"], found["dense_attention_tokens"]) == (False, True, None)
    assert ScriptedClient.sent[0].budget_bytes == 7_500_000_000
    assert ScriptedClient.sent[0].path.endswith("/model.gguf")


def test_people_get_every_note_on_a_line_of_its_own(capsys) -> None:
    assert main(["inspect", "unused"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2].split(maxsplit=1) == ["notes", "routers decide as transformers does"]
    assert lines[-1].strip() == "auto_map is ignored"
    assert lines[-1].index("auto_map") == lines[-2].index("routers")
    assert any(line.split(maxsplit=1) == ["formats", "fp8 e4m3 641, bfloat16 20"] for line in lines)


def test_verify_keeps_to_the_budget(capsys) -> None:
    printed(capsys, "verify", "unused", "--budget", "2")
    assert ScriptedClient.sent[0].budget_bytes == 2 * 10**9


def test_record_counts_experts_over_the_run_and_the_most_memory_kept(capsys) -> None:
    found = printed(capsys, "record", "--prompt", "x", "--budget", "8", "--out", "unused")
    assert (found["expert_hits"], found["expert_misses"], found["bytes_read"]) == (6, 2, 8192)
    assert found["peak_unreclaimable_bytes"] == 7
    assert ScriptedClient.sent[0].budget_bytes == 8 * 10**9


def test_record_hands_prompt_and_system_message_to_the_chat_template(capsys) -> None:
    printed(capsys, "record", "--prompt", "Hello", "--chat", "--system", "Be brief.", "--out", "unused")
    generate = ScriptedClient.sent[1]
    assert (generate.prompt, generate.chat, generate.system) == ("Hello", True, "Be brief.")


def test_without_chat_the_prompt_stays_raw(capsys) -> None:
    printed(capsys, "record", "--prompt", "Hello", "--out", "unused")
    assert (ScriptedClient.sent[1].chat, ScriptedClient.sent[1].system) == (False, "")
