# %% [markdown]
# # 05 · How do n vectors become one?
#
# The encoder gives a vector to every token. A search wants one for the whole text, and
# how it is made decides what a similarity means. In the end your own functions, with the
# official weights, *are* the model, and you can read a cosine like a bill.

# %% [markdown]
# | | |
# |---|---|
# | to read / to do | 40 / 60 minutes |
# | you build | five poolings, receipts, a doctor for encoders, all of MiniLM |
# | used again in | every notebook that compares texts |
#
# After this notebook you can
#
# - **pool** with a mask, whichever side the padding is on,
# - **compare** poolings by the order they give, with an interval, not by their level,
# - **read** a cosine: what it adds up from, and what it cannot tell,
# - **find** out why an encoder gives the same text another vector.

# %%
import warnings

import numpy as np
import pandas as pd
import torch
from course_utils import assets, attention, corpora, encoder, lookup, pooling
from course_utils import positions, tokenization
from course_utils.classroom import (
    check, claim, explore, plots, predict, quiz, reveal, scorecard, start, trial)
from scipy.stats import rankdata
from sklearn.metrics import roc_auc_score
from torch.nn import functional

start("05_pooling")

# %% [markdown]
# ![The pipeline: text, tokenization, lookup, positions, attention, pooling, search. Today: pooling.](images/pipeline_pooling.svg)
#
# ## Six sentences on a journey
#
# Notebook 04 left them with a vector per token. Today's column: one vector per sentence,
# which is the mean of the last layer, scaled to length 1.

# %%
model = encoder.MiniLM.load()
sentences = corpora.load_sentences()
traces = {key: model.trace(text) for key, text in sentences.items()}
pd.DataFrame({key: {"tokens": len(trace.ids),
                    "last layer": str(tuple(trace.hidden[-1].shape)),
                    "vector": str(tuple(trace.vector.shape)),
                    "it begins": " ".join(f"{x:+.2f}" for x in trace.vector[:4])}
              for key, trace in traces.items()}).T

# %% [markdown]
# *Read the output.* Whatever the number of tokens, the same 384 numbers. Articles count
# the tokens of their examples by words. Do they count right?

# %%
ten = "The old dog slept near the warm fire all day"
cat, word, essay = (model.trace(t) for t in ("The cat sat", "word", "word " * 200))
print(" ".join(model.trace(ten).tokens))
sizes = {len(trace.vector) for trace in (cat, word, essay)}
trial(
    claim("C115", len(model.trace(ten).ids), len(model.trace(ten).ids) == 10),
    claim("C221", f"{len(cat.ids)}: {' '.join(cat.tokens)}",
          len(cat.ids) == 3 or ("partly" if len(cat.ids) == 5 else False)),
    claim("C004", len(word.vector), len(word.vector) == 384),
    claim("C011", f"{len(word.ids)} and {len(essay.ids)} tokens: always {max(sizes)}",
          sizes == {384}),
)

# %% [markdown]
# ## The mean, and what must not be in it
#
# In a batch all texts are as long as the longest: the rest is padding, and the encoder
# computes vectors for padding as well. They look like any other and mean nothing.

# %%
tokens = torch.tensor([[[1.0, 3.0], [3.0, 1.0], [8.0, 8.0]]])  # (1 text, 3 tokens, 2)
mask = torch.tensor([[1, 1, 0]])  # the third is padding
print("by hand, the two real ones:", [(1 + 3) / 2, (3 + 1) / 2])
print("tokens.mean(dim=1):        ", tokens.mean(dim=1)[0].tolist())
print("with the mask:             ", pooling.mean_pool(tokens, mask)[0].tolist())

# %% [markdown]
# ### Exercise 5.1 · The mean of the real tokens (core, 10 minutes)
#
# `vectors` is (batch, tokens, dim), `mask` (batch, tokens) is 1 at real tokens. Return
# (batch, dim).
#
# <details><summary>Hint 1</summary>
#
# Multiply first, so that padding adds zero. For that the mask needs a third axis:
# `mask.unsqueeze(-1)` is (batch, tokens, 1).
# </details>
# <details><summary>Hint 2</summary>
#
# Each text has its own number of real tokens: `mask.sum(dim=1, keepdim=True)`.
# </details>


# %%
def mean_pool(vectors, mask):
    """(batch, tokens, dim) and (batch, tokens) -> (batch, dim)"""
    ### BEGIN SOLUTION
    total = (vectors * mask.unsqueeze(-1)).sum(dim=1)  # (batch, dim)
    return total / mask.sum(dim=1, keepdim=True)
    ### END SOLUTION


# %%
check("5.1", mean_pool)

# %% [markdown]
# The same on the six sentences with loops, with the module (which also refuses a row of
# padding and shapes that do not fit), and inside the library.

# %%
library = assets.sentence_transformer()
batch = assets.tokenizer()(list(sentences.values()), padding=True, return_tensors="pt")
with torch.inference_mode():
    output = library[0](dict(batch))  # the transformer
    theirs = library[1](output)["sentence_embedding"]  # its pooling
tokens, mask = output["token_embeddings"], batch["attention_mask"]

slow = torch.zeros(6, 384)
for i in range(6):
    for j in range(mask.shape[1]):
        if mask[i, j]:
            slow[i] += tokens[i, j] / mask[i].sum()

fast = pooling.mean_pool(tokens, mask)
print("loops = module:  ", torch.allclose(slow, fast, atol=1e-6))
modes = [type(part).__name__ for part in library]
print("module = library:", torch.allclose(fast, theirs, atol=1e-6))

# %% [markdown]
# ## Other ways to make one of many
#
# | pooling | what is taken | who uses it |
# |---|---|---|
# | mean | all real tokens alike | MiniLM, most sentence encoders |
# | CLS | the first token | BERT classifiers, some encoders |
# | max | the largest value in each dimension | older encoders |
# | weighted mean | token k counts k times | some decoder models |
# | last token | the last real one | decoder-only embedders |
#
# "First" and "last" sound easy. But decoders are padded on the *left*.
#
# ### Exercise 5.2 · The first and the last real token (core, 5 minutes)
#
# `mask` is (batch, tokens) of whole numbers, padding on either side. Return two tensors
# (batch,): the places of the first and of the last 1.
#
# <details><summary>Hint 1</summary>
#
# `argmax` returns the first place of the largest value.
# </details>
# <details><summary>Hint 2</summary>
#
# For the last one, flip the mask, take the first, and count back.
# </details>


