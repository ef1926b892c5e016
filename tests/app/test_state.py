"""How events change the state: growth, selection, death, late answers."""

from dataclasses import replace

from app.selecting import select, select_run
from app.state import LoadProgress, State, apply, died
from model.messages import Failed, Loading, ShowPicture
from tests.app.events import finished, grown, opened, started
from tests.app.lens_answers import picture
from widgets.selection import Selection


def grown_state(tokens: int = 3) -> State:
    state = apply(State(), opened())
    state = apply(state, started())
    return apply(state, grown(0, tokens, step=0))


def test_a_run_grows_and_the_selection_follows_its_newest_token():
    state = grown_state()
    assert state.selection.token == 2
    state = apply(state, grown(3, 1, step=1))
    run = state.run
    assert run is not None
    assert run.tokens == 4
    assert run.steps == 2
    assert run.texts == ["t0 ", "t1 ", "t2 ", "t3 "]
    assert run.column("ids").tolist() == [0, 1, 2, 3]
    assert state.selection.token == 3


def test_an_older_state_keeps_what_it_knew_while_the_run_grows_far_beyond_its_buffers():
    old = grown_state()
    state = old
    for number in range(200):
        state = apply(state, grown(3 + number, 1, step=1 + number))
    assert old.run is not None
    assert old.run.column("ids").tolist() == [0, 1, 2]
    assert state.run is not None
    assert state.run.column("expert_ids").shape == (203, 2, 2)
    assert state.run.column("expert_ids")[202, 0].tolist() == [202 % 4, 203 % 4]


def test_a_batch_that_comes_twice_changes_nothing():
    once = grown_state()
    twice = apply(once, grown(0, 3, step=0))
    assert twice.run is not None
    assert twice.run.tokens == 3
    assert twice.run.texts == ["t0 ", "t1 ", "t2 "]


def test_a_selected_token_stays_when_the_person_stopped_following():
    state = replace(grown_state(), following=False)
    state = select(state, replace(state.selection, token=1))
    state = apply(state, grown(3, 1, step=1))
    assert state.selection.token == 1


def test_a_selection_is_kept_inside_what_the_run_has():
    state = select(grown_state(), Selection(token=99, layer=99, head=-1, expert=99, device=99))
    assert state.selection == Selection(token=2, layer=2, head=0, expert=3, device=1)


def test_the_engines_death_keeps_everything_shown_and_offers_a_restart():
    state = died(grown_state(), "Engine stopped (signal 9)")
    assert state.engine == "dead"
    assert state.running == 0
    assert state.run is not None
    assert state.run.tokens == 3
    assert state.model is not None
    assert [(notice.text, notice.key) for notice in state.notices] == [("Engine stopped (signal 9)", "restart")]


def test_an_answer_about_another_run_is_dropped():
    asked = ShowPicture(run="run-1", layer=0, heads=[0], queries=(0, 3), keys=(0, 3), cell=(1, 1))
    assert apply(grown_state(), picture(asked, run="run-0")).shown.attention is None
    assert apply(grown_state(), picture(asked)).shown.attention is not None


def test_a_pinned_head_may_be_of_another_run():
    asked = ShowPicture(run="run-0", layer=0, heads=[0], queries=(0, 3), keys=(0, 3), cell=(1, 1), slot="pin:1")
    assert apply(grown_state(), picture(asked)).shown.pictures["pin:1"].run == "run-0"


def test_a_failed_load_leaves_the_open_model_and_says_why():
    state = replace(apply(State(), opened()), loading=LoadProgress(request=9, path="/models/bad"))
    state = apply(state, Loading(request=9, done=5, total=10))
    assert state.loading is not None
    assert state.loading.done == 5
    state = apply(state, Failed(request=9, message="config.json is missing; choose a checkpoint folder."))
    assert state.loading is None
    assert state.model is not None
    assert state.model.summary.name == "tiny"
    assert state.notices[-1].text.startswith("config.json is missing")


def test_progress_of_a_load_that_was_replaced_is_ignored():
    state = replace(State(), loading=LoadProgress(request=9, path="/models/new"))
    assert apply(state, Loading(request=8, done=5, total=10)) is state


def test_a_finished_run_frees_the_prompt_and_another_run_can_be_shown():
    state = apply(grown_state(), finished())
    assert state.running == 0
    state = apply(state, started(request=5, run="run-2"))
    assert state.current == "run-2"
    assert state.running == 5
    back = select_run(state, "run-1")
    assert back.run is not None
    assert back.run.tokens == 3
    assert back.selection.token == 2
