"""Questions of notebook 08."""

from course_utils.classroom.quiz import Quiz

QUESTIONS = (
    Quiz(
        "You look for wrong labels by loss. Which probabilities are the safe choice?",
        {
            "Of the model trained on all rows": "It worked with our small head. A "
            "model that can learn its rows by heart is not surprised by them any more.",
            "Out of fold: of a model that did not learn from that row": "Whatever "
            "the model, a large loss then means that the other rows speak against it.",
            "Of the test split": "The labels to doubt are in the training split.",
        },
        correct="Out of fold: of a model that did not learn from that row",
    ),
    Quiz(
        "A report says 89.6 % against 88.6 % on the same 500 articles. What is known?",
        {
            "The first is better by a point": "On these 500, yes. Five articles "
            "decide, and another five hundred would decide otherwise.",
            "Nothing without the paired answers": "Almost. The two totals already "
            "bound the test, and here every possible pairing stays above 0.05.",
            "The difference is within chance, however the answers pair": "Even the "
            "pairing that speaks most for the first model leaves p above 0.05.",
        },
        correct="The difference is within chance, however the answers pair",
    ),
    Quiz(
        "'Safe' and 'not safe' get a cosine of 0.9. Which change could lower it?",
        {
            "A larger vocabulary": "Both texts are read without loss: no piece is "
            "[UNK], and 'not' has an id of its own.",
            "Another pooling": "It moves all cosines, controls included: a level, not "
            "an order.",
            "Giving the direction of negation more weight": "A probe reads it from the "
            "vector, so it is there. Training decides how much it counts.",
        },
        correct="Giving the direction of negation more weight",
    ),
    Quiz(
        "Model v2 has the same average as v1. May you ship it?",
        {
            "Yes, equal is equal": "An average weighs abilities by how often the test "
            "set happens to ask for them, and some are never asked for.",
            "Not before a suite of behaviours has been run on both": "Case by case, it "
            "shows which ability was lost, and with McNemar whether that is chance.",
            "No, a new model must be better": "Faster or smaller at equal quality is a "
            "fine reason, if the quality is equal where you need it.",
        },
        correct="Not before a suite of behaviours has been run on both",
    ),
    Quiz(
        "Since Monday the search returns noise, no error is logged, all vectors have "
        "384 numbers. What do you check first?",
        {
            "The dimension": "It is 384 on both sides: this check has passed already.",
            "A few stored texts, encoded again": "If the new vectors are not those in "
            "the index, the two live in different spaces.",
            "The mean cosine of the queries": "Noise has a mean cosine, too. It tells "
            "that something changed only if you know what it used to be.",
        },
        correct="A few stored texts, encoded again",
    ),
)
