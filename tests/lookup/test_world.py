"""The small world says what its traits say."""

from course_utils.lookup.world import PHRASES, TRAITS, small_world, trait_questions


def test_the_small_world_says_what_its_traits_say():
    world = {" ".join(sentence) for sentence in small_world()}
    assert {"the queen wears a crown", "the boy plays outside"} <= world
    assert "italy exports wine" in world
    assert "the man wears a crown" not in world
    assert len(world) == sum(
        len(PHRASES[trait]) for own in TRAITS.values() for trait in own.split()
    )


def test_each_question_of_the_small_world_changes_one_trait_in_both_halves():
    for a, b, c, d in trait_questions():
        before, after, other, expected = (set(TRAITS[w].split()) for w in (a, b, c, d))
        assert len(before - after) == 1 and len({a, b, c, d}) >= 3
        assert (other - before) == (expected - after)
        assert before - after == other - expected
