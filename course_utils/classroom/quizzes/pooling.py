"""Questions of notebook 05."""

from course_utils.classroom.quiz import Quiz

QUESTIONS = (
    Quiz(
        "A colleague switches to CLS pooling and reports: 'all similarities went up'. "
        "Better?",
        {
            "Yes, the model is surer": "The unrelated pairs went up as well: the level "
            "belongs to the pooling, not to the texts.",
            "Worse, cosines should be low": "A level says nothing in this direction "
            "either.",
            "Nothing follows": "Compare the order of pairs that people have graded, "
            "with an interval.",
        },
        correct="Nothing follows",
    ),
    Quiz(
        "An encoder of your own: the same sentence gives another vector whenever the "
        "batch is another one. Where do you look?",
        {
            "At the mask": "In attention and in pooling: without it, padding becomes "
            "part of the text.",
            "At dropout": "Dropout would give another vector on the very same batch, "
            "too.",
            "At the learning rate": "Training changes the weights; now they stand "
            "still.",
        },
        correct="At the mask",
    ),
    Quiz(
        "Your vectors have length 1. Which of cosine, dot product and distance finds "
        "the best hits?",
        {
            "Cosine, because norms vary": "They do not vary any more.",
            "All give the same ranking": "The squared distance is 2 - 2 · cosine, and "
            "the dot product is the cosine.",
            "Dot product, because it is faster": "It is the cheapest of three equals, "
            "not better.",
        },
        correct="All give the same ranking",
    ),
    Quiz(
        "What is exact about a receipt?",
        {
            "It shows which words the model understood": "A token's vector already "
            "carries its neighbours; a cell does not say whose meaning it is.",
            "Its cells sum to the cosine": "Under mean pooling a cosine is a sum over "
            "pairs of tokens, and the receipt lists its terms.",
            "It is what the cosine would be without a token": "Without the token the "
            "others would be read differently, too.",
        },
        correct="Its cells sum to the cosine",
    ),
    Quiz(
        "Two contracts of ten pages have a cosine of 1.000. What do you know?",
        {
            "They agree in what was read": "The beginning, up to the limit; what lies "
            "behind it may say anything.",
            "One is a copy of the other": "Only of its beginning.",
            "They mean the same": "The model has not seen most of either.",
        },
        correct="They agree in what was read",
    ),
)
