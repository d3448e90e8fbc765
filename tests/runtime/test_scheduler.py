"""The step scheduler, driven tick by tick with a sampler that knows nothing of any real model."""

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from sextant.contract.errors import Cancelled, DeadlineExceeded, InvalidRequest, Overloaded
from sextant.contract.events import Chunk, Event, FinishReason, Progress, Result
from sextant.contract.media import Latent, Text
from sextant.contract.tasks import Conditions, Request, Task, TaskKind, TextParameters
from sextant.runtime.sampler import Limits
from sextant.runtime.scheduler import Delivery, StepScheduler, Ticket
from tests.probe import ProbeSampler


def many_steps(name: str, steps: int = 5, *, items: int = 1, seed: int = 7, prompt: str = "go", **rest) -> Request:
    tasks = tuple(
        Task(TaskKind.GENERATE, seed, index, prompt=prompt, parameters=TextParameters(max_tokens=steps))
        for index in range(items)
    )
    return Request(name, "probe", tasks, **rest)


def one_step(name: str, seed: int = 7) -> Request:
    return Request(name, "probe", (Task(TaskKind.ENCODE, seed, source=Text("x")),))


class Bench:
    """A scheduler with a hand-wound clock, and what it delivered so far."""

    def __init__(self, slots: int = 4, rows: int = 4, **options) -> None:
        self.now = 0.0
        self.sampler = ProbeSampler(Limits(rows_per_step=rows, slots=slots))
        self.scheduler = StepScheduler(self.sampler, clock=lambda: self.now, **options)
        self.deliveries: list[Delivery] = []
        self.acknowledge_all = True

    def tick(self, times: int = 1) -> bool:
        busy = False
        for _ in range(times):
            made, busy = self.scheduler.tick()
            self.deliveries += made
            if self.acknowledge_all:
                for delivery in made:
                    self.scheduler.acknowledge(delivery.ticket, delivery.ticket.produced)
        return busy

    def run(self) -> None:
        for _ in range(10_000):
            if not self.tick():
                return
        raise AssertionError("the scheduler never came to rest")

    def events(self, ticket: Ticket) -> list[Event]:
        return [event for d in self.deliveries if d.ticket is ticket for event in d.events]

    def end(self, ticket: Ticket) -> Delivery:
        ends = [d for d in self.deliveries if d.ticket is ticket and d.ended]
        assert len(ends) == 1, "a request ends exactly once"
        return ends[0]


def test_a_request_gets_its_chunks_in_order_and_its_result_last():
    bench = Bench()
    ticket = bench.scheduler.submit(many_steps("a", 3))
    bench.run()
    bodies = [event.body for event in bench.events(ticket)]
    assert [type(body) for body in bodies] == [Chunk, Progress] * 3 + [Result]
    assert [event.sequence for event in bench.events(ticket)] == list(range(7))
    assert bodies[-1].content == Text("".join(body.delta.content for body in bodies if isinstance(body, Chunk)))
    assert bench.end(ticket).error is None
    assert bench.scheduler.idle()


def test_single_step_and_many_step_requests_share_the_scheduler_but_not_a_call():
    bench = Bench()
    long, short = bench.scheduler.submit(many_steps("a", 4)), bench.scheduler.submit(one_step("b"))
    bench.run()
    assert isinstance(bench.events(short)[-1].body.content, Latent)
    assert bench.end(long).error is None
    assert all(len({bench.sampler.group(state) for state in batch}) == 1 for batch in bench.sampler.batches)


def test_requests_at_different_steps_share_a_call():
    bench = Bench()
    bench.scheduler.submit(many_steps("a", 6))
    bench.tick(2)
    bench.scheduler.submit(many_steps("b", 6))
    bench.run()
    assert max(len(batch) for batch in bench.sampler.batches) == 2
    assert len(bench.sampler.batches) == 8, "two alone, four together, two alone"


def test_who_joins_gets_its_first_step_at_the_next_tick():
    bench = Bench(slots=16, rows=16)
    for name in "abcdefgh":
        bench.scheduler.submit(many_steps(name, 50))
    bench.tick(10)
    joined = bench.scheduler.submit(one_step("late"))
    bench.tick()
    assert bench.end(joined).error is None


def test_groups_take_turns():
    bench = Bench(slots=8, rows=1)
    bench.scheduler.submit(many_steps("a", 5))
    for name in "bcd":
        bench.scheduler.submit(one_step(name))
    bench.run()
    first = [bench.sampler.group(batch[0]) for batch in bench.sampler.batches[:6]]
    assert first == [False, True, False, True, False, True]


