# %% [markdown]
# # 01 · What does the model see?
#
# You type a sentence; the model never gets it. It gets a list of whole numbers, and
# whatever those numbers do not carry is lost before the first multiplication. In the end
# you can say, for any text, exactly what gets through.

# %% [markdown]
# | | |
# |---|---|
# | to read / to do | 35 / 45 minutes |
# | you build | byte-level BPE, WordPiece, a harmless truncation |
# | used again in | every notebook |
#
# After this notebook you can
#
# - **predict** which differences between two texts a model cannot see,
# - **train** a tokenizer and replay its merges by hand,
# - **prove** your code equal to the tokenizers of real models,
# - **audit** your vocabulary before you build a search on it.

# %%
from collections import Counter

import numpy as np
import pandas as pd
from course_utils import assets, corpora, tokenization
from course_utils.classroom import (
    Stack, check, claim, explore, plots, predict, quiz, reveal, scorecard, show_tokens,
    start, trial)

start("01_tokenization")

# %% [markdown]
# ![The pipeline: text, tokenization, lookup, positions, attention, pooling, search. Today: tokenization.](images/pipeline_tokenization.svg)
#
# ## Six sentences on a journey
#
# The same six sentences travel through the whole course. Today they become pieces.
# The colours only show where one piece ends and the next begins.

# %%
sentences = corpora.load_sentences()
vocabularies = assets.vocabularies()
minilm = vocabularies["wordpiece"]

Stack(*(show_tokens(minilm.pieces(text), key) for key, text in sentences.items()))

# %% [markdown]
# *Read the output.* Capitals are gone, and so are the accents of *déjà vu*: this
# tokenizer lowers and strips before it cuts. `OOMKilled` fell into four pieces. And one
# piece of the last line is not a piece of the text at all.
#
# ## The emoji that does not exist
#
# 🎉 says that somebody is happy with a phone, 💀 that the phone was the end of them.
# Before you run the next cell: how similar does the model find the two sentences?

# %%
happy, doomed = "I love this phone 🎉", "I love this phone 💀"
predict("emoji", "cosine of '… phone 🎉' and '… phone 💀'?", ["0.35", "0.85", "1.00"])

# %%
model = assets.sentence_transformer()
a, b = model.encode([happy, doomed], normalize_embeddings=True)
reveal("emoji", f"{a @ b:.2f}")
print("the two vectors are equal, number by number:", np.array_equal(a, b))
Stack(show_tokens(minilm.pieces(happy)), show_tokens(minilm.pieces(doomed)))

# %% [markdown]
# *Read the output.* Not similar: **identical**. Both emoji became `[UNK]`, the piece
# that stands for "nothing I know". No training, no bigger network and no better pooling
# can bring back what was dropped here.
#
# Which other pairs does the model confuse for certain? You need no model to find out:
# equal ids are enough.

# %%
pairs = [
    ("US policy", "us policy"),
    ("my résumé", "my resume"),
    ("two  spaces", "two spaces"),
    ("C++ or C#", "C++ or C"),
    ("5 mg", "5 g"),
]
for left, right in pairs:
    same = minilm.encode(left) == minilm.encode(right)
    print(f"{left:<12} {right:<12} {'the same ids' if same else 'different ids'}")

# %% [markdown]
# ## Characters, words, or something between?
#
# A tokenizer is a choice of alphabet. Characters give a tiny vocabulary and endless
# sequences; words give short sequences and a vocabulary that never ends. Let us measure
# both on the course's news, learning the vocabulary from one part and meeting the other.

# %%
train = " ".join(article.text for article in corpora.load_news("train")).lower()
test = " ".join(article.text for article in corpora.load_news("test")).lower()

cutters = {"characters": list, "words": lambda text: text.split()}
rows = {}
for name, cut in cutters.items():
    known, met = set(cut(train)), cut(test)
    unknown = sum(token not in known for token in met)
    rows[name] = (f"{len(known):,}", f"{len(met):,}", f"{unknown / len(met):.1%}")
columns = ["vocabulary", "length of the test text", "unknown"]
pd.DataFrame.from_dict(rows, orient="index", columns=columns)

# %% [markdown]
# *Read the output.* Words: a large share of what the model meets was never seen, and
# each of those would be `[UNK]`, like the emoji. Characters: hardly anything is unknown,
# but the sequence is several times longer, and the work of attention grows with the
# *square* of that (notebook 04).
#
# The way between: start with characters and let the text itself say which neighbours
# deserve to become one piece.

