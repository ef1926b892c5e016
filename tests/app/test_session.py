"""What a person does becomes commands; what the engine tells becomes state."""

import numpy as np
import pytest
from msgspec import structs

from app.session import Session
from model.config import Sampling
from model.expert_profile import ExpertCounts, ExpertProfile, LayerProfile
from model.messages import (
    About,
    Array,
    AttentionsCompared,
    CacheGrown,
    CompareAttentions,
    Describe,
    Described,
    Failed,
    Generate,
    Heartbeat,
    Loading,
    OpenCheckpoint,
    Profiled,
    ProfileExperts,
    Profiling,
    ReadAbout,
    Ready,
    ShowPicture,
    Stop,
    SurveyHeads,
    Verified,
    Verify,
)
from tests.app.events import finished, grown, opened, started, summary
from tests.app.fake_bridge import FakeBridge


@pytest.fixture
def bridge(qapp) -> FakeBridge:
    return FakeBridge()


@pytest.fixture
def session(bridge) -> Session:
    session = Session(bridge)
    session.start_engine()
    bridge.received.emit(Ready())
    session.open_checkpoint("/models/tiny")
    bridge.received.emit(opened(bridge.of(OpenCheckpoint)[0].request))
    return session


PROFILE = ExpertProfile(
    model="tiny",
    fingerprint="f",
    texts="texts",
    domains=["en"],
    domain_tokens=[10],
    layers=[LayerProfile(1, [ExpertCounts([5])] * 4), LayerProfile(2, [ExpertCounts([5])] * 4)],
)


def run_prompt(session: Session, bridge: FakeBridge) -> int:
    session.submit("hello", max_new_tokens=5, sampling=Sampling())
    request = bridge.of(Generate)[-1].request
    bridge.received.emit(started(request))
    bridge.received.emit(grown(0, 3, step=0, request=request))
    return request


def test_an_opened_model_is_proved_without_being_asked(session, bridge):
    request = bridge.of(Verify)[0].request
    assert session.state.proving == request
    proof = Verified(
        request=request, attention_max_abs=1e-7, absorbed_max_abs=1e-6, routing_equal=True, tokens=64, passed=True
    )
    bridge.received.emit(proof)
    assert session.state.proving == 0
    assert session.state.model is not None
    assert session.state.model.proof is proof


def test_only_one_run_goes_on_at_a_time(session, bridge):
    run_prompt(session, bridge)
    session.submit("again", max_new_tokens=5, sampling=Sampling())
    assert len(bridge.of(Generate)) == 1


def test_stop_names_the_run_that_is_going_on(session, bridge):
    request = run_prompt(session, bridge)
    session.stop()
    assert [stop.target for stop in bridge.of(Stop)] == [request]
    bridge.received.emit(finished(request))
    session.stop()
    assert len(bridge.of(Stop)) == 1


def test_changes_are_told_together_and_the_views_questions_follow(session, bridge, qtbot):
    with qtbot.waitSignal(session.changed) as told:
        run_prompt(session, bridge)
    _before, after = told.args
    assert after.run.tokens == 3
    qtbot.waitUntil(lambda: bool(bridge.of(ShowPicture) and bridge.of(SurveyHeads)))


def test_choosing_an_earlier_token_stops_following_and_the_newest_follows_again(session, bridge):
    request = run_prompt(session, bridge)
    session.choose_token(0)
    bridge.received.emit(grown(3, 1, step=1, request=request))
    assert session.state.selection.token == 0
    session.choose_token(3)
    bridge.received.emit(grown(4, 1, step=2, request=request))
    assert session.state.selection.token == 4


def test_a_restart_after_death_opens_the_checkpoint_again(session, bridge):
    run_prompt(session, bridge)
    bridge.died.emit("Engine stopped (signal 9)")
    assert session.state.engine == "dead"
    assert session.state.notices[-1].key == "restart"
    session.start_engine()
    assert bridge.starts == 2
    assert not session.state.notices
    assert bridge.of(OpenCheckpoint)[-1].path == "/models/tiny"
    assert session.state.run is not None
    assert session.state.run.tokens == 3