# %%
def real_ends(mask):
    """[[0, 1, 1, 0]] -> ([1], [2])"""
    ### BEGIN SOLUTION
    last = mask.shape[1] - 1 - mask.flip(1).argmax(dim=1)
    return mask.argmax(dim=1), last
    ### END SOLUTION


# %%
check("5.2", real_ends)

# %% [markdown]
# All five are in `pooling.POOLINGS`. The popular listing for max forgets the mask that
# its own mean has. What does that do to a sentence in a padded batch?

# %%
server, alone = tokens[:1], tokens[:1, : mask[0].sum()]
left = tokens[:1].roll(int((mask[0] == 0).sum()), dims=1), mask[:1].flip(1)
for name, pool in pooling.POOLINGS.items():
    truth = pool(alone, torch.ones(1, alone.shape[1]))
    ends = [torch.allclose(pool(*side), truth, atol=1e-5)
            for side in ((server, mask[:1]), left)]
    print(f"{name:<14} right padding {ends[0]}, left padding {ends[1]}")

with_mask, truth = (pooling.max_pool(server, mask[:1]), alone.amax(dim=1))
off = pooling.cosine(server.amax(dim=1)[0], truth[0]).item()
mean_alone = pooling.cosine(fast[0], alone[0].mean(dim=0)).item()
trial(claim("C119", f"cosine to the text alone {mean_alone:.4f}", mean_alone > 0.99999),
      claim("C122", f"cosine to the text alone {off:.4f}", off > 0.99999))

# %% [markdown]
# ## 0.90 or 0.56: which pooling is better?
#
# "How do I reset my password?" and "I forgot my login and need a new one." ask the same.
# One of the poolings gives them a far higher cosine than the others. Which one, and is
# it therefore the best?

# %%
predict("level", "the highest cosine for the two questions?", list(pooling.POOLINGS))

# %%
asked = "How do I reset my password?"
others = {"the same": "I forgot my login and need a new one.",
          "unrelated": "The bridge was closed after the storm."}
rows = {}
for name, pool in pooling.POOLINGS.items():
    change = encoder.Change(pool=pool)
    first, *rest = model.encode([asked, *others.values()], change=change)
    rows[name] = dict(zip(others, (first @ np.array(rest).T).round(2)))
level = pd.DataFrame(rows).T
reveal("level", level["the same"].idxmax())
level

# %% [markdown]
# *Read the output.* The winner also gives a high cosine to a sentence about a bridge. All
# its cosines live in a narrow band near the top. **A level belongs to the pooling, not to
# the texts.** What counts is order: does what belongs together score above what does not?
#
# ### Exercise 5.3 · How well does a score separate? (core, 10 minutes)
#
# `same` and `different` are lists of scores. Return the share of all (same, different)
# combinations in which the score from `same` is larger; a tie is half a win.
#
# <details><summary>Hint 1</summary>
#
# Two loops, or `np.subtract.outer(same, different)`: all differences at once.
# </details>
# <details><summary>Hint 2</summary>
#
# Count 1 where a difference is above zero, 0.5 where it is zero, and take the mean.
# </details>


# %%
def separation(same, different):
    """[0.9, 0.6] and [0.5, 0.7] -> 0.75"""
    ### BEGIN SOLUTION
    gaps = np.subtract.outer(same, different)
    return float(((gaps > 0) + 0.5 * (gaps == 0)).mean())
    ### END SOLUTION


# %%
check("5.3", separation)

# %% [markdown]
# Statisticians call it the area under the ROC curve: 0.5 is a coin, 1 is perfect.
#
# ## Five poolings on graded pairs
#
# 120 pairs of sentences as people write them, graded from 0 (nothing in common) to 5 (the
# same). One pass through the model keeps every layer of all 240 sentences; after that,
# any pooling is one line.


# %%
def read(texts, keep=slice(None)):
    """Layers (texts, tokens, 384) of many texts, a few at a time; mask and ids."""
    ids, mask = encoder.pad(model.tokenize(texts))
    with torch.inference_mode():
        parts = [model.hidden_states(*part)[0][keep]
                 for part in zip(ids.split(30), mask.split(30))]
    return [torch.cat(layer) for layer in zip(*parts)], mask, ids


def cosines(vectors):
    """Cosine of rows 0 and 1, 2 and 3, …: (2 n, dim) -> (n,)"""
    unit = pooling.normalize(vectors)
    return (unit[0::2] * unit[1::2]).sum(dim=1).numpy()


pairs = corpora.load_natural_pairs()
grades = np.array([pair.grade for pair in pairs])  # (120,)
layers, mask, _ = read([text for pair in pairs for text in (pair.a, pair.b)])

# %% [markdown]
# Is a difference real, or would other pairs have given another? As in notebook 03 we draw
# the pairs anew, a thousand times, and compare two poolings *within each draw*.


# %%
def spearman(values, grades):
    """Rank correlation in a thousand draws; the first draw is the set itself."""
    rows = np.random.default_rng(7).choice(len(values), (1000, len(values)))
    rows[0] = np.arange(len(values))
    x, y = (rankdata(v[rows], axis=1) for v in (values, grades))
    x, y = (v - v.mean(axis=1, keepdims=True) for v in (x, y))
    return (x * y).sum(axis=1) / np.sqrt((x**2).sum(axis=1) * (y**2).sum(axis=1))


def interval(values, form="{:+.2f} to {:+.2f}"):
    """What 95 % of the draws lie between, as text; a dash for no difference at all."""
    if not np.any(values):
        return "–"
    return form.format(*np.percentile(values, [2.5, 97.5]))


