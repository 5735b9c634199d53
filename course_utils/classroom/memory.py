"""What outlives a kernel: guesses and answers, in a file beside the notebooks.

One JSON file per lesson in ``.progress/``, which git ignores: a restart of the kernel,
a newer version of the course or a fresh copy of a notebook leaves it as it is. Nothing
is sent anywhere. Nothing is kept while notebooks are built or tested, nor in the solved
edition, nor where the folder cannot be written.
"""

from __future__ import annotations

import inspect
import json
import os
import textwrap
from pathlib import Path

from course_utils.classroom import session

FORM = 1  # of the file; another form is set aside, not read


def folder() -> Path | None:
    """Where it is kept: ``COURSE_PROGRESS``, or ``.progress`` in the working folder."""
    if not session.live() or not session.current.stem:
        return None
    try:
        here = Path.cwd()
    except OSError:  # the folder was deleted below us
        return None
    if here.name == "solutions":
        return None
    return Path(os.environ.get("COURSE_PROGRESS") or here / ".progress")


def load() -> dict:
    """What is kept of the lesson at hand: ``{"guesses": {…}, "answers": {…}}``."""
    empty: dict = {"form": FORM, "guesses": {}, "answers": {}}
    place = folder()
    if place is None:
        return empty
    path = place / f"{session.current.stem}.json"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        kept = (found["form"], type(found["guesses"]), type(found["answers"]))
        if kept == (FORM, dict, dict):
            return found
    except FileNotFoundError:
        return empty
    except (OSError, ValueError, KeyError, TypeError):
        pass
    try:
        path.replace(path.with_suffix(".unreadable"))
    except OSError:
        pass
    return empty


def _save(kept: dict) -> None:
    place = folder()
    if place is None:
        return
    try:
        place.mkdir(parents=True, exist_ok=True)
        path = place / f"{session.current.stem}.json"
        beside = path.with_suffix(f".{os.getpid()}")
        text = json.dumps(kept, indent=1, ensure_ascii=False) + "\n"
        beside.write_text(text, encoding="utf-8")
        beside.replace(path)
    except (OSError, TypeError, ValueError):
        pass  # a lesson goes on without a memory


def keep_guess(key: str, question: str, guess: object) -> None:
    """Keep a guess under its key, with the question that it answers."""
    if folder() is None or not isinstance(guess, (str, int, float)):
        return
    kept = load()
    kept["guesses"][key] = {"question": question, "guess": guess}
    _save(kept)


def guess_for(key: str, question: str) -> object:
    """The guess that was kept, or None; to another question it is no answer."""
    found = load()["guesses"].get(key)
    if not isinstance(found, dict) or found.get("question") != question:
        return None
    return found.get("guess")


def source_of(attempt: object) -> str:
    """A learner's function as it was typed, or nothing: a check never raises."""
    try:
        return textwrap.dedent(inspect.getsource(attempt))  # type: ignore[arg-type]
    except Exception:  # whatever an attempt is made of
        return ""


def keep_answer(exercise_id: str, attempt: object, correct: bool) -> None:
    """Keep an attempt; a correct one is replaced by correct ones only."""
    if folder() is None or not (text := source_of(attempt)):
        return
    kept = load()
    before = kept["answers"].get(exercise_id)
    if isinstance(before, dict) and before.get("correct") and not correct:
        return
    kept["answers"][exercise_id] = {"source": text, "correct": correct}
    _save(kept)


def answers() -> dict[str, tuple[str, bool]]:
    """Exercise -> (source, was it correct), of the lesson at hand."""
    return {
        name: (str(one["source"]), bool(one["correct"]))
        for name, one in load()["answers"].items()
        if isinstance(one, dict) and {"source", "correct"} <= set(one)
    }


def my_answer(exercise_id: str) -> None:
    """Print your last answer to an exercise, to be pasted into a fresh notebook.

    The last correct one if there was any, the last attempt otherwise.
    """
    found = answers().get(exercise_id)
    if found is None:
        known = ", ".join(sorted(answers())) or "none yet"
        print(f"no answer to {exercise_id!r} is kept here; kept: {known}")
        return
    text, correct = found
    print(f"# {exercise_id}, {'correct' if correct else 'not yet correct'}\n{text}")


def greet() -> None:
    """Say what is kept, in one line; nothing if there is nothing."""
    kept = load()
    correct = sorted(name for name, (_, good) in answers().items() if good)
    for name in correct:
        session.current.exercises[name] = True
    if correct or kept["guesses"]:
        print(
            f"welcome back: solved {', '.join(correct) or 'nothing yet'}; "
            f"guesses kept: {len(kept['guesses'])}"
        )