# %% [markdown]
# ## Byte-pair encoding by hand
#
# Take the classic toy text: *low low low lower lowest*. Its symbols are letters, no pair
# crosses a space, and one step of training is: **count all neighbours, merge the most
# frequent pair everywhere, write the merge down.** Which pair goes first?


# %%
def count_in(text):
    """Neighbours within the words of a text, letters as symbols."""
    counts = Counter()
    for word in text.split():
        counts.update(tokenization.pair_counts(list(word)))
    return counts


counts = count_in("low low low lower lowest")
for pair, count in counts.most_common():
    print("".join(pair), count)

# %% [markdown]
# *Read the output.* There is no winner: two pairs share the first place. "Merge the most
# frequent pair" does not say what to do in a tie, and the answer changes the vocabulary.
# Our rule, which is also that of the Hugging Face library: **among equals, the pair with
# the smallest ids**, which are the oldest pieces.

# %% [markdown]
# ### Exercise 1.1 · Count the neighbours (core, 5 minutes)
#
# `ids` is a list of n whole numbers. Return a dictionary from each pair of neighbours
# `(ids[i], ids[i + 1])` to how often it occurs. Pairs may overlap.
#
# <details><summary>Hint 1</summary>
#
# `zip(ids, ids[1:])` walks over all neighbours.
# </details>
# <details><summary>Hint 2</summary>
#
# `collections.Counter` counts whatever it is given, and is a dictionary.
# </details>


# %%
def pair_counts(ids):
    """[1, 2, 1, 2] -> {(1, 2): 2, (2, 1): 1}"""
    ### BEGIN SOLUTION
    counts = {}
    for pair in zip(ids, ids[1:]):
        counts[pair] = counts.get(pair, 0) + 1
    return counts
    ### END SOLUTION


# %%
check("1.1", pair_counts)

# %% [markdown]
# ### Exercise 1.2 · Merge one pair (core, 10 minutes)
#
# Return a new list in which each occurrence of `pair` is replaced by `new_id`, from left
# to right. What should become of `[1, 1, 1]` and the pair `(1, 1)`?
#
# <details><summary>Hint 1</summary>
#
# Use a `while` loop: after a merge the position moves by two, otherwise by one.
# </details>
# <details><summary>Hint 2</summary>
#
# The last id has no right neighbour; it must still be kept.
# </details>


# %%
def merge(ids, pair, new_id):
    """[1, 2, 3, 1, 2] with (1, 2) -> 9 becomes [9, 3, 9]."""
    ### BEGIN SOLUTION
    merged, i = [], 0
    while i < len(ids):
        if tuple(ids[i : i + 2]) == tuple(pair):
            merged.append(new_id)
            i += 2
        else:
            merged.append(ids[i])
            i += 1
    return merged
    ### END SOLUTION


# %%
check("1.2", merge)

# %% [markdown]
# From here on we use the same two functions from `course_utils.tokenization`, so an open
# exercise holds up nothing.
#
# ## Training, the slow way
#
# Real tokenizers start from **bytes**, not letters: any text in any script is bytes, so
# nothing can ever be unknown. Ids 0 to 255 are the bytes; merge number k gets the id
# 255 + k. Three merges on the toy text:

# %%
chunks = [list(word.encode()) for word in ("low", "low", "low", "lower", "lowest")]
names = {byte: chr(byte) for byte in range(256)}
for new_id in (256, 257, 258):
    counts = Counter()
    for ids in chunks:
        counts.update(tokenization.pair_counts(ids))
    pair = tokenization.best_pair(counts)
    names[new_id] = names[pair[0]] + names[pair[1]]
    chunks = [tokenization.merge(ids, pair, new_id) for ids in chunks]
    shown = " ".join("·".join(names[i] for i in ids) for ids in chunks)
    print(f"{names[pair[0]]} + {names[pair[1]]} ({counts[pair]} times): {shown}")

# %% [markdown]
# *Read the output.* Two merges make *low* one piece, just as the textbooks say, though
# the first was a matter of taste. Now the textbooks on trial.


# %%
def first_place(text):
    """All pairs that share the first place, as one string."""
    counts = count_in(text)
    top = max(counts.values())
    return ", ".join(sorted("".join(p) for p, count in counts.items() if count == top))


toy = first_place("low low low lower lowest")
other = first_place("low lower newest wider new")
after_er = tokenization.merge(list("newer"), ("e", "r"), "er")
n_ew = tokenization.pair_counts(after_er)["n", "ew"]

