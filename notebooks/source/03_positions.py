# %% [markdown]
# # 03 · Why does word order survive?
#
# An encoder looks at all tokens at once, both ways. Nothing in it says which came first,
# unless somebody writes it in. In the end you can say what a good way to write it must
# do, derive the one that most models use today, and stretch it beyond its training.

# %% [markdown]
# | | |
# |---|---|
# | to read / to do | 40 / 65 minutes |
# | you build | sinusoids, rotary positions (RoPE), ALiBi, a detector of odd rows |
# | used again in | 04 (heads that look one token back), 08 (who bit whom?), 09 (long pages) |
#
# After this notebook you can
#
# - **prove** that attention without positions sees a bag of tokens, and when it does not,
# - **derive** sinusoids and RoPE from what a position must do,
# - **solve** for an unknown matrix and recognise a rotation,
# - **interrogate** a table of weights about its training,
# - **stretch** a model beyond the length that it was trained on, and see what it costs.

# %%
import json
import math
import warnings

import numpy as np
import pandas as pd
import torch
from course_utils import (
    assets, contrastive, corpora, encoder, lookup, pooling, positions)
from course_utils.classroom import (
    Stack, check, claim, explore, predict, quiz, reveal, scorecard, show_source,
    show_tokens, start, trial, verdict)
from course_utils.classroom.pictures import positions as pictures
from torch.nn import functional

start("03_positions")

# %% [markdown]
# ![The pipeline: text, tokenization, lookup, positions, attention, pooling, search. Today: positions.](images/pipeline_positions.svg)
#
# ## Today's stage of the journey
#
# After notebook 02 every token is a row, and a word that occurs twice is the same row
# twice, cosine 1. Today MiniLM adds a second row, one per place. What becomes of a
# repeated *the*?

# %%
model, learned = encoder.MiniLM.load(), positions.learned()  # table: (512, 384)
sentences, stage = corpora.load_sentences(), {}
for key, text in sentences.items():
    trace = model.trace(text)
    added = (trace.with_positions - trace.rows)[1:]  # all but the giant row 0
    lengths = [f"{x.norm(dim=1).mean():.2f}" for x in (trace.rows, added)]
    the = [i for i, piece in enumerate(trace.tokens) if piece == "the"]
    pair = trace.with_positions[the]  # two rows, one, or none
    alike = f"{pooling.cosine(*pair):.2f}" if len(pair) == 2 else ""
    stage[key] = [len(trace.tokens), *lengths, alike]
print(f"row 0, that of [CLS], has length {learned[0].norm():.2f}")
columns = ["tokens", "word row", "position row", "cosine of the two 'the'"]
pd.DataFrame.from_dict(stage, "index", columns=columns)

# %% [markdown]
# *Read the output.* Words come with longer rows than places (mean lengths, row 0 left
# out), whatever the length of the text: a place is a nudge, not a shout. It is enough to
# tell one *the* from the other. What for?
#
# ## Who bites whom?
#
# The same three words, two orders, two very different headlines. Before you run: how
# similar does the model find them? And what is left of the difference if every row of the
# position table is set to zero? (`Change` is the course model's hook for such questions.)

# %%
a, b = "dog bites man", "man bites dog"
predict("order", f"cosine of '{a}' and '{b}'?", ["0.60", "0.91", "1.00"])
predict("zeroed", "and with every position row set to zero?",
        ["a little less similar", "a little more similar", "the same vector"])

# %%
without = encoder.Change(positions=encoder.zero_positions)
both = [a, b, "The cat bit the dog", "The dog bit the cat"]
trained, bag = (model.encode(both, change=change)
                for change in (encoder.Change(), without))
reveal("order", f"{trained[0] @ trained[1]:.2f}")
same = np.allclose(bag[0], bag[1], atol=1e-6)
reveal("zeroed", "the same vector" if same else "a little more similar")
apart = [trained[i] @ trained[i + 1] for i in (0, 2)]
trial(claim("C085", f"cosine {bag[2] @ bag[3]:.4f}",
            np.allclose(bag[2], bag[3], atol=1e-6)),
      claim("C086", "cosines {:.3f} and {:.3f}".format(*apart),
            max(apart) < 0.999))

# %% [markdown]
# *Read the output.* With positions different, but hardly: enough to tell the orders apart,
# not enough to rely on in a search (notebook 08). Without them not "more similar" but the
# same vector, up to rounding. Everything that MiniLM knows about order comes through that
# table.
#
# ## Why: shuffle in, shuffle out
#
# Attention (notebook 04) replaces each row by a weighted mean of all rows. Here it is
# without any learnt part. Shuffle the rows before, or shuffle the result:

# %%
def mix(x):
    """Attention in one line: similar rows weigh more. (tokens, dim) -> same."""
    return (x @ x.T).softmax(dim=-1) @ x


x = torch.randn(5, 3, generator=torch.Generator().manual_seed(7))
order = torch.tensor([3, 0, 4, 1, 2])
same = torch.allclose(mix(x[order]), mix(x)[order])
print("shuffle first = shuffle after:", same)

# %% [markdown]
# It is no accident. Write the shuffle as a matrix $P$ with $P^\top P = 1$, and $s$ for
# softmax. It treats each row by itself, and a row whose entries (columns) are shuffled
# gives the same weights, shuffled; so $s(P S P^\top) = P\,s(S)\,P^\top$ and
#
# $$s(PX (PX)^\top)\,PX = P\,s(XX^\top)\,P^\top P X = P\,s(XX^\top)\,X$$
#
# This is [**permutation equivariance**](91_glossary.ipynb#p). Layer norm and feed-forward work on one row at a
# time, so the whole stack has it. And the mean at the end does not care about order.
#
# ### Exercise 3.1 · Test for equivariance (core, 10 minutes)
#
# `function` maps (tokens, dim) to (tokens, dim), `order` (tokens,) is a shuffle. Return
# one truth value.
#
# <details><summary>Hint 1</summary>
#
# `x[order]` shuffles rows. Two ways lead to the same place, or not.
# </details>
# <details><summary>Hint 2</summary>
#
# Compare with `torch.allclose`: sums in another order differ in the last digit.
# </details>


