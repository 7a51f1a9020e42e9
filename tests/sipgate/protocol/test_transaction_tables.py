"""Laws that all four transaction tables keep. Each machine's own story is in its own test file."""

import itertools
from types import ModuleType

import pytest

from sipgate.protocol import invite_client, invite_server, non_invite_client, non_invite_server
from sipgate.protocol.timers import REPEATING, Timer, TimerValues

MACHINES = [invite_client, invite_server, non_invite_client, non_invite_server]
CELLS = [
    pytest.param(machine, state, given, id=f"{machine.__name__.rpartition('.')[2]}-{state.name}-{given.name}")
    for machine in MACHINES
    for state, given in itertools.product(machine.State, machine.Input)
]


@pytest.mark.parametrize(("machine", "state", "given"), CELLS)
def test_every_cell_leads_to_a_state_with_known_actions(
    machine: ModuleType, state: object, given: object
) -> None:
    after, actions = machine.step(state, given)
    assert after in machine.State
    assert all(action in machine.Action for action in actions)
    if (state, given) not in machine.TABLE:
        assert (after, actions) == (state, ())


@pytest.mark.parametrize(("machine", "state", "given"), CELLS)
def test_a_timer_only_counts_in_a_state_in_which_it_runs(
    machine: ModuleType, state: object, given: object
) -> None:
    name = given.name  # type: ignore[attr-defined]
    if name in Timer.__members__ and Timer[name] is not Timer.TIMER_CANCEL:
        assert ((state, given) in machine.TABLE) == (Timer[name] in machine.TIMERS.get(state, ()))


@pytest.mark.parametrize("machine", MACHINES)
def test_every_state_is_reachable_and_can_end(machine: ModuleType) -> None:
    edges: dict[object, set[object]] = {state: set() for state in machine.State}
    for (state, _), (after, _) in machine.TABLE.items():
        edges[state].add(after)
    for start in machine.State:
        seen, todo = {start}, [start]
        while todo:
            for after in edges[todo.pop()] - seen:
                seen.add(after)
                todo.append(after)
        assert machine.END in seen
        if start is machine.START[0]:
            assert seen == set(machine.State)


@pytest.mark.parametrize("machine", MACHINES)
def test_nothing_leaves_the_last_state(machine: ModuleType) -> None:
    assert not any(state is machine.END for state, _ in machine.TABLE)
    assert machine.END not in machine.TIMERS


@pytest.mark.parametrize("machine", MACHINES)
def test_each_action_and_each_timer_is_used(machine: ModuleType) -> None:
    used = {action for _, actions in [*machine.TABLE.values(), machine.START] for action in actions}
    assert used == set(machine.Action)
    timers = {timer for running in machine.TIMERS.values() for timer in running}
    named = {Timer[given.name] for given in machine.Input if given.name in Timer.__members__}
    assert named - {Timer.TIMER_CANCEL} == timers


@pytest.mark.parametrize("machine", MACHINES)
def test_only_states_that_wait_for_the_user_or_the_callee_have_no_deadline(machine: ModuleType) -> None:
    """A state without a timer that ends it must be one in which somebody else will act."""
    endless = {
        state.name
        for state in machine.State
        if state is not machine.END
        and not set(machine.TIMERS.get(state, ())) - REPEATING - {Timer.TIMER_TRYING}
    }
    assert endless <= {"PROCEEDING", "TRYING"}
    if machine is non_invite_client:
        assert not endless


@pytest.mark.parametrize("timer", list(Timer))
@pytest.mark.parametrize("reliable", [False, True])
def test_every_timer_has_a_value(timer: Timer, reliable: bool) -> None:
    value = TimerValues().first(timer, reliable=reliable)
    if timer in (Timer.TIMER_A, Timer.TIMER_E, Timer.TIMER_G) and reliable:
        assert value is None
    else:
        assert value is not None
        assert 0 <= value <= 32


def test_the_values_are_those_of_rfc_3261_table_4() -> None:
    values = TimerValues()
    unreliable = {t.value: values.first(t, reliable=False) for t in Timer}
    assert unreliable == {
        **dict.fromkeys("AEG", 0.5),
        **dict.fromkeys("BDFHJLM", 32.0),
        **dict.fromkeys("IK", 5.0),
        "100": 0.2,
        "2xx": 0.5,
        "CANCEL": 32.0,
    }
    reliable = {t.value: values.first(t, reliable=True) for t in Timer}
    assert [reliable[name] for name in "DIJK"] == [0] * 4
    assert [reliable[name] for name in "BFHLM"] == [32] * 5


def test_timer_a_doubles_without_end_and_the_others_stop_at_t2() -> None:
    values = TimerValues()
    grown = {timer: [0.5] for timer in REPEATING}
    for timer, row in grown.items():
        for _ in range(5):
            row.append(values.again(timer, row[-1], proceeding=False))
    assert grown[Timer.TIMER_A] == [0.5, 1, 2, 4, 8, 16]
    for timer in (Timer.TIMER_E, Timer.TIMER_G, Timer.TIMER_SUCCESS):
        assert grown[timer] == [0.5, 1, 2, 4, 4, 4]
    assert values.again(Timer.TIMER_E, 0.5, proceeding=True) == 4.0
