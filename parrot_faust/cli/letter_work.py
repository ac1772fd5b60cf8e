"""What `parrot deadletters` and `parrot quarantine` do with the letters that were chosen."""

from __future__ import annotations

from uuid import uuid4

from models import Edit, Fate, Resolution
from parrot_faust.cli import terminal
from parrot_faust.cli.letter_session import (
    Choice,
    Session,
    counted,
    group_view,
    report,
    report_plan,
    run_with,
)
from parrot_faust.cli.letter_tables import group_table, letter_table, letter_view
from parrot_faust.errors import LetterError
from parrot_faust.letters.box import Box
from parrot_faust.letters.kept import Kept, counts, groups, restanding
from parrot_faust.letters.planning import plan
from parrot_faust.letters.sending import redrive

ERRORS_PAGE = "docs/errors.md"


def list_letters(choice: Choice, *, each: bool, everything: bool, limit: int, as_json: bool) -> None:
    """Count the letters, or show each."""

    async def run(box: Box, session: Session) -> None:
        chosen = [kept for kept in await session.chosen(box) if everything or not kept.standing.closed]
        session.close()
        made = groups(chosen)
        if as_json:
            listed = {"letters": [session.view(kept) for kept in chosen]} if each else {}
            terminal.print_json({"counts": counts(chosen), "groups": [group_view(group) for group in made], **listed})
            return
        console = terminal.result()
        if not chosen:
            terminal.done(f"no {choice.noun}" if choice.wanted.everything else f"no {choice.noun} match")
            return
        if each:
            console.print(letter_table([(kept, session.key_text(kept)) for kept in chosen[:limit]]))
            if len(chosen) > limit:
                terminal.remark(f"{len(chosen) - limit:,} more; --limit shows more of them")
        else:
            console.print(group_table(made))
        terminal.remark(f"{counted(chosen)}; what each reason means is in {ERRORS_PAGE}")

    run_with(choice, run)


def show_letters(choice: Choice, *, limit: int, as_json: bool) -> None:
    """Show letters with the heads of their records."""

    async def run(box: Box, session: Session) -> None:
        chosen = await session.chosen(box)
        session.close()
        if not chosen:
            group = "quarantine" if choice.quarantine else "deadletters"
            raise LetterError(f"no {choice.noun} match; `parrot {group} list --all --each` shows what there is")
        if as_json:
            terminal.print_json({"letters": [session.view(kept, head=True) for kept in chosen]})
            return
        console = terminal.result()
        for kept in chosen[:limit]:
            console.print(letter_view(kept, session.key_text(kept), session.head(kept)))
        if len(chosen) > limit:
            terminal.remark(f"{len(chosen) - limit:,} more; choose by filters, or --limit")

    run_with(choice, run)


def send_again(
    choice: Choice, *, dry_run: bool, patience: float, as_json: bool, edit: Edit | None = None, yes: bool = True
) -> None:
    """Ask the workers to send letters again. `edit` are values that each is to have; of several that is asked for."""

    async def run(box: Box, session: Session) -> None:
        chosen = [kept for kept in await session.chosen(box) if not kept.standing.closed]
        if edit is not None:
            session.refuse_masked(chosen, edit)
        held = await _held(box, session, choice)
        before = counts(session.all)
        if dry_run:
            made = await plan(box, chosen, held, uuid4().hex, session.progress)
            for resolution in made.decided:
                box.resolutions.add(resolution)
            session.close()
            report_plan(restanding(chosen, box.resolutions), len(made.asked), before, as_json)
            return
        if edit is not None and len(chosen) > 1 and not yes:
            session.close()
            terminal.confirm(f"give {len(chosen):,} rows these values?")
        await redrive(
            box, chosen, held, patience_s=patience, progress=session.progress, answered=session.answered, edit=edit
        )
        session.close()
        report(restanding(chosen, box.resolutions), before, counts(restanding(session.all, box.resolutions)), as_json)

    run_with(choice, run)


def discard_letters(choice: Choice, *, dry_run: bool, yes: bool, as_json: bool, replaced: bool = False) -> None:
    """Close letters: nothing is done about them. `replaced` are those alone that newer changes have made void."""

    async def run(box: Box, session: Session) -> None:
        chosen = [kept for kept in await session.chosen(box) if not kept.standing.closed]
        before = counts(session.all)
        if replaced:
            made = await plan(box, chosen, await _held(box, session, choice), uuid4().hex, session.progress)
            resolutions = [each for each in made.decided if each.fate is Fate.SUPERSEDED]
        else:
            request = uuid4().hex
            resolutions = [Resolution(kept.filing.place, Fate.DISCARDED, request) for kept in chosen]
        session.close()
        if not (dry_run or yes or not resolutions):
            terminal.confirm(f"throw away {len(resolutions):,} {choice.noun}?")
        if dry_run:
            for resolution in resolutions:
                box.resolutions.add(resolution)
        elif resolutions:
            await box.write(resolutions)
        after = counts(restanding(session.all, box.resolutions))
        if as_json:
            terminal.print_json({"dry_run": dry_run, "discarded": len(resolutions), "before": before, "after": after})
            return
        word = "would be thrown away" if dry_run else "thrown away"
        count = f"{len(resolutions):,} {choice.noun} {word}"
        terminal.done(f"{count}; open before {before['open']:,}, after {after['open']:,}")

    run_with(choice, run)


async def _held(box: Box, session: Session, choice: Choice) -> list[Kept]:
    """All letters that are open, of both kinds: a newer record that is held itself replaces nothing."""
    other = await box.letters(quarantine=not choice.quarantine, progress=session.progress)
    return [kept for kept in (*session.all, *other) if not kept.standing.closed]