# %%
def is_equivariant(function, x, order):
    """Whether shuffling the input only shuffles the output: True or False."""
    ### BEGIN SOLUTION
    return torch.allclose(function(x[order]), function(x)[order])
    ### END SOLUTION


# %%
check("3.1", is_equivariant)

# %% [markdown]
# Now the whole model, six layers deep, twenty shuffles of the ids of one sentence. In the
# last line nobody has positions either, but a token sees only itself and what came before
# (the *causal* mask of models that write). Will that one hold?


# %%
def causal(ids, mask):
    """Each token sees itself and what came before: (batch, tokens, tokens)."""
    past = torch.ones(ids.shape[1], ids.shape[1], dtype=torch.bool).tril()
    return mask.bool()[:, None] & past


def last_layer(ids, change):
    """Vectors after the last block: (tokens,) -> (tokens, 384)."""
    mask = torch.ones(1, len(ids))
    return model.hidden_states(ids[None], mask, change)[0][-1][0]


looks_back = encoder.Change(positions=encoder.zero_positions, attend=causal)

# %%
torch.set_num_threads(1)  # faster for short texts, and sums in one order
ids = model.trace(sentences["bank"]).ids
orders = [torch.randperm(len(ids)) for _ in range(20)]
for name, change in {"as trained": encoder.Change(), "no positions": without,
                     "no positions, causal": looks_back}.items():
    straight = last_layer(ids, change)
    held = [torch.allclose(last_layer(ids[order], change), straight[order],
                           atol=1e-4) for order in orders]
    print(f"{name}: equivariant in {sum(held)} of {len(held)} shuffles")

# %% [markdown]
# *Read the output.* The proof holds to the last layer, and one table breaks it. So does
# the causal mask: the first token sees one row, the second two. Can a model *learn* order
# from that alone? Train the course's tiny encoder without positions (one block, random
# weights; notebook 06 builds it): "the guard hid the teacher" must be nearer to "one
# teacher was concealed by that guard" than to the same with the two exchanged.


# %%
class Causal(contrastive.TinyEncoder):
    """The tiny encoder, each token seeing itself and what came before."""

    def forward(self, ids):
        """(batch, words) -> (batch, dim)"""
        past = torch.ones(ids.shape[1], ids.shape[1], dtype=torch.bool).tril()
        hidden = lookup.rows(self.words, ids) + self.positions[: ids.shape[1]]
        return pooling.normalize(self.block(hidden, past)[0].mean(dim=1))


told, test = contrastive.toy_language(train=4_000, test=400)
for name, kind in (("both ways", contrastive.TinyEncoder), ("causal", Causal)):
    tiny = kind(positions=False)
    contrastive.train_tiny(tiny, told, 120, 32, hard_negatives=True)
    share = contrastive.swap_accuracy(*contrastive.toy_vectors(tiny, test))
    print(f"{name}, no positions: tells who did it in over 90 %: {share > 0.9}")

# %% [markdown]
# *Read the output.* Looking both ways, the two sentences *are* one bag, and no training
# helps. Looking back only, order is told without any position. That is one reason why
# some models that write can do without them. An encoder cannot.
#
# ## What must a position do?
#
# | question | because |
# |---|---|
# | does it see order at all? | *dog bites man* |
# | does it know before from after? | adjectives stand before, not after |
# | does only the distance count? | a phrase means the same at the end of a page |
# | is nearer more alike? | neighbours belong together more often than not |
# | is there a value at place 10,000? | texts get longer than those in training |
#
# And it must not cost much: how many numbers have to be trained? Keep the list; every
# scheme of this notebook will be put to it. The third question has a picture: *absolute*
# places change when a sentence moves, *relative* ones, seen from a word, do not.
#
# | | the | dog | bites | the | man |
# |---|---|---|---|---|---|
# | absolute | 0 | 1 | 2 | 3 | 4 |
# | the same sentence further down | 300 | 301 | 302 | 303 | 304 |
# | relative, seen from *bites* | −2 | −1 | 0 | 1 | 2 |
#
# ### Four failed attempts
#
# *Attempt 1:* add the number of the place. *Attempt 2:* divide it by the length of the
# text. What goes wrong with each?

# %%
places = torch.arange(512)
word = lookup.minilm_words().vectors
print(f"1. integers: place 511 adds {places[511]}; a number in a word's row is "
      f"{np.abs(word).mean():.2f} large on average")
for tokens in (5, 50):
    print(f"2. fractions, {tokens} tokens: place 3 is {3 / tokens:.2f}, "
          f"one step is {1 / tokens:.2f}")

# %% [markdown]
# *Read the output.* Integers drown the word. Fractions are tame, but one step is another
# number in every text: no distance survives. *Attempt 3:* write the place in binary: small
# numbers, the same step everywhere. *Attempt 4:* a smooth wave, the sine of the place.

# %%
bits = places[:, None] >> torch.arange(9) & 1  # (512, 9), the fastest bit first
for one, other in ((255, 256), (0, 256)):
    differ = (bits[one] != bits[other]).sum()
    print(f"3. binary: places {one} and {other} differ in {differ} of 9 bits")
wave = places.double().sin()
echo = 1 + int((wave[1:] - wave[0]).abs().argmin())
print(f"4. one sine: place {echo} differs from place 0 by "
      f"{abs(wave[echo] - wave[0]):.5f}, its neighbour 1 by {wave[1]:.2f}")

