"""Questions of notebook 08."""

from course_utils.classroom.quiz import Quiz

QUESTIONS = (
    Quiz(
        "A run learns one batch of sixteen rows down to a loss of 0. What is shown?",
        {
            "That the data are in order": "Shuffled labels are learnt just as well: "
            "sixteen rows can be kept by heart, whatever they say.",
            "That loss, gradient and optimiser are connected": "And no more. A second "
            "softmax or a step without a gradient would have stopped far above 0.",
            "That the model will learn the rest": "It has shown that it can remember, "
            "not that there is anything to find in the texts.",
        },
        correct="That loss, gradient and optimiser are connected",
    ),
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