found = {name: cosines(pool(layers[-1], mask))
         for name, pool in pooling.POOLINGS.items()}
predict("best", "nearest to the order of the grades?", list(pooling.POOLINGS))


# %%
def compare(found, grades):
    """For each pooling: does it separate, does it order, by how much less than mean?"""
    clear, drawn = (grades >= 4) | (grades <= 1), spearman(found["mean"], grades)
    return pd.DataFrame({name: {
        "separation": f"{roc_auc_score(grades[clear] >= 4, values[clear]):.2f}",
        "rank correlation": f"{spearman(values, grades)[0]:.2f}",
        "interval": interval(spearman(values, grades), "{:.2f} to {:.2f}"),
        "minus the mean's": interval(spearman(values, grades) - drawn)}
        for name, values in found.items()}).T


natural = compare(found, grades)
reveal("best", natural["rank correlation"].astype(float).idxmax())
natural

# %% [markdown]
# *Read the output.* All five tell "the same" from "nothing in common" without a mistake:
# these pairs are easy, and *separation* is blunt. The order tells more. The mean comes
# first. CLS, max and the last token stay below it in nearly every draw; the weighted mean
# cannot be told from it. Each interval alone is wide, and they overlap: only the
# *paired* differences decide.
#
# ## A second, harder look
#
# 180 more pairs, made so that counting words does badly. In the *plain* ones paraphrases
# share few words, and unrelated sentences share some. The others are traps: nearly all
# words in common, but a negation, another number, other names, or roles swapped. How far
# does the mean fall on the plain ones?

# %%
hard = corpora.load_pairs()
predict("hard", "rank correlation of the mean, plain ones?", ["0.9", "0.7", "0.5"])

# %%
hard_layers, hard_mask, _ = read([text for pair in hard for text in (pair.a, pair.b)])
hard_grades = np.array([pair.grade for pair in hard])  # (180,)
kinds = np.array([pair.kind for pair in hard])
hard_found = {name: cosines(pool(hard_layers[-1], hard_mask))
              for name, pool in pooling.POOLINGS.items()}
plain = kinds == "plain"
second = compare({name: v[plain] for name, v in hard_found.items()}, hard_grades[plain])
reveal("hard", f"{float(second['rank correlation']['mean']):.1f}")
second

# %% [markdown]
# *Read the output.* Half of the order is gone, and the winner is another: the weighted
# mean is above the mean, a little, and the difference of CLS reaches zero. Four
# comparisons were made, so an interval that just misses zero is a hint, not a proof.
# "Which pooling is best?" has no answer without "on which texts?".
#
# And the traps? Which kind gets the highest cosines, do you think?

# %%
traps = pd.DataFrame({"kind": kinds, "grade": hard_grades, **hard_found})
traps["kind"] = traps["kind"].str.replace("_", " ")
traps.groupby("kind").mean().round(2).sort_values("mean").rename_axis(None)

# %% [markdown]
# *Read the output.* Under *every* pooling the pairs with swapped roles score highest,
# though their grades are like those of the plain pairs. Pooling adds up; who acted and who
# suffered would have to be in the token vectors, and hardly is. Notebook 06 trains it
# in, notebook 08 collects such failures.
#
# ## Does the winner win at search?
#
# The golden set of notebook 09: queries, pages, and the place at which the first page
# stands that answers. We add a mean in which *rare tokens* weigh more. That is said to
# help where a keyword decides.

# %%
pages, answers = corpora.load_runbooks(), corpora.load_relevance()
queries = [query for query in corpora.load_queries() if query.kind != "unanswerable"]
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always", UserWarning)
    shelf = read([page.text for page in pages], keep=slice(-1, None))
print("warning:", caught[0].message)
searched = read([query.text for query in queries], keep=slice(-1, None))

weights = pooling.rarity(map(set, shelf[2].tolist()), len(model.vocabulary))
pools = {name: lambda layers, mask, ids, pool=pool: pool(layers[0], mask)
         for name, pool in pooling.POOLINGS.items()}
pools["rare tokens"] = lambda layers, mask, ids: pooling.weighted_mean_pool(
    layers[0], mask, weights[ids])


# %%
def reciprocal_ranks(pool):
    """1 / place of the first page that answers, per query."""
    one, other = (pooling.normalize(pool(*part)) for part in (searched, shelf))
    order = (one @ other.T).argsort(dim=1, descending=True).tolist()
    return 1 / np.array([next(place for place, page in enumerate(row, 1)
                              if answers[query.id].get(pages[page].id) == 3)
                         for row, query in zip(order, queries)])


hits = pd.DataFrame({name: reciprocal_ranks(pool) for name, pool in pools.items()})
behind = hits.sub(hits["mean"], axis=0).to_numpy()  # (queries, poolings)
draws = np.random.default_rng(7).choice(len(queries), (1000, len(queries)))
coded = np.array([query.kind == "identifier" for query in queries])
few = np.random.default_rng(7).choice(np.flatnonzero(coded), (1000, coded.sum()))
pd.DataFrame({"mean reciprocal rank": hits.mean().round(2),
              "minus the mean's": map(interval, behind[draws].mean(axis=1).T),
              "the same, identifiers": map(interval, behind[few].mean(axis=1).T)})

# %% [markdown]
# *Read the output.* CLS, max and the last token lose; so does the weighted mean, which was
# first on the hard pairs. Rare tokens end on top, but not for certain, and not where it
# was promised. Pages are read up to their 256th token (puzzle 5.8). **The mean is what
# this model was trained with.** A pooling is no knob to turn afterwards.
#
# Three statements need a measurement. MiniLM's file still holds BERT's trained *pooler*.
# One can match token with token and not pool at all (MaxSim). And max is called sensitive
# to outliers: how far does leaving out one token move a text?

# %%
file = assets.weights()
head = [file[f"pooler.dense.{part}"] for part in ("weight", "bias")]
trained = spearman(cosines(functional.linear(layers[-1][:, 0], *head).tanh()), grades)

