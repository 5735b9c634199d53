# %% [markdown]
# # 01 · What does the model see?
#
# You type a sentence; the model never gets it. It gets a list of whole numbers, and
# whatever those numbers do not carry is lost before the first multiplication. In the end
# you can say, for any text, exactly what gets through.

# %% [markdown]
# | | |
# |---|---|
# | to read / to do | 45 / 60 minutes |
# | you build | byte-level BPE, WordPiece, Unigram's cut, a harmless truncation |
# | used again in | every notebook |
#
# After this notebook you can
#
# - **predict** which differences between two texts a model cannot see,
# - **train** the three tokenizers in use, on paper and on real text,
# - **prove** your code equal to the libraries behind real models,
# - **ship** one: trained, saved, loaded, with its special tokens,
# - **audit** your vocabulary before you build a search on it.

# %%
import re
from collections import Counter

import numpy as np
import pandas as pd
from course_utils import assets, corpora, tokenization
from course_utils.classroom import (
    Stack, check, claim, explore, plots, predict, quiz, reveal, scorecard,
    show_source, show_tokens, start, trial)

start("01_tokenization")

# %% [markdown]
# ![The pipeline: text, tokenization, lookup, positions, attention, pooling, search. Today: tokenization.](images/pipeline_tokenization.svg)
#
# ## Six sentences on a journey
#
# The same six sentences travel through the whole course. Today they become [**tokens**](91_glossary.ipynb#t):
# pieces of text, each with a number of its own, its [**token id**](91_glossary.ipynb#t). The colours only show
# where one piece ends and the next begins.
#
# What cannot be seen gets a sign: ␣ is a space, ⍽ a no-break space, ⏎ a line break,
# ⇥ a tab, and `<0xF0>` a byte that is no character by itself.

# %%
sentences = corpora.load_sentences()
vocabularies = assets.vocabularies()
minilm = vocabularies["wordpiece"]
print("all that the model gets of 'cat':", minilm.encode(sentences["cat"]))
Stack(*(show_tokens(minilm.pieces(text), key)
        for key, text in sentences.items()))

# %% [markdown]
# *Read the output.* Capitals are gone, and so are the accents of *déjà vu*: this
# tokenizer lowers and strips before it cuts. `OOMKilled` fell into four pieces. And one
# piece of the last line is not a piece of the text at all.
#
# (It is BERT's tokenizer: MiniLM was trained to imitate a model of that family, and its
# vocabulary is that of *bert-base-uncased*.)
#
# ## The emoji that does not exist
#
# 🎉 says that somebody is happy with a phone, 💀 that the phone was the end of them.
# Before you run the next cell: how similar does the model find the two sentences?

# %%
happy, doomed = "I love this phone 🎉", "I love this phone 💀"
predict("emoji", "cosine of '… phone 🎉' and '… phone 💀'?",
        ["0.35", "0.85", "1.00"])

# %%
model = assets.sentence_transformer()
a, b = model.encode([happy, doomed], normalize_embeddings=True)
reveal("emoji", f"{a @ b:.2f}")
print("equal, number by number:", np.array_equal(a, b))
Stack(show_tokens(minilm.pieces(happy)), show_tokens(minilm.pieces(doomed)))

# %% [markdown]
# *Read the output.* Not similar: identical. Both emoji became [**[UNK]**](91_glossary.ipynb#u), the piece
# that stands for "nothing I know". No training, no bigger network and no better pooling
# can bring back what was dropped here.
#
# Which other pairs does the model confuse for certain? You need no model to find out:
# equal ids are enough.

# %%
pairs = [("US policy", "us policy"), ("my résumé", "my resume"),
         ("two  spaces", "two spaces"), ("C++ or C#", "C++ or C"),
         ("5 mg", "5 g")]
for left, right in pairs:
    same = minilm.encode(left) == minilm.encode(right)
    print(f"{left:<12} {right:<12} {'the same' if same else 'different'} ids")

# %% [markdown]
# ## Characters, words, or something between?
#
# A tokenizer is a choice of alphabet. Characters give a tiny [**vocabulary**](91_glossary.ipynb#v) and endless
# sequences; words give short sequences and a vocabulary that never ends. Measure both on
# the course's news: the vocabulary comes from one part, the text to read is the other.
#
# "Words" can mean two things. Cut at blanks, *floods,* with its comma is another word
# than *floods*. So count them both ways.

# %%
news, unread = ("\n".join(article.text for article in corpora.load_news(part))
                for part in ("train", "test"))
cutters = {"characters": r"(?s).", "cut at blanks": r"\S+",
           "words and signs": r"\w+|[^\w\s]"}
rows = {}
for name, pattern in cutters.items():
    known = set(re.findall(pattern, news.lower()))
    met = re.findall(pattern, unread.lower())
    unknown = sum(token not in known for token in met) / len(met)
    rows[name] = f"{len(known):,}", f"{len(met):,}", f"{unknown:.1%}"
columns = ["vocabulary", "length of the unread text", "unknown"]
pd.DataFrame.from_dict(rows, orient="index", columns=columns)

