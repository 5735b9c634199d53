"""Questions of notebook 06."""

from course_utils.classroom.quiz import Quiz

QUESTIONS = (
    Quiz(
        "Random weights, batches of 128 pairs, and the first loss is 2.8. What do you "
        "check?",
        {
            "Nothing, lower is better": "An untrained encoder cannot do better than "
            "guessing, and guessing among 128 costs ln 128, which is 4.9. (A finished "
            "encoder can.)",
            "Whether the batch really has 128 pairs": "2.8 is near ln 16: somebody "
            "accumulates gradients over batches of 16.",
            "Whether the learning rate is too small": "It cannot matter yet: the first "
            "loss is taken before the first step.",
        },
        correct="Whether the batch really has 128 pairs",
    ),
    Quiz(
        "Why does pulling pairs together, and nothing else, ruin the space?",
        {
            "One vector for all texts is its perfect solution": "Every pair is at "
            "distance 0 there, and nothing can be told apart any more.",
            "It has no temperature": "A temperature would only scale it; the solution "
            "would stay the same.",
            "It lacks negatives, and nothing else can help": "They are one way to keep "
            "the space open; asking every number to vary is another.",
        },
        correct="One vector for all texts is its perfect solution",
    ),
    Quiz(
        "Recall@1 is perfect. May you conclude that the encoder knows who did what?",
        {
            "Yes": "It was perfect here while exchanged roles were a coin toss.",
            "Yes, if the texts share no word": "These texts shared none either.",
            "No": "It was never asked: no other candidate differed in the roles alone. "
            "A measure sees only the mistakes that its candidates allow.",
        },
        correct="No",
    ),
    Quiz(
        "A colleague's encoder gives 0.5 to unrelated sentences, yours 0.0. Whose is "
        "better?",
        {
            "Yours": "Not for that reason: the two may rank every text alike.",
            "You cannot tell": "The level depends on the training temperature among "
            "other things. Compare rankings, and set thresholds per model.",
            "The colleague's": "A higher level is no sign of quality either.",
        },
        correct="You cannot tell",
    ),
    Quiz(
        "After adaptation known terms are found twice as often, unseen ones as before. "
        "What was learnt?",
        {
            "The terms that were in the pairs": "Hundreds of pairs teach what they "
            "contain. New terms need new pairs, or another way of searching.",
            "The language of operations": "Then the unseen pages would have gained "
            "too.",
            "Nothing, it is noise": "The interval of the first gain does not reach 0.",
        },
        correct="The terms that were in the pairs",
    ),
)