@given(
    st.lists(st.tuples(st.integers(1, 6), st.integers(1, 3), st.integers(0, 8)), min_size=1, max_size=8),
    st.integers(1, 5),
    st.integers(1, 5),
)
@settings(max_examples=60, deadline=None)
def test_bytes_do_not_depend_on_batch_mates_arrival_or_limits(arrivals, slots, rows):
    def item_events(bench: Bench, ticket: Ticket) -> dict[int, list[Event]]:
        by_item: dict[int, list[Event]] = {}
        for event in bench.events(ticket):
            body = event.body
            item = body.item
            shown = (event.sequence, body.content) if isinstance(body, Result) else event
            by_item.setdefault(item, []).append(shown)
        return by_item

    together = Bench(slots, rows, max_queue=1000)
    tickets = {}
    for number, (steps, items, at) in enumerate(sorted(arrivals, key=lambda arrival: arrival[2])):
        while together.scheduler._ticks < at:
            together.tick()
        tickets[number] = together.scheduler.submit(many_steps(str(number), steps, items=items, seed=number)), steps
    together.run()
    for number, (ticket, steps) in tickets.items():
        alone = Bench(max_queue=1000)
        only = alone.scheduler.submit(many_steps("x", steps, items=ticket.unfinished or len(ticket.items), seed=number))
        alone.run()
        assert item_events(together, ticket) == item_events(alone, only)
    assert together.sampler.most_held <= slots
    assert not together.sampler.held


def test_resuming_replays_but_does_not_send_again():
    whole, resumed = Bench(), Bench()
    full = whole.scheduler.submit(many_steps("a", 5, items=2))
    rest = resumed.scheduler.submit(many_steps("a", 5, items=2, resume_from=(4, 7)))
    whole.run()
    resumed.run()

    def shown(bench: Bench, ticket: Ticket, item: int) -> list:
        chosen = [event for event in bench.events(ticket) if event.body.item == item]
        return [(e.sequence, e.body.content if isinstance(e.body, Result) else e.body) for e in chosen]

    assert shown(resumed, rest, 0) == shown(whole, full, 0)[4:]
    assert shown(resumed, rest, 1) == shown(whole, full, 1)[7:]


def test_a_cancelled_request_frees_its_slot_within_one_step():
    bench = Bench(slots=1)
    first, second = bench.scheduler.submit(many_steps("a", 100)), bench.scheduler.submit(many_steps("b", 2))
    bench.tick(3)
    assert not bench.events(second)
    bench.scheduler.cancel(first)
    bench.tick()
    assert isinstance(bench.end(first).error, Cancelled)
    assert bench.events(second), "the waiting request took its first step in the very next tick"
    bench.run()
    assert not bench.sampler.held


def test_an_expired_request_stops_wherever_it_is():
    bench = Bench(slots=1)
    running = bench.scheduler.submit(many_steps("a", 100, budget_s=1.0))
    waiting = bench.scheduler.submit(many_steps("b", 2, budget_s=0.5))
    bench.tick(2)
    bench.now = 0.6
    bench.tick()
    assert isinstance(bench.end(waiting).error, DeadlineExceeded)
    bench.now = 1.0
    bench.tick()
    assert isinstance(bench.end(running).error, DeadlineExceeded)
    assert bench.scheduler.idle()
    assert not bench.sampler.held


def test_at_its_deadline_a_request_that_takes_estimates_ends_well_with_the_best_so_far():
    bench = Bench()
    ticket = bench.scheduler.submit(many_steps("a", 100, items=2, budget_s=1.0, partial=True))
    bench.tick(3)
    bench.now = 1.0
    bench.tick()
    assert bench.end(ticket).error is None
    results = [event.body for event in bench.events(ticket) if isinstance(event.body, Result)]
    assert [result.item for result in results] == [0, 1]
    assert {(result.finish_reason, result.usage.steps) for result in results} == {(FinishReason.DEADLINE, 3)}
    told = "".join(e.body.delta.content for e in bench.events(ticket) if isinstance(e.body, Chunk) and not e.body.item)
    assert results[0].content == Text(told)
    assert bench.scheduler.idle()
    assert not bench.sampler.held