# %%
trial(
    claim("C151", f"after two merges: {names[257]}", names[257] == "low"),
    claim("C152", f"first place: {toy}", toy == "lo" or "partly"),
    claim("C154", names[257], names[257] == "low"),
    claim("C279", f"first place: {other}", other == "er" or "partly"),
    claim("C280", f"after e + r, n + ew occurs {n_ew} times", n_ew > 0),
)

# %% [markdown]
# ## A tokenizer of our own
#
# The same loop on the course's news, 800 merges. Two details come from production. The
# text is cut into chunks first (words with the space before them, numbers, punctuation),
# and no merge crosses a chunk. And equal chunks are stored once with their count, so
# that a merge recounts only the words that contain it: that is `train_bpe`.

# %%
news = "\n".join(article.text for article in corpora.load_news("train"))
ours = tokenization.train_bpe(news, vocab_size=256 + 800)

born = [tokenization.readable(ours.vocabulary[i]) for i in range(256, len(ours))]
print("first:", "·".join(born[:16]).replace(" ", "␣"))
print("last: ", "·".join(born[-10:]).replace(" ", "␣"))

# %% [markdown]
# *Read the output.* First come letter pairs of English (and words' beginnings: the
# space belongs to the word *after* it), at the end nearly whole words. Watch it grow.

# %%
headline = "Ferry strike delays the winter parcels"


def after(step):
    """The headline as the first ``step`` merges cut it."""
    first = dict(list(ours.merges.items())[:step])
    return show_tokens(tokenization.BPE(first).pieces(headline), f"{step} merges")


explore(after, twin=[{"step": n} for n in (0, 20, 100, 300, 800)], step=(0, 800))

# %% [markdown]
# In JupyterLab there is a slider below the five lines: drag it and find the merge that
# completes *winter*.
#
# ## Is it right? Two proofs
#
# `train_bpe` is fast because it recounts little; a fast program that is wrong is easy to
# write. First proof: the slow definition (`recount_bpe`, count everything again after
# each merge) gives the same merges. Second proof: so does the library that trained many
# of the tokenizers in use, written in Rust by other people.

# %%
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

sample = news[:60_000]
slow = tokenization.recount_bpe(sample, vocab_size=256 + 120)
fast = tokenization.train_bpe(sample, vocab_size=256 + 120)
print("recounting gives the same merges:", list(slow.merges) == list(fast.merges))

# %%
# The library works on characters: give it one character per byte, in byte order.
letter = [chr(0x4E00 + byte) for byte in range(256)]
chunks = ("".join(letter[byte] for byte in chunk.encode())
          for chunk in tokenization.split_text(news))

rust = Tokenizer(models.BPE())
rust.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
rust.train_from_iterator(chunks, trainers.BpeTrainer(
    vocab_size=len(ours), initial_alphabet=letter, show_progress=False))

learnt = range(256, len(ours))
mine = ["".join(letter[byte] for byte in ours.vocabulary[i]) for i in learnt]
theirs = [rust.id_to_token(i) for i in learnt]
print(len(mine), "pieces, the same in the same order:", mine == theirs)

# %% [markdown]
# ## From text to ids: replay the merges
#
# Encoding does not look for long pieces. It replays the training: among all neighbours
# in a word, the pair **learnt first** is merged, again and again, until no pair is in the
# table. This is the heart of every GPT tokenizer.
#
# ### Exercise 1.3 · Encode with learnt merges (core, 10 minutes)
#
# `data` is bytes, `merges` maps a pair of ids to its new id; a smaller new id was learnt
# earlier. Return the list of ids.
#
# <details><summary>Hint 1</summary>
#
# `min(pairs, key=lambda pair: merges.get(pair, infinity))` finds the earliest pair.
# </details>
# <details><summary>Hint 2</summary>
#
# Merge that pair everywhere with `tokenization.merge`, then look again. Stop when the
# best pair is not in `merges`, or when there is only one id left.
# </details>


# %%
def bpe_encode(data, merges):
    """Bytes to ids: the pair that was learnt first is merged first."""
    ### BEGIN SOLUTION
    ids = list(data)
    while True:
        known = [pair for pair in zip(ids, ids[1:]) if pair in merges]
        if not known:
            return ids
        pair = min(known, key=merges.get)
        ids = tokenization.merge(ids, pair, merges[pair])
    ### END SOLUTION


# %%
check("1.3", bpe_encode)

# %% [markdown]
# Does the order matter in practice? `cl100k` is the vocabulary of a whole generation of
# chat models. It knows both *prep* and *rocessing*, and both *pre* and *processing*.
# A greedy reader who always takes the longest piece gets one cut, the merges another.