unit = [pooling.normalize(row[:n]) for row, n in zip(layers[-1], mask.sum(dim=1))]
alike = [2 * i for i in np.flatnonzero(grades == 5)]
best = torch.tensor([[(unit[i] @ unit[j + 1].T).amax(dim=1).mean() for j in alike]
                     for i in alike]).argmax(dim=1)
partner = (best == torch.arange(len(alike))).float().mean().item()
shake = {}
for name, pool in ("mean", pooling.mean_pool), ("max", pooling.max_pool):
    moved = pooling.leave_one_out(pool, layers[-1], mask).amax(dim=1).mean()
    usual = 1 - pooling.mean_cosine(pool(layers[-1], mask))
    shake[name] = moved / usual
shaken = ", ".join(f"{name} {share:.0%}" for name, share in shake.items())
print("largest move by one token, share of the distance of two texts:", shaken)

# %%
both = {"natural": (pairs, found, grades), "hard": (hard, hard_found, hard_grades)}
ahead = {}
for which, (rows, values, given) in both.items():
    for domain in ("everyday", "news", "ops"):
        here = [row.domain == domain and row.kind == "plain" for row in rows]
        mean, cls = (spearman(values[name][here], given[here])[0]
                     for name in ("mean", "cls"))
        ahead[f"{which} {domain}"] = bool(mean > cls)
order = spearman(found["mean"], grades)
worse = np.percentile(spearman(found["max"], grades) - order, 97.5)
low, high = np.percentile(behind[few].mean(axis=1)[:, -1], [2.5, 97.5])
trial(
    claim("C121", f"ahead in {sum(ahead.values())} of {len(ahead)} sets of pairs",
          all(ahead.values()) or ("partly" if any(ahead.values()) else False)),
    claim("C123", f"moved by one token: {shaken}; order worse: {worse < 0}",
          bool(worse < 0 and shake["max"] > 5 * shake["mean"])),
    claim("C124", f"queries with identifiers: {low:+.2f} to {high:+.2f}",
          bool(low > 0) or ("partly" if high > 0 else False)),
    claim("C222", f"{partner:.0%} of the paraphrases found", "partly" if partner > 0.9
          else True),
    claim("C223", f"mean {order[0]:.2f}, its trained pooler {trained[0]:.2f}",
          bool(trained[0] > order[0])),
    claim("C360", f"of the last layer: {library[1].pooling_mode}",
          library[1].pooling_mode in ("mean", "cls")))

# %% [markdown]
# ## One layer earlier?
#
# The last layer is not the only one that has a vector per token. Before any block there
# are only words and their places. How far do these come by themselves, on the natural and
# on the plain hard pairs?

# %%
by_layer = {
    "natural, mean": [spearman(cosines(pooling.mean_pool(h, mask)), grades)[0]
                      for h in layers],
    "natural, CLS": [np.nan, *(spearman(cosines(h[:, 0]), grades)[0]
                               for h in layers[1:])],  # at first all texts share it
    "hard, mean": [spearman(cosines(pooling.mean_pool(h, hard_mask))[plain],
                            hard_grades[plain])[0] for h in hard_layers]}
fig, ax = plots.lines(range(7), by_layer, "Order of the grades, by layer",
                      "blocks passed", "rank correlation")
plots.show(fig, alt="Three lines over the blocks: natural pairs under the mean begin "
           "high and end higher; CLS begins lower; hard pairs climb from zero.",
           fact="\n".join(f"{name}: " + " ".join(f"{x:.2f}" for x in values)
                          for name, values in by_layer.items()).replace("nan", "–"))

# %% [markdown]
# *Read the output.* On natural pairs the words do most of it, and six blocks add the rest.
# On the hard pairs words alone order like dice: what the blocks add there is meaning, and
# the last one adds most. **A benchmark that words can solve does not show what a model
# understands.** Why is the last layer so much better than the one before?
#
# ## The narrow cone
#
# Two random news items have nothing to do with each other. Guess the mean cosine of such
# pairs, after three blocks.

# %%
predict("cone", "mean cosine of unrelated news after 3 blocks?", ["0.1", "0.5", "0.8"])

# %% [markdown]
# ### Exercise 5.4 · How narrow is the cone? (core, 10 minutes)
#
# `vectors` is (n, dim). Return the mean cosine of all pairs of *different* rows, as a
# number.
#
# <details><summary>Hint 1</summary>
#
# Divide each row by its length, then `unit @ unit.T` holds all cosines.
# </details>
# <details><summary>Hint 2</summary>
#
# The diagonal holds n ones. There are n · (n − 1) other entries.
# </details>


# %%
def mean_cosine(vectors):
    """How alike different rows are on average, from -1 to 1."""
    ### BEGIN SOLUTION
    unit = vectors / vectors.norm(dim=1, keepdim=True)
    n = len(unit)
    return float(((unit @ unit.T).sum() - n) / (n * (n - 1)))
    ### END SOLUTION


# %%
check("5.4", mean_cosine)

# %% [markdown]
# The news, block by block, under two poolings:

# %%
news = [article.text for article in corpora.load_news("test")[:120]]
news_layers, news_mask, _ = read(news)
pooled = {name: [pooling.POOLINGS[name](h, news_mask) for h in news_layers]
          for name in ("mean", "cls")}
cone = {name: [pooling.mean_cosine(v) for v in rows] for name, rows in pooled.items()}
reveal("cone", f"{cone['mean'][3]:.1f}")
fig, ax = plots.lines(range(7), cone, "Unrelated news", "blocks passed", "mean cosine")
plots.show(fig, alt="Two lines of the mean cosine of unrelated texts over the blocks: "
           "CLS stays at 1 for five blocks, the mean is high, both fall at the end.",
           fact="; ".join(f"{name}: " + " ".join(f"{c:.2f}" for c in values)
                          for name, values in cone.items()))

# %% [markdown]
# *Read the output.* Up to the last block all texts point nearly the same way, and `[CLS]`
# is an almost constant vector. The last block opens the cone, because training asked for
# it there: unrelated texts must be far apart.
#
# The cone has an axis, the mean of all vectors. Subtract it ("centring", from the news, so
# that nothing is peeked at): the cosines of other texts fall. Is the order better, too?