# %% [markdown]
# *Read the output.* Even without the glued signs, many of the words met were never seen,
# and each would be `[UNK]`, like the emoji. Characters: hardly anything is unknown, but
# the sequence is several times longer, and the work of attention grows with the *square*
# of that (notebook 04).
#
# The way between is the [**subword**](91_glossary.ipynb#s). Three algorithms find subwords, and you meet all
# three on the same five words.
#
# ## Byte-pair encoding on paper
#
# Five words and how often each occurs in some text. [**BPE**](91_glossary.ipynb#b) starts with letters. One step
# of training: count all neighbours, merge the most frequent pair everywhere, write the
# merge down. A pair in *hug* counts ten times, because *hug* occurs ten times. Which
# pair goes first?

# %%
corpus = {"hug": 10, "pug": 5, "pun": 12, "bun": 4, "hugs": 5}
cuts = {word: list(word) for word in corpus}
vocabulary = sorted(set("".join(corpus)))

for step in (1, 2, 3):
    counts = Counter()
    for word, cut in cuts.items():
        for pair in zip(cut, cut[1:]):
            counts[pair] += corpus[word]  # as often as the word occurs
    print("counts: ", ", ".join(f"{a}·{b} {n}" for (a, b), n in counts.items()))
    pair, count = counts.most_common(1)[0]
    vocabulary.append("".join(pair))
    cuts = {word: tokenization.merge(cut, pair, vocabulary[-1])
            for word, cut in cuts.items()}
    print(f"merge {step}:", " ".join(vocabulary))
    print("corpus: ", ", ".join("·".join(cut) for cut in cuts.values()), "\n")

# %% [markdown]
# *Read the output.* The vocabulary grows by one piece per [**merge**](91_glossary.ipynb#m), and each merge
# changes the counts for the next: after *u·g* has become one piece, *h·u* no longer
# exists, but *h·ug* does.
#
# Now the two steps as functions of yours.
#
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
# One question is left: what if two pairs are equally frequent? Take the toy text of many
# articles. One of them says that the first merge is *l + o*. Is it?

# %%
counts = Counter()
for word in "low low low lower lowest".split():
    counts.update(tokenization.pair_counts(word))
most = max(counts.values())
first = ["".join(pair) for pair, count in counts.items() if count == most]
verdict = first == ["lo"] or ("partly" if "lo" in first else False)
claim("C152", f"first place, {most} times each: {', '.join(first)}", verdict)

# %% [markdown]
# *Read the output.* There is no winner. "Merge the most frequent pair" does not say what
# to do in a tie, and the answer changes the vocabulary. Our rule: **among equals, the
# pair with the smallest ids**, which are the oldest pieces. The Hugging Face library does
# the same with its own ids.
#
# ## A tokenizer of our own
#
# Real tokenizers start from *bytes*, not letters: any text in any script is bytes, so
# nothing can ever be unknown. Ids 0 to 255 are the bytes; merge number k gets the id
# 255 + k.
#
# Before that, a first cut: [**pre-tokenisation**](91_glossary.ipynb#p). No merge crosses its borders, so *dog,*
# and *dog!* share a piece. This is the rule of `cl100k`, GPT-4's vocabulary.

# %%
rules = [
    r"'(?i:[sdmt]|ll|ve|re)",  # what follows an apostrophe
    r"[^\r\n\p{L}\p{N}]?+\p{L}++",  # a word, with one sign or space before it
    r"\p{N}{1,3}+",  # numbers, three digits at a time
    r" ?[^\s\p{L}\p{N}]++[\r\n]*+",  # signs
    r"\s++$|\s*[\r\n]|\s+(?!\S)|\s",  # white space
]
print("the rule in use:", "|".join(rules) == tokenization.PATTERN)
print("one accent, two bytes:", list("é".encode()))
chunks = tokenization.split_text("It's 12:30, café 12345 is OK!")
Stack(show_tokens(list(chunks)), show_source(tokenization.split_text))

# %% [markdown]
# *Read the output.* The space belongs to the word *after* it, and a long number is cut in
# threes from the left.
#
# Now train on the news. Unfold the two sources: `recount_bpe` is the loop from paper.
# `train_bpe` gives the same merges and can be used: equal chunks are stored once with
# their count, and a merge recounts only the chunks that hold its pair.

# %%
ours = tokenization.train_bpe(news, vocab_size=256 + 800)
learnt = range(256, len(ours))
born = [tokenization.to_text(ours.vocabulary[i]) for i in learnt]
Stack(show_tokens(born[:16], "first"), show_tokens(born[-10:], "last"),
      show_source(tokenization.recount_bpe),
      show_source(tokenization.train_bpe))

# %% [markdown]
# *Read the output.* First come letter pairs of English and the beginnings of words, at
# the end nearly whole words. Watch a headline grow together.

# %%
headline = "Ferry strike delays the winter parcels"


def after(step):
    """The headline as the first ``step`` merges cut it."""
    earliest = dict(list(ours.merges.items())[:step])
    return show_tokens(tokenization.BPE(earliest).pieces(headline), f"{step}")


twin = [{"step": step} for step in (0, 20, 100, 300, 800)]
explore(after, twin=twin, step=(0, 800))