# %%
predict(
    "greedy",
    "how does cl100k cut 'preprocessing'?",
    ["prep|rocessing", "pre|processing", "preprocess|ing"],
)

# %%
cl100k = vocabularies["cl100k"]


def greedy(word):
    """Longest match from the left, with the pieces that cl100k really has."""
    ends = range(len(word), 0, -1)
    end = next(end for end in ends if len(cl100k.encode(word[:end])) == 1)
    return [word[:end], *(greedy(word[end:]) if word[end:] else [])]


print("greedy:", "|".join(greedy("preprocessing")))
reveal("greedy", "|".join(cl100k.pieces("preprocessing")))
long_words = {word for word in train.split() if len(word) > 11 and word.isalpha()}
differ = sum(greedy(word) != cl100k.pieces(word) for word in long_words)
print(f"{differ / len(long_words):.0%} of {len(long_words)} long words differ")

# %% [markdown]
# *Read the output.* The rank decides, not the length. That is the difference between BPE
# and the next algorithm, and the reason why you cannot rebuild a BPE tokenizer from its
# list of pieces alone.
#
# And the promise of bytes, *nothing is ever unknown*? Random characters from all of
# Unicode, through our vocabulary and those of real models, and back:

# %%
rng = np.random.default_rng(7)
codes = rng.choice(np.r_[0x20:0xD800, 0xE000:0x110000], size=(200, 12))
texts = ["".join(map(chr, row)) for row in codes]
for name, vocabulary in {"ours": ours, **vocabularies}.items():
    back = sum(vocabulary.decode(vocabulary.encode(text)) == text for text in texts)
    print(f"{name:<14} {back:3} of {len(texts)} come back unchanged")
bytewise = sum(cl100k.decode(cl100k.encode(text)) == text for text in texts)
claim("C281", f"{bytewise} of {len(texts)} random texts return", bytewise == len(texts))

# %% [markdown]
# *Read the output.* Byte-level BPE returns every text, and so does this SentencePiece
# model, which falls back to bytes. WordPiece loses them all: it lowers, strips and writes
# `[UNK]`. Fine for finding things, fatal for storing them.
#
# ## WordPiece: longest match first
#
# MiniLM, like BERT, takes the longest piece that the word begins with; then the longest
# continuation (written with `##`); and if any rest fits nothing, the *whole word* becomes
# `[UNK]`.
#
# ### Exercise 1.4 · WordPiece (core, 10 minutes)
#
# `word` is already lower case, `vocab` a set of pieces. Return the list of pieces.
#
# <details><summary>Hint 1</summary>
#
# Two loops: the outer one moves `start`, the inner one tries `end` from the word's end
# downwards.
# </details>
# <details><summary>Hint 2</summary>
#
# Python's `for … else` runs the `else` when no `break` happened: the place to give up.
# </details>


# %%
def wordpiece(word, vocab):
    """'lowest' with {'low', '##est'} -> ['low', '##est'], or ['[UNK]']"""
    ### BEGIN SOLUTION
    pieces, start = [], 0
    while start < len(word):
        for end in range(len(word), start, -1):
            piece = ("##" if start else "") + word[start:end]
            if piece in vocab:
                break
        else:
            return ["[UNK]"]
        pieces.append(piece)
        start = end
    return pieces
    ### END SOLUTION


# %%
check("1.4", wordpiece)

# %% [markdown]
# A few lines, and they are *the* tokenizer: on every distinct word of the news and of the
# operations handbook, the module's function equals the library's.

# %%
library = assets.tokenizer().backend_tokenizer
vocab = library.get_vocab()
handbook = "\n".join(page.text for page in corpora.load_runbooks())
clean = library.normalizer.normalize_str(news + handbook)
distinct = {word for word, _ in library.pre_tokenizer.pre_tokenize_str(clean)}
equal = sum(tokenization.wordpiece(w, vocab) == minilm.pieces(w) for w in distinct)
print(f"{equal:,} of {len(distinct):,} words are cut like the library cuts them")

# %% [markdown]
# Articles print cuts of BERT's tokenizer. Did their authors run it? A helper compares the
# printed cut with the real one; a space is shown as ␣.


# %%
def cut(claim_id, text, stated, name="wordpiece"):
    """Put a printed cut on trial."""
    pieces = vocabularies[name].pieces(text)
    shown = " · ".join(piece.replace(" ", "␣") for piece in pieces)
    return claim(claim_id, shown, pieces == stated)