# %%
rows = []
for hidden, news_vectors in zip(layers, pooled["mean"]):
    axis, rest = news_vectors[:60].mean(dim=0), news_vectors[60:]
    own = pooling.mean_pool(hidden, mask)
    plainly = spearman(cosines(own), grades)
    gain = spearman(cosines(own - axis), grades) - plainly
    rows.append({"cone": round(pooling.mean_cosine(rest), 2),
                 "centred": round(pooling.mean_cosine(rest - axis), 2),
                 "rank correlation": round(plainly[0], 2),
                 "gain by centring": interval(gain)})
pd.DataFrame(rows, [f"blocks passed: {n}" for n in range(7)])

# %% [markdown]
# *Read the output.* Centring opens the cone in every layer. The order gains a little in
# the first ones and nothing later: a narrow cone is mostly an offset that all texts
# share. **Cosines of different layers, models or poolings cannot be compared.**
#
# ## Length, and three ways to rank
#
# Cosine looks at the angle, the dot product also at the lengths, the distance at the gap.
#
# ### Exercise 5.5 · Three rankings (core, 10 minutes)
#
# `query` is (dim,), `texts` (n, dim), not normalised. Return three lists with the row
# numbers of the texts, best first: by cosine, by dot product, by Euclidean distance.
#
# <details><summary>Hint 1</summary>
#
# `texts @ query` are the dot products; divide by the lengths of the texts for an order
# by cosine.
# </details>
# <details><summary>Hint 2</summary>
#
# `argsort(descending=True).tolist()` for what should be large; a distance should be small.
# </details>


# %%
def three_rankings(query, texts):
    """Rows by cosine, by dot product and by distance, e.g. ([2, 0], [0, 2], [2, 0])"""
    ### BEGIN SOLUTION
    dots = texts @ query
    scores = dots / texts.norm(dim=1), dots, -(texts - query).norm(dim=1)
    return tuple(score.argsort(descending=True).tolist() for score in scores)
    ### END SOLUTION


# %%
check("5.5", three_rankings)

# %% [markdown]
# MiniLM's means have different lengths, and then its last module scales them to 1. Do the
# three find the same nearest sentence before that, and after?

# %%
raw = pooling.mean_pool(layers[-1], mask)
unit = pooling.normalize(raw)


def agree(vectors):
    """Share of sentences whose nearest other is the same as by cosine."""
    scores = [pooling.cosine(vectors, vectors), vectors @ vectors.T,
              -(vectors[:, None] - vectors).norm(dim=2)]
    first = [score.fill_diagonal_(-torch.inf).argmax(dim=1) for score in scores]
    return [(first[0] == other).float().mean().item() for other in first[1:]]


for name, vectors in {"raw": raw, "length 1": unit}.items():
    print("same nearest, {}: dot {:.0%}, distance {:.0%}".format(name, *agree(vectors)))
a, b = raw[0::2], raw[1::2]
by_angle, by_dot, by_gap = (spearman(score.numpy(), grades) for score in (
    pooling.cosine(a, b).diagonal(), (a * b).sum(dim=1), -(a - b).norm(dim=1)))
for name, ranks in {"dot product": by_dot, "distance": by_gap}.items():
    print(f"order of the pairs, {name} minus cosine:", interval(ranks - by_angle))

# %% [markdown]
# *Read the output.* At length 1 they are one ranking, and there is a proof:
# $|a-b|^2 = |a|^2 + |b|^2 - 2\,a\cdot b$, which then is $2 - 2\cos$. On raw vectors the dot
# product prefers the long ones and orders the pairs worse. The distance has other
# neighbours than the cosine; that its order is worse, as articles say, is not shown.
#
# On trial as well: only models trained for it survive when you keep a vector's first
# numbers and drop the rest.

# %%
import timeit

lengths = f"{raw.norm(dim=1).min():.1f} to {raw.norm(dim=1).max():.1f}"
stretched = raw * torch.linspace(0.1, 9, len(raw))[:, None]  # new lengths
kept = bool(np.abs(cosines(stretched) - found["mean"]).max() < 1e-5)
off = (unit @ unit.T - pooling.cosine(raw, raw)).abs().max().item()
many, query = raw.repeat(40, 1), raw[0]  # enough rows to be timed
dot, angle = (min(timeit.repeat(way, number=3, repeat=9)) for way in (
    lambda: many @ query, lambda: pooling.cosine(many, query)))
low, high = np.percentile(by_angle - by_gap, [2.5, 97.5])
short, full = spearman(cosines(raw[:, :32]), grades)[0], by_angle[0]
trial(
    claim("C181", "stretched vectors keep their cosines", kept),
    claim("C314", f"raw lengths {lengths}, the same cosines", kept),
    claim("C213", "MiniLM does, by its last module; one model is no survey",
          "partly" if modes[-1] == "Normalize" else False),
    claim("C214", "equal to 1e-6", off < 1e-6),
    claim("C215", f"faster at its best of nine: {dot < angle}", dot < angle),
    claim("C219", "the nearest is the same for all", agree(unit)[1] == 1.0),
    claim("C361", f"equal at length 1; ahead on raw ones by {low:+.2f} to {high:+.2f}",
          bool(low > 0) or ("partly" if agree(raw)[1] < 1 else False)),
    claim("C321", f"order by 32 of 384 numbers {short:.2f}, by all {full:.2f}",
          "partly" if short > full - 0.1 else True),
)

# %% [markdown]
# ## What a cosine of 0.92 tells
#
# "Above 0.9 two texts mean the same." Look first at the natural pairs, then at the hard
# ones. What is the median grade of *hard* pairs with a cosine of 0.9 or more?

# %%
predict("high", "median grade at 0.9 and above, hard pairs?", ["2", "3", "4", "5"])

# %%
fig, ax = plots.plt.subplots()
for marker, (name, (_, values, given)) in zip("ox", both.items()):
    ax.scatter(values["mean"], given, s=26, marker=marker, label=name, alpha=0.7)
