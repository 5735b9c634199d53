"""Questions of notebook 00."""

from course_utils.classroom.quiz import Quiz

QUESTIONS = (
    Quiz(
        "A sentence has nine tokens. Where in its vector does it say so?",
        {
            "In the first number": "No number has a meaning of its own; together they "
            "are a direction.",
            "Nowhere": "Every text becomes the same count of numbers; pooling "
            "(notebook 05) sees to that.",
            "In the vector's length": "Vectors are scaled to length 1 before they "
            "are compared.",
        },
        correct="Nowhere",
    ),
    Quiz(
        "Which stage is the first that lets a word know about its neighbours?",
        {
            "Lookup": "The row of a word is the same in every sentence.",
            "Attention": "Before it, each token stands alone, though it knows its "
            "place.",
            "Pooling": "Pooling averages vectors that have already seen each other.",
        },
        correct="Attention",
    ),
    Quiz(
        "A text has a cosine of 0.5 with your query. Is it a hit?",
        {
            "Yes": "Half of what? The scale depends on the model and the kind of text.",
            "No": "The best hit of the first search in this notebook had hardly more.",
            "It depends on the other texts": "Only the order, and a threshold measured "
            "on your own data, say something.",
        },
        correct="It depends on the other texts",
    ),
)
