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
            "Reading the row is the same result without the work": "The product's cost "
            "grows with the vocabulary, reading costs no operation.",
        },
        correct="Reading the row is the same result without the work",
    ),
    Quiz(
        "A paper reports analogies with a high score. What do you ask first?",
        {
            "Were the inputs allowed as answers, and what does the nearest neighbour "
            "score?": "Without the rule nearly nothing is left, and with it part of "
            "the score needs no arithmetic.",
            "How many dimensions do the vectors have?": "Interesting, but it does not "
            "say what the score means.",
            "Was the picture made with PCA or t-SNE?": "A picture is no evidence for a "
            "score, whichever way it was made.",
        },
        correct="Were the inputs allowed as answers, and what does the nearest "
        "neighbour score?",
    ),
    Quiz(
        "Two words are far apart in a PCA picture. Are they far apart in the table?",
        {
            "Yes, PCA keeps the largest distances": "It keeps the directions of the "
            "largest variance; a word's own neighbours may lie along others.",
            "Not necessarily: count in all dimensions": "Fewer than half of the true "
            "neighbours were drawn near, and some words kept none.",
            "No, pictures are always wrong": "Some fields came out well. The point is "
            "that you cannot see which.",
        },
        correct="Not necessarily: count in all dimensions",
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
