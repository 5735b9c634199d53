"""Exercises of notebook 09."""

from __future__ import annotations

import numpy as np

from course_utils.classroom.check import Exercise, Mistake

# -- 9.3: pack sentences ---------------------------------------------------------------


def _reference_pack(lengths, size):
    """Dynamic in form: the chunk number of each sentence first, the groups from it."""
    number, used, numbers = 0, 0, []
    for place, length in enumerate(lengths):
        if place and used + length > size:
            number, used = number + 1, 0
        used += length
        numbers.append(number)
    return [
        [place for place, n in enumerate(numbers) if n == group]
        for group in range(number + 1 if numbers else 0)
    ]


def _packed(lengths, size, full):
    """Groups, begun anew when ``full(used, length, size)``; may leave one empty."""
    groups, used = [[]], 0
    for place, length in enumerate(lengths):
        if full(used, length, size):
            groups.append([])
            used = 0
        groups[-1].append(place)
        used += length
    return groups


def _drops_the_last(lengths, size):
    return _reference_pack(lengths, size)[:-1]


def _too_full(lengths, size):
    groups = _packed(lengths, size, lambda used, length, limit: used >= limit)
    return [group for group in groups if group]


def _never_exactly_full(lengths, size):
    groups = _packed(lengths, size, lambda used, length, limit: used + length >= limit)
    return [group for group in groups if group]


# -- 9.4: fusion -----------------------------------------------------------------------


def _fused(rankings, constant, first=1, missing=False, vote=None, order=list, add=sum):
    """Sum votes over every item that occurs; the order of first sight settles ties."""
    seen = order(dict.fromkeys(item for ranking in rankings for item in ranking))
    vote = vote or (lambda rank: 1 / (constant + rank))
    totals = {
        item: add(
            vote(ranking.index(item) + first)
            if item in ranking
            else vote(len(ranking) + first) * missing
            for ranking in rankings
        )
        for item in seen
    }
    return sorted(seen, key=lambda item: -totals[item])


def _fused_by_the_best(rankings, constant):
    return _fused(rankings, constant, add=max)


_LISTS = [["a", "b", "c"], ["c", "d", "a"]]

# -- 9.5: pages that say the same ------------------------------------------------------

_INSTEAD = {"old": "new", "copy": "page"}


def _reference_cure(ranking, instead):
    renamed = [instead.get(name, name) for name in ranking]
    return [name for i, name in enumerate(renamed) if name not in renamed[:i]]


# -- 9.6: the price of an answer -------------------------------------------------------

_CONFIDENCE, _RIGHT = [0.1, 0.4, 0.4, 0.8], [False, True, False, True]


def _reference_price(confidence, right, threshold, wrong_answer):
    answered = np.asarray(confidence) >= threshold
    right = np.asarray(right, dtype=bool)
    return float((answered & ~right).sum() * wrong_answer + (~answered & right).sum())


def _price_from_above(confidence, right, threshold, wrong_answer):
    above = np.nextafter(threshold, np.inf)
    return _reference_price(confidence, right, above, wrong_answer)


def _price_without_silence(confidence, right, threshold, wrong_answer):
    pairs = zip(confidence, right, strict=True)
    return float(sum(c >= threshold and not r for c, r in pairs) * wrong_answer)


def _price_of_all_silence(confidence, right, threshold, wrong_answer):
    pairs = list(zip(confidence, right, strict=True))
    wrong = sum(c >= threshold and not r for c, r in pairs)
    return float(wrong * wrong_answer + sum(c < threshold for c, _ in pairs))


# -- 9.7: a citation -------------------------------------------------------------------

_SOURCES = {"disk": "The disk is full. Stop.", "lock": "A lock is stuck."}


def _reference_stands(citation, sources):
    document, start, end, quote = citation
    if document not in sources:
        return False
    return quote == "".join(
        c for i, c in enumerate(sources[document]) if start <= i < end
    )


def _raises_on_unknown(citation, sources):
    document, start, end, quote = citation
    return sources[document][start:end] == quote


# -- 9.8: vectors of another model -----------------------------------------------------


def _rows(*angles):
    return np.array([[np.cos(a), np.sin(a)] for a in angles])


_STORED, _FRESH = _rows(0.0, 1.0, 2.0), _rows(0.0, 1.5, 2.0)
_LONG = np.array([[3.0, 0.0], [0.0, 0.5], [1.0, 1.0]])