# %% [markdown]
# In JupyterLab there is a slider below the five lines: drag it and find the merge that
# completes *winter*.
#
# ## Is it right? Two proofs
#
# A fast program that is wrong is easy to write. First proof: the slow definition gives
# the same merges. Second proof: so does the library that trained many of the tokenizers
# in use, written in Rust by other people.
#
# The library works on characters, so each byte borrows one: any 256 letters will do, here
# those that begin at U+4E00, in the order of the bytes.

# %%
from tokenizers import Tokenizer, models, trainers

slow = tokenization.recount_bpe(news[:60_000], vocab_size=256 + 120)
fast = tokenization.train_bpe(news[:60_000], vocab_size=256 + 120)
print("recounting gives the same merges:", slow.merges == fast.merges)

letter = [chr(0x4E00 + byte) for byte in range(256)]
rust = Tokenizer(models.BPE())
rust.train_from_iterator(
    ("".join(letter[byte] for byte in chunk.encode())
     for chunk in tokenization.split_text(news)),
    trainers.BpeTrainer(vocab_size=len(ours), initial_alphabet=letter,
                        show_progress=False))
mine = ["".join(letter[byte] for byte in ours.vocabulary[i]) for i in learnt]
print(len(mine), "pieces, the same in the same order:",
      mine == [rust.id_to_token(i) for i in learnt])

# %% [markdown]
# ## From text to ids: replay the merges
#
# Encoding does not look for long pieces. It replays the training: among all neighbours
# in a word, the pair *learnt first* is merged, again and again, until no pair is in the
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
    while known := [pair for pair in zip(ids, ids[1:]) if pair in merges]:
        pair = min(known, key=merges.get)
        ids = tokenization.merge(ids, pair, merges[pair])
    return ids
    ### END SOLUTION


# %%
check("1.3", bpe_encode)

# %% [markdown]
# The rank decides, not the length. (Further down you cut the same words by both rules.)
#
# And the promise of bytes, *nothing is ever unknown*? Random characters from all of
# Unicode, through our vocabulary and those of real models, and back:

# %%
rng = np.random.default_rng(7)
codes = rng.choice(np.r_[0x20:0xD800, 0xE000:0x110000], size=(200, 12))
texts = ["".join(map(chr, row)) for row in codes]
back = {name: sum(some.decode(some.encode(text)) == text for text in texts)
        for name, some in {"ours": ours, **vocabularies}.items()}
fig, ax = plots.bars(back, "Random texts that come back unchanged", "of 200")
plots.show(fig, alt="Bars of how many random texts survive, by vocabulary.",
           fact=f"of {len(texts)}: " + str(back).strip("{}").replace("'", ""))
bytewise = min(back[name] for name in ("ours", "cl100k", "o200k", "tekken"))
claim("C281", f"{bytewise} of {len(texts)} return", bytewise == len(texts))

# %% [markdown]
# *Read the output.* Byte-level BPE returns every text, and so does this SentencePiece
# model, which falls back to bytes. WordPiece loses them all: it lowers, strips and writes
# `[UNK]`. Fine for finding things, fatal for storing them.
#
# ## Four stages, by name
#
# Every tokenizer of the library is four machines in a row: [**normalise**](91_glossary.ipynb#n) (one spelling
# for what shall count as the same), *pre-tokenise* (the first cut, which no piece may
# cross), the *model* (BPE, WordPiece or Unigram: pieces and ids) and *post-process*
# (what the network wants around them). Follow one line through MiniLM's.

# %%
library = assets.tokenizer().backend_tokenizer
clean = library.normalizer.normalize_str("Déjà  OOMKilled!")
first_cut = [w for w, _ in library.pre_tokenizer.pre_tokenize_str(clean)]
pieces = [t.value for w in first_cut for t in library.model.tokenize(w)]
stages = [clean], first_cut, pieces, library.encode("Déjà  OOMKilled!").tokens
names = "1 normalise", "2 pre-tokenise", "3 model", "4 post-process"
Stack(*map(show_tokens, stages, names))

# %% [markdown]
# *Read the output.* Only the third stage is "the algorithm". When two tokenizers differ,
# ask which stage differs. A capital lost in stage 1 cannot be found in stage 3.
#
# ## WordPiece: longest match first
#
# The model of MiniLM, like that of BERT, is [**WordPiece**](91_glossary.ipynb#w). It takes the longest piece
# that the word begins with; then the longest continuation (in the vocabulary those begin
# with `##`); and if any rest fits nothing, the *whole word* becomes `[UNK]`.
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
# A few lines, and they are *the* tokenizer? Try every distinct word of the news and of the
# operations handbook, against the library.
#
# Then three articles that print BERT's pieces or ids, or say that rare words are "never
# unknown". Did their authors run it? A greedy match can only give pieces that are in the
# vocabulary, and ids can be decoded.

# %%
vocab = library.get_vocab()
handbook = "\n".join(page.text for page in corpora.load_runbooks())
distinct = tokenization.count_words(news + "\n" + handbook, library)
equal = [tokenization.wordpiece(word, vocab) == minilm.pieces(word)
         for word in distinct]
print(f"{sum(equal):,} of {len(equal):,} words are cut as by the library")