trial(
    cut("C019", "unbelievable", ["unbelievable"]),
    cut("C020", "OOMKilled", ["oo", "##mk", "##illed"]),
    cut("C021", "CloudFormation", ["cloud", "##formation"]),
    cut("C022", "DynamoDB", ["dynamic", "##od", "##b"]),
    cut("C060", "unhappy", ["un", "##happy"]),
    cut("C071", "The cat sat unhappily", ["the", "cat", "sat", "un", "##happily"]),
    cut("C283", "unbelievably", ["un", "##believ", "##ably"]),
)

# %% [markdown]
# *Read the output.* A greedy match can only give pieces that are in the vocabulary, so
# most of these cuts were impossible, not just different: `##believ` does not exist. The
# textbook habit of cutting at prefixes and suffixes is how *people* cut words. One article
# prints ids, too. Ids can be decoded: which text do they stand for?

# %%
library_ids = assets.tokenizer()("The cat sat unhappily")["input_ids"]
printed = [101, 1996, 4937, 2938, 4895, 26510, 8512, 102]
print("the ids are      ", library_ids)
print("the printed ids  ", printed)
print("which would spell", assets.tokenizer().decode(printed))

# %% [markdown]
# Those are not the ids of that sentence. What else is said about this vocabulary:

# %%
ends = assets.tokenizer().decode([library_ids[0], library_ids[-1]])
whole = [word for word in ("running", "runs", "runner", "ran") if word in vocab]
marked = sum(piece.startswith("##") for piece in vocab)
chinese, believable = minilm.pieces("你好"), "##believable" in vocab

trial(
    claim("C018", f"##believable exists: {believable}", not believable),
    claim("C023", f"{len(vocab):,}", abs(len(vocab) - 30_000) < 1_000),
    claim("C024", f"{equal:,} of {len(distinct):,} words", equal == len(distinct)),
    claim("C068", f"whole words: {', '.join(whole)}", not whole),
    claim("C072", f"{len(library_ids)} other ids", library_ids == printed),
    claim("C074", ends, ends == "[CLS] [SEP]" and library_ids[0] == 101),
    claim("C076", f"{marked:,} of {len(vocab):,} pieces begin with ##", marked > 0),
    claim("C284", " · ".join(chinese), "[UNK]" not in chinese or "partly"),
)

# %% [markdown]
# ## One nasty line, five vocabularies
#
# Two BPE vocabularies of chat models (`cl100k`, `o200k`), one of another family
# (`tekken`), a SentencePiece model and our WordPiece read the same line. Look for the
# spaces first: each family keeps them in another place.


# %%
def read_by(text, vocabulary):
    """How one vocabulary cuts a text."""
    return show_tokens(vocabularies[vocabulary].pieces(text), vocabulary)


nasty = "OOMKilled: café 🎉 12345\n\tif x:  日本語"
explore(
    read_by,
    twin=[{"text": nasty, "vocabulary": name} for name in vocabularies],
    text=nasty,
    vocabulary=list(vocabularies),
)

# %% [markdown]
# *Read the output.* BPE glues a space to the front of the next word (␣). SentencePiece
# writes it as ▁, which looks like an underscore and is another character. WordPiece
# throws all white space away, so a tab in Python code is gone for good. A piece such as
# `<0xF0>` is a byte that is no character by itself: the reason why streamed answers
# sometimes show � for a moment.

# %%
spm = vocabularies["sentencepiece"]
mark = spm.pieces("Hello world")[0][0]
trial(
    cut("C186", "Hello world", ["Hello", " ", "world"], "cl100k"),
    cut("C286", "Hello world", ["▁Hello", "▁world"], "sentencepiece"),
    cut("C287", "こんにちは", ["▁こん", "にちは"], "sentencepiece"),
    cut("C288", "def foo():", ["▁def", "▁foo", "():"], "sentencepiece"),
    claim("C289", f"U+{ord(mark):04X}", mark == "_"),
    cut("C274", "unbelievable", ["un", "believ", "able"], "cl100k"),
    cut("C273", "tokenization", ["token", "ization"], "cl100k"),
    cut("C293", "1234 + 5678", ["12", "34", " +", " ", "56", "78"], "cl100k"),
)

# %% [markdown]
# ## The token tax
#
# A vocabulary that was learnt mostly from English cuts other languages into more pieces.
# Tokens are what you pay for and what fills the context window. The course has fourteen
# sentences in eleven languages, each translated to mean the same. How many tokens do they
# cost, compared with the English version?

# %%
predict(
    "tax",
    "which language costs most with cl100k?",
    ["Arabic", "Hindi", "Japanese", "Russian"],
)

