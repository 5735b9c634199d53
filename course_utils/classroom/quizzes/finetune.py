"""Questions of notebook 07."""

from course_utils.classroom.quiz import Quiz

QUESTIONS = (
    Quiz(
        "A new classifier for four classes starts with a loss near 1.39. Alarm?",
        {
            "Yes, a pretrained model should start lower": "Its blocks are pretrained; "
            "the head that turns vectors into classes is not.",
            "No": "A head that knows nothing gives each class about 1/4, and -ln(1/4) "
            "is 1.39. Another first value would be the alarm.",
            "It depends on the learning rate": "The first loss is computed before the "
            "first step is taken.",
        },
        correct="No",
    ),
    Quiz(
        "Dev accuracy stays, dev loss doubles, training loss goes to zero. What now?",
        {
            "Nothing, accuracy is what counts": "The model is getting surer of its "
            "mistakes: whoever uses its probabilities pays for that.",
            "Train longer": "The training loss has nothing left to teach.",
            "Take the weights of the lowest dev loss": "That is early stopping; the "
            "later epochs learnt the training set by heart.",
        },
        correct="Take the weights of the lowest dev loss",
    ),
    Quiz(
        "A is right on 448, B on 443 of the same 500 articles. Which one do you ship?",
        {
            "Either: this does not tell them apart": "Even if B is right nowhere that "
            "A is wrong, five coins fall alike in 1 of 16 tries. Look at the disputed "
            "articles, or let cost and speed decide.",
            "A": "With other 500 articles, B may well be ahead.",
            "Neither, 500 articles are useless": "They do tell 90 % from 80 %; only "
            "small differences drown.",
        },
        correct="Either: this does not tell them apart",
    ),
    Quiz(
        "A run is resumed from weights alone and ends elsewhere. What was missing?",
        {
            "The training data": "They are the same files as before.",
            "The tokenizer": "It never changes in training.",
            "The batch size": "It is a setting that you passed again.",
            "Adam's moments, the step and the order": "The optimizer forgot its "
            "direction, the schedule began anew, other batches came first.",
        },
        correct="Adam's moments, the step and the order",
    ),
    Quiz(
        "When is fine-tuning all layers the wrong first step?",
        {
            "When there are labels for 2,000 texts": "Then it may well pay: measure it "
            "against the frozen model.",
            "When nobody measured a frozen baseline": "Without it you cannot know what "
            "the training bought, nor what it cost elsewhere.",
            "When the model is small": "Small models can be tuned in seconds.",
        },
        correct="When nobody measured a frozen baseline",
    ),
)
