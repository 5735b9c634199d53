"""Questions of notebook 10."""

from course_utils.classroom.quiz import Quiz

QUESTIONS = (
    Quiz(
        "K-means with the true number of groups finds others than the labels. Why?",
        {
            "It was stuck: more starts would find the labels": "Some starts reach a "
            "smaller inertia than that of the labels, with other groups.",
            "Its objective does not ask for them": "It wants tight groups. Nothing "
            "says that your reasons for sorting are the tightest ones.",
            "The vectors do not hold the intents": "They do, beside much else: started "
            "at one sentence for each, the same algorithm finds more of them.",
        },
        correct="Its objective does not ask for them",
    ),
    Quiz(
        "Two clouds lie far apart on a t-SNE map. What is known?",
        {
            "Their texts are far apart in 384 dimensions": "Distances between clouds "
            "are made by the method, and noise gives clouds, too.",
            "Nothing, before you have looked at true neighbours": "A number for what "
            "the map keeps, and the neighbours of the texts that you care for.",
            "There are two groups": "Cluster in 384 dimensions, and judge it there. "
            "The map may colour the result.",
        },
        correct="Nothing, before you have looked at true neighbours",
    ),
    Quiz(
        "A filter for doubles is set to .9 on news and goes to the help desk. Result?",
        {
            "It works: .9 means the same everywhere": "A cosine has no unit. On "
            "tickets rewordings of one request lie far below.",
            "It deletes too much": "On pages that share a form it would, with a low "
            "line. On tickets the line is too high.",
            "It misses most rewordings": "Measured above. Choose the line on labelled "
            "pairs of the texts that it is for.",
        },
        correct="It misses most rewordings",
    ),
    Quiz(
        "AUROC of an alarm is above .9, and most normal texts raise it. What is wrong?",
        {
            "The score": "The order is good: AUROC knows nothing of a line.",
            "The line": "It was chosen elsewhere. Set it by how strange normal texts "
            "are to each other.",
            "The model": "Perhaps it could be better, but the order is good already.",
        },
        correct="The line",
    ),
    Quiz(
        "The image tower never saw a seven, the captions know the word. Found?",
        {
            "Yes, that is what zero-shot means": "Zero-shot here meant new wordings "
            "of things that the tower had seen.",
            "No: nothing taught it where sevens belong": "Training on hundreds of "
            "millions of pictures means that few things were never seen.",
            "About one in ten, by chance": "It is surer than chance, and wrong: sevens "
            "land at the captions of what looks like them.",
        },
        correct="No: nothing taught it where sevens belong",
    ),
)