ax.axvline(0.9, color=plots.BLACK, linewidth=0.8)
ax.legend()
ax.set(title="Grade and cosine, every pair", xlabel="cosine", ylabel="grade")
top = {name: given[values["mean"] >= 0.9] for name, (_, values, given) in both.items()}
reveal("high", f"{np.median(top['hard']):.0f}")
plots.show(fig, alt="Scatter of grade over cosine: natural pairs rise along a "
           "diagonal; hard pairs also fill the lower right: high cosine, low grade.",
           fact="graded 4 or better at 0.9 and more: " + ", ".join(
               f"{name} {sum(g >= 4)} of {len(g)}" for name, g in top.items()))
for i in np.argsort(-hard_found["mean"])[[0, 3, 8]]:
    print(f"{hard_found['mean'][i]:.2f}, grade {hard_grades[i]}: {hard[i].a}",
          hard[i].b, sep="\n" + " " * 17)

# %% [markdown]
# *Read the output.* Among natural pairs the rule holds without exception, among the hard
# ones hardly ever. A very high cosine says "nearly the same *words*". How often that
# means the same is a property of your texts, not of the cosine. So can a threshold
# travel from one set to the other? And is 0 "unrelated"?

# %%
cuts = np.linspace(0, 1, 101)  # "the same" from this cosine on
right = {name: ((values["mean"] >= cuts[:, None]) == (given >= 4)).mean(axis=1)
         for name, (_, values, given) in both.items()}
cut = int(right["natural"].argmax())
print(f"best threshold on the natural pairs: {cuts[cut]:.2f}")
for name, share in right.items():
    print(f"right with it on the {name} pairs: {share[cut]:.0%}")
print(f"right with 'never the same' on the hard pairs: {(hard_grades < 4).mean():.0%}")

words = sorted({w for pair in pairs for w in pair.a.lower().split() if w.isalpha()})
unit = pooling.normalize(raw)
every = (unit @ unit.T).numpy()
zero = {"two random sentences": pooling.mean_cosine(unit),
        "two random words": pooling.mean_cosine(torch.from_numpy(model.encode(words))),
        "hard pairs graded 0": float(hard_found["mean"][hard_grades == 0].mean())}
trial(
    claim("C183", ", ".join(f"{name}: {value:.2f}" for name, value in zero.items()),
          "partly" if zero["two random sentences"] < 0.1
          < zero["two random words"] else False),
    claim("C315", f"{every.min():.2f} to {every.max():.2f} among our sentences",
          bool(every.min() >= -1 and every.max() <= 1.00001)),
)

# %% [markdown]
# *Read the output.* The best threshold of one set does worse on the other than saying "no"
# to everything. Find it on pairs like yours (notebook 08).
#
# ## The receipt
#
# Under mean pooling a cosine is a sum. Write it out for two texts of n and m tokens:
#
# $$\cos(\bar a, \bar b) = \sum_{i,j} \frac{a_i \cdot b_j}{n\,m\,|\bar a|\,|\bar b|}$$
#
# Each term belongs to one token of each text. Nothing is estimated: it is the cosine,
# item by item, like a bill.
#
# ### Exercise 5.6 · The receipt of a cosine (core, 10 minutes)
#
# `a` is (n, dim), `b` (m, dim), real tokens only. Return the (n, m) terms.
#
# <details><summary>Hint 1</summary>
#
# `a @ b.T` has all the dot products.
# </details>
# <details><summary>Hint 2</summary>
#
# Divide by one number: n · m · the length of a's mean · the length of b's mean.
# </details>


# %%
def receipt(a, b):
    """(n, dim) and (m, dim) -> (n, m), which sums to the cosine of the means"""
    ### BEGIN SOLUTION
    lengths = a.mean(dim=0).norm() * b.mean(dim=0).norm()
    return a @ b.T / (len(a) * len(b) * lengths)
    ### END SOLUTION


# %%
check("5.6", receipt)

# %% [markdown]
# Do all receipts add up? And one more guess. "This mushroom is safe to eat." against "…is
# *not* safe to eat.": what does the word *not* earn in their cosine?

# %%
last = [row[:n] for row, n in zip(layers[-1], mask.sum(dim=1))]
sums = [pooling.receipt(a, b).sum().item() for a, b in zip(last[0::2], last[1::2])]
print(len(sums), "receipts sum to the cosine:",
      np.allclose(sums, found["mean"], atol=1e-5))
safe = "This mushroom is safe to eat.", "This mushroom is not safe to eat."
shown = [safe, ("The union sued the shipyard.", "The shipyard sued the union."),
         (sentences["server"], sentences["system"])]
predict("not", "all cells of 'not' together?", ["below zero", "about zero", "positive"])


# %%
def bill(first, second):
    """The receipt of two sentences as a picture, in hundredths."""
    a, b = model.trace(first), model.trace(second)
    if max(len(a.ids), len(b.ids)) > 24:
        raise ValueError("longer than fits on the page: 22 tokens each")
    cells = pooling.receipt(a.hidden[-1], b.hidden[-1])
    rows, columns = ([t if t.isascii() else "�" for t in x.tokens] for x in (a, b))
    fig, ax = plots.heatmap((100 * cells).round(decimals=1) + 0.0, rows, columns,
                            f"cosine {cells.sum():.2f}, in hundredths", True, 1)
    i, j = divmod(int(cells.argmax()), len(columns))
    return plots.picture(fig, f"Receipt of a cosine of {cells.sum():.2f}: the largest "
                         f"cell is {rows[i]} with {columns[j]}.")


explore(bill, twin=[dict(first=a, second=b) for a, b in shown],
        first=safe[0], second=safe[1])

# %%
a, b = (model.trace(text) for text in safe)
earned = 100 * pooling.receipt(a.hidden[-1], b.hidden[-1]).sum(dim=0)
reveal("not", "positive" if earned[b.tokens.index("not")] > 2 else "about zero")
pd.DataFrame([[f"{part:.1f}" for part in earned]], ["earned"], b.tokens)