# %%
rows = corpora.load_multilingual()
tokens = pd.DataFrame({
    name: {language: sum(len(vocabulary.encode(row[code])) for row in rows)
           for code, language in corpora.LANGUAGES.items()}
    for name, vocabulary in vocabularies.items()})
tax = tokens / tokens.loc["English"]
reveal("tax", tax["cl100k"].idxmax())

# %%
fig, ax = plots.heatmap(
    tax.values,
    list(tax.index),
    list(tax.columns),
    "Tokens for the same meaning, English = 1",
)
ax.set(xlabel="vocabulary", ylabel="language")
plots.show(
    fig,
    alt="Heat map of token counts relative to English: eleven languages in rows, five "
    "vocabularies in columns; the first row is 1, other scripts than Latin stand out.",
    fact="the dearest language: "
    + ", ".join(f"{name} {tax[name].idxmax()} {tax[name].max():.1f}"
                for name in ("wordpiece", "cl100k", "o200k")),
)

# %% [markdown]
# *Read the output.* One generation of vocabulary later (`o200k`, twice as many pieces)
# the worst prices have fallen by more than half. And beware of the WordPiece column:
# Chinese looks cheap there, because a character that becomes `[UNK]` costs one token and
# says nothing. **A low count is no proof of understanding.** Here is how much of each
# language MiniLM cannot see at all.

# %%
blind = {}
for code, language in corpora.LANGUAGES.items():
    pieces = [piece for row in rows for piece in minilm.pieces(row[code])]
    blind[language] = 100 * pieces.count("[UNK]") / len(pieces)
fig, ax = plots.bars(
    blind, "Pieces that are [UNK] in MiniLM", "percent of pieces", digits=1
)
plots.show(
    fig,
    alt="Bars of the share of unknown pieces per language: zero for most, the longest "
    f"bar by far is {max(blind, key=blind.get)}.",
    fact="most unknown: "
    + ", ".join(f"{n} {blind[n]:.0f} %" for n in sorted(blind, key=blind.get)[:-4:-1]),
)

# %%
greetings = {"C297": (1, "Hello"), "C298": (3, "Привет"),
             "C299": (4, "مرحبا"), "C300": (5, "こんにちは")}
japanese = tax.loc["Japanese", "cl100k"]
below = int((tax["o200k"] < 1).sum())

trial(
    *(claim(id, len(cl100k.encode(text)), len(cl100k.encode(text)) == stated)
      for id, (stated, text) in greetings.items()),
    claim("C301", f"o200k: {below} of {len(tax) - 1} languages cost less than English",
          below == 0 or "partly"),
    claim("C363", f"{japanese:.1f} times English (cl100k)", bool(3 <= japanese <= 5)),
)

# %% [markdown]
# ## Special tokens, and three different limits
#
# The model does not get the bare pieces: `[CLS]` goes in front, `[SEP]` behind, and a
# batch is filled up with `[PAD]` to a rectangle. The **attention mask** says which
# entries are real. Forget it and the padding becomes part of your vectors (notebook 05).

# %%
batch = assets.tokenizer()(["The cat sat.", "Hello"], padding=True, return_tensors="np")
for ids, mask in zip(batch["input_ids"], batch["attention_mask"]):
    tokens_of_row = assets.tokenizer().convert_ids_to_tokens(ids)
    print(" ".join(f"{token:<6}" for token in tokens_of_row), mask)

# %% [markdown]
# And a sequence has a maximum. Ask the shipped files of the *same* model what it is, and
# you get three answers.

# %%
import json

shipped = {name: json.loads((assets.folder(assets.MINILM) / name).read_text("utf-8"))
           for name in ("tokenizer.json", "sentence_bert_config.json", "config.json")}
limits = {
    "tokenizer.json, truncation": shipped["tokenizer.json"]["truncation"]["max_length"],
    "sentence_bert_config.json": shipped["sentence_bert_config.json"]["max_seq_length"],
    "config.json, position table": shipped["config.json"]["max_position_embeddings"],
}
for file, limit in limits.items():
    print(f"{limit:>4}  {file}")
print(f"{model.max_seq_length:>4}  what sentence-transformers really does")

# %% [markdown]
# *Read the output.* 128 is how it was trained, 256 is what the library applies, 512 is
# what the position table could hold. Whatever lies behind the limit is dropped **without
# a word**. How much of a text is that?

