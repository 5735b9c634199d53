"""Questions of notebook 09."""

from course_utils.classroom.quiz import Quiz

QUESTIONS = (
    Quiz(
        "The best hit has a cosine of 0.30. What do you show?",
        {
            "The hit": "Something always comes first, even if nothing fits.",
            "It depends on a threshold measured on your own questions": "With answers "
            "known, you can see from which score on hits are mostly right.",
            "Nothing": "0.30 can be the right page: the scale depends on the texts.",
        },
        correct="It depends on a threshold measured on your own questions",
    ),
    Quiz(
        "Somebody searches for FB-2107. Which search finds the page?",
        {
            "Search by meaning": "The code is cut into pieces that it shares with "
            "other codes.",
            "Search by words": "The code is a word like any other, and a rare one.",
            "Neither": "Words are enough here; only the model is blind.",
        },
        correct="Search by words",
    ),
    Quiz(
        "Two of four relevant pages are among the first ten. Recall at ten?",
        {
            "0.2": "That is precision: two of ten shown pages are relevant.",
            "0.4": "Four of ten would be the best possible precision.",
            "0.5": "Two of the four that exist were found.",
        },
        correct="0.5",
    ),
)