def test_a_restart_after_a_fatal_load_opens_the_last_model_that_opened(session, bridge):
    session.open_checkpoint("/models/fatal")
    bridge.died.emit("Engine stopped (signal 9)")
    session.start_engine()
    assert bridge.of(OpenCheckpoint)[-1].path == "/models/tiny"


def test_a_run_of_the_new_engine_is_not_taken_for_one_of_the_old(session, bridge):
    run_prompt(session, bridge)
    bridge.died.emit("Engine stopped (signal 9)")
    session.start_engine()
    bridge.received.emit(Ready())
    bridge.received.emit(opened())
    bridge.received.emit(started(99))
    bridge.received.emit(grown(0, 2, step=0, request=99))
    assert [run.tokens for run in session.state.runs] == [3, 2]
    assert session.state.runs[0].texts == ["t0 ", "t1 ", "t2 "]
    assert session.state.run is session.state.runs[1]


def test_a_refused_prompt_frees_the_prompt_panel_and_says_why(session, bridge):
    session.submit("", max_new_tokens=5, sampling=Sampling())
    bridge.received.emit(Failed(request=bridge.of(Generate)[0].request, message="The prompt is empty; type one."))
    assert session.state.running == 0
    assert session.state.notices[-1].text == "The prompt is empty; type one."


def test_a_choice_changes_nothing_but_itself(session):
    session.choose("devices", 3)
    assert session.state.choices.devices == 3
    assert session.state.choices.placement == "contiguous"


def test_half_a_surrogate_pair_in_a_prompt_becomes_a_replacement_character(session, bridge):
    session.submit("a\ud83d b\ud83d\ude00", max_new_tokens=5, sampling=Sampling())
    assert bridge.of(Generate)[0].prompt == "a\ufffd b\U0001f600"


def test_a_notice_replaces_the_one_before_and_can_be_put_away(session):
    session.say("first")
    session.say("second")
    assert [notice.text for notice in session.state.notices] == ["second"]
    session.dismiss_notice("")
    assert not session.state.notices


def test_backing_out_leaves_the_description_then_the_load_then_the_run(session, bridge):
    session.describe("/models/other")
    bridge.received.emit(Described(request=bridge.of(Describe)[-1].request, summary=summary("other")))
    run = run_prompt(session, bridge)
    session.open_checkpoint("/models/other")
    loading = session.state.loading.request
    session.describe("/models/third")
    bridge.received.emit(Described(request=bridge.of(Describe)[-1].request, summary=summary("third")))
    session.back_out()
    assert session.state.described is None
    assert not bridge.of(Stop)
    session.back_out()
    bridge.received.emit(Failed(request=loading, message="Loading was stopped."))
    session.back_out()
    assert [command.target for command in bridge.of(Stop)] == [loading, run]


def test_a_new_description_replaces_the_one_that_waits(session, bridge):
    session.describe("/models/other")
    bridge.received.emit(Described(request=bridge.of(Describe)[-1].request, summary=summary("other")))
    assert session.state.described is not None
    session.describe("/no/model")
    assert session.state.described is None


def test_another_budget_is_planned_while_the_card_stays(session, bridge):
    session.describe("/models/other", device="cpu", budget_bytes=9)
    bridge.received.emit(Described(request=bridge.of(Describe)[-1].request, summary=summary("other")))
    shown = session.state.described
    session.plan_again(device="cpu", dtype="bfloat16", budget_bytes=7)
    asked = bridge.of(Describe)[-1]
    assert (asked.path, asked.dtype, asked.budget_bytes) == ("/models/other", "bfloat16", 7)
    assert session.state.described is shown
    bridge.received.emit(Failed(request=asked.request, message="The folder is gone; choose another."))
    assert (session.state.described, session.state.describing) == (shown, None)
    assert session.state.planned.budget_bytes == 9
    session.plan_again(device="cpu", dtype="bfloat16", budget_bytes=7)
    bridge.received.emit(Described(request=bridge.of(Describe)[-1].request, summary=summary("other")))
    assert session.state.described is not shown
    assert session.state.planned.budget_bytes == 7