# %% [markdown]
# *Read the output.* In binary next-door neighbours may differ in every bit, and places far
# apart in one: near is not alike. One sine is smooth, but it comes round again. Yet the
# two failures complete each other: keep the *many columns, each slower than the last* of
# the counter and the *smoothness* of the wave.
#
# ## A clock with many hands
#
# That is a clock: several hands, each turning slower than the one before. Together they
# show every time, and no hand ever leaves the dial.

# %%
speeds = 10_000 ** -(torch.arange(0, 16, 2).double() / 16)  # radians per place


def dials(position):
    """Eight hands at one position, rounded to eight directions."""
    eighths = (position * speeds / (2 * torch.pi) * 8).round().int() % 8
    arrows = " ".join("↑↗→↘↓↙←↖"[i] for i in eighths)
    return Stack(f"place {position}: {arrows}")


twin = [{"position": place} for place in (0, 1, 2, 3, 44, 333)]
explore(dials, twin=twin, position=(0, 511))

# %% [markdown]
# *Read the output.* The first hand runs, the last ones seem to stand: they are for texts
# of thousands of tokens. Move the slider and find a place that looks like 0. How many
# hands does it take until the place most like 0 is its neighbour?

# %%
for hands in (1, 2, 3, 4, 5, 8):
    turned = places[1:, None] * speeds[:hands]
    similarity = turned.cos().mean(dim=1)  # 1 = all hands point as at place 0
    best = similarity.argmax()
    print(f"hands kept: {hands}, most like place 0: {places[1 + best]:>3} "
          f"({similarity[best]:.3f})")
pictures.counters(bits[:32, :5], (places[:32, None] * speeds[:5]).sin())

# %% [markdown]
# *Read the output.* With few hands places far apart collide; with five, and with eight, the
# neighbour is the most alike. And there is the counter again: each hand is slower than the one before,
# only smooth.
#
# ### Exercise 3.2 · A table of sines (core, 10 minutes)
#
# Write each hand down as two numbers, sine and cosine. Return a table (tokens, dim), dim
# even: columns 2i and 2i + 1 hold sine and cosine of `place · 10000 ** (-2i / dim)`.
#
# <details><summary>Hint 1</summary>
#
# `torch.outer(places, speeds)` gives all angles, (tokens, dim / 2).
# </details>
# <details><summary>Hint 2</summary>
#
# Fill `table[:, 0::2]` with the sines and `table[:, 1::2]` with the cosines.
# </details>


# %%
def sinusoids(tokens, dim):
    """One row per place: sin, cos, sin, …, each pair slower than the last."""
    ### BEGIN SOLUTION
    speeds = 10_000.0 ** (-torch.arange(0, dim, 2) / dim)
    angles = torch.outer(torch.arange(tokens).float(), speeds)  # (tokens, dim / 2)
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)
    ### END SOLUTION


# %%
check("3.2", sinusoids)

# %% [markdown]
# From here on: `positions.sinusoidal`. Is it right? Two strangers compute the same: the
# formula as a popular article has it, and the library's GPT-J, which keeps all sines in
# front of all cosines (the order of columns is a matter of taste).

# %%
from transformers.models.gptj import modeling_gptj as gptj