# %% [markdown]
# *Read the output.* *not* earns least, and still it *adds*: no cell says "but the
# opposite". In the second bill the swapped names meet themselves and do not care where. In
# the third *server* has found *system*, *crashed* has found *down*, and *morning*
# *overnight*. One warning: the terms are exact, but a token's vector has seen its
# neighbours, so a cell is not "the meaning of a word" alone.
#
# ## The end of the journey: all of MiniLM
#
# Everything that you built, and the official weights. No library computes a vector here.

# %%
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

row_of = {piece: row for row, piece in enumerate(model.vocabulary)}
table, kind, scale, shift = (file[f"embeddings.{name}"] for name in (
    "word_embeddings.weight", "token_type_embeddings.weight",
    "LayerNorm.weight", "LayerNorm.bias"))


def own_encode(text):
    """A text to 384 numbers, with the parts of notebooks 01 to 05."""
    cut = BertPreTokenizer().pre_tokenize_str(BertNormalizer().normalize_str(text))
    pieces = [p for word, _ in cut for p in tokenization.wordpiece(word, row_of)]
    ids = torch.tensor([[row_of[p] for p in ("[CLS]", *pieces, "[SEP]")]])  # 01
    hidden = lookup.rows(table, ids) + kind[0]  # 02; the kind is the same everywhere
    hidden = hidden + positions.learned()[: ids.shape[1]]  # 03
    hidden = functional.layer_norm(hidden, (384,), scale, shift, eps=1e-12)
    for number in range(6):
        hidden, _ = attention.load_layer(file, number, heads=12)(hidden)  # 04
    return pooling.normalize(pooling.mean_pool(hidden, torch.ones_like(ids)))[0]  # 05


mine = np.array([own_encode(text).numpy() for text in sentences.values()])
theirs = library.encode(list(sentences.values()))
print("your model = sentence-transformers:", np.allclose(mine, theirs, atol=1e-6))

# %% [markdown]
# `encoder.MiniLM` is the same with batches, a limit and clear errors. Does it agree on
# texts that nobody would send?

# %%
strange = ["", " ", "🎉💀", "日本語のテキスト", "Η γάτα", "[SEP] as [MASK] text", "a\x00b",
           "word " * 10_000, "x" * 5_000, *sentences.values()]
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always", UserWarning)
    ours = model.encode(strange)
print("warning:", caught[0].message)
print("equal to 1e-5 on all:", np.allclose(ours, library.encode(strange), atol=1e-5))
one_by_one = np.array([model.encode([text])[0] for text in strange[:7]])
print("whatever else is in the batch:", np.allclose(ours[:7], one_by_one, atol=1e-5))

# %%
three, four = (library.encode(strange[-n:]).shape for n in (3, 4))
hand = pooling.normalize(pooling.mean_pool(tokens, batch["attention_mask"])).numpy()
card = (assets.folder(assets.MINILM) / "README.md").read_text("utf-8")
licence = card.split("license:")[1].split()[0]
trial(
    claim("C006", "equal to 1e-6", np.allclose(hand, theirs, atol=1e-6)),
    claim("C120", library[1].pooling_mode, library[1].pooling_mode == "mean"),
    claim("C142", f"its modules: {', '.join(modes)}",
          "partly" if "Normalize" in modes else True),
    claim("C224", "loops = module = library", np.allclose(slow, fast, atol=1e-6)),
    claim("C139", str(three), three == (3, 384)),
    claim("C244", str(four), four == (4, 384)),
    claim("C005", f"it ran here, on: {library.device}", str(library.device) == "cpu"),
    claim("C264", licence, licence == "mit"),
)

# %% [markdown]
# The whole way of one sentence, on one page, by the numbers of the notebooks. A table of
# token vectors begins with the first numbers of `[CLS]`:

# %%
trace = traces["server"]
stages = [("02", "rows of the table", trace.rows),
          ("03", "with positions", trace.with_positions),
          ("04", "normalised", trace.hidden[0])]
stages += [("04", f"after layer {k}", trace.hidden[k + 1]) for k in range(6)]
stages += [("05", "mean", trace.pooled[None]), ("05", "vector", trace.vector[None])]
page = [("01", "pieces", " ".join(trace.tokens), len(trace.tokens)),
        ("01", "ids", " ".join(map(str, trace.ids.tolist())), len(trace.ids))]
page += [(number, name, " ".join(f"{x:+.2f}" for x in rows[0, :6]) + " …",
          " × ".join(map(str, rows.shape))) for number, name, rows in stages]
everyone = torch.stack([t.vector for t in traces.values()])
nearest = (everyone @ everyone.T).fill_diagonal_(-1).max(dim=1)
score, hit = nearest.values[0].item(), list(traces)[nearest.indices[0]]
page.append(("09", "nearest text", sentences[hit], f"{score:.2f}"))
pd.DataFrame(page, columns=["notebook", "stage", "it begins", "size"])

# %% [markdown]
# *Read the output.* Numbers all the way, each of which you can now make yourself; and at
# the end the crashed server has found the system that went down, without a word in common.
#
# ## Break it
#
# ### Puzzle 5.7 · The vectors are different today
#
# A ticket: *"We embed the same sentence and get another vector each time."* Three encoders
# are on the ward: one pools by its own recipe, two are in training mode. Each gets a whole
# list as one batch. Watch when they differ from the truth.

# %%
def patient_a(texts):
    recipe = encoder.Change(pool=lambda hidden, mask: hidden.mean(dim=1))
    return model.encode(texts, batch_size=len(texts), change=recipe)


def patient_b(texts):
    batch = assets.tokenizer()(texts, padding=True, return_tensors="pt")
    with torch.inference_mode():
        hidden = library[0].auto_model.train()(**batch).last_hidden_state
    return pooling.normalize(pooling.mean_pool(hidden, batch["attention_mask"]))


def patient_c(texts):
    return library.train().encode(texts)


