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
        "Row 127 of the table is an outlier. What do the weights alone tell you?",
        {
            "That texts were cut at 128 tokens": "The card and the tokenizer's file "
            "say so, and that settles it. From the weights it would be a guess.",
            "That the model breaks at place 127": "The sliding sentence fell most "
            "steeply at its very first step.",
            "That training treated this row differently": "So much the weights say. "
            "Why, the files beside them say.",
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
        "In which sense does RoPE 'work at any length'?",
        {
            "The angle can be computed": "Whether a model that never saw it can use "
            "it is another question: the tiny encoder could not.",
            "A trained model understands any length": "Beyond the trained length the "
            "slow hands point where training never saw them.",
            "Scores depend on the distance only, so length does not matter": "They do, "
            "but a longer text has longer distances.",
        },
        correct="The angle can be computed",
    ),
)