missing = [p for p in ("oo", "##mk", "##illed") if p not in vocab]
ids = [101, 1996, 4937, 2938, 4895, 26510, 8512, 102]  # as printed
spelt, hello = assets.tokenizer().decode(ids), minilm.pieces("你好")
trial(claim("C020", f"in no entry: {', '.join(missing)}", not missing),
      claim("C072", f"they spell {spelt}", "unhappily" in spelt),
      claim("C284", f"你好 (Chinese): {show_tokens(hello)}",
            "partly" if "[UNK]" in hello else True))

# %% [markdown]
# *Read the output.* The cut in the article was impossible, not just different. Cutting at
# prefixes and suffixes is how *people* cut words.
#
# ## Where do WordPiece's pieces come from?
#
# Training merges neighbours, like BPE, but asks another question: not *how often* do two
# stand together, but *how much more often than their own counts suggest*:
#
# $$\text{score}(a, b) = \frac{\text{count}(a\,b)}{\text{count}(a)\,\text{count}(b)}$$
#
# Back to the five words on paper. Which pair is first now: *u·g*, the most frequent, or
# *g·s*? (A piece that continues a word is written with `##`.)

# %%
cuts = {word: tokenization.letters(word) for word in corpus}
vocabulary = []
for step in (1, 2, 3):
    weighted = [(cut, corpus[word]) for word, cut in cuts.items()]
    scores = tokenization.pair_scores(weighted)
    ranked = sorted(scores, key=scores.get, reverse=True)  # ties stay in order
    best = ", ".join(f"{a} {b} = {scores[a, b]}" for a, b in ranked[:4])
    vocabulary.append(tokenization.join(*ranked[0]))
    cuts = {word: tokenization.merge(cut, ranked[0], vocabulary[-1])
            for word, cut in cuts.items()}
    print(f"step {step}: {best}\nmerged:", " ".join(vocabulary))
    print("corpus:", ", ".join(" ".join(cut) for cut in cuts.values()), "\n")
print("and in step 3, hu ##g =", scores["hu", "##g"])
show_source(tokenization.pair_scores)

# %% [markdown]
# *Read the output.* The rare *##gs* goes first: its *##s* never stands elsewhere. In step
# 2 all pairs are equal, and the first of them is taken. In step 3 *hu + ##gs* wins. A
# well-known course gives *hu + ##g* the same score there and merges that. Count: the *##g*
# of *pug* must be counted, too. Exact fractions make you the referee.
#
# Now on the news, a thousand pieces. What does the score choose, what does the count,
# and which of the two is the library's `WordPieceTrainer`? (It numbers the letters in an
# order of its own; ties need the same order here.)

# %%
words = tokenization.count_words(news, library)
words = Counter({word: n for word, n in words.items() if n > 1})
rust = Tokenizer(models.WordPiece(unk_token="[UNK]"))
rust.train_from_iterator(words.elements(), trainers.WordPieceTrainer(
    vocab_size=1_001, special_tokens=["[UNK]"], show_progress=False))
theirs = sorted(rust.get_vocab(), key=rust.get_vocab().get)[1:]
letters = [p for p in theirs if len(p.removeprefix("##")) == 1]
same = tokenization.train_wordpiece(words, 1_000, "count", letters)
print("by count, piece for piece the library's:", same.pieces == theirs)
learnt = {by: tokenization.train_wordpiece(words, 1_000, by)
          for by in ("score", "count")}
for by, result in learnt.items():
    longer = [p for p in result.pieces if len(p.removeprefix("##")) > 1]
    print(f"first by {by}:", " ".join(longer[:10]))
show_source(tokenization.train_wordpiece)

# %% [markdown]
# *Read the output.* The library's WordPiece trainer trains BPE, piece for piece; only
# its *cut* is WordPiece. And the score alone does no good on this text: it falls for rare
# letters that stand together, digits first. Google's own trainer was never published, so
# what it did against that is not known.
#
# ## Unigram: the likeliest cut
#
# [**Unigram**](91_glossary.ipynb#u) turns the question round. Begin with far too many pieces, give each a
# probability, and take away what the text can do without. On paper: all parts of the five
# words. How many ways are there to cut the new word *unhug*, and which is the likeliest?

# %%
from fractions import Fraction
from itertools import combinations
from math import log, prod

counts = Counter()
for word, times in corpus.items():
    for begin, end in combinations(range(len(word) + 1), 2):
        part = word[begin:end]
        if any(part in longer and part != longer for longer in corpus):
            counts[part] += times
share = {part: Fraction(n, counts.total()) for part, n in counts.items()}
print(f"{len(share)} pieces; P(p) = {counts['p']}/{counts.total()}")

# %%
def all_cuts(word):
    """Every way to cut a word into pieces that have a probability."""
    return [[word[:end], *rest] for end in range(1, len(word) + 1)
            if word[:end] in share for rest in all_cuts(word[end:])] or [[]]


chance = {"·".join(cut): float(prod(share[piece] for piece in cut))
          for cut in all_cuts("unhug")}
chance = dict(sorted(chance.items(), key=lambda item: -item[1]))
fig, ax = plots.bars(chance, "All cuts of unhug", "probability", digits=5)
plots.show(fig, alt="Bars: the probability of each cut of unhug, falling fast.",
           fact=f"likeliest of {len(chance)}: {max(chance, key=chance.get)}")

