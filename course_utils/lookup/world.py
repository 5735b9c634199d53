"""A world small enough to see through: sixteen words, each with its traits.

Built in notebook 02, used as ``lookup.small_world`` and so on.
"""

from __future__ import annotations

TRAITS = {
    "man": "male adult common",
    "woman": "female adult common",
    "boy": "male young common",
    "girl": "female young common",
    "king": "male adult royal",
    "queen": "female adult royal",
    "prince": "male young royal",
    "princess": "female young royal",
    **dict.fromkeys(("cat", "dog", "kitten", "puppy"), "pet"),
    **dict.fromkeys(("france", "italy", "japan", "egypt"), "land"),
}
PHRASES = {
    "male": ("shaves his beard", "trims his beard"),
    "female": ("braids her hair", "wears her dress"),
    "adult": ("has grey hair", "tells old tales"),
    "young": ("climbs tall trees", "plays outside"),
    "royal": ("wears a crown", "lives in a palace"),
    "common": ("rents a flat", "takes the bus"),
    "pet": ("eats its food", "chases mice", "sleeps all day", "licks its paws"),
    "land": ("exports wine", "borders the sea", "elects a parliament", "signs a pact"),
}


def small_world() -> list[list[str]]:
    """Return every sentence of the small world, as lists of words.

    Each of the sixteen words of ``TRAITS`` is followed by each of the ``PHRASES`` of
    its traits, and by nothing else.

    >>> " ".join(small_world()[0])
    'the man shaves his beard'
    """
    return [
        [*(() if trait == "land" else ("the",)), word, *phrase.split()]
        for word, traits in TRAITS.items()
        for trait in traits.split()
        for phrase in PHRASES[trait]
    ]


def trait_questions() -> list[tuple[str, str, str, str]]:
    """Return all analogies ``(a, b, c, d)`` that change one trait of a person.

    >>> trait_questions()[0]
    ('man', 'woman', 'boy', 'girl')
    """
    people = {traits: word for word, traits in TRAITS.items() if " " in traits}
    found = []
    for old, new in (("male", "female"), ("adult", "young"), ("common", "royal")):
        before = [traits for traits in people if old in traits.split()]
        changed = {traits: traits.replace(old, new) for traits in before}
        found += [
            (people[a], people[changed[a]], people[c], people[changed[c]])
            for a in before
            for c in before
            if a != c
        ]
    return found
