"""Questions of notebook 04."""

from course_utils.classroom.quiz import Quiz

QUESTIONS = (
    Quiz(
        "What is learnt in training, and what is made afresh for every text?",
        {
            "The weights of attention are learnt": "They are the result of a softmax "
            "over this text's queries and keys; the file does not contain them.",
            "Both are learnt": "Only the matrices are. Two texts give two tables of "
            "weights from the same matrices.",
            "The matrices for q, k, v are learnt, the weights made afresh": "That is "
            "why a word can get another vector in every sentence.",
        },
        correct="The matrices for q, k, v are learnt, the weights made afresh",
    ),
    Quiz(
        "A head puts nearly all its weight on [CLS]. What does that token hand over?",
        {
            "Next to nothing": "Its value is very short in nearly every head: a way to "
            "look at nothing, since the weights must sum to 1.",
            "A summary of the sentence": "What enters any block there is almost the "
            "same vector in every sentence, so it can hardly summarise one.",
            "Whatever the query asked for": "A query chooses where to look, not what "
            "is handed over: that is the value.",
        },
        correct="Next to nothing",
    ),
    Quiz(
        "Attention correlates well with leave-one-out. Is it an explanation?",
        {
            "Yes, the interval is far from zero": "So is the interval of a rule that "
            "only asks how rare a word is and never looks at the model.",
            "Compared with what?": "With a baseline that knows nothing of this model. "
            "That raw weights beat it is not shown; weights times value lengths do.",
            "No, attention never explains": "A slogan as well: what is handed over "
            "follows the effect more closely than rarity does.",
        },
        correct="Compared with what?",
    ),
    Quiz(
        "At MiniLM's limit of 256 tokens, where is most of a block's work?",
        {
            "In the table of scores": "It grows with the square, but it starts small: "
            "it overtakes the rest only at far greater lengths.",
            "In the layer norms": "A few operations per number; the counter does not "
            "even list them.",
            "In the softmax": "One exponential per score, while each score itself "
            "costs a product of two vectors.",
            "In the maps that treat each token by itself": "Projections and "
            "feed-forward: linear in the length, quadratic in the dimension.",
        },
        correct="In the maps that treat each token by itself",
    ),
    Quiz(
        "Your code passes every test with square matrices. What can still be wrong?",
        {
            "Nothing, if the rows sum to 1": "Rows of a transposed, an unscaled and an "
            "upside-down attention sum to 1 as well.",
            "A matrix may be transposed": "With square matrices the shapes fit either "
            "way. Test with three different sizes.",
            "The softmax may run over the wrong axis": "Row sums would tell, square or "
            "not.",
        },
        correct="A matrix may be transposed",
    ),
)
