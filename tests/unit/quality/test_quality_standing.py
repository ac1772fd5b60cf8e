"""What becomes of a table's rules by what files and commands say, one after the other."""

from __future__ import annotations

import pytest

from parrot_faust.quality import RuleSet, load
from parrot_faust.quality.standing import HISTORY, Doing, RuleCommand, RuleEntry, decide, file_wins

TABLE = "shop.public.orders"


def rules(limit: int, more: str = "") -> RuleSet:
    return load(f"table: {TABLE}\ncolumns: {{n: [{{be_between: {{max_value: {limit}}}}}]{more}}}\n", "r.yaml")


A, B, C = rules(10), rules(20), rules(10, ", m: [not_be_null]")


def told(*steps: tuple[Doing, str, RuleSet | None]) -> tuple[RuleEntry | None, list[bool]]:
    """The entry after these steps, and which of them changed it."""
    entry: RuleEntry | None = None
    changed = []
    for at, (doing, origin, of) in enumerate(steps):
        command = RuleCommand(TABLE, doing, at, "me", origin, of.to_json() if of else "")
        decision = decide(entry, command)
        changed.append(decision.entry is not None)
        entry = decision.entry or entry
    return entry, changed


FILE, APPLY, REMOVE, PAUSE, RESUME = Doing.FILE, Doing.APPLY, Doing.REMOVE, Doing.PAUSE, Doing.RESUME


@pytest.mark.parametrize(
    ("steps", "version"),
    [
        ([(FILE, "a", A)], A.version),
        ([(FILE, "a", A), (FILE, "a", A)], A.version),
        ([(FILE, "a", A), (APPLY, "b", B)], B.version),
        ([(FILE, "a", A), (APPLY, "b", B), (FILE, "a", A)], B.version),  # started again: nothing is undone
        ([(FILE, "a", A), (APPLY, "b", B), (FILE, "a", C)], C.version),  # the file was edited
        ([(FILE, "a", A), (FILE, "a", B), (FILE, "a", A)], A.version),  # edited back
        ([(APPLY, "a", B), (FILE, "a", B)], B.version),
        ([(APPLY, "a", B), (APPLY, "b", A), (FILE, "a", B)], A.version),  # the file itself was applied, and replaced
        ([(APPLY, "b", B), (FILE, "a", A)], A.version),  # a file never seen before
        ([(FILE, "a", A), (REMOVE, "", None)], ""),
        ([(FILE, "a", A), (REMOVE, "", None), (FILE, "a", A)], ""),
        ([(FILE, "a", A), (REMOVE, "", None), (FILE, "a", B)], B.version),
        ([(FILE, "a", A), (REMOVE, "", None), (APPLY, "a", A)], A.version),
    ],
)
def test_of_files_and_commands_the_one_that_is_new_wins(
    steps: list[tuple[Doing, str, RuleSet | None]], version: str
) -> None:
    entry, _ = told(*steps)
    assert entry is not None
    assert entry.version == version
    assert bool(entry.rules) == bool(version)


def test_the_same_set_twice_changes_nothing() -> None:
    assert told((APPLY, "a", A), (APPLY, "a", A))[1] == [True, False]
    entry, changed = told((APPLY, "a", A), (APPLY, "b", A))
    assert entry is not None
    assert (changed, len(entry.history)) == ([True, True], 1), "only the file's name is noted"


def test_a_pause_stays_through_what_is_applied_meanwhile() -> None:
    entry, changed = told((APPLY, "a", A), (PAUSE, "", None), (PAUSE, "", None), (APPLY, "a", B))
    assert entry is not None
    assert (entry.paused, entry.version, changed) == (True, B.version, [True, True, False, True])
    entry, _ = told((APPLY, "a", A), (PAUSE, "", None), (RESUME, "", None))
    assert entry is not None
    assert not entry.paused
    assert [one.doing for one in entry.history] == [APPLY, PAUSE, RESUME]


def test_history_names_what_was_added_removed_and_changed() -> None:
    entry, _ = told((APPLY, "a", A), (APPLY, "a", B), (APPLY, "a", C), (APPLY, "a", A), (REMOVE, "", None))
    assert entry is not None
    lines = [(one.version, one.added, one.removed, one.changed) for one in entry.history]
    between, null = "n.be_between", "m.not_be_null"
    assert lines == [
        (A.version, (between,), (), ()),
        (B.version, (), (), (between,)),
        (C.version, (null,), (), (between,)),
        (A.version, (), (null,), ()),
        ("", (), (between,), ()),
    ]
    assert [one.at_ms for one in entry.history] == [0, 1, 2, 3, 4]


def test_history_is_bounded() -> None:
    entry, _ = told(*((APPLY, "a", A if number % 2 else B) for number in range(HISTORY + 20)))
    assert entry is not None
    assert len(entry.history) == HISTORY
    assert entry.history[-1].at_ms == HISTORY + 19


@pytest.mark.parametrize("doing", [PAUSE, RESUME, REMOVE])
def test_what_has_no_rules_cannot_be_paused_resumed_or_removed(doing: Doing) -> None:
    with pytest.raises(ValueError, match=f"no rules to {doing}"):
        told((doing, "", None))


def test_a_set_too_large_for_a_message_is_refused_with_its_size() -> None:
    large = rules(1, ", t: [{be_in_set: [" + ", ".join(f"w{number:06}" for number in range(90_000)) + "]}]")
    with pytest.raises(ValueError, match=r"comes to 1,.* bytes"):
        told((APPLY, "a", large))


def test_a_file_never_wins_over_itself() -> None:
    entry, _ = told((APPLY, "b", A))
    assert entry is not None
    assert not file_wins(entry, "a", A.version)
    assert file_wins(entry, "a", B.version)