def published(seq_len, d_model):
    """The article's formula, in NumPy: (seq_len, d_model)."""
    column = np.arange(d_model)
    places = np.arange(seq_len)[:, None]
    angles = places / 10_000 ** (2 * (column // 2) / d_model)
    return np.where(column % 2 == 0, np.sin(angles), np.cos(angles))


table = positions.sinusoidal(512, 384)
article = published(512, 384)
print("equal to the article:", np.allclose(table, article, atol=1e-6))
halves = gptj.create_sinusoidal_positions(512, 384).chunk(2, dim=1)
theirs = torch.stack(halves, dim=2).flatten(1)
print("equal to the library:", torch.allclose(table, theirs, atol=1e-4))

# %% [markdown]
# ## The distance is all that counts
#
# The dot product of two rows says how alike two places look. Places 3 and 8 are five
# apart, and so are 203 and 208. Which pair has the larger dot product?

# %%
products = (table.double() @ table.double().T).numpy()  # (512, 512)
for i, j in ((3, 8), (203, 208), (8, 3), (3, 9)):
    print(f"row {i} · row {j} = {products[i, j]:.2f}")
spread = max(float(np.ptp(np.diag(products, lag))) for lag in range(512))
print("all pairs of one distance agree to 0.001:", spread < 1e-3)

# %% [markdown]
# *Read the output.* Neither: only the distance counts, for *all* pairs, and alike in both
# directions. The reason is one line of school trigonometry, summed over the hands:
#
# $$\sin a \sin b + \cos a \cos b = \cos(a - b)$$
#
# ### The unknown matrix
#
# More than that: is there *one* matrix $M$ that moves a hand by three places, wherever it
# stands? For a 2 × 2 matrix two places are enough to solve for it: $M = B A^{-1}$, with two
# rows as columns of $A$, and the rows three places later in $B$. What does it look like?

# %%
speed, lag = 0.5, 3


def hand(place):
    """One hand as (sine, cosine)."""
    angle = torch.tensor(speed * place, dtype=torch.float64)
    return torch.stack([angle.sin(), angle.cos()])


here, there = (torch.stack([hand(3 + more), hand(40 + more)], dim=1)
               for more in (0, lag))
M = there @ here.inverse()  # (2, 2)
print("M =", M.numpy().round(3).tolist())
sine, cosine = hand(lag).numpy().round(3)
print(f"sine and cosine of lag x speed: {sine}, {cosine}")
print("moves every place:", all(
    torch.allclose(M @ hand(p), hand(p + lag)) for p in range(500)))
print("M^T M = 1:", torch.allclose(M.T @ M, torch.eye(2, dtype=M.dtype)))

# %% [markdown]
# *Read the output.* Nobody told the equation about angles, and out came
#
# $$M = \begin{pmatrix} \cos\theta & \sin\theta \\ -\sin\theta & \cos\theta \end{pmatrix},
# \quad \theta = \text{lag} \times \text{speed}$$
#
# a *rotation*: it keeps lengths, and it does not ask where the hand stands.
#
# ### Exercise 3.3 · A shift is a rotation (core, 10 minutes)
#
# `row` (dim,) stands at a place that you are not told. Return the row that stands `lag`
# places later. Pair i turns at the speed `10000 ** (-2i / dim)`.
#
# <details><summary>Hint 1</summary>
#
# $\sin(a + b) = \sin a \cos b + \cos a \sin b$ and
# $\cos(a + b) = \cos a \cos b - \sin a \sin b$.
# </details>
# <details><summary>Hint 2</summary>
#
# `row[0::2]` are the sines of `a`, `row[1::2]` the cosines; `b` is `lag * speeds`.
# </details>


# %%
def shift(row, lag):
    """The sinusoidal row ``lag`` places later: (dim,) -> (dim,)."""
    ### BEGIN SOLUTION
    speeds = 10_000.0 ** (-torch.arange(0, len(row), 2, dtype=row.dtype) / len(row))
    sin, cos = (lag * speeds).sin(), (lag * speeds).cos()
    a_sin, a_cos = row[0::2], row[1::2]
    turned = [a_sin * cos + a_cos * sin, a_cos * cos - a_sin * sin]
    return torch.stack(turned, dim=1).flatten()
    ### END SOLUTION


# %%
check("3.3", shift)

# %% [markdown]
# ## Adding has a price
#
# Sinusoids are *added* to the word. What meets in attention is word plus place on both
# sides: $(w + p)\cdot(w' + p') = w \cdot w' + w \cdot p' + p \cdot w' + p \cdot p'$.
# Move two words from places 3 and 8 to 203 and 208: which of the four terms change?

# %%
known = lookup.minilm_words()
w, v = (torch.tensor(known[word]) for word in ("guard", "teacher"))
terms = {}
for i, j in ((3, 8), (203, 208)):
    p, q = table[i] / 20, table[j] / 20  # about as long as MiniLM's own
    terms[f"places {i}, {j}"] = [w @ v, w @ q, p @ v, p @ q, (w + p) @ (v + q)]
columns = ["word·word", "word·place", "place·word", "place·place", "sum"]
pd.DataFrame.from_dict(terms, "index", float, columns).round(3)

# %% [markdown]
# *Read the output.* The first and the last keep their promise; the two mixed terms do not,
# and so the sum gives the place away. Keep that for RoPE.
#
# ## What training finds instead
#
# MiniLM, like BERT, has no formula. Its places are rows of a table, learnt like the rows
# of the words. Sinusoids look alike when they are close and less so when they are far. Did
# training find the same? The mean cosine of two rows, by their distance:

# %%
lags = list(range(1, 61))


def mean_cosines(rows):
    """Mean cosine of two rows at each distance."""
    unit = pooling.normalize(rows)
    return [float((unit[lag:] * unit[:-lag]).sum(dim=1).mean()) for lag in lags]


curves = {"sinusoidal": mean_cosines(table),
          "learned": mean_cosines(learned[1:])}
pictures.by_lag(lags, curves)

# %% [markdown]
# *Read the output.* "Close places look alike, smoothly" is a picture of the formula, not of
# this model. The neighbour is close, but then the curve swings.
#
# ## Weight forensics
#
# How was this model trained? Its table remembers. Here is the length of each of its 512
# rows. Before you run: where do you expect rows that stand out?

# %%
norms = learned.norm(dim=1).double().numpy()
pictures.row_norms(norms)

# %% [markdown]
# A spike should have a number: how many ordinary spreads is a row away from the
# ordinary row? Mind the giant at 0. It stretches any standard deviation, and hides others
# behind its back. Medians do not care how large the largest is.
#
# ### Exercise 3.4 · Which rows stand out? (core, 10 minutes)
#
# Return the indices i, in order, with `|values[i] - median| > limit · spread`, where
# spread is 1.4826 times the median of `|values - median|`. (The factor makes it the
# standard deviation, if the values are normal.)
#
# <details><summary>Hint 1</summary>
#
# `np.median(np.abs(values - np.median(values)))`
# </details>
# <details><summary>Hint 2</summary>
#
# `np.flatnonzero(condition)` gives the indices; a list has no minus, `np.asarray` has.
# </details>


# %%
def outliers(values, limit):
    """Indices of the values more than ``limit`` spreads from the median."""
    ### BEGIN SOLUTION
    values = np.asarray(values)
    away = np.abs(values - np.median(values))
    return np.flatnonzero(away > limit * 1.4826 * np.median(away)).tolist()
    ### END SOLUTION


# %%
check("3.4", outliers)

# %% [markdown]
# MiniLM's rows by this rule. Beside them what the files say that came with the model: the
# limit saved with the tokenizer, and the card that describes the training.

# %%
away = np.abs(norms - np.median(norms))
robust = away / (1.4826 * np.median(away))  # spreads from the median
ordinary = np.abs(norms - norms.mean()) / norms.std()
print("beyond 10 spreads:", np.flatnonzero(robust > 10).tolist())
print(f"row 127: {robust[127]:.0f} spreads; by mean and standard deviation "
      f"{ordinary[127]:.1f}")
folder = assets.folder(assets.MINILM)
saved = json.loads((folder / "tokenizer.json").read_text("utf-8"))["truncation"]
print("tokenizer.json was saved with a limit of", saved["max_length"])
card = (folder / "README.md").read_text("utf-8")
print("the card:", *(s for s in card.split(". ") if "limited to" in s))

# %% [markdown]
# *Read the output.* By medians row 127 is far out; by the mean it would pass as ordinary. A
# text that is too long is cut, and `[SEP]` then stands on its last place: with a limit of
# 128, on row 127. So the weights, the tokenizer's file and the card agree on 128. The last
# rows (limit 512, before that?) nobody documents: a *hypothesis*.
#
# ## Slide the sentence
#
# The same tokens, but the first one gets row 100, or 300. A reader would not notice.
# Does the model?


# %%
def slide(sentence, offset):
    """The sentence on other rows of the table, and its cosine to row 0."""
    text = sentences[sentence]
    change = encoder.Change(positions=encoder.offset_positions(offset))
    [here], [there] = model.encode([text]), model.encode([text], change=change)
    label = f"from row {offset:>3}: cosine {here @ there:.2f}"
    return show_tokens(model.trace(text).tokens, label)


twin = [{"sentence": "server", "offset": n} for n in (0, 1, 100, 330, 420)]
explore(slide, twin=twin, sentence=list(sentences), offset=(0, 480))

# %%
texts = list(sentences.values())
at_home, curve = model.encode(texts), {}
for offset in range(0, 481, 32):
    change = encoder.Change(positions=encoder.offset_positions(offset))
    cosine = (at_home * model.encode(texts, change=change)).sum(axis=1)
    curve[offset] = float(cosine.mean())
pictures.slides(curve)

# %% [markdown]
# *Read the output.* Absolute places matter to this model, though no reader cares whether a
# sentence begins at token 1 or at 300. A scheme of distances would not notice.
#
# ## RoPE: turn, do not add
#
# Ahead of notebook 04: attention makes of each token a *query* (what it looks for) and a
# *key* (what it can be found by). The *score* of two tokens is the dot product of query
# and key; high scores get large weights. So a position only has to reach the scores, it
# need not become part of the token. [**RoPE**](91_glossary.ipynb#r) *turns* query and key by an angle
# that grows with their place. Does the distance survive?


# %%
def R(place, speed=1.0):
    """The rotation of one pair of numbers at a place: (2, 2)."""
    sin, cos = math.sin(place * speed), math.cos(place * speed)
    return torch.tensor([[cos, -sin], [sin, cos]], dtype=torch.float64)


q, k = torch.tensor([[2.0, 1], [1, -1]], dtype=torch.float64)
for i, j in ((5, 2), (105, 102), (5, 3)):
    print(f"query at {i}, key at {j}: score {(R(i) @ q) @ (R(j) @ k):.3f}")
print("R(2) =", R(2).numpy().round(3).tolist())
holds = [torch.allclose(R(i).T @ R(j), R(j - i)) for i in range(50)
         for j in range(50)]
print("R_i^T R_j = R_(j-i):", all(holds), "for", len(holds), "pairs")

# %% [markdown]
# *Read the output.* The score is $(R_i q)^\top R_j k = q^\top (R_i^\top R_j)\, k = q^\top R_{j-i}\, k$:
# turning back by $i$ and forth by $j$ is turning by the difference. No mixed terms, because
# nothing was added; multiplying lets the two places meet in one factor. (In pictures half
# of the pairs turn by the row, half by the column.)
#
# A real query has many numbers: pair them up, and let each pair turn at its own speed,
# like the hands of the clock. Llama pairs number i with number i + dim/2. The slow way:


# %%
def rope_slowly(x, places):
    """Turn every pair of every row, one at a time: (tokens, dim)."""
    half, turned = x.shape[1] // 2, x.clone()
    for token, place in enumerate(places.tolist()):
        for i in range(half):
            pair, speed = [i, i + half], 10_000 ** (-2 * i / x.shape[1])
            turned[token, pair] = R(place, speed) @ x[token, pair]
    return turned


x = torch.randn(5, 16, generator=torch.Generator().manual_seed(7)).double()
at = torch.tensor([0, 1, 7, 100, 511])
slow = rope_slowly(x, at)

# %% [markdown]
# ### Exercise 3.5 · Turn queries and keys (core, 10 minutes)
#
# The same without loops. `x` is (tokens, dim), `places` (tokens,). Pair i is number i with
# number i + dim/2, and turns by `place · 10000 ** (-2i / dim)`.
#
# <details><summary>Hint 1</summary>
#
# `first, second = x.chunk(2, dim=1)` are the x and the y of all arrows.
# </details>
# <details><summary>Hint 2</summary>
#
# `torch.outer(places, speeds)` are the angles; glue the results with `torch.cat`.
# </details>


# %%
def rotate(x, places):
    """RoPE, half-split: (tokens, dim) -> (tokens, dim), lengths unchanged."""
    ### BEGIN SOLUTION
    speeds = 10_000.0 ** (-torch.arange(0, x.shape[1], 2, dtype=x.dtype) / x.shape[1])
    angles = torch.outer(places.to(x.dtype), speeds)  # (tokens, dim / 2)
    (first, second), sin, cos = x.chunk(2, dim=1), angles.sin(), angles.cos()
    return torch.cat([first * cos - second * sin, first * sin + second * cos], dim=1)
    ### END SOLUTION


# %%
check("3.5", rotate)

# %% [markdown]
# The module's `rope` against the slow version, against the function inside every Llama,
# and against GPT-J's. That one pairs neighbours, numbers 2i and 2i + 1, as the paper does:
# *interleaved*.

# %%
from transformers import LlamaConfig
from transformers.models.llama import modeling_llama as llama

print("module = slow version:", torch.allclose(positions.rope(x, at), slow))
config = LlamaConfig(hidden_size=48, num_attention_heads=3)
rotary = llama.LlamaRotaryEmbedding(config)
cos, sin = rotary(x[None], at[None])  # (1, tokens, head dim)
theirs, _ = llama.apply_rotary_pos_emb(x[None, None], x[None, None], cos, sin)
print("half-split = Llama:", torch.allclose(slow, theirs[0, 0], atol=1e-4))
sin, cos = gptj.create_sinusoidal_positions(512, 16)[at][None].chunk(2, dim=-1)
theirs = gptj.apply_rotary_pos_emb(x[None, :, None], sin, cos)[0, :, 0]
paired = positions.rope(x, at, interleaved=True)
print("interleaved = GPT-J:", torch.allclose(paired, theirs, atol=1e-4))
show_source(positions.rope)

# %% [markdown]
# Four statements, as articles have them. Count what can be trained, look for what is
# added, and compare scores.

# %%
weights = sum(parameter.numel() for parameter in rotary.parameters())
keeps = torch.allclose(slow.norm(dim=1), x.norm(dim=1))
near, far = ((R(i) @ q) @ (R(j) @ k) for i, j in ((5, 2), (105, 102)))
moved = abs(terms["places 3, 8"][-1] - terms["places 203, 208"][-1])
trial(
    claim("C063", f"numbers to train in Llama's: {weights}", weights > 0),
    claim("C064", f"sinusoids are; RoPE turns, lengths kept: {keeps}",
          verdict(not keeps, in_part=keeps)),
    claim("C093", f"{near:.3f} and {far:.3f} at one distance",
          bool(near.isclose(far))),
    claim("C094", f"bare sinusoids agree to 0.001: {spread < 1e-3}; "
          f"with words they move by {moved:.2f}",
          verdict(spread > 1e-3, in_part=bool(moved > 1e-3))),
)

# %% [markdown]
# *Read the output.* The last one is the subtle one: between themselves sinusoids depend on
# the distance as well. It is the mixed terms that spoil it.
#
# ## Longer than in training
#
# "RoPE works at any length": it can be *computed* anywhere. Train the tiny encoder with
# RoPE on texts of 16 random words that end in a question mark: which of two marked words
# came first? Then ask it about 32, 64 and 128 words. What will happen?


# %%
class Turned(contrastive.TinyEncoder):
    """One block; queries and keys are turned; the last token answers."""

    base, shrink = 10_000.0, 1.0

    def forward(self, ids):
        """(batch, words) -> scores of "A first", "B first" (batch, 2)."""
        hidden, block = lookup.rows(self.words, ids), self.block
        part, places = block.attention, torch.arange(ids.shape[1]) / self.shrink
        q, k, v = (part.split(one(hidden))
                   for one in (part.query, part.key, part.value))
        q, k = (positions.rope(x, places, self.base) for x in (q, k))
        mixed = functional.scaled_dot_product_attention(q, k, v)
        joined = part.output(mixed.transpose(1, 2).flatten(2))
        hidden = block.attention_norm(hidden + joined)
        hidden = block.feed_forward_norm(hidden + block.feed_forward(hidden))
        return hidden[:, -1, :2]


# %%
def texts_of(length, generator, count=64):
    """Random words, marks 0 and 1 among them, 2 at the end; which is first."""
    ids = torch.randint(3, 110, (count, length), generator=generator)
    at = torch.rand(count, length - 1, generator=generator).argsort(1)[:, :2]
    ids.scatter_(1, at, torch.tensor([[0, 1]]).expand(count, 2))
    ids[:, -1] = 2
    return ids, (at[:, 1] < at[:, 0]).long()


tiny, g = Turned(positions=False), torch.Generator().manual_seed(0)
optimiser = torch.optim.Adam(tiny.parameters(), lr=3e-3)
for _ in range(180):
    ids, first = texts_of(16, g)
    loss = functional.cross_entropy(4 * tiny(ids), first)
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()

# %% [markdown]
# Two ways to help without further training. *Interpolation*: shrink all places until the
# text fits into the trained range. *Base change*: raise the base, so that the slow hands
# turn slower still, while the fast ones, which tell neighbours apart, hardly change.

# %%
lengths = [16, 32, 64, 128]
right = {"as trained": [], "base change": [], "interpolation": []}
with torch.inference_mode():
    for length in lengths:
        factor = length / 16
        ids, first = texts_of(length, torch.Generator().manual_seed(9), 400)
        for shares, change in zip(right.values(), (
                (1e4, 1), (1e4 * factor**2, 1), (1e4, factor))):
            tiny.base, tiny.shrink = change
            shares.append((tiny(ids).argmax(1) == first).float().mean().item())
pictures.stretched(lengths, right, trained=16)

# %% [markdown]
# *Read the output.* Sure at the trained length, not to be relied on beyond it: the slow
# hands point where training never saw them. Interpolation brings every angle back to known
# ground; the base change alone is no rescue here. Do not read a ranking off one tiny task:
# shrinking *all* hands blurs neighbours, and this task does not need them.
#
# ## ALiBi: do nothing to the vectors
#
# The bluntest idea: subtract the distance from the scores. Attention works in several
# *heads* side by side (notebook 04), and each has a slope of its own. No hands, no table.
#
# ### Exercise 3.6 · Distance as a penalty (extra, 5 minutes)
#
# `slopes` is (heads,). Return the bias (heads, tokens, tokens): minus slope times the
# distance of the two places.
#
# <details><summary>Hint 1</summary>
#
# `places[:, None] - places[None, :]` are all differences.
# </details>
# <details><summary>Hint 2</summary>
#
# `slopes[:, None, None]` stretches over them.
# </details>


# %%
def distance_bias(slopes, tokens):
    """What ALiBi adds to the scores: (heads,) -> (heads, tokens, tokens)."""
    ### BEGIN SOLUTION
    places = torch.arange(tokens)
    distance = (places[:, None] - places[None, :]).abs()
    return -slopes[:, None, None] * distance
    ### END SOLUTION


# %%
check("3.6", distance_bias)

# %% [markdown]
# The library's version (Bloom) looks back only, and writes the *place* where we write the
# distance: softmax forgets what all entries of a row have in common.

# %%
from transformers.models.bloom.modeling_bloom import build_alibi_tensor

back = torch.ones(5, 5).tril().bool()  # a token sees itself and those before
bloom = build_alibi_tensor(torch.ones(1, 5), 6, torch.float32)  # 6 heads
looks = [bias.masked_fill(~back, -torch.inf).softmax(dim=-1)
         for bias in (positions.alibi_bias(6, 5), bloom.expand(6, 5, 5))]
print("module = Bloom, after softmax:", torch.allclose(*looks, atol=1e-6))

# %% [markdown]
# ## Five schemes, five questions
#
# The list from the start, filled by trying, on random queries and keys. One scheme sees
# the order, but cannot tell before from after. Which?

# %%
generator = torch.Generator().manual_seed(7)
q, k = torch.randn(2, 64, 384, generator=generator) / 20
schemes = [positions.none_scheme(), positions.sinusoidal_scheme(),
           positions.table_scheme(learned), positions.rope_scheme(),
           positions.alibi_scheme()]
tried = pd.DataFrame({s.name: {
    "sees order": positions.sees_order(s, q, k),
    "direction": positions.sees_direction(s, q),
    "distance only": positions.is_relative(s, q, k, shift=300),
    "nearer is higher": positions.prefers_near(s, q),
    "reaches 10,000": positions.reaches(s, q, 10_000)} for s in schemes}).T
print(tried.replace({True: "yes", False: "–"}).assign(
    trained=[f"{s.parameters:,}" for s in schemes]).to_string())
Stack(show_source(positions.sees_order), show_source(positions.is_relative))

# %% [markdown]
# *Read the output.* No row is all "yes". ALiBi fades with distance and cannot tell left
# from right (models that look back only need not). And "reaches 10,000" is a weak
# promise, as you saw: a number can be computed, which does not say that any model was
# taught to use it.
#
# ## Break it
#
# ### Puzzle 3.7 · Two ways to pair
#
# A ticket: *"After converting the checkpoint, answers are fluent for a line and then
# drift. No error, all shapes right."* Somewhere two conventions meet. Here are a query
# and a key, three places apart, at four starts of the text.

# %%
q, k = torch.randn(2, 1, 8, generator=torch.Generator().manual_seed(3))


def score(place, query_interleaved, key_interleaved):
    """Query at ``place + 3``, key at ``place``."""
    left = positions.rope(
        q, torch.tensor([place + 3]), interleaved=query_interleaved)
    right = positions.rope(
        k, torch.tensor([place]), interleaved=key_interleaved)
    return float((left * right).sum())


cases = {"as trained (interleaved)": (True, True), "engine A": (False, True),
         "engine B": (False, False)}
for name, pairing in cases.items():
    scores = [f"{score(place, *pairing):6.2f}" for place in (0, 10, 100, 400)]
    print(f"{name:<25}", *scores)

# %% [markdown]
# Engine A turns queries one way and keys the other: its scores depend on where the text
# begins, which a test finds at once. Engine B is worse. It passes that test and is wrong.
#
# B's engine is half-split and cannot be changed. Mend the *weights* instead: bring the
# numbers of each query and key (columns of `x`) into an order in which B turns the right
# pairs.
#
# <details><summary>Hint 1</summary>
#
# Interleaved partners are (0, 1), (2, 3), …; half-split ones are (0, dim/2), (1, dim/2 + 1), …
# </details>
# <details><summary>Hint 2</summary>
#
# All even columns first, then all odd ones.
# </details>


# %%
def to_half_split(x):
    """Columns in interleaved order -> that of half-split: (tokens, dim)."""
    ### BEGIN SOLUTION
    return torch.cat([x[:, 0::2], x[:, 1::2]], dim=1)
    ### END SOLUTION


# %%
check("3.7", to_half_split)

# %% [markdown]
# The converters of real checkpoints do the same, on the rows of the query and key weights
# of each head.
#
# ### Puzzle 3.8 · 513 tokens
#
# A ticket: *"Works for months, then one long document: `index out of range in self`. Is
# the vocabulary broken?"* Reproduce it, once in the library and once in ours.

# %%
tokens = torch.arange(513)
for read, given in ((functional.embedding, (tokens, learned)),
                    (positions.table_rows, (learned, tokens))):
    try:
        read(*given)
    except (IndexError, ValueError) as error:
        print(f"{read.__name__}: {error}")

# %% [markdown]
# No id was wrong. The text has 513 tokens, and the table of *places* has 512 rows. There
# are three ways out: cut the text, stretch the table, or read the text in parts.
#
# Write the cut for the third. `tokens` counts the text without special tokens, `limit` is
# what the model can take *with* `[CLS]` and `[SEP]`. Return (start, end) of each part.
#
# <details><summary>Hint 1</summary>
#
# A part holds `limit - 2` tokens of the text. `range(0, tokens, limit - 2)` are the starts.
# </details>
# <details><summary>Hint 2</summary>
#
# The last part ends where the text ends: `min(…, tokens)`.
# </details>


# %%
def parts(tokens, limit):
    """[(0, 510), (510, 511)] for 511 tokens and a limit of 512."""
    ### BEGIN SOLUTION
    step = limit - 2
    return [(start, min(start + step, tokens)) for start in range(0, tokens, step)]
    ### END SOLUTION


# %%
check("3.8", parts)

# %% [markdown]
# Which way out is best? Ten documents: eleven news items each, more than 512 tokens
# together, and **one fact at the very end**. Ten questions, each about one of the facts.
# How many find their document first? If the longer table fails, two suspects: rows used
# in a way that nobody trained, or a mean over hundreds of tokens. A *control* tells: the
# fact at the very *beginning*, where every row is trained.

# %%
warnings.simplefilter("ignore", encoder.TruncationWarning)  # cut on purpose
news = [article.text for article in corpora.load_news("test")]
alike = [pair for pair in corpora.load_pairs(["plain"]) if pair.grade >= 4.5]
facts = alike[:10]
rest = [" ".join(news[11 * i : 11 * i + 11]) for i in range(10)]
at_end = [f"{text} {fact.a}" for text, fact in zip(rest, facts)]
at_start = [f"{fact.a} {text}" for text, fact in zip(rest, facts)]
questions = model.encode([fact.b for fact in facts])
twice = {"embeddings.position_embeddings.weight": torch.cat([learned, learned])}
long = encoder.MiniLM({**assets.weights(), **twice}, assets.config())
short = encoder.MiniLM.load()
short.max_tokens, long.max_tokens = 512, 1024
print("shortest document:", min(map(len, long.tokenize(at_end))), "tokens")


# %%
def best_part(words):
    """Score of each question with the best part of each document: (10, 10)."""
    scores = []
    for text in (document.split() for document in at_end):
        cut = [" ".join(text[start : start + words])
               for start in range(0, len(text), words)]
        scores.append((questions @ model.encode(cut).T).max(axis=1))
    return np.stack(scores, axis=1)


ways = {"cut at 512": questions @ short.encode(at_end).T,
        "table repeated": questions @ long.encode(at_end).T,
        "control: fact first": questions @ short.encode(at_start).T,
        "best part of 100 words": best_part(100),
        "best part of 20 words": best_part(20)}
for name, scores in ways.items():
    found_first = scores.argmax(axis=1) == np.arange(len(facts))
    print(f"{name:<23} {found_first.sum():>2} of {len(facts)} found first")

# %% [markdown]
# *Read the output.* The cut loses the fact, of course, and the longer table hardly helps.
# But the control does not find all either, though its fact stands on rows that the model
# knows well: a mean over hundreds of tokens drowns one sentence. Whether repeated rows do
# harm besides, ten questions cannot tell. The smaller the parts, the more facts are found.
# A larger window is not yet a better memory (notebook 09).
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
# | `sinusoidal(tokens, dim)` | (tokens, dim), computed | `create_sinusoidal_positions` |
# | `learned()` | (512, 384), trained | `embeddings.position_embeddings` |
# | `rope(x, positions)` | (tokens, dim), turned | `apply_rotary_pos_emb` (Llama: half-split, GPT-J: interleaved) |
# | interpolation, base change | longer texts than in training | `rope_scaling` in a model's settings |
# | `alibi_bias(heads, tokens)` | (heads, tokens, tokens), added to scores | `build_alibi_tensor` |
# | `Change(positions=…)` | a model with other places | none: it is a lesson's tool |
#
# <details><summary>Without this course</summary>
#
# RoPE in plain torch, equal to Llama's, and the property that makes it worth having.
#
# ```python
# import torch
# from transformers import LlamaConfig
# from transformers.models.llama import modeling_llama as llama
#
#
# def rope(x, places, base=10_000.0):
#     """Turn number i with number i + dim/2: (tokens, dim) -> (tokens, dim)."""
#     dim = x.shape[-1]
#     speeds = base ** (-torch.arange(0, dim, 2, dtype=x.dtype) / dim)
#     angles = torch.outer(places.to(x.dtype), speeds)  # (tokens, dim / 2)
#     (first, second), sin, cos = x.chunk(2, dim=-1), angles.sin(), angles.cos()
#     return torch.cat([first * cos - second * sin, first * sin + second * cos], dim=-1)
#
#
# x = torch.randn(5, 16, dtype=torch.float64)
# places = torch.tensor([0, 1, 7, 100, 511])
# config = LlamaConfig(hidden_size=48, num_attention_heads=3)
# cos, sin = llama.LlamaRotaryEmbedding(config)(x[None], places[None])
# theirs, _ = llama.apply_rotary_pos_emb(x[None, None], x[None, None], cos, sin)
# print("half-split = Llama:", torch.allclose(rope(x, places), theirs[0, 0], atol=1e-4))
#
#
# def R(place):
#     """One pair's rotation."""
#     return rope(torch.eye(2, dtype=torch.float64), torch.full((2,), place)).T
#
#
# holds = [torch.allclose(R(i).T @ R(j), R(j - i)) for i in range(50) for j in range(50)]
# print("R_i^T R_j = R_(j-i):", all(holds), "for", len(holds), "pairs")
# ```
#
# </details>
#
# **Next:** [04 · Attention](04_attention.ipynb): every token looks at every other, and one
# head does nothing but look one place back.
#
# **Read on**
#
# - A. Vaswani et al.: *Attention is all you need*, 2017,
#   [arXiv 1706.03762](https://arxiv.org/abs/1706.03762)
# - J. Su et al.: *RoFormer: enhanced transformer with rotary position embedding*, 2021,
#   [arXiv 2104.09864](https://arxiv.org/abs/2104.09864)
# - O. Press, N. Smith, M. Lewis: *Train short, test long*, 2021,
#   [arXiv 2108.12409](https://arxiv.org/abs/2108.12409) (ALiBi)
# - A. Haviv et al.: *Transformer language models without positional encodings still learn
#   positional information*, 2022, [arXiv 2203.16634](https://arxiv.org/abs/2203.16634)
# - S. Chen et al.: *Extending context window of large language models via positional
#   interpolation*, 2023, [arXiv 2306.15595](https://arxiv.org/abs/2306.15595)
# - A. Kazemnejad et al.: *The impact of positional encoding on length generalization in
#   transformers*, 2023, [arXiv 2305.19466](https://arxiv.org/abs/2305.19466)
