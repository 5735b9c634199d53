"""Show how a text was cut: where a fact ended up, and what nobody will read.

>>> cut = show_passages("Stop. Wait an hour. Go.", [(0, 11), (11, 23)], "Wait an hour.")
>>> print(cut)
2 passages; "Wait an hour." is cut in two
  1 ▁ Stop. Wait
  2 ▁ an hour. Go.
"""

from __future__ import annotations

from collections.abc import Sequence

from course_utils.classroom.show import FILLS, escape, visible

AROUND = 240  # characters shown on each side of the fact; a page would fill the screen


class Passages:
    """The passages that hold a part of a fact. Made by ``show_passages``."""

    def __init__(
        self, text: str, spans: Sequence[tuple[int, int]], fact: str, label: str
    ) -> None:
        """Find the fact; see ``show_passages``."""
        self.text, self.spans, self.fact, self.label = text, list(spans), fact, label
        self.start = text.find(fact)
        if not fact.strip() or self.start < 0:
            raise ValueError(f"the text does not say {fact!r}")
        self.end = self.start + len(fact)

    @property
    def touching(self) -> list[int]:
        """The numbers of the passages that hold a part of the fact, from 0."""
        return [
            number
            for number, (start, end) in enumerate(self.spans)
            if start < self.end and end > self.start
        ]

    @property
    def holding(self) -> list[int]:
        """The numbers of the passages that hold the whole fact."""
        return [
            number
            for number in self.touching
            if self.spans[number][0] <= self.start and self.spans[number][1] >= self.end
        ]

    @property
    def verdict(self) -> str:
        """One line: how many passages there are, and what became of the fact."""
        if self.holding:
            places = " and ".join(str(number + 1) for number in self.holding)
            state = f"is whole in {places}"
        elif len(self.touching) > 1:
            state = "is cut in two" if len(self.touching) == 2 else "is cut to pieces"
        elif self.touching:
            state = "is there in part only"
        else:
            state = "is in none of them"
        label = f"{self.label}: " if self.label else ""
        noun = "passage" if len(self.spans) == 1 else "passages"
        return f'{label}{len(self.spans)} {noun}; "{self.fact}" {state}'

    def __str__(self) -> str:
        """The verdict, and below it the passages that touch the fact, shortened."""
        lines = [visible(self.verdict)]
        for number in self.touching:
            start, end = self.spans[number]
            # Around the fact, not from the beginning: that is where the border is.
            first, last = max(start, self.start - 30), min(end, self.end + 30)
            shown = visible(self.text[first:last].strip())
            before, behind = "…" * (first > start), "…" * (last < end)
            mark = "■" if number in self.holding else "▁"
            lines.append(f"  {number + 1} {mark} {before}{shown}{behind}")
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        blocks = "".join(self._block(number) for number in self.touching)
        return f"<p><b>{escape(self.verdict)}</b></p>{blocks}"

    def _block(self, number: int) -> str:
        start, end = self.spans[number]
        a, b = max(start, self.start), min(end, self.end)
        first, last = max(start, a - AROUND), min(end, b + AROUND)
        parts = [
            "… " * (first > start) + self.text[first:a],
            self.text[a:b],
            self.text[b:last] + " …" * (last < end),
        ]
        before, fact, behind = (escape(part).replace("⏎", "⏎<br>") for part in parts)
        colour = FILLS[number % len(FILLS)]
        return (
            f'<div style="background-color:{colour};color:#111;padding:4px 8px;'
            f'margin:3px 0;border-radius:3px;border:1px solid #7775">{number + 1} · '
            f"{before}<b><u>{fact}</u></b>{behind}</div>"
        )


def show_passages(
    text: str, spans: Sequence[tuple[int, int]], fact: str, label: str = ""
) -> Passages:
    """Show what became of a fact when a text was cut.

    Args:
        text: the whole text.
        spans: start and end of each passage, in characters; they may overlap.
        fact: a part of the text, letter by letter.
        label: a name in front.

    Returns:
        An object that shows the passages with a part of the fact: as coloured blocks in
        a notebook, as lines (■ holds all of it, ▁ a part) in text.

    Raises:
        ValueError: the text does not say the fact.
    """
    return Passages(text, spans, fact, label)