def test_a_description_that_was_declined_does_not_come_back(session, bridge):
    session.describe("/models/other")
    late = bridge.of(Describe)[-1].request
    session.decline()
    bridge.received.emit(Described(request=late, summary=summary("other")))
    assert session.state.described is None


def test_a_prompt_runs_on_the_open_model_while_another_one_loads(session, bridge):
    session.open_checkpoint("/models/large", budget_bytes=5)
    load = bridge.of(OpenCheckpoint)[-1]
    assert load.budget_bytes == 5
    bridge.received.emit(Loading(request=load.request, done=10, total=100))
    request = run_prompt(session, bridge)
    assert session.state.running == request
    assert session.state.model.summary.name == "tiny"
    assert session.state.loading.done == 10
    bridge.received.emit(structs.replace(opened(load.request), summary=summary("large"), budget_bytes=6))
    assert (session.state.model.summary.name, session.state.model.budget_bytes) == ("large", 6)
    assert session.state.loading is None
    assert session.state.running == request
    bridge.received.emit(finished(request))
    assert session.state.running == 0


def test_cancelling_a_load_is_seen_at_once_and_ends_without_a_notice(session, bridge):
    session.open_checkpoint("/models/large")
    load = session.state.loading.request
    session.cancel_load()
    session.cancel_load()
    assert session.state.loading.cancelling
    assert [stop.target for stop in bridge.of(Stop)] == [load]
    bridge.received.emit(Failed(request=load, message="Stopped before it was done."))
    assert session.state.loading is None
    assert session.state.model.summary.name == "tiny"
    assert not session.state.notices


def test_a_load_that_fails_by_itself_says_why_and_leaves_the_model_usable(session, bridge):
    session.open_checkpoint("/models/broken")
    bridge.received.emit(Failed(request=session.state.loading.request, message="A shard is missing; copy it."))
    assert session.state.loading is None
    assert session.state.notices[-1].text == "A shard is missing; copy it."
    run_prompt(session, bridge)
    assert session.state.running


def test_a_model_that_opened_before_its_cancel_arrived_is_shown(session, bridge):
    session.open_checkpoint("/models/large")
    load = session.state.loading.request
    session.cancel_load()
    bridge.received.emit(structs.replace(opened(load), summary=summary("large")))
    assert session.state.model.summary.name == "large"
    assert session.state.loading is None


def test_a_second_load_stops_the_first_and_only_the_second_counts(session, bridge):
    session.open_checkpoint("/models/first")
    first = session.state.loading.request
    session.open_checkpoint("/models/second")
    assert [stop.target for stop in bridge.of(Stop)] == [first]
    bridge.received.emit(Failed(request=first, message="Stopped before it was done."))
    assert session.state.loading.path == "/models/second"
    assert not session.state.notices
    bridge.received.emit(structs.replace(opened(first), summary=summary("first")))
    assert session.state.loading.path == "/models/second"


def test_progress_carries_the_seconds_since_the_load_began(session, bridge, monkeypatch):
    now = [100.0]
    monkeypatch.setattr("app.session.time.monotonic", lambda: now[0])
    session.open_checkpoint("/models/large")
    now[0] = 104.0
    bridge.received.emit(Loading(request=session.state.loading.request, done=8, total=10))
    assert session.state.loading.seconds == 4.0


def test_notes_of_an_opened_model_are_told_until_the_next_opens(session, bridge):
    session.open_checkpoint("/models/noted")
    noted = structs.replace(summary("noted"), notes=["auto_map is ignored", "the router decides in float32"])
    bridge.received.emit(structs.replace(opened(session.state.loading.request), summary=noted))
    assert [notice.key for notice in session.state.notices] == ["notes"]
    assert session.state.notices[0].text == "noted:\nauto_map is ignored\nthe router decides in float32"
    session.open_checkpoint("/models/tiny")
    bridge.received.emit(opened(session.state.loading.request))
    assert not session.state.notices