# %% [markdown]
# *Read the output.* A cut is as likely as the product of its pieces, so few pieces
# usually win. But the number of cuts doubles with every letter; a long word has millions.
#
# [**Viterbi**](91_glossary.ipynb#v)'s idea: the best cut up to a place is the best cut up to an earlier place
# and one more piece. So walk from left to right and keep only the best way to each place.
#
# ### Exercise 1.9 · The likeliest cut (core, 15 minutes)
#
# `scores` maps a piece to the logarithm of its probability, so products become sums.
# Every single letter is a piece. Return the list of pieces with the largest sum.
#
# <details><summary>Hint 1</summary>
#
# `best[end]` is the best sum up to `end`; it begins with `best[0] = 0`, the logarithm of
# 1. Remember for each `end` where its last piece starts.
# </details>
# <details><summary>Hint 2</summary>
#
# For each `end`, try every `start < end` with `word[start:end] in scores`. At the end of
# the word, follow the remembered starts back and turn the list round.
# </details>


# %%
def likeliest_cut(word, scores):
    """'ab' with {'a': -1, 'b': -1, 'ab': -1.5} -> ['ab']"""
    ### BEGIN SOLUTION
    best, origin = [0.0], [0]
    for end in range(1, len(word) + 1):
        ways = [(best[start] + scores[word[start:end]], start)
                for start in range(end) if word[start:end] in scores]
        most, start = max(ways)
        best.append(most)
        origin.append(start)
    pieces, end = [], len(word)
    while end:
        pieces.append(word[origin[end]:end])
        end = origin[end]
    return pieces[::-1]
    ### END SOLUTION


# %%
check("1.9", likeliest_cut)

# %% [markdown]
# Where do the probabilities come from? From counting pieces; but what to count, when a
# word has many cuts? All of them, each by its share. That is the expectation step:
# `expected` does it without listing the cuts. Then the counts become new probabilities,
# and the text becomes more likely. Afterwards: what would the text lose without a piece?

# %%
unigram = tokenization.Unigram({p: log(n) for p, n in share.items()})
for step in (1, 2, 3):
    counts, likelihood = tokenization.expectation_step(unigram, corpus)
    unigram = tokenization.maximisation_step(unigram, counts)
    print(f"round {step}: {likelihood:.3f}, {len(unigram.scores)} pieces left")
losses = tokenization.removal_losses(unigram, corpus)
print("loss without:", {p: round(n, 2) for p, n in losses.items()})
Stack(*map(show_source, (
    tokenization.Unigram.cut, tokenization.Unigram.expected,
    tokenization.removal_losses, tokenization.train_unigram)))

# %% [markdown]
# *Read the output.* The log likelihood per word rises towards 0. Pieces that no good cut
# needs are expected less than half a time and go. Of the rest, those with the smallest
# loss are pruned; single letters always stay (their loss is infinite).
#
# Now the library, on the news. Its trainer with no rounds at all shows the pieces that it
# begins with; from there, our code runs beside it.

# %%
import json


def unigram_of(rounds, size):
    """Pieces with scores from the library's trainer, best first."""
    rust = Tokenizer(models.Unigram())
    rust.train_from_iterator(words.elements(), trainers.UnigramTrainer(
        vocab_size=size, n_sub_iterations=rounds, show_progress=False,
        unk_token="<unk>", special_tokens=["<unk>"]))
    scored = json.loads(rust.to_str())["model"]["vocab"][1:]  # without <unk>
    return dict(sorted(scored, key=lambda p: (p[1], p[0]), reverse=True))


seeds, theirs = unigram_of(0, size=10**6), unigram_of(2, size=1_000)
mine = tokenization.train_unigram(words, 1_000, seeds, like_library=True).scores
same = mine.keys() == theirs.keys() and all(
    np.isclose(mine[piece], theirs[piece]) for piece in mine)
print(f"{len(seeds):,} pieces become {len(mine)}; all as there: {same}")

# %% [markdown]
# *Read the output.* The same pieces with the same scores. And `like_library`? When two
# pieces replace one, the text has one piece more. The library adds the size of the *whole
# vocabulary* instead: a slip in one line, found by comparing.
#
# ## One word, four cuts
#
# Four tokenizers, trained on the same words to the same size, ours without the slip. The
# second has the pieces of the first, cut by another rule. *forecasters* is in none of the
# vocabularies. Where would you cut it?

# %%
likely = tokenization.train_unigram(words, 1_000, seeds)
changed = set(likely.scores) - set(theirs)
print(f"without the slip, {len(changed)} of {len(theirs)} pieces are others")
by_count, by_score = (set(learnt[by].pieces) for by in ("count", "score"))
ways = {
    "BPE, merges replayed": learnt["count"].replay,
    "BPE's pieces, longest": lambda w: tokenization.wordpiece(w, by_count),
    "WordPiece by its score": lambda w: tokenization.wordpiece(w, by_score),
    "Unigram, likeliest": likely.cut}
Stack(*(show_tokens(way("forecasters"), name) for name, way in ways.items()))

# %%
met = tokenization.count_words(unread, library)
other = [ways["BPE, merges replayed"](w) != ways["BPE's pieces, longest"](w)
         for w in met]