# %%
pages = {page.id: len(minilm.encode(page.text)) for page in corpora.load_runbooks()}
room = model.max_seq_length - 2  # [CLS] and [SEP] need a place each
over = [length for length in pages.values() if length > room]
lost = sum(length - room for length in over) / sum(pages.values())
print(f"{len(over)} of {len(pages)} handbook pages are longer than the limit")
print(f"{lost:.0%} of all their tokens would never be read")

# %% [markdown]
# That is why notebook 09 cuts pages into chunks. When one text must be shortened, do it
# knowingly, and do it in a way that survives the way back.
#
# ### Exercise 1.5 · Truncate to a limit (core, 10 minutes)
#
# Return the longest beginning of `text` that is at most `limit` tokens, without cutting a
# character as a reader sees it (👨‍👩‍👧‍👦 is one, though Python counts seven).
#
# <details><summary>Hint 1</summary>
#
# `[m.end() for m in regex.finditer(r"\X", text)]` lists the places where a visible
# character ends.
# </details>
# <details><summary>Hint 2</summary>
#
# Try these places from the last to the first; encode the text up to there and count.
# Not from the first to the last: a longer beginning can need *fewer* tokens, because its
# last word has become a piece of its own.
# </details>


# %%
def truncate_to_limit(text, limit, vocabulary):
    """The longest beginning of at most ``limit`` tokens that cuts no character."""
    ### BEGIN SOLUTION
    import regex

    ends = [0, *(match.end() for match in regex.finditer(r"\X", text))]
    for end in reversed(ends):
        if len(vocabulary.encode(text[:end])) <= limit:
            return text[:end]
    ### END SOLUTION


# %%
check("1.5", truncate_to_limit)

# %% [markdown]
# ## Audit your own words
#
# Before you build a search on somebody's model, show it your vocabulary. A term in five
# pieces is not lost, but the model has to know it from context; a term that is `[UNK]`
# is lost.

# %%
terms = ["OOMKilled", "CrashLoopBackOff", "ENOSPC", "kubectl", "Kafka", "Postgres",
         "UnderReplicatedPartitions", "FB-2107", "server", "✈"]
audited = tokenization.audit_terms(terms, minilm).set_index("term").rename_axis(None)
audited.rename(columns={"characters_per_token": "characters per token"})

# %% [markdown]
# ### Exercise 1.6 · Audit your terms (core, 5 minutes)
#
# Return a list of `(term, number of pieces)` for the terms that need attention: more than
# one piece, or a piece `[UNK]`. Worst first.
#
# <details><summary>Hint 1</summary>
#
# `vocabulary.pieces(term)` is a list; `"[UNK]" in pieces` finds what the model cannot see.
# </details>
# <details><summary>Hint 2</summary>
#
# `sorted(rows, key=lambda row: row[1], reverse=True)` keeps the order of equals.
# </details>


# %%
def audit(terms, vocabulary):
    """[('oomkilled', 4), ...]: terms that are cut or unknown, most pieces first."""
    ### BEGIN SOLUTION
    rows = []
    for term in terms:
        pieces = vocabulary.pieces(term)
        if len(pieces) > 1 or "[UNK]" in pieces:
            rows.append((term, len(pieces)))
    return sorted(rows, key=lambda row: row[1], reverse=True)
    ### END SOLUTION


# %%
check("1.6", audit)

# %% [markdown]
# ## Clean text first
#
# A popular article promises that stripping HTML "reduces token count by 40-60 % for
# typical web pages". Three pages: a plain notice, a shop's product page, an application
# shell. What is the saving?

# %%
saving = {}
for name in ("notice", "product", "application"):
    html = corpora.data_file(f"pages/{name}.html").read_text(encoding="utf-8")
    text = tokenization.html_to_text(html)
    before, after_cleaning = len(cl100k.encode(html)), len(cl100k.encode(text))
    saving[name] = 1 - after_cleaning / before
    print(f"{name:<12} {before:>5} tokens, cleaned {after_cleaning:>4}")

inside = sum(0.4 <= share <= 0.6 for share in saving.values())
shares = ", ".join(f"{name} {share:.0%}" for name, share in saving.items())
claim("C307", shares, inside == len(saving) or "partly")

# %% [markdown]
# *Read the output.* The saving is a property of the page, not of the cleaning. Measure
# yours.
#
# ## Break it
#
# ### Puzzle 1.7 · The café that cannot be found
#
# A ticket: *"Search finds café but not café."* Both are in the log, both look the same.

# %%
typed, stored = "café", "cafe\u0301"
print(typed, stored, "equal?", typed == stored, "| lengths", len(typed), len(stored))
for text in (typed, stored, "harbour\u00a0café", "caf\u200bé"):
    print(f"{len(cl100k.encode(text)):>2} tokens", show_tokens(cl100k.pieces(text)))

