"""Questions of notebook 00."""

from course_utils.classroom.quiz import Quiz

QUESTIONS = (
    Quiz(
        "The sentence has nine tokens. Which part of its vector is its length?",
        {
            "The first number": "No number has a meaning of its own; together they "
            "are a direction.",
            "None": "Every text becomes the same count of numbers; pooling (notebook "
            "05) sees to that.",
            "The length of the vector": "Vectors are scaled to length 1 before they "
            "are compared.",
        },
        correct="None",
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
            "No": "A best hit can have 0.3, as in the first search of this notebook's "
            "claims.",
            "It depends on the other texts": "Only the order, and a threshold measured "
            "on your own data, say something.",
        },
        correct="It depends on the other texts",
    ),
)
