from sipgate.protocol.timers import Timer
from sipgate.protocol.transaction import NON_INVITE_CLIENT, Transaction
from sipgate.protocol.transaction_clock import TransactionClock
from tests.sipgate.samples import request


def transaction() -> Transaction[str]:
    return Transaction(NON_INVITE_CLIENT, request("OPTIONS"), "wire", reliable=False)


def test_timers_are_due_soonest_first_and_once() -> None:
    clock: TransactionClock[str] = TransactionClock()
    first, second = transaction(), transaction()
    clock.start(first, Timer.TIMER_F, 2.0)
    clock.start(second, Timer.TIMER_E, 1.0)
    assert (clock.next, clock.due(0.9)) == (1.0, None)
    assert clock.due(5.0) == (second, Timer.TIMER_E)
    assert clock.due(5.0) == (first, Timer.TIMER_F)
    assert (clock.due(5.0), clock.next, len(clock)) == (None, None, 0)


def test_a_stopped_or_restarted_timer_does_not_fire_at_its_old_time() -> None:
    clock: TransactionClock[str] = TransactionClock()
    one = transaction()
    clock.start(one, Timer.TIMER_E, 1.0)
    clock.start(one, Timer.TIMER_E, 3.0)
    assert (clock.due(2.0), len(clock)) == (None, 1)
    clock.stop(one, Timer.TIMER_E)
    clock.stop(one, Timer.TIMER_E)
    assert (clock.due(9.0), clock.next, len(clock)) == (None, None, 0)