def test_a_chat_prompt_is_sent_as_one_and_a_failed_template_offers_the_raw_prompt(session, bridge):
    session.submit("hello", chat=True, system="Be brief.", max_new_tokens=5, sampling=Sampling())
    sent = bridge.of(Generate)[-1]
    assert (sent.prompt, sent.chat, sent.system) == ("hello", True, "Be brief.")
    bridge.received.emit(Failed(request=sent.request, message="The chat template failed (line 3); use a raw prompt."))
    assert session.state.running == 0
    assert session.state.notices[-1].key == "raw"


def test_a_chat_prompt_that_fails_for_another_reason_offers_nothing(session, bridge):
    session.submit("hello", chat=True, max_new_tokens=5, sampling=Sampling())
    request = bridge.of(Generate)[-1].request
    bridge.received.emit(Failed(request=request, message="The prompt is too long; shorten it."))
    assert [notice.key for notice in session.state.notices] == [""]


def test_a_heartbeat_tells_the_memory_that_is_kept(session, bridge):
    bridge.received.emit(Heartbeat(step_age=0.0, resident_bytes=9, unreclaimable_bytes=4))
    assert (session.state.resident_bytes, session.state.unreclaimable_bytes) == (9, 4)
    bridge.died.emit("Engine stopped (signal 9)")
    assert session.state.unreclaimable_bytes == 0


def test_what_lies_beside_a_model_is_asked_for_once_it_is_open_and_goes_with_it(session, bridge):
    asked = bridge.of(ReadAbout)
    assert [command.path for command in asked] == ["/models/tiny"]
    bridge.received.emit(About(request=asked[0].request, path="/models/tiny", card="# tiny", profile=PROFILE))
    assert session.state.about.card == "# tiny"
    assert session.state.profile is PROFILE
    bridge.received.emit(About(request=99, path="/models/another", card="late"))
    assert session.state.about.card == "# tiny"
    session.open_checkpoint("/models/other")
    bridge.received.emit(opened(bridge.of(OpenCheckpoint)[1].request))
    assert session.state.about is None
    assert session.state.profile is None


def test_a_profile_goes_on_beside_a_run_and_is_told_when_it_is_done(session, bridge):
    session.profile_experts("/texts")
    command = bridge.of(ProfileExperts)[0]
    assert (command.texts, command.file) == ("/texts", "")
    bridge.received.emit(Profiling(request=command.request, done=5, total=10))
    run_prompt(session, bridge)
    assert session.state.running
    assert (session.state.profiling.done, session.state.profiling.total) == (5, 10)
    bridge.received.emit(Profiling(request=99, done=9, total=10))
    assert session.state.profiling.done == 5
    bridge.received.emit(Profiled(request=command.request, path="/models/tiny", profile=PROFILE))
    assert session.state.profiling is None
    assert session.state.profile is PROFILE
    assert session.state.notices[-1].key == "profile"
    assert "10 tokens" in session.state.notices[-1].text


def test_a_profile_can_be_cancelled_and_nobody_is_told_that_it_was(session, bridge):
    session.profile_experts("/texts")
    request = bridge.of(ProfileExperts)[0].request
    session.cancel_progress()
    session.cancel_progress()
    assert [stop.target for stop in bridge.of(Stop)] == [request]
    assert session.state.profiling.cancelling
    bridge.received.emit(Failed(request=request, message="Stopped before it was done."))
    assert session.state.profiling is None
    assert session.state.notices == ()


def test_a_profile_is_given_up_for_another_model_and_refused_without_one(session, bridge):
    session.profile_experts("/texts")
    request = bridge.of(ProfileExperts)[0].request
    session.open_checkpoint("/models/other")
    assert [stop.target for stop in bridge.of(Stop)] == [request]
    bridge.received.emit(Profiled(request=request, path="/models/elsewhere", profile=PROFILE))
    assert session.state.profile is None
    empty = Session(FakeBridge())
    empty.profile_experts("/texts")
    assert "No model" in empty.state.notices[0].text


