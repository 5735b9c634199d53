# %% [markdown]
# # 03 · Why does word order survive?
#
# A transformer looks at all tokens at once. Nothing in it says which came first, unless
# somebody writes it in. In the end you can say how four families of models do that, what
# it is worth in a real one, and which of its traces can be read from the weights alone.

# %% [markdown]
# | | |
# |---|---|
# | to read / to do | 35 / 60 minutes |
# | you build | sinusoids, rotary positions (RoPE), ALiBi, a detector of odd rows |
# | used again in | 04 (heads that look one token back), 08 (who bit whom?), 09 (long pages) |
#
# After this notebook you can
#
# - **prove** that attention without positions sees a bag of tokens,
# - **derive** sinusoids and RoPE from one idea, a rotation,
# - **interrogate** a table of weights about its training,
# - **diagnose** mixed RoPE conventions and a text that is one token too long.

# %%
import numpy as np
import pandas as pd
import torch
from course_utils import assets, corpora, encoder, pooling, positions
from course_utils.classroom import (
    Stack, check, claim, explore, plots, predict, quiz, reveal, scorecard, show_tokens,
    start, trial)

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
model = encoder.MiniLM.load()
sentences = corpora.load_sentences()

stage = {}
for key, text in sentences.items():
    trace = model.trace(text)
    added = trace.with_positions - trace.rows
    lengths = [f"{x.norm(dim=1).mean():.2f}" for x in (trace.rows, added)]
    the = [i for i, piece in enumerate(trace.tokens) if piece == "the"]
    alike = f"{pooling.cosine(*trace.with_positions[the]):.2f}" if the[1:] else ""
    stage[key] = [len(trace.tokens), *lengths, alike]

columns = ["tokens", "word row", "position row", "cosine of the two 'the'"]
pd.DataFrame.from_dict(stage, orient="index", columns=columns)

# %% [markdown]
# *Read the output.* Words come with longer rows than places (mean lengths), so a place is
# a nudge, not a shout. It is enough to tell one *the* from the other. What for?
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
one, other = model.encode([a, b])
reveal("order", f"{one @ other:.2f}")

without = encoder.Change(positions=encoder.zero_positions)
one, other = model.encode([a, b], change=without)
same = np.allclose(one, other, atol=1e-6)
reveal("zeroed", "the same vector" if same else "a little more similar")
print(f"cosine without positions: {one @ other:.4f}")

# %% [markdown]
# *Read the output.* With positions different, but hardly. Without them not "more similar"
# but the same vector, up to rounding. Everything that MiniLM knows about order comes
# through that table.
#
# ## Why: shuffle in, shuffle out
#
# Attention (notebook 04) replaces each row by a weighted mean of all rows. Here it is
# without any learnt part. Shuffle the rows before, or shuffle the result:

# %%
def mix(x):
    """Attention in one line: similar rows weigh more. (tokens, dim) -> the same."""
    return (x @ x.T).softmax(dim=-1) @ x


x = torch.randn(5, 3, generator=torch.Generator().manual_seed(7))
order = torch.tensor([3, 0, 4, 1, 2])
print("shuffle first = shuffle after:", torch.allclose(mix(x[order]), mix(x)[order]))

# %% [markdown]
# It is no accident. Write the shuffle as a matrix $P$ with $P^\top P = 1$, and $s$ for
# softmax, which treats each row by itself:
#
# $$s(PX (PX)^\top)\,PX = P\,s(XX^\top)\,P^\top P X = P\,s(XX^\top)\,X$$
#
# This is [**permutation equivariance**](91_glossary.ipynb#p). Layer norm and feed-forward work on one row at a
# time, so they have it as well; so has the whole stack. And the mean at the end does not
# care about order at all.
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
# Now the whole model, six layers deep, fifty shuffles of the ids of one sentence.

# %%
def last_layer(ids, change):
    """Vectors after the last block: (tokens,) -> (tokens, 384)."""
    mask = torch.ones(1, len(ids))
    return model.hidden_states(ids[None], mask, change)[0][-1][0]


ids = model.trace(sentences["bank"]).ids
orders = [torch.randperm(len(ids)) for _ in range(50)]
for name, change in {"zeroed": without, "as trained": encoder.Change()}.items():
    straight = last_layer(ids, change)
    held = [torch.allclose(last_layer(ids[order], change), straight[order], atol=1e-4)
            for order in orders]
    print(f"positions {name}: equivariant in {sum(held)} of {len(held)} shuffles")