torch.manual_seed(0)
for patient in (patient_a, patient_b, patient_c):
    batches = [[trace.text]] * 3 + [[trace.text, "crate " * n] for n in (20, 60, 240)]
    near = [f"{patient(texts)[0] @ trace.vector.numpy():.2f}" for texts in batches]
    print(patient.__name__, "alone:", *near[:3], "beside longer texts:", *near[3:])

# %% [markdown]
# Write the doctor. `encode` takes a list of texts and returns an array (texts, dim). Return
# `"random"` if it does not repeat itself, `"neighbours"` if a vector depends on what else is
# in the list, else `"healthy"`. A healthy encoder may differ in the sixth digit.
#
# <details><summary>Hint 1</summary>
#
# Encode the very same list twice: that separates chance from everything else.
# </details>
# <details><summary>Hint 2</summary>
#
# Then each text alone, against the list as a whole. All of them: the longest one is not
# padded, and shows nothing.
# </details>


# %%
def diagnose(encode, texts):
    """'healthy', 'random' or 'neighbours'"""
    ### BEGIN SOLUTION
    together = encode(texts)
    if not np.allclose(encode(texts), together, atol=1e-5):
        return "random"
    alone = np.concatenate([encode([text]) for text in texts])
    return "healthy" if np.allclose(alone, together, atol=1e-5) else "neighbours"
    ### END SOLUTION


# %%
check("5.7", diagnose)

# %% [markdown]
# Patient A averages the padding in: alone there is none, so a test with one sentence
# passes. Patient B still drops out a tenth of its numbers, because nobody called `eval()`.
# Patient C is healthy: the library's `encode` calls `eval()` itself. Who takes the model
# out of the library, as many tutorials do, has to remember it. No error in any case.
#
# ### Puzzle 5.8 · The last sentence does not count
#
# A page of the handbook, once with "Restart the service." at its end and once with "Never
# restart the service." The ticket says: *"They are duplicates, the cosine is 1."*

# %%
page = next(p.text for p, row in zip(pages, shelf[1]) if row.all())  # fills the limit
do, never = page + "\nRestart the service.", page + "\nNever restart the service."
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always", UserWarning)
    first, second = model.encode([do, never])
print(f"cosine {first @ second:.6f}, equal: {np.allclose(first, second, atol=1e-6)}")
print("warning:", caught[0].message)

# %% [markdown]
# *Read the output.* The library says nothing at all here; ours warns. Whoever hides the
# warning has duplicates that contradict each other. A way out: read the text in windows
# and average them.
#
# `ids` are the ids of a long text, `limit` what fits into a window, and `encode` maps a
# list of windows (lists of ids) to their means (windows, dim). Return one vector of length 1
# in which every id counts as much as any other.
#
# <details><summary>Hint 1</summary>
#
# `range(0, len(ids), limit)` lists where the windows begin. The last may be short.
# </details>
# <details><summary>Hint 2</summary>
#
# Weigh each window's mean by its number of ids, then scale to length 1.
# </details>


# %%
def encode_long(ids, limit, encode):
    """Vector of a text of any length, (dim,)"""
    ### BEGIN SOLUTION
    windows = [ids[start : start + limit] for start in range(0, len(ids), limit)]
    weights = torch.tensor([len(window) for window in windows])
    total = (encode(windows) * weights.unsqueeze(1)).sum(dim=0)
    return total / total.norm()
    ### END SOLUTION


# %%
check("5.8", encode_long)

# %% [markdown]
# The two pages once more, in windows:

# %%
def in_windows(text, size=200):
    """Windows of the text's tokens, encoded alone, and their mean by length."""
    ids = assets.tokenizer()(text, add_special_tokens=False, verbose=False)["input_ids"]
    parts = [[101, *ids[i : i + size], 102] for i in range(0, len(ids), size)]  # ends
    ids, mask = encoder.pad(parts)
    with torch.inference_mode():
        means = pooling.mean_pool(model.hidden_states(ids, mask)[0][-1], mask)
    lengths = mask.sum(dim=1)[None]
    whole = pooling.weighted_mean_pool(means[None], torch.ones_like(lengths), lengths)
    return pooling.normalize(torch.cat([whole, means]))


one, other = in_windows(do), in_windows(never)
print(f"cosine of the pages: cut {first @ second:.4f}, windows {one[0] @ other[0]:.4f}")
print(f"cosine of their last windows: {one[-1] @ other[-1]:.4f}")

# %% [markdown]
# *Read the output.* The end is read now, but one sentence among hundreds of words hardly
# moves a mean. Notebook 09 therefore keeps the windows apart and searches them one by one.
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
# | object | shape | its name in sentence-transformers |
# |---|---|---|
# | `mean_pool(vectors, mask)` and four more | (batch, tokens, dim) → (batch, dim) | `Pooling` |
# | `normalize(vectors)` | (n, dim), length 1 | `Normalize` |
# | `cosine(a, b)` | (n, dim), (m, dim) → (n, m) | `util.cos_sim` |
# | `receipt(a, b)` | (tokens, tokens), sums to the cosine | |
# | `MiniLM.encode(texts)` | (texts, 384) | `SentenceTransformer.encode` |
# | `MiniLM.trace(text)` | every stage by name | |
#
# **Next:** [06 · Contrastive training](06_contrastive.ipynb): who arranged the vectors so
# that an angle means something? You will train such a geometry in seconds, and break it.
#
# **Read on**
#
# - N. Reimers, I. Gurevych: *Sentence-BERT*, 2019,
#   [arXiv 1908.10084](https://arxiv.org/abs/1908.10084): mean, max and CLS compared
# - K. Ethayarajh: *How contextual are contextualized word representations?*, 2019,
#   [arXiv 1909.00512](https://arxiv.org/abs/1909.00512): the cone
# - N. Muennighoff: *SGPT*, 2022, [arXiv 2202.08904](https://arxiv.org/abs/2202.08904):
#   the mean weighted by position
# - O. Khattab, M. Zaharia: *ColBERT*, 2020,
#   [arXiv 2004.12832](https://arxiv.org/abs/2004.12832): not pooling at all
