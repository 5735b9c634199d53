"""Questions of notebook 02."""

from course_utils.classroom.quiz import Quiz

QUESTIONS = (
    Quiz(
        "Why does an embedding layer not multiply by one-hot vectors?",
        {
            "The result would be less exact": "It is equal to the last bit: adding "
            "zeros changes nothing.",
            "One-hot vectors cannot be trained": "They are the input; what is trained "
            "is the matrix, in either form.",
            "Reading the row is the same result without the work": "The product "
            "touches the whole table, reading only the rows that are wanted.",
        },
        correct="Reading the row is the same result without the work",
    ),
    Quiz(
        "A paper reports analogies with a high score. What do you ask first?",
        {
            "Were the inputs allowed as answers, and what does the nearest neighbour "
            "score?": "In both tables here nearly nothing was left without the rule, "
            "and with it part of the score needed no arithmetic.",
            "How many dimensions do the vectors have?": "Interesting, but it does not "
            "say what the score means.",
            "Was the picture made with PCA or t-SNE?": "A picture is no evidence for a "
            "score, whichever way it was made.",
        },
        correct="Were the inputs allowed as answers, and what does the nearest "
        "neighbour score?",
    ),
    Quiz(
        "You train with a softmax over all words and plain SGD. Which rows move?",
        {
            "One input row and one output row": "The softmax pushes down every word "
            "that was not the neighbour.",
            "All rows of both tables": "On the input side only the row that was read "
            "has a gradient, and plain SGD moves nothing else.",
            "One input row and all output rows": "That is the expensive part, and why "
            "negative sampling was invented.",
        },
        correct="One input row and all output rows",
    ),
    Quiz(
        "The gradient of the softmax loss at the centre's row is zero. What follows?",
        {
            "The observed word has probability 1": "That would do, but it is not "
            "needed: other words may share the probability, if their rows average to "
            "the observed one.",
            "The expected context row equals the observed one": "Expected minus "
            "observed is the whole gradient, and it is zero.",
            "All context rows are zero": "Then there is nothing to learn from, but a "
            "trained table has no such rows.",
        },
        correct="The expected context row equals the observed one",
    ),
    Quiz(
        "All ids are too large by one. What tells you?",
        {
            "A test that compares pieces with rows": "Nothing else does: rows exist, "
            "shapes fit, vectors have length 1.",
            "An IndexError": "Only the very last id of the table would raise one.",
            "The tokenizer's round trip": "Encode and decode by the same tokenizer "
            "agree with each other, not with the table.",
        },
        correct="A test that compares pieces with rows",
    ),
)
