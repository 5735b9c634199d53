"""Questions of notebook 09."""

from course_utils.classroom.quiz import Quiz

QUESTIONS = (
    Quiz(
        "The best hit has a cosine of 0.30. What do you show?",
        {
            "The hit": "Something always comes first, even if nothing fits.",
            "It depends on a threshold measured on your own questions": "With answers "
            "known, you can see from which score on showing hits pays.",
            "Nothing": "0.30 can be the right page: the scale depends on the texts.",
        },
        correct="It depends on a threshold measured on your own questions",
    ),
    Quiz(
        "Your new passage size has a mean nDCG of 0.62, the old one 0.59. What next?",
        {
            "Ship the new one": "The difference may be the luck of these questions.",
            "Compare question by question and look at the interval": "Hard questions "
            "are hard for both: the paired difference is far sharper than two means.",
            "Try more sizes until one is clearly ahead": "Of many sizes one is ahead "
            "by chance; that is how a gain on dev vanishes on test.",
        },
        correct="Compare question by question and look at the interval",
    ),
    Quiz(
        "A kind of question for which one of two rankings is blind: fusing both by "
        "reciprocal rank makes it …",
        {
            "at least as good as with the better ranking": "A ranking that is blind "
            "for this kind still votes, and pulls wrong pages up.",
            "mostly something between the two rankings": "It insures against the "
            "worse one and pays with the better one; over all kinds together it may "
            "still beat both. Measure both.",
            "worse than with either": "It rarely falls below the worse of the two.",
        },
        correct="mostly something between the two rankings",
    ),
    Quiz(
        "All citations of an answer were looked up and stand in the pages. So the "
        "answer is …",
        {
            "right": "A true quote of the wrong page is still true.",
            "grounded": "Somebody wrote those sentences. Whether they answer the "
            "question is another measurement.",
            "complete": "What was not retrieved cannot be quoted.",
        },
        correct="grounded",
    ),
    Quiz(
        "A job re-encoded half of the index with another pooling. How do you notice?",
        {
            "Search raises an error": "Shape, type and length are the same: nothing to "
            "complain about.",
            "The scores become larger than 1": "Both halves have length 1.",
            "Only by a fingerprint, or by a golden set": "A fingerprint refuses it at "
            "once; without one the fallen recall is the only sign.",
        },
        correct="Only by a fingerprint, or by a golden set",
    ),
)