# %% [markdown]
# *Read the output.* The proof holds to the last layer, and one table breaks it. Now what
# the textbooks say about it.

# %%
texts = ["The cat bit the dog", "The dog bit the cat", a, b,
         "Alice paid Bob", "Bob paid Alice"]
encoded = [model.encode(texts, change=c) for c in (without, encoder.Change())]
bag, trained = ((v[::2] * v[1::2]).sum(axis=1) for v in encoded)
told = ", ".join(f"{cosine:.3f}" for cosine in trained)
barely = (trained < 0.999).all() and (trained > 0.9).all()
equal_rows = torch.equal(*(model.trace(t).rows.sort(dim=0).values for t in (a, b)))

trial(
    claim("C085", f"pooled cosine {bag[0]:.4f}", np.isclose(bag[0], 1, atol=1e-6)),
    claim("C239", f"the same rows, in another order: {equal_rows}", equal_rows),
    claim("C086", f"cosines of three swapped pairs: {told}",
          "partly" if barely else True),
)

# %% [markdown]
# *Read the output.* "The model can tell the two orders apart" is true of the vectors, and
# of little use in a search: who paid whom moves the cosine in the second or third digit.
# Notebook 08 comes back to that.
#
# ## A clock with many hands
#
# How do you write a place into a row? The bare number grows without end and would drown
# the word. Use the idea of a clock: several hands, each turning slower than the one
# before. Together they show every time, and no hand ever leaves the dial.

# %%
hands_speed = 10_000 ** -(torch.arange(0, 16, 2).double() / 16)  # radians per place


def dials(position):
    """Eight hands at one position, rounded to eight directions."""
    eighths = (position * hands_speed / (2 * torch.pi) * 8).round().int() % 8
    return Stack(f"place {position}: " + " ".join("↑↗→↘↓↙←↖"[hand] for hand in eighths))


explore(dials, twin=[{"position": p} for p in (0, 1, 2, 3, 44, 333)], position=(0, 511))

# %% [markdown]
# *Read the output.* The first hand runs, the last ones seem to stand: they are for texts
# of thousands of tokens. Move the slider and find a place that looks like 0. With a single
# hand, many do; here is the closest among 512, with more and more hands.

# %%
places = torch.arange(1, 512)
for hands in (1, 2, 3, 8):
    turned = places[:, None] * hands_speed[:hands]
    similarity = turned.cos().mean(dim=1)  # 1 = all hands point as at place 0
    best = similarity.argmax()
    print(f"hands kept: {hands}, most like place 0: {places[best]:>3} "
          f"({similarity[best]:.3f})")

# %% [markdown]
# *Read the output.* A single hand confuses places far apart; with all hands the closest
# is the neighbour, as it should be.
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
    """One row per place: sin, cos, sin, cos, …, each pair slower than the last."""
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
from transformers.models.gptj.modeling_gptj import create_sinusoidal_positions


