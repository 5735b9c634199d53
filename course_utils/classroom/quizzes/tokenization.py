"""Questions of notebook 01."""

from course_utils.classroom.quiz import Quiz

QUESTIONS = (
    Quiz(
        "Two texts get equal ids. What can you say about their vectors?",
        {
            "They are close": "Closer than that: the same input, the same output.",
            "They are equal": "The ids are all that the model sees of a text.",
            "It depends on the model": "No model behind this tokenizer can tell.",
        },
        correct="They are equal",
    ),
    Quiz(
        "You know all pieces of a BPE vocabulary, but not their order. Can you encode?",
        {
            "Yes, longest piece first": "That is WordPiece; BPE cuts many words "
            "differently, as 'forecasters' showed.",
            "Yes, if it is byte-level": "Bytes make sure that a cut exists, not which "
            "one it is.",
            "No": "The order in which the merges were learnt decides which is done "
            "first.",
        },
        correct="No",
    ),
    Quiz(
        "A Chinese text costs few tokens in MiniLM. Good news?",
        {
            "No": "Most of its characters were replaced by [UNK]: look at the pieces.",
            "Yes, it is cheap": "It is cheap because much of it is not there any more.",
            "Yes, Chinese is a terse language": "Not that terse: vocabularies that can "
            "read it need more tokens.",
        },
        correct="No",
    ),
    Quiz(
        "Why does a byte-level vocabulary never need [UNK]?",
        {
            "It is larger": "Size helps to shorten texts; completeness comes from "
            "elsewhere.",
            "It was trained on all languages": "It also cuts scripts that it has never "
            "met.",
            "Every text is bytes, and all 256 bytes are ids": "So there is always a "
            "cut, at worst byte by byte.",
        },
        correct="Every text is bytes, and all 256 bytes are ids",
    ),
    Quiz(
        "You train with the library's WordPieceTrainer. What have you got?",
        {
            "Pieces chosen by the WordPiece score": "Its pieces, in their order, are "
            "those that the most frequent pairs give.",
            "BPE's pieces, cut longest match first": "Training by count, cutting "
            "greedily: the name covers the second half only.",
            "A Unigram model": "That one prunes from above; this one merges from "
            "below.",
        },
        correct="BPE's pieces, cut longest match first",
    ),
)
