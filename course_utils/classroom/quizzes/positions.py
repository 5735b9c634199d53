"""Questions of notebook 03."""

from course_utils.classroom.quiz import Quiz

QUESTIONS = (
    Quiz(
        "MiniLM's position table is set to zero. What does a sentence become?",
        {
            "A set of words": "Words that occur twice count twice: the set forgets "
            "that.",
            "A bag of tokens": "Every order of the same tokens gets the same vector.",
            "Noise": "Each token still brings its row, and attention still mixes them.",
            "The same as before, more or less": "You measured the loss on graded "
            "pairs: on the hard ones it was large.",
        },
        correct="A bag of tokens",
    ),
    Quiz(
        "An encoder uses only a symmetric ALiBi: distance counts, direction does not. "
        "Which two texts (bare tokens, no [CLS]) can it not tell apart?",
        {
            "a text and its mirror image": "All distances stay the same when a text is "
            "read backwards: dog bites man, man bites dog.",
            "a text and any other order of its words": "Distances change in most "
            "orders.",
            "a short and a long text": "More tokens are more tokens, whatever their "
            "places.",
        },
        correct="a text and its mirror image",
    ),
    Quiz(
        "Row 127 of the table is an outlier. What do you know?",
        {
            "The model was trained on 128 tokens": "It fits, and the tokenizer file "
            "fits too. But you were not there: it is a hypothesis.",
            "Position 127 is where the model breaks": "The sliding sentence showed no "
            "break there.",
            "That training treated this row differently": "So much the weights say. "
            "Why, they do not say.",
        },
        correct="That training treated this row differently",
    ),
    Quiz(
        "You load weights trained with interleaved RoPE into a half-split engine. Who "
        "tells you?",
        {
            "The loader: the shapes differ": "All shapes are the same, as are all "
            "lengths.",
            "Nobody": "Scores are finite, shift-invariant and wrong. Compare them with "
            "those of the original.",
            "The scores: they depend on where the text starts": "That happens when "
            "queries and keys disagree. Here both are wrong alike.",
        },
        correct="Nobody",
    ),
    Quiz(
        "In which sense do sinusoids 'work at any length'?",
        {
            "The row can be computed": "Whether a model that never saw it can use it "
            "is another question, and the formula does not answer it.",
            "A trained model understands any length": "It meets rows that training "
            "never showed.",
            "They repeat after 10,000 positions": "Each pair has its own period; "
            "together they repeat practically never.",
        },
        correct="The row can be computed",
    ),
)