def published(seq_len, d_model):
    """The article's formula, in NumPy: (seq_len, d_model)."""
    column = np.arange(d_model)
    angles = np.arange(seq_len)[:, None] / 10_000 ** (2 * (column // 2) / d_model)
    return np.where(column % 2 == 0, np.sin(angles), np.cos(angles))


table = positions.sinusoidal(512, 384)
print("equal to the article:", np.allclose(table, published(512, 384), atol=1e-6))

halves = create_sinusoidal_positions(512, 384).chunk(2, dim=1)
theirs = torch.stack(halves, dim=2).flatten(1)
print("equal to the library:", torch.allclose(table, theirs, atol=1e-4))

# %% [markdown]
# ## The distance is all that counts
#
# The dot product of two rows says how alike two places look. Places 3 and 8 are five
# apart, and so are 203 and 208. Which pair has the larger dot product?

# %%
predict("lag", "row 3 · row 8, against row 203 · row 208?",
        ["larger", "equal", "smaller"])

# %%
for i, j in ((3, 8), (203, 208), (8, 3), (3, 9)):
    print(f"row {i} · row {j} = {table[i] @ table[j]:.2f}")

near, far = float(table[3] @ table[8]), float(table[203] @ table[208])
unequal = "larger" if near > far else "smaller"
reveal("lag", "equal" if np.isclose(near, far) else unequal)

products = (table.double() @ table.double().T).numpy()  # (512, 512)
spread = max(float(np.ptp(np.diag(products, lag))) for lag in range(512))
print("over all pairs of one distance, differences stay below 0.001:", spread < 1e-3)

# %% [markdown]
# *Read the output.* Only the distance counts, for *all* pairs, and it counts alike in
# both directions. The reason is one line of school trigonometry, summed over the hands:
#
# $$\sin a \sin b + \cos a \cos b = \cos(a - b)$$
#
# The same trigonometry says more: to move a row by `lag` places, you need not know where
# it stands.
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
# ## What training finds instead
#
# MiniLM, like BERT, has no formula. Its places are rows of a table, learnt like the rows
# of the words. Popular articles explain sinusoids at this stage, then show MiniLM. Their
# claims about both:

# %%
learned = positions.learned()
trace, weights = model.trace(a), assets.weights()
added = torch.equal(trace.with_positions, trace.rows + learned[: len(trace.ids)])
unique = len(torch.unique(table, dim=0))
shapes = published(512, 384).shape, published(5, 7).shape
stored = [name for name in weights if "position_embeddings" in name]
trial(
    claim("C090", f"{shapes[0]}; an odd width works too: {shapes[1]}",
          shapes == ((512, 384), (5, 7))),
    claim("C091", f"{unique} of {len(table)} rows differ", unique == len(table)),
    claim("C096", f"a table {tuple(learned.shape)} is added: {added}", added),
    claim("C240", f"in the weights: {learned.numel():,} numbers", len(stored) == 1),
)

# %% [markdown]
# Sinusoids look alike when they are close and less so when they are far. Did training
# find the same? The mean cosine of two rows, by their distance:

# %%
lags = list(range(1, 61))


def by_lag(rows):
    """Mean cosine of two rows at each distance."""
    unit = pooling.normalize(rows)
    return [float((unit[lag:] * unit[:-lag]).sum(dim=1).mean()) for lag in lags]


curves = {"sinusoidal": by_lag(table), "learned (MiniLM)": by_lag(learned[1:])}
steps = np.diff(curves["learned (MiniLM)"])  # steps[0]: from distance 1 to 2
rises = [lag for lag, step in enumerate(steps, start=1) if step > 0]
fig, ax = plots.lines(lags, curves, "How alike two places look", "distance", "cosine")
plots.show(
    fig,
    alt="Two lines of mean cosine against distance: sinusoidal falls almost smoothly, "
    "the learned table goes up and down several times.",
    fact=f"learned: rises again at {len(rises)} of {len(steps)} steps, "
    f"first from distance {rises[0]} to {rises[0] + 1}",
)

# %% [markdown]
# *Read the output.* "Close places look alike, smoothly" is a picture of the formula, not of
# this model. The neighbour is close, but then the curve swings.
#
# ## Weight forensics
#
# Nobody tells you how a downloaded model was trained. But the table remembers. Here is the
# length of each of its 512 rows. Before you run: where do you expect rows that stand out?

# %%
norms = learned.norm(dim=1).double().numpy()
before, behind = np.median(norms[2:127]), np.median(norms[128:509])
fig, ax = plots.lines(range(1, 512), {"row": norms[1:]}, "Length of the position rows",
                      "position (row 0 is left out)", "length")
plots.show(
    fig,
    alt="Row length against position: a flat band, one spike at a quarter of the way, "
    "a higher flat band behind it and a steep rise at the very end.",
    fact=f"row 0: {norms[0]:.2f}, median of rows 2 to 126: {before:.2f}, "
    f"of rows 128 to 508: {behind:.2f}",
)

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
    """Indices of the values that are more than ``limit`` spreads from the median."""
    ### BEGIN SOLUTION
    values = np.asarray(values)
    away = np.abs(values - np.median(values))
    return np.flatnonzero(away > limit * 1.4826 * np.median(away)).tolist()
    ### END SOLUTION


# %%
check("3.4", outliers)

# %% [markdown]
# MiniLM's rows, in spreads from the median (*z, by medians*) and, as usual, in standard
# deviations from the mean. Beside them, the limit in the file of its tokenizer:

# %%
import json

from scipy.stats import median_abs_deviation, zscore

robust = (norms - np.median(norms)) / median_abs_deviation(norms, scale="normal")
frame = pd.DataFrame(
    {"length": norms, "z, by medians": robust, "z, by mean": zscore(norms)})
shipped = json.loads((assets.folder(assets.MINILM) / "tokenizer.json").read_text())

print("rows beyond 10 spreads:", np.flatnonzero(abs(robust) > 10).tolist())
print("tokenizer.json was saved with a limit of", shipped["truncation"]["max_length"])
digits = dict(zip(frame, (2, 1, 1)))
frame.loc[np.argsort(-abs(robust))[:7]].round(digits)

# %% [markdown]
# *Read the output.* By medians, four rows are far out; by the mean, row 127 would pass as
# ordinary. Now a *hypothesis*, not a finding. Row 0 always holds `[CLS]`. A text that is
# too long is cut, and then `[SEP]` stands on its last place. Inputs cut at 128 would train
# row 127 unlike its neighbours, inputs cut at 512 the last rows.
#
# So: 512 at some time, 128 at another? The step behind row 127 fits, and so does the
# tokenizer's file. A training log with other lengths would refute it.
#
# ## Slide the sentence
#
# The same tokens, but the first one gets row 100, or 300. A reader would not notice.
# Does the model?


# %%
def slide(sentence, offset):
    """The sentence on other rows of the table, and its cosine to itself on row 0."""
    text = sentences[sentence]
    change = encoder.Change(positions=encoder.offset_positions(offset))
    here, there = model.encode([text])[0], model.encode([text], change=change)[0]
    pieces = model.trace(text).tokens
    return show_tokens(pieces, f"from row {offset:>3}: cosine {here @ there:.2f}")


twin = [{"sentence": "server", "offset": n} for n in (0, 1, 100, 330, 420)]
explore(slide, twin=twin, sentence=list(sentences), offset=(0, 480))

# %% [markdown]
# Where does it hurt most? Take the mean of all six sentences and look for the steepest
# fall within sixteen rows: at once, where `[CLS]` loses its row 0? At 128, behind the odd
# row? At 256, the library's limit?

# %%
predict("slide", "the steepest fall begins …", ["at row 0", "at row 128", "at row 256"])

# %%
texts = list(sentences.values())
at_home, curve = model.encode(texts), {}
for offset in range(0, 481, 16):
    change = encoder.Change(positions=encoder.offset_positions(offset))
    cosine = (at_home * model.encode(texts, change=change)).sum(axis=1)
    curve[offset] = float(cosine.mean())

falls = {row: curve[row] - curve[row + 16] for row in (0, 128, 256)}
reveal("slide", f"at row {max(falls, key=falls.get)}")

# %%
fig, ax = plots.lines(list(curve), {"mean": list(curve.values())},
                      "Same sentences, other rows", "row of the first token",
                      "cosine to row 0")
plots.show(
    fig,
    alt="Mean cosine against the offset: a drop at once, a slow decline to a valley "
    "between 300 and 350, then a partial recovery.",
    fact=f"lowest at row {min(curve, key=curve.get)} ({min(curve.values()):.2f}), "
    f"at 480 again {curve[480]:.2f}",
)

# %% [markdown]
# *Read the output.* The model does notice. There is a fall at once, no cliff at 128 or
# 256, and a valley far behind both. Absolute places matter to this model, though no
# reader cares whether a sentence begins at token 1 or at 300.
#
# ## Swap the tables
#
# The 2017 paper found learned places and sinusoids about equally good, each trained from
# the start. What if a *trained* model gets sinusoids of the right length in place of its
# table? Judge by rank correlation (Spearman) with the grades of two sets of pairs: *hard*
# ones, in which common words mislead on purpose, and *natural* ones without such traps.

# %%
predict("swap", "MiniLM with sinusoids instead of its own table is …",
        ["about as good", "between own and none", "about as bad as none"])

# %%
sets = {"hard": corpora.load_pairs(), "natural": corpora.load_natural_pairs()}
waves = pooling.normalize(table) * float(np.median(norms))
tables = {
    "own table": learned,
    "sinusoids": waves,
    "sinusoids, own row 0": torch.cat([learned[:1], waves[1:]]),
    "none": torch.zeros_like(learned),
}


def similarities(rows, pairs):
    """Cosine of each pair, with these rows in place of the learned ones: (pairs,)."""
    change = encoder.Change(positions=lambda places, own: rows[places])
    left, right = (model.encode([getattr(pair, side) for pair in pairs], change=change)
                   for side in "ab")
    return (left * right).sum(axis=1)


found = {(which, name): similarities(rows, pairs)
         for which, pairs in sets.items() for name, rows in tables.items()}

# %% [markdown]
# One number is not enough: other pairs would have given another. The [**bootstrap**](91_glossary.ipynb#b) draws
# as many pairs again and again, with repetition, and looks how far the result wanders.
# Each draw is the same for all tables, so that we compare like with like.

# %%
from scipy.stats import rankdata


def spearman(values, pairs):
    """Rank correlation with the grades in each draw: (1000,)."""
    draws = np.random.default_rng(7).integers(0, len(pairs), (1000, len(pairs)))
    draws[0] = np.arange(len(pairs))  # the first draw is the real set
    grades = np.array([pair.grade for pair in pairs])
    ranks = [rankdata(x[draws], axis=1) for x in (values, grades)]
    x, y = (rank - rank.mean(axis=1, keepdims=True) for rank in ranks)
    return (x * y).sum(axis=1) / np.sqrt((x**2).sum(axis=1) * (y**2).sum(axis=1))


# %%
drawn = {(which, name): spearman(values, sets[which])
         for (which, name), values in found.items()}


def interval(which, name, baseline):
    """95 % of the differences between two tables, draw by draw."""
    return np.percentile(drawn[which, name] - drawn[which, baseline], [2.5, 97.5])


columns, better = {}, []
for which, pairs in sets.items():
    low, high = interval(which, "sinusoids", "none")
    better.append(low > 0)
    swapped = sum(pair.kind == "role_swap" for pair in pairs)
    print(f"{which}: sinusoids minus none {low:+.2f} to {high:+.2f}; "
          f"who bit whom: {swapped} of {len(pairs)} pairs")
    columns[which] = [f"{drawn[which, name][0]:.2f}" for name in tables]
    columns[f"{which}, minus own"] = [
        "{:+.2f} to {:+.2f}".format(*interval(which, name, "own table"))
        if name != "own table" else "–" for name in tables]
reveal("swap", "between own and none" if any(better) else "about as bad as none")
pd.DataFrame(columns, list(tables))

# %% [markdown]
# *Read the output.* A model does not understand "positions", it understands *its*
# positions: in both sets sinusoids are worth no more than none at all, and giving `[CLS]`
# its own row back repairs a part. Without positions the hard pairs lose nearly all order,
# though few are about *who bit whom*: places are also how words find their neighbours
# (notebook 04). The natural pairs lose little: their words alone say most.
#
# ## RoPE: turn, do not add
#
# Rows that are added become part of the token, and what is multiplied in attention is
# word and place mixed. Exercise 3.3 offers another way: leave the token alone, and *turn*
# query and key by an angle that grows with their place. Two numbers first.

# %%
def turn(pair, angle):
    """Turn an arrow (x, y) by an angle."""
    (x, y), sin, cos = pair, np.sin(angle), np.cos(angle)
    return np.array([x * cos - y * sin, x * sin + y * cos])


q, k = (2.0, 1.0), (1.0, -1.0)
seen = {(i, j): turn(q, i) @ turn(k, j) for i, j in ((5, 2), (105, 102), (5, 3))}
for (i, j), score in seen.items():
    print(f"query at {i}, key at {j}: score {score:.3f}")

# %% [markdown]
# *Read the output.* Both arrows turn; what is between them is the difference. The same
# distance gives the same score wherever the text begins.
#
# A real query has many numbers: pair them up, and let each pair turn at its own speed,
# like the hands of the clock. Llama pairs number i with number i + dim/2. The slow way,
# pair by pair:


# %%
def rope_slowly(x, places):
    """Turn every pair of every row, one at a time: (tokens, dim)."""
    half = x.shape[1] // 2
    turned = np.empty(x.shape)
    for token, place in enumerate(places):
        for i in range(half):
            angle = place * 10_000 ** (-2 * i / x.shape[1])
            turned[token, [i, i + half]] = turn(x[token, [i, i + half]], angle)
    return turned


x = torch.randn(5, 16, generator=torch.Generator().manual_seed(7), dtype=torch.float64)
places = torch.tensor([0, 1, 7, 100, 511])
slow = rope_slowly(x.numpy(), places.tolist())

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
from transformers.models.gptj import modeling_gptj as gptj
from transformers.models.llama import modeling_llama as llama

half_split = positions.rope(x, places)
interleaved = positions.rope(x, places, interleaved=True)
print("module = slow version:", np.allclose(half_split, slow))

rotary = llama.LlamaRotaryEmbedding(LlamaConfig(hidden_size=48, num_attention_heads=3))
cos, sin = rotary(x[None], places[None])  # (1, tokens, head dim)
theirs, _ = llama.apply_rotary_pos_emb(x[None, None], x[None, None], cos, sin)
print("half-split = Llama:", torch.allclose(half_split, theirs[0, 0], atol=1e-4))

sin, cos = gptj.create_sinusoidal_positions(512, 16)[places][None].chunk(2, dim=-1)
theirs = gptj.apply_rotary_pos_emb(x[None, :, None], sin, cos)
print("interleaved = GPT-J:", torch.allclose(interleaved, theirs[0, :, 0], atol=1e-4))

# %% [markdown]
# ## RoPE on trial
#
# Eight statements, as articles have them. Count the parameters, look for what is added,
# read the attention of three models, and compare the scores.

# %%
from inspect import getsource

from transformers.models.falcon import modeling_falcon as falcon
from transformers.models.mistral import modeling_mistral as mistral

attentions = (llama.LlamaAttention, mistral.MistralAttention, falcon.FalconAttention)
turns = ["apply_rotary_pos_emb(" in getsource(attention) for attention in attentions]
alibi_too = hasattr(falcon, "build_alibi_tensor")
trained = sum(parameter.numel() for parameter in rotary.parameters())
keeps = torch.allclose(half_split.norm(dim=1), x.norm(dim=1))
adds = f"the learned table is added; RoPE only turns, lengths are kept: {keeps}"
relative = np.isclose(seen[5, 2], seen[105, 102]) and seen[5, 2] != seen[5, 3]
speeds = len(rotary.inv_freq.unique())

# %%
trial(
    claim("C063", f"numbers to train in LlamaRotaryEmbedding: {trained}", trained > 0),
    claim("C064", adds, "partly" if added and keeps else False),
    claim("C241", adds, "partly" if added and keeps else False),
    claim("C088", "both turn their queries and keys", all(turns[:2])),
    claim("C089", f"yes, with ALiBi as an option: {alibi_too}", turns[2]),
    claim("C092", f"proportional, at {speeds} speeds for {x.shape[1]} numbers",
          "partly" if speeds > 1 else True),
    claim("C093", f"{seen[5, 2]:.3f} at (5, 2) and (105, 102), {seen[5, 3]:.3f} at "
          "(5, 3)", relative),
    claim("C094", f"sinusoid rows too: {near:.1f} at (3, 8) and (203, 208)",
          "partly" if spread < 1e-3 else True),
)

# %% [markdown]
# *Read the output.* The last one is the subtle one. Bare sinusoids depend on the distance
# as well; but what meets in attention is not bare. There stand word plus place, and the
# mixed terms give the place away. RoPE keeps the promise inside the score itself.
#
# ## ALiBi: do nothing to the vectors
#
# The fourth idea is the bluntest: subtract the distance from the scores, in each head with
# another slope. No hands, no table.
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

heads, tokens = 6, 5
back = torch.ones(tokens, tokens).tril().bool()  # a token sees itself and those before
bloom = build_alibi_tensor(torch.ones(1, tokens), heads, torch.float32)
theirs = bloom.expand(heads, tokens, tokens)
looks = [bias.masked_fill(~back, -torch.inf).softmax(dim=-1)
         for bias in (positions.alibi_bias(heads, tokens), theirs)]
print("module = Bloom, after softmax:", torch.allclose(*looks, atol=1e-6))

# %% [markdown]
# ## Five schemes, five questions
#
# A table of properties is easily copied. Let us fill ours by trying, on random queries and
# keys. Does a swap of two tokens change more than the order of the scores (*sees order*)?
# Do before and after differ (*direction*)? Do scores survive a move by 300 places
# (*distance only*)? Does the nearer of two equal keys always score higher? Is there a score
# at place 10,000? And how many numbers must be trained?
#
# Before you run: one scheme sees the order, but cannot tell before from after. Which?

# %%
predict("mirror", "sees order, but cannot tell before from after:",
        ["sinusoidal", "learned", "rotary", "ALiBi"])

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

reveal("mirror", ", ".join(tried.index[tried["sees order"] & ~tried["direction"]]))
shown = tried.replace({True: "yes", False: "–"})
shown.assign(trained=[f"{s.parameters:,}" for s in schemes])

# %% [markdown]
# *Read the output.* No row is all "yes". ALiBi fades with distance and cannot tell left
# from right (chat models look back only, so they need not). And "reaches 10,000" is a weak
# promise: a number can be computed there, which does not say that any model was taught to
# use it. You saw what happened to a sentence that moved by 300.

# %% [markdown]
# ## Break it
#
# ### Puzzle 3.7 · Two ways to pair
#
# A ticket: *"After converting the checkpoint, answers are fluent for a line and then
# drift. No error, all shapes right."* Somewhere two conventions meet. Here are a query
# and a key, three places apart, at four starts of the text.

# %%
g = torch.Generator().manual_seed(3)
q, k = torch.randn(2, 1, 8, generator=g)


def score(place, query_interleaved, key_interleaved):
    """Query at ``place + 3``, key at ``place``."""
    at_query, at_key = torch.tensor([place + 3]), torch.tensor([place])
    left = positions.rope(q, at_query, interleaved=query_interleaved)
    right = positions.rope(k, at_key, interleaved=key_interleaved)
    return float((left * right).sum())


cases = {"as trained (interleaved)": (True, True), "engine A": (False, True),
         "engine B": (False, False)}
for name, conventions in cases.items():
    print(f"{name:<25}", *(f"{score(p, *conventions):6.2f}" for p in (0, 10, 100, 400)))

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
    """Columns in interleaved order -> the order of half-split: (tokens, dim)."""
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
try:
    torch.nn.functional.embedding(tokens, learned)
except IndexError as error:
    print("library:", error)
try:
    positions.table_rows(learned, tokens)
except ValueError as error:
    print("ours:   ", error)

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
# How many find their document first?

# %%
import warnings

warnings.simplefilter("ignore", encoder.TruncationWarning)  # here we cut on purpose
news = [article.text for article in corpora.load_news("test")]
facts = [pair for pair in corpora.load_pairs(["plain"]) if pair.grade >= 4.5][:10]
documents = [" ".join([*news[11 * i : 11 * i + 11], fact.a])
             for i, fact in enumerate(facts)]
questions = model.encode([fact.b for fact in facts])

twice = {"embeddings.position_embeddings.weight": torch.cat([learned, learned])}
long = encoder.MiniLM({**weights, **twice}, assets.config())
short = encoder.MiniLM.load()
short.max_tokens, long.max_tokens = 512, 1024
print("shortest document:", min(map(len, long.tokenize(documents))), "tokens")

# %%
def best_part(words):
    """Score of each question with the best part of each document: (10, 10)."""
    scores = []
    for document in (text.split() for text in documents):
        starts = range(0, len(document), words)
        cut = [" ".join(document[start : start + words]) for start in starts]
        scores.append((questions @ model.encode(cut).T).max(axis=1))
    return np.stack(scores, axis=1)


# %%
ways = {
    "cut at 512": questions @ short.encode(documents).T,
    "table repeated": questions @ long.encode(documents).T,
    "best part of 100 words": best_part(100),
    "best part of 20 words": best_part(20),
    "the bare facts": questions @ model.encode([fact.a for fact in facts]).T,
}
for name, scores in ways.items():
    found_first = scores.argmax(axis=1) == np.arange(len(facts))
    print(f"{name:<23} {found_first.sum():>2} of {len(facts)} found first")

# %% [markdown]
# *Read the output.* The cut loses the fact, of course. But the longer table hardly helps:
# the fact is *read* now, and drowns in the mean of hundreds of tokens. The smaller the
# parts, the more facts are found. Ten questions are few: take the order, not the counts.
# A larger window is not yet a better memory (notebook 09).
#
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
# | `sinusoidal(tokens, dim)` | (tokens, dim), computed | `create_sinusoidal_positions` |
# | `learned()` | (512, 384), trained | `embeddings.position_embeddings` |
# | `rope(x, positions)` | (tokens, dim), turned | `apply_rotary_pos_emb` (Llama: half-split, GPT-J: interleaved) |
# | `alibi_bias(heads, tokens)` | (heads, tokens, tokens), added to scores | `build_alibi_tensor` |
# | `Change(positions=…)` | a model with other places | none: it is a lesson's tool |
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
# - A. Kazemnejad et al.: *The impact of positional encoding on length generalization in
#   transformers*, 2023, [arXiv 2305.19466](https://arxiv.org/abs/2305.19466)