def _reference_strangers(stored, fresh, least=0.99):
    cosines = [
        float(a @ b / np.sqrt((a @ a) * (b @ b)))
        for a, b in zip(stored, fresh, strict=True)
    ]
    return [row for row, cosine in enumerate(cosines) if cosine < least]


# -- 9.9: nDCG -------------------------------------------------------------------------


def _reference_ndcg(ranking, grades, k, ideal=None, gain=float, discount=None):
    """Shares of the ideal; what is cut where can be changed for the mistakes."""
    discount = discount or (lambda place: np.log2(place + 1))

    def worth(row):
        return sum(gain(grade) / discount(i) for i, grade in enumerate(row, 1))

    found = [grades.get(name, 0) for name in ranking][:k]
    best = sorted(grades.values())[::-1][:k] if ideal is None else ideal(found)
    whole = worth(best)
    return worth(found) / whole if whole else 0.0


def _ndcg_whole_ranking(ranking, grades, k):
    best = sorted(grades.values())[::-1][:k]
    return _reference_ndcg(ranking, grades, None, ideal=lambda _: best)


def _ndcg_whole_ideal(ranking, grades, k):
    best = sorted(grades.values())[::-1]
    return _reference_ndcg(ranking, grades, k, ideal=lambda _: best)


_GRADES = {"a": 3, "b": 2, "c": 1, "d": 2}

# -- 9.10: BM25 ------------------------------------------------------------------------

_TEXTS = [
    ["disk", "full"],
    ["disk", "lock", "lock", "lock"],
    ["a", "full", "lock", "of", "rows", "on", "a", "table"],
    ["pod", "lock", "pod"],
]


def _reference_bm25(asked, text, texts, k1=1.5, b=0.75, rare=True, factor=1.0):
    lengths = [len(other) for other in texts]
    held = k1 * (1 - b + b * len(text) * len(lengths) / sum(lengths))
    total = 0.0
    for word in asked:
        count = sum(word == other for other in text)
        having = len([other for other in texts if word in other])
        rarity = np.log((len(texts) + 1) / (having + 0.5))  # 1 + (n - h + .5)/(h + .5)
        total += (rarity if rare else 1) * factor * count / (count + held)
    return float(total)


def _bm25_without_limit(asked, text, texts):
    return float(
        sum(
            np.log((len(texts) + 1) / (sum(word in t for t in texts) + 0.5))
            * text.count(word)
            for word in asked
        )
    )


def _bm25_by_occurrences(asked, text, texts):
    total, length = 0.0, len(text) / np.mean([len(t) for t in texts])
    for word in asked:
        having, count = sum(t.count(word) for t in texts), text.count(word)
        rarity = np.log(1 + (len(texts) - having + 0.5) / (having + 0.5))
        total += rarity * count / (count + 1.5 * (0.25 + 0.75 * length))
    return float(total)