print(f"same pieces, other cut: {np.mean(other):.0%} of {len(met):,} words")
mean = {name: sum(len(way(word)) * n for word, n in met.items()) / met.total()
        for name, way in ways.items()}
fig, ax = plots.bars(mean, "1,000 pieces, unread news", "pieces per word", 2)
plots.show(fig, alt="Bars of pieces per word for the four ways to cut.",
           fact=f"fewest: {min(mean, key=mean.get)}; "
           f"most: {max(mean, key=mean.get)}")

# %% [markdown]
# *Read the output.* Which letters belong together is a matter of the rule, not of the
# language. You cannot rebuild a BPE tokenizer from its list of pieces alone: the order is
# missing. A model learns with one cut and must be used with the same.
#
# ## One nasty line, five vocabularies
#
# MiniLM's WordPiece, the BPE of GPT-4 (`cl100k`), of GPT-4o (`o200k`) and of Mistral NeMo
# (`tekken`), and the [**SentencePiece**](91_glossary.ipynb#s) model of the first Mistral 7B, which treats the
# space as a character, read the same line. Look for the spaces first: each family keeps
# them in another place.


# %%
def read_by(text, vocabulary):
    return show_tokens(vocabularies[vocabulary].pieces(text), vocabulary)


nasty = "OOMKilled: café 🎉 12345\n\tif x:  日本語"
twin = [{"text": nasty, "vocabulary": name} for name in vocabularies]
explore(read_by, twin=twin, text=nasty, vocabulary=list(vocabularies))
mark = vocabularies["sentencepiece"].pieces("Hello")[0][0]
claim("C289", f"the mark is U+{ord(mark):04X}", mark == "_")

# %% [markdown]
# *Read the output.* BPE glues a space to the front of the next word (␣). SentencePiece
# writes it as ▁, which looks like an underscore and is another character. WordPiece
# throws all white space away, so a tab in Python code is gone for good. A piece such as
# `<0xF0>` is a byte that is no character by itself: the reason why streamed answers
# sometimes show � for a moment.
#
# ## The token tax
#
# A vocabulary that was learnt mostly from English cuts other languages into more pieces.
# Tokens are what you pay for and what fills the context window. The course has fourteen
# sentences in eleven languages, each translated to mean the same.

# %%
predict("tax", "which language costs most with cl100k?",
        ["Arabic", "Hindi", "Japanese", "Russian"])

# %%
rows = corpora.load_multilingual()
tokens = pd.DataFrame({
    name: {language: sum(len(vocabulary.encode(row[code])) for row in rows)
           for code, language in corpora.LANGUAGES.items()}
    for name, vocabulary in vocabularies.items()})
tax = tokens / tokens.loc["English"]
reveal("tax", tax["cl100k"].idxmax())
fig, ax = plots.heatmap(tax.values, list(tax.index), list(tax.columns),
                        "Tokens for the same meaning, English = 1")
dearest = [f"{name} {tax[name].idxmax()} {tax[name].max():.1f}"
           for name in ("wordpiece", "cl100k", "o200k")]
plots.show(fig, alt="Heat map of token counts, English = 1: eleven languages, "
           "five vocabularies; scripts other than Latin stand out.",
           fact="the dearest language: " + ", ".join(dearest))

# %% [markdown]
# *Read the output.* One generation of vocabulary later (`o200k`, twice as many pieces)
# the worst prices have fallen by more than half. And beware of the WordPiece column:
# Chinese looks cheap there, because a character that becomes `[UNK]` costs one token and
# says nothing. A low count is no proof of understanding. Here is how much of each
# language MiniLM cannot see at all.

# %%
blind = {}
for code, language in corpora.LANGUAGES.items():
    pieces = [piece for row in rows for piece in minilm.pieces(row[code])]
    blind[language] = 100 * pieces.count("[UNK]") / len(pieces)
worst = sorted(blind, key=blind.get, reverse=True)[:3]
fig, ax = plots.bars(blind, "Pieces that are [UNK] in MiniLM", "percent", 1)
plots.show(fig, alt="Bars of the share of unknown pieces for eleven languages.",
           fact="most unknown, percent: "
           + ", ".join(f"{name} {blind[name]:.0f}" for name in worst))
cheaper = tax.index[tax["o200k"] < 1].tolist()
claim("C301", f"o200k: cheaper than English: {cheaper or 'none of ten'}",
      not cheaper or "partly")

# %% [markdown]
# ## Offsets: back to the text as it was typed
#
# A search found a hit; now mark it on the page. The ids stand for a lowered, stripped
# text, so looking for the query's letters fails. But each token remembers its
# [**offsets**](91_glossary.ipynb#o): where in the *original* text it begins and ends.

# %%
page, query = "Lunch at the CAFÉ “Rouge”, by the harbour", "cafe rouge"
wanted, reading = set(minilm.encode(query)), library.encode(page)
marked = page
for token, (begin, end) in reversed(list(zip(reading.ids, reading.offsets))):
    if token in wanted:
        marked = f"{marked[:begin]}«{marked[begin:end]}»{marked[end:]}"
print("found by its letters:", query in page, "| by its tokens:", marked)