def test_escape_cancels_a_profile_only_when_no_run_goes_on(session, bridge):
    session.profile_experts("/texts")
    running = run_prompt(session, bridge)
    session.back_out()
    assert [stop.target for stop in bridge.of(Stop)] == [running]
    bridge.received.emit(finished(request=running))
    session.back_out()
    assert bridge.of(Stop)[-1].target == bridge.of(ProfileExperts)[0].request


def test_a_comparison_of_attentions_grows_ends_and_can_be_stopped(session, bridge, tmp_path):
    session.show_study(tmp_path)
    assert "report.json" in session.state.study.problem
    session.compare_attentions("the king")
    (asked,) = bridge.of(CompareAttentions)
    assert (asked.folder, asked.prompt, session.state.study.request) == (str(tmp_path), "the king", asked.request)
    for tokens in ([3, 4], [5]):
        reads = Array.of(np.ones((2, tokens[-1]), np.int64))
        sizes = [10 * count for count in tokens]
        bridge.received.emit(
            CacheGrown(
                request=asked.request,
                kind="mqa",
                tokens=tokens,
                measured_bytes=sizes,
                used_bytes=sizes,
                bytes_per_token=10,
                reads=reads,
                queries=reads,
            )
        )
    grown = session.state.study.curves["mqa"]
    assert (grown.tokens.tolist(), grown.used_bytes.tolist(), grown.held) == ([3, 4, 5], [30, 40, 50], 5)
    session.back_out()
    assert bridge.of(Stop)[-1].target == asked.request
    assert session.state.study.request == 0
    bridge.received.emit(Failed(request=asked.request, message="Stopped before it was done."))
    assert not session.state.notices
    session.compare_attentions("again")
    late = AttentionsCompared(request=asked.request, texts={"mqa": "late"})
    bridge.received.emit(late)
    assert session.state.study.texts == {}
    newest = bridge.of(CompareAttentions)[-1].request
    bridge.received.emit(AttentionsCompared(request=newest, texts={"mqa": "done"}))
    assert (session.state.study.request, session.state.study.texts) == (0, {"mqa": "done"})


def test_four_heads_can_be_pinned_none_twice_and_each_let_go(session, bridge):
    run_prompt(session, bridge)
    for head in (0, 1, 1, 2, 3, 0):
        session.choose_place(1, head)
        session.pin_head()
    session.choose_place(2, 0)
    session.pin_head()
    assert [(pin.layer, pin.head) for pin in session.state.pins] == [(1, 0), (1, 1), (1, 2), (1, 3)]
    session.unpin(1)
    assert [pin.head for pin in session.state.pins] == [0, 2, 3]
    session.open_pin(2)
    assert (session.state.selection.layer, session.state.selection.head) == (1, 3)


def test_a_key_after_its_query_is_not_asked_about(session, bridge):
    run_prompt(session, bridge)
    session.ask_pair(1, 2)
    assert session.state.pair is None
    session.ask_pair(2, 1)
    assert session.state.pair == (2, 1)


def test_a_late_answer_to_a_stopped_question_is_no_notice(session, bridge, qtbot):
    run_prompt(session, bridge)
    qtbot.waitUntil(lambda: bool(bridge.of(ShowPicture)))
    old = bridge.of(ShowPicture)[0].request
    session.choose_place(1, 2)
    qtbot.waitUntil(lambda: len(bridge.of(ShowPicture)) > 1)
    bridge.received.emit(Failed(request=old, message="Stopped before it was done."))
    assert not session.state.notices


def test_a_run_that_is_ended_before_it_began_needs_no_notice(session, bridge):
    session.submit("hello", max_new_tokens=5, sampling=Sampling())
    request = bridge.of(Generate)[-1].request
    session.stop()
    bridge.received.emit(Failed(request=request, message="Stopped before it was done."))
    assert session.state.running == 0
    assert session.state.notices == ()