# %% [markdown]
# One é is a single code point, the other an e with a combining accent; the last two hide
# a no-break space and a zero-width space. Write the key under which all spellings of the
# same visible text meet. It must not merge *résumé* with *resume*.
#
# <details><summary>Hint 1</summary>
#
# Replace U+00A0 by a space and remove U+200B and U+FEFF.
# </details>
# <details><summary>Hint 2</summary>
#
# Last, `unicodedata.normalize("NFC", text)` composes accents: not before, since a
# hidden character may stand between a letter and its accent.
# </details>


# %%
def search_key(text):
    """One spelling for texts that look the same."""
    ### BEGIN SOLUTION
    import unicodedata

    text = text.replace("\u00a0", " ").replace("\u200b", "").replace("\ufeff", "")
    return unicodedata.normalize("NFC", text)
    ### END SOLUTION


# %%
check("1.7", search_key)

# %% [markdown]
# MiniLM's tokenizer repairs some of this by itself, BPE none of it. Normalise at both
# ends: documents when you index, queries when you search.
#
# ### Puzzle 1.8 · Truncated from 8000 to 8000
#
# This function, in the style of a published listing, keeps a text within a limit and
# reports what it did. Three things are wrong with it. Watch the report, the end of the
# text, and the count after encoding again.


# %%
def fit(text, limit, vocabulary):
    ids = vocabulary.encode(text)
    if len(ids) > limit:
        ids = ids[:limit]
        text = vocabulary.decode(ids)
        print(f"truncated from {len(ids)} to {limit} tokens")
    return text


cut_text = fit("日本語のテキスト検索", 10, cl100k)
print(show_tokens(list(cut_text)), "|", len(cl100k.encode(cut_text)), "tokens again")

# %% [markdown]
# Return the kept text, the number of tokens **before**, and the number of tokens of what
# was **kept**. `tokenization.truncate` is there for you.


# %%
def fit_and_report(text, limit, vocabulary):
    """(kept text, tokens before, tokens of the kept text)"""
    ### BEGIN SOLUTION
    before = len(vocabulary.encode(text))
    kept = tokenization.truncate(text, limit, vocabulary)
    return kept, before, len(vocabulary.encode(kept))
    ### END SOLUTION


# %%
check("1.8", fit_and_report)

# %% [markdown]
# ## The journey so far
#
# The trace of the six sentences gets its first columns. Notebook 02 adds what the model
# puts in the place of each id.

# %%
trace = pd.DataFrame(
    {
        "pieces": ["·".join(minilm.pieces(text)) for text in sentences.values()],
        "tokens": [len(minilm.encode(text)) for text in sentences.values()],
        "first ids": [str(minilm.encode(text)[:4]) for text in sentences.values()],
        "unknown": [minilm.pieces(text).count("[UNK]") for text in sentences.values()],
    },
    index=list(sentences),
)
trace

# %% [markdown]
# ## Quiz
#
# Open the answer that you would give; every answer has its reason.

# %%
quiz()

# %%
scorecard()

# %% [markdown]
# ## What you have now
#
# | object | what it is | its name in the libraries |
# |---|---|---|
# | `pair_counts`, `merge` | one step of BPE training | inside `tokenizers.trainers.BpeTrainer` |
# | `train_bpe(text, vocab_size)` | merges, learnt | `BpeTrainer`, `tiktoken` rank files |
# | `BPE.encode`, `.decode` | replay the merges, and back | `tiktoken.Encoding` |
# | `wordpiece(word, vocab)` | longest match first | `transformers.BertTokenizer` |
# | `truncate`, `normalise`, `html_to_text` | text fit for a model | `truncation=True` (which cuts silently) |
#
# **Next:** [02 · Lookup](02_lookup.ipynb): the ids become rows of a table. Does the table
# know that kings relate to queens as men to women?
#
# **Read on**
#
# - R. Sennrich, B. Haddow, A. Birch: *Neural machine translation of rare words with
#   subword units*, 2016, [arXiv 1508.07909](https://arxiv.org/abs/1508.07909)
# - Y. Wu et al.: *Google's neural machine translation system*, 2016,
#   [arXiv 1609.08144](https://arxiv.org/abs/1609.08144) (WordPiece)
# - T. Kudo, J. Richardson: *SentencePiece*, 2018,
#   [arXiv 1808.06226](https://arxiv.org/abs/1808.06226)
# - A. Karpathy: [minbpe](https://github.com/karpathy/minbpe), the clearest BPE in print