# %% [markdown]
# ## The whole thing, with the library
#
# On Monday you will not write a trainer. Here is a complete tokenizer in the library's
# words: the four stages, trained on the news, with a template for the [**special tokens**](91_glossary.ipynb#s).
# `[CLS]` goes in front, `[SEP]` behind, and a pair of texts gets type ids 0 and 1.

# %%
from tokenizers import decoders, normalizers, pre_tokenizers, processors

complete = Tokenizer(models.WordPiece(unk_token="[UNK]"))
complete.normalizer = normalizers.BertNormalizer(lowercase=True)
complete.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
complete.decoder = decoders.WordPiece()
complete.train_from_iterator([news], trainers.WordPieceTrainer(
    vocab_size=2_000, show_progress=False,
    special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]"]))
complete.post_processor = processors.TemplateProcessing(
    single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1",
    special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
complete.enable_padding(pad_id=0, pad_token="[PAD]")

# %% [markdown]
# Saved as one file, everything is in it: stages, pieces, template. A batch is filled up
# with `[PAD]` to a rectangle ([**padding**](91_glossary.ipynb#p)), and the [**attention mask**](91_glossary.ipynb#a) says which entries
# are real. Forget it and the padding becomes part of your vectors (notebook 05).

# %%
import tempfile
from pathlib import Path

with tempfile.TemporaryDirectory() as folder:
    file = str(Path(folder) / "tokenizer.json")
    complete.save(file)
    loaded = Tokenizer.from_file(file)
for row in loaded.encode_batch([("The game", "in the city"), "The year"]):
    print(" ".join(row.tokens), "| types", *row.type_ids,
          "| mask", *row.attention_mask)
ids = [loaded.encode(text).ids for text in sentences.values()]
print("the same ids after loading:",
      ids == [complete.encode(text).ids for text in sentences.values()])

# %% [markdown]
# ## Three different limits
#
# A sequence has a maximum. Ask the shipped files of the *same* model what it is, and you
# get three answers. Which one does the library apply, and what does it cost on the pages
# of the handbook?

# %%
folder = assets.folder(assets.MINILM)
trained, applied, table = (
    json.loads((folder / f"{name}.json").read_text("utf-8"))
    for name in ("tokenizer", "sentence_bert_config", "config"))
print("tokenizer.json truncates at", trained["truncation"]["max_length"])
print("sentence_bert_config.json says", applied["max_seq_length"])
print("config.json has positions up to", table["max_position_embeddings"])
room = model.max_seq_length - 2  # [CLS] and [SEP] need a place each
pages = [len(minilm.encode(page.text)) for page in corpora.load_runbooks()]
lost = sum(max(0, length - room) for length in pages) / sum(pages)
fig, ax = plots.histograms({"pages": pages}, room, "Pages and limit", "tokens")
plots.show(fig, alt="Histogram of page lengths, a line at the limit.",
           fact=f"the library applies {model.max_seq_length}: {lost:.0%} of "
           f"the tokens of {len(pages)} pages are never read")

# %% [markdown]
# *Read the output.* The smallest is how the model was trained, the largest what its table
# of positions could hold, and the library applies the one between. Whatever lies behind
# is dropped without a word: [**truncation**](91_glossary.ipynb#t). That is why notebook 09 cuts pages into
# chunks. When one text must be shortened, do it
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
# That is right and slow: on a long text, halve your way to a place that fits while the
# next does not, then look at the hundred places behind it, because a longer beginning
# can need *fewer* tokens: its last word has become a piece of its own.
# </details>


# %%
def truncate_to_limit(text, limit, vocabulary):
    """The longest beginning of at most ``limit`` tokens, no character cut."""
    ### BEGIN SOLUTION
    from bisect import bisect_left

    import regex

    def too_long(end):
        return len(vocabulary.encode(text[:end])) > limit

    ends = [0, *(match.end() for match in regex.finditer(r"\X", text))]
    first = bisect_left(ends, True, key=too_long)  # from here, too long
    ahead = [end for end in ends[first : first + 100] if not too_long(end)]
    return text[: [*ends[:first], *ahead][-1]]
    ### END SOLUTION


# %%
check("1.5", truncate_to_limit)

# %% [markdown]
# ## Audit your own words
#
# Before you build a search on somebody's model, show it your vocabulary. A term in five
# pieces is not lost, but the model has to know it from context; a term that is `[UNK]`
# is lost.
#
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
    """[('oomkilled', 4), ...]: terms cut or unknown, most pieces first."""
    ### BEGIN SOLUTION
    cut = [(term, vocabulary.pieces(term)) for term in terms]
    rows = [(term, len(pieces)) for term, pieces in cut
            if len(pieces) > 1 or "[UNK]" in pieces]
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
cl100k, saving = vocabularies["cl100k"], {}
for name in ("notice", "product", "application"):
    html = corpora.data_file(f"pages/{name}.html").read_text("utf-8")
    text = tokenization.html_to_text(html)
    before, left = len(cl100k.encode(html)), len(cl100k.encode(text))
    saving[name] = 1 - left / before
    print(f"{name:<12} {before:>5} tokens, cleaned {left:>4}")
promised = [0.4 <= share <= 0.6 for share in saving.values()]
shares = ", ".join(f"{name} {share:.0%}" for name, share in saving.items())
claim("C307", shares, all(promised))

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
print(typed, stored, "equal?", typed == stored, len(typed), len(stored))
Stack(*(show_tokens(cl100k.pieces(text))
        for text in (typed, stored, "harbour\u00a0café", "caf\u200bé")))

# %% [markdown]
# One é is a single code point, the other an e with a combining accent; the last two hide
# a no-break space and a zero-width space. Write the key under which these spellings meet:
# accents composed, U+00A0 a space, U+200B and U+FEFF gone. Nothing else changes, spaces
# at either end included: it must not merge *résumé* with *resume*.
#
# <details><summary>Hint 1</summary>
#
# First replace U+00A0 by a space and remove U+200B and U+FEFF: one of them may stand
# between a letter and its accent.
# </details>
# <details><summary>Hint 2</summary>
#
# Then `unicodedata.normalize("NFC", text)` composes the accents.
# </details>


# %%
def search_key(text):
    """One spelling for texts that look the same."""
    ### BEGIN SOLUTION
    import unicodedata

    text = re.sub("[\u200b\ufeff]", "", text.replace("\u00a0", " "))
    return unicodedata.normalize("NFC", text)
    ### END SOLUTION


# %%
check("1.7", search_key)

# %% [markdown]
# These are the usual ones, not all: soft hyphens (U+00AD), word joiners (U+2060), narrow
# no-break spaces (U+202F) and full-width letters look alike, too. MiniLM's tokenizer
# repairs some of this by itself, BPE none of it. Normalise at both ends: documents when
# you index, queries when you search.
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
print(len(cl100k.encode(cut_text)), "tokens when encoded again")
show_tokens(list(cut_text), "kept")

# %% [markdown]
# Return the kept text, the number of tokens *before*, and the number of tokens of what
# was *kept*. `tokenization.truncate` is there for you.


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
# The three: the length was taken *after* the cut, so the report says nothing; the cut fell
# inside a character (�); and what was kept is reported as the limit, though it encodes to
# another number.
#
# ## Quiz
#
# First your guesses, then the questions. Open the answer that you would give; every
# answer has its reason.

# %%
scorecard()
quiz()

# %% [markdown]
# ## What you have now
#
# | object | what it is | its name in the libraries |
# |---|---|---|
# | `pair_counts`, `merge` | one step of BPE training | inside `tokenizers.trainers.BpeTrainer` |
# | `train_bpe(text, vocab_size)` | merges, learnt | `BpeTrainer`, `tiktoken` rank files |
# | `BPE.encode`, `.decode` | replay the merges, and back | `tiktoken.Encoding` |
# | `wordpiece(word, vocab)` | longest match first | `transformers.BertTokenizer` |
# | `train_wordpiece(words, size)` | merges by score, or by count | by count: `WordPieceTrainer` |
# | `Unigram.cut`, `train_unigram` | likeliest cut; prune what is not needed | `models.Unigram`, `UnigramTrainer`, SentencePiece |
# | `truncate`, `normalise`, `html_to_text` | text fit for a model | `truncation=True` (which cuts silently) |
# | `audit_terms` | what your words cost | nothing: run it before you choose a model |
#
# <details><summary>Without this course: a tokenizer of your own, and its use with transformers</summary>
#
# ```python
# import tempfile
# from pathlib import Path
#
# from tokenizers import (
#     Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers)
# from transformers import PreTrainedTokenizerFast
#
# texts = ["The server crashed at three in the morning.", "The cat sat on the mat."]
#
# tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
# tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
# tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
# tokenizer.decoder = decoders.WordPiece()
# tokenizer.train_from_iterator(texts, trainers.WordPieceTrainer(
#     vocab_size=2_000, show_progress=False,
#     special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]"]))
# tokenizer.post_processor = processors.TemplateProcessing(
#     single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1",
#     special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
#
# with tempfile.TemporaryDirectory() as folder:
#     file = str(Path(folder) / "tokenizer.json")
#     tokenizer.save(file)
#     loaded = PreTrainedTokenizerFast(
#         tokenizer_file=file, pad_token="[PAD]", unk_token="[UNK]",
#         cls_token="[CLS]", sep_token="[SEP]", model_max_length=256)
#
# batch = loaded(texts, padding=True, truncation=True)
# real = [sum(mask) for mask in batch["attention_mask"]]
# ids = [row[:n] for row, n in zip(batch["input_ids"], real)]
# print("the same ids after loading:",
#       ids == [tokenizer.encode(text).ids for text in texts])
# ```
#
# </details>
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
# - T. Kudo: *Subword regularization*, 2018,
#   [arXiv 1804.10959](https://arxiv.org/abs/1804.10959) (Unigram)
# - T. Kudo, J. Richardson: *SentencePiece*, 2018,
#   [arXiv 1808.06226](https://arxiv.org/abs/1808.06226)
# - A. Karpathy: [minbpe](https://github.com/karpathy/minbpe), the clearest BPE in print
# - Hugging Face: [the tokenizers library](https://huggingface.co/learn/llm-course/chapter6/1),
#   the same three algorithms on the same five words; mind the third WordPiece merge