def test_an_estimate_of_some_items_only_is_no_answer():
    bench = Bench(slots=1)
    ticket = bench.scheduler.submit(many_steps("a", 100, items=2, budget_s=1.0, partial=True))
    bench.tick(3)
    bench.now = 1.0
    bench.tick()
    assert isinstance(bench.end(ticket).error, DeadlineExceeded)
    assert not bench.sampler.held


def test_whole_items_are_not_estimated_again_at_the_deadline():
    bench = Bench()
    short, long = many_steps("a", 2).tasks[0], many_steps("a", 100, items=2).tasks[1]
    ticket = bench.scheduler.submit(Request("a", "probe", (short, long), 1.0, partial=True))
    bench.tick(5)
    bench.now = 1.0
    bench.tick()
    results = [event.body for event in bench.events(ticket) if isinstance(event.body, Result)]
    assert [(r.item, r.finish_reason) for r in results] == [(0, FinishReason.COMPLETE), (1, FinishReason.DEADLINE)]


def test_a_reader_that_stops_bounds_what_is_produced_for_it_and_holds_up_no_one():
    bench = Bench(slots=2, max_unsent=10)
    bench.acknowledge_all = False
    slow, quick = bench.scheduler.submit(many_steps("slow", 100)), bench.scheduler.submit(many_steps("quick", 100))
    for _ in range(300):
        bench.tick()
        bench.scheduler.acknowledge(quick, quick.produced)
    assert bench.end(quick).error is None
    assert 10 <= slow.produced <= 12, "one step may add a chunk and a progress event"
    bench.acknowledge_all = True
    bench.scheduler.acknowledge(slow, slow.produced)
    bench.run()
    assert bench.end(slow).error is None
    assert len(bench.events(slow)) == 201


def test_a_full_queue_refuses_with_the_time_to_come_back():
    bench = Bench(slots=2, max_queue=3)
    for name in "abcde":
        bench.scheduler.submit(many_steps(name, 2))
    with pytest.raises(Overloaded) as refused:
        bench.scheduler.submit(many_steps("f", 2))
    assert refused.value.retry_after_s > 0
    bench.run()
    bench.scheduler.submit(many_steps("f", 2))


def test_the_time_to_come_back_follows_the_measured_drain_rate():
    bench = Bench(slots=1, rows=1, max_queue=20)
    for number in range(20):
        bench.scheduler.submit(many_steps(str(number), 1))
    for _ in range(10):
        bench.now += 3.0
        bench.tick()
    with pytest.raises(Overloaded) as refused:
        bench.scheduler.submit(many_steps("many", 1, items=15))
    assert refused.value.retry_after_s == pytest.approx(3.0 * 10, rel=0.2)


def test_a_request_of_several_items_is_admitted_whole_or_not_at_all():
    bench = Bench(slots=1, max_queue=2)
    with pytest.raises(Overloaded):
        bench.scheduler.submit(many_steps("a", 2, items=4))
    assert bench.scheduler.idle()


def test_a_refused_task_fails_its_request_and_no_other():
    bench = Bench()
    bad, good = bench.scheduler.submit(many_steps("a", prompt="refuse")), bench.scheduler.submit(many_steps("b"))
    bench.run()
    assert isinstance(bench.end(bad).error, InvalidRequest)
    assert bench.end(good).error is None
    assert not bench.sampler.held


def test_a_failing_step_ends_its_requests_and_frees_their_slots():
    bench = Bench()
    bad = bench.scheduler.submit(many_steps("a", prompt="break"))
    bench.run()
    good = bench.scheduler.submit(many_steps("b"))
    bench.run()
    assert isinstance(bench.end(bad).error, RuntimeError)
    assert bench.end(good).error is None
    assert not bench.sampler.held


def test_a_task_that_can_never_fit_is_refused():
    bench = Bench(rows=1)
    guided = Task(TaskKind.GENERATE, 1, prompt="x", conditions=Conditions(class_label="guided"))
    ticket = bench.scheduler.submit(Request("a", "probe", (guided,)))
    bench.run()
    assert isinstance(bench.end(ticket).error, InvalidRequest)


def test_rows_not_states_fill_a_call():
    bench = Bench(slots=4, rows=4)
    guided = Task(
        TaskKind.GENERATE, 1, prompt="x", conditions=Conditions("guided"), parameters=TextParameters(max_tokens=3)
    )
    for name in "abc":
        bench.scheduler.submit(Request(name, "probe", (guided,)))
    bench.run()
    assert max(len(batch) for batch in bench.sampler.batches) == 2
    assert not bench.sampler.held
