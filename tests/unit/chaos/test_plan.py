"""Faults and people come from the seed, and no victim is struck while it is down."""

from collections import Counter

from chaos.plan import KINDS, REST_S, Stage, by_kind, plan
from chaos.story import Scale, story

STAGE = Stage([f"{name}-{n}" for n in (1, 2) for name in ("ingest", "sender")], ["n1"], disk=True)
SCALE = Scale(people=50, arrive_in_s=100, minute_s=6)


def test_the_same_seed_tells_the_same_story() -> None:
    assert story(3, SCALE) == story(3, SCALE) != story(4, SCALE)
    assert plan(3, 100, 300, STAGE) == plan(3, 100, 300, STAGE) != plan(4, 100, 300, STAGE)


def test_a_victim_is_left_alone_until_it_is_back() -> None:
    back_at: dict[str, float] = {}
    for fault in plan(5, 200, 600, STAGE):
        assert fault.at_s >= back_at.get(fault.victim, 0)
        back_at[fault.victim] = fault.at_s + fault.for_s + REST_S


def test_everything_that_can_break_does_in_three_hundred_faults() -> None:
    kinds = by_kind(plan(6, 300, 900, STAGE))
    assert {kind.partition(" ")[0] for kind in kinds} == set(KINDS)
    assert kinds.total() == 300


def test_only_a_cluster_loses_a_node_for_good() -> None:
    cluster = Stage(STAGE.processes, ["n1", "n2", "n3"])
    assert Counter(fault.kind for fault in plan(7, 100, 300, cluster))["lose"] == 1
    assert Counter(fault.kind for fault in plan(7, 100, 300, STAGE))["lose"] == 0


def test_every_kind_of_person_comes() -> None:
    kinds = Counter(webhook.kind for webhook in story(8, SCALE))
    assert kinds.keys() == {"form", "paid", "booked", "moved", "cancelled"}
    assert any(webhook.twice for webhook in story(8, SCALE))