EXERCISES = (
    Exercise(
        id="9.1",
        title="Puzzle: the hit that was never found",
        cases=[
            ([2, 0, -1], [0.9, 0.5, -3e38]),
            ([-1, -1], [-3e38, -3e38]),
            ([0], [-0.2]),
            ([], []),
            ([1, 2], [-0.1, -0.25]),
            ([3, 1, 4, -1, 0, 5], [0.5, 0.5, 0.25, -3e38, 0.25, 0.1]),
        ],
        reference=lambda places, scores: [
            pair for pair in zip(places, scores, strict=True) if pair[0] != -1
        ],
        mistakes=[
            Mistake(
                "place 0 is a real hit: only negative places are none",
                lambda p, s: [(a, b) for a, b in zip(p, s, strict=True) if a > 0],
            ),
            Mistake(
                "a negative score is still a hit: look at the place, not the score",
                lambda p, s: [(a, b) for a, b in zip(p, s, strict=True) if b > 0],
            ),
            Mistake(
                "the place -1 is still there: it means that there was no hit",
                lambda p, s: list(zip(p, s, strict=True)),
            ),
        ],
    ),
    Exercise(
        id="9.2",
        title="Recall at k",
        cases=[
            (["a", "b", "c"], {"b", "x"}, 2),
            (["a", "b", "c"], {"c"}, 3),
            (["a", "b", "c"], {"c"}, 1),
            (["a", "b", "c", "d"], {"a", "b", "c", "d"}, 2),
            (["d", "b", "a", "c", "f", "e"], {"f", "d", "x"}, 5),
            (["d", "b", "a", "c"], {"d", "c", "x"}, 1),
        ],
        reference=lambda ranking, relevant, k: (
            sum(name in ranking[:k] for name in relevant) / len(relevant)
        ),
        mistakes=[
            Mistake(
                "this is precision: divide by the number of relevant pages, not by k",
                lambda r, relevant, k: sum(n in relevant for n in r[:k]) / k,
            ),
            Mistake(
                "the whole ranking is counted: look at the first k only",
                lambda r, relevant, k: sum(n in relevant for n in r) / len(relevant),
            ),
            Mistake(
                "this says whether anything was found: count how much",
                lambda r, relevant, k: float(any(n in relevant for n in r[:k])),
            ),
        ],
    ),
    Exercise(
        id="9.3",
        title="Pack sentences into passages",
        cases=[
            ([5, 6, 4, 9], 12),
            ([6, 6], 12),
            ([30, 2, 3], 10),
            ([2, 30, 3], 10),
            ([7], 5),
            ([], 10),
            ([3, 4, 3, 3, 9, 1, 2], 10),
        ],
        reference=_reference_pack,
        mistakes=[
            Mistake(
                "the last passage is missing: keep it when the loop has ended",
                _drops_the_last,
            ),
            Mistake(
                "a passage is over the size: look before you add the sentence, not "
                "after",
                _too_full,
            ),
            Mistake(
                "a passage may be exactly full: begin a new one only when the sum "
                "would be more than the size",
                _never_exactly_full,
            ),
            Mistake(
                "an empty passage: a sentence that is too long by itself stands alone, "
                "with nothing before it",
                lambda lengths, size: _packed(
                    lengths, size, lambda used, length, limit: used + length > limit
                ),
            ),
        ],
    ),
    Exercise(
        id="9.4",
        title="Fuse two rankings",
        cases=[
            (_LISTS, 60),
            ([["a", "b"], ["b", "a"]], 1),
            ([["a", "b", "c", "d"], ["d"]], 0),
            ([["b", "a", "c", "d"], ["d", "x", "a"]], 5),
            ([["a", "b"], []], 60),
            ([[], []], 60),
            ([["e", "b"], ["c", "b"]], 0),  # all three have 1: first seen first
            ([["e", "f", "a", "d"], ["c", "d", "a"]], 1),
            ([["f", "a", "b", "c"], ["d", "e", "b"]], 1),
            ([["b", "a"], ["b", "a"], ["a", "c", "b"], ["c"], ["d", "c"]], 1),
        ],
        reference=lambda rankings, constant: _fused(rankings, constant),
        mistakes=[
            Mistake(
                "the worst comes first: a smaller rank gives more, sort downwards",
                lambda r, c: _fused(r, c)[::-1],
            ),
            Mistake(
                "what a ranking does not name gets nothing from it, not the next rank",
                lambda r, c: _fused(r, c, missing=True),
            ),
            Mistake(
                "only names that both rankings know are left: one vote is enough",
                lambda r, c: [n for n in _fused(r, c) if all(n in x for x in r)],
            ),
            Mistake(
                "the best single place decides here, as if the rankings were dealt out "
                "in turn: add up what all of them give to a name",
                _fused_by_the_best,
            ),
            Mistake(
                "equal sums stand in alphabetical order: first seen first",
                lambda r, c: _fused(r, c, order=sorted),
            ),
            Mistake(
                "places count from 1 here, not from 0",
                lambda r, c: _fused(r, c, first=0),
            ),
            Mistake(
                "these are the rankings one after the other: add up the votes first",
                lambda r, c: list(dict.fromkeys(n for x in r for n in x)),
            ),
        ],
    ),
    Exercise(
        id="9.5",
        title="One page for each matter",
        cases=[
            (["old", "x", "new"], _INSTEAD),
            (["copy", "page", "x"], _INSTEAD),
            (["x", "page", "copy", "y"], _INSTEAD),
            (["old"], _INSTEAD),
            ([], _INSTEAD),
            (["u", "copy", "w", "z", "new", "page", "old"], _INSTEAD),
        ],
        reference=_reference_cure,
        mistakes=[
            Mistake(
                "a page that should be replaced is gone together with its place: put "
                "the page that replaces it there",
                lambda ranking, instead: [n for n in ranking if n not in instead],
            ),
            Mistake(
                "a page comes twice: keep its first place only",
                lambda ranking, instead: [instead.get(n, n) for n in ranking],
            ),
            Mistake(
                "the order is lost: sets have none, dict.fromkeys keeps it",
                lambda ranking, instead: sorted({instead.get(n, n) for n in ranking}),
            ),
        ],
    ),
    Exercise(
        id="9.6",
        title="What a threshold costs",
        cases=[
            (_CONFIDENCE, _RIGHT, 0.4, 2),
            (_CONFIDENCE, _RIGHT, 0.5, 2),
            (_CONFIDENCE, _RIGHT, 0.0, 3),
            (_CONFIDENCE, _RIGHT, 0.9, 3),
            ([], [], 0.5, 2),
            (
                [0.7, 0.2, 0.455, 0.9, 0.3, 0.6, 0.4],
                [False, True, True, False, False, True, True],
                0.457,
                2.346,
            ),
            ([0.3, 0.8, 0.1], [True, False, False], 0.5, 5),
            ([0.5, 0.5, 0.5], [True, False, False], 0.5, 3),
        ],
        reference=_reference_price,
        mistakes=[
            Mistake(
                "a confidence equal to the threshold is answered: use >=",
                _price_from_above,
            ),
            Mistake(
                "silence is free here: an answer that was right and not given costs 1",
                _price_without_silence,
            ),
            Mistake(
                "every silence costs 1 here: where the answer would have been wrong, "
                "silence is right and free",
                _price_of_all_silence,
            ),
            Mistake(
                "a wrong answer costs wrong_answer, not 1",
                lambda c, r, t, w: _reference_price(c, r, t, 1),
            ),
        ],
    ),
    Exercise(
        id="9.7",
        title="Does the citation stand?",
        cases=[
            (("disk", 4, 8, "disk"), _SOURCES),
            (("disk", 3, 7, "disk"), _SOURCES),
            (("lock", 4, 8, "disk"), _SOURCES),
            (("tape", 0, 4, "disk"), _SOURCES),
            (("disk", 18, 23, "Stop."), _SOURCES),
            (("disk", 4, 9, "disk"), _SOURCES),
            (("disk", 4, 7, "disk"), _SOURCES),
            (("disk", 4, 10, "memory"), _SOURCES),
            (("tape", 0, 0, ""), _SOURCES),
        ],
        reference=_reference_stands,
        mistakes=[
            Mistake(
                "the page says it somewhere, but not at the place that was cited",
                lambda c, sources: c[3] in sources.get(c[0], ""),
            ),
            Mistake(
                "some page says it, but not the one that was cited",
                lambda c, sources: any(c[3] in text for text in sources.values()),
            ),
            Mistake(
                "a page that does not exist raises an error: sources.get(name) gives "
                "None instead",
                _raises_on_unknown,
            ),
            Mistake(
                "end is the place behind the last character, as in a slice",
                lambda c, sources: sources.get(c[0], "")[c[1] : c[2] + 1] == c[3],
            ),
        ],
    ),
    Exercise(
        id="9.8",
        title="Puzzle: the search that got worse overnight",
        cases=[
            (_STORED, _FRESH),
            (_STORED, _STORED),
            (_STORED, _STORED * 2.5),
            (_LONG, _LONG[::-1].copy()),
            (_rows(0.0, 0.2), _rows(0.2, 0.2)),
            (_LONG / 4, _LONG / 4),
            (_LONG, -_LONG),
            (_rows(0.0, 1.0, 2.0), _rows(np.pi, 1.0 - np.pi, 2.0)),  # the other way
            (_rows(0.0, 0.0, 0.0), _rows(0.1405, 0.1425, 0.05)),  # 0.9901, 0.9899
        ],
        reference=_reference_strangers,
        mistakes=[
            Mistake(
                "these are the rows that still fit: return those that do not",
                lambda stored, fresh: [
                    row
                    for row in range(len(stored))
                    if row not in _reference_strangers(stored, fresh)
                ],
            ),
            Mistake(
                "the inner product is the cosine only at length 1: divide by both "
                "lengths",
                lambda stored, fresh: [
                    row for row, dot in enumerate((stored * fresh).sum(1)) if dot < 0.99
                ],
            ),
            Mistake(
                "a vector that points the other way has lost its sign here: a cosine "
                "of -1 is far below 0.99",
                lambda stored, fresh: sorted(
                    {*_reference_strangers(stored, fresh)}
                    & {*_reference_strangers(stored, -fresh)}
                ),
            ),
            Mistake(
                "row i belongs to row i only: compare each with its own, not with all",
                lambda stored, fresh: [
                    row
                    for row, best in enumerate(
                        (
                            (stored / np.linalg.norm(stored, axis=1, keepdims=True))
                            @ (fresh / np.linalg.norm(fresh, axis=1, keepdims=True)).T
                        ).max(1)
                    )
                    if best < 0.99
                ],
            ),
        ],
    ),
    Exercise(
        id="9.9",
        title="A ranking in one number",
        cases=[
            (["a", "b", "d", "c"], _GRADES, 10),
            (["b", "a"], {"a": 3, "b": 2}, 10),
            (["x", "a"], {"a": 3}, 10),
            (["x", "y"], {"a": 3}, 10),
            (["a", "x", "b", "c"], {"a": 1, "b": 3, "c": 2}, 3),
            (["x", "y", "a"], {"a": 2}, 2),
            (["c"], _GRADES, 2),
            (["d", "b", "a", "c"], _GRADES, 1),
            (["x", "d", "y", "a", "z", "c"], _GRADES, 5),
            (["x", "d", "y", "a", "z", "c"], _GRADES, 6),
        ],
        reference=_reference_ndcg,
        mistakes=[
            Mistake(
                "this is not yet a share: divide by what the best order would get",
                lambda r, g, k: _reference_ndcg(r, g, k, ideal=lambda _: [1]),
            ),
            Mistake(
                "the best order is of all graded pages, not only of those found",
                lambda r, g, k: _reference_ndcg(
                    r, g, k, ideal=lambda found: sorted(found)[::-1]
                ),
            ),
            Mistake(
                "the whole ranking counts here: cut it at k",
                _ndcg_whole_ranking,
            ),
            Mistake(
                "the best order is cut at k as well: no ranking can show more than k",
                _ndcg_whole_ideal,
            ),
            Mistake(
                "every place counts alike here: divide each grade by log2(place + 1)",
                lambda r, g, k: _reference_ndcg(r, g, k, discount=lambda place: 1),
            ),
            Mistake(
                "the grade itself is the gain here, not 2 to its power less 1",
                lambda r, g, k: _reference_ndcg(
                    r, g, k, gain=lambda grade: 2.0**grade - 1
                ),
            ),
        ],
    ),
    Exercise(
        id="9.10",
        title="BM25 by hand",
        cases=[
            (["disk"], _TEXTS[0], _TEXTS),
            (["disk"], _TEXTS[1], _TEXTS),
            (["lock"], _TEXTS[1], _TEXTS),
            (["full", "lock"], _TEXTS[2], _TEXTS),
            (["tape"], _TEXTS[0], _TEXTS),
            (["pod", "pod", "lock"], _TEXTS[3], _TEXTS),
            ([], _TEXTS[0], _TEXTS),
            (["lock", "pod"], _TEXTS[0], _TEXTS),
            (["a", "b", "a"], ["a", "b", "b"], [["a", "b", "b"], ["b"]]),
        ],
        reference=_reference_bm25,
        mistakes=[
            Mistake(
                "long texts are not held back: use b and the length as a share of the "
                "mean length",
                lambda q, t, ts: _reference_bm25(q, t, ts, b=0.0),
            ),
            Mistake(
                "every repetition is worth the same here: divide by count + k1 · ...",
                _bm25_without_limit,
            ),
            Mistake(
                "a rare word weighs no more than a common one here: multiply by its "
                "rarity",
                lambda q, t, ts: _reference_bm25(q, t, ts, rare=False),
            ),
            Mistake(
                "the rarity counts the texts that have the word, not how often it "
                "occurs in them",
                _bm25_by_occurrences,
            ),
            Mistake(
                "this is the older form with a factor of k1 + 1: the same order, other "
                "numbers",
                lambda q, t, ts: _reference_bm25(q, t, ts, factor=2.5),
            ),
            Mistake(
                "a word that is asked twice counts twice",
                lambda q, t, ts: _reference_bm25(list(dict.fromkeys(q)), t, ts),
            ),
        ],
    ),
)
