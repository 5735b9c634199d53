# %% [markdown]
# # 00 · What happens between a sentence and a search hit?
#
# A few lines of code turn a sentence into numbers and find its nearest relative. You have
# called such a model before. Here you open it, rebuild every part, prove your parts equal
# to the original, and train, break and ship it.

# %% [markdown]
# | | |
# |---|---|
# | to read / to do | 10 / 20 minutes |
# | you build | ten one-liners that the whole course leans on |
# | used again in | every notebook |
#
# After this notebook you can
#
# - **name** the stages between a text and its vector, with their shapes,
# - **use** predictions, checks, claims and quizzes as the course means them,
# - **decide** which notebook to open next.

# %%
import numpy as np
import pandas as pd
from course_utils import assets, corpora
from course_utils.classroom import (
    check, claim, plots, predict, quiz, reveal, scorecard, start, trial)
from course_utils.classroom.checks.start_here import where_to_start
from course_utils.classroom.doctor import ready
from course_utils.encoder import MiniLM

start("00_start_here")

# %% [markdown]
# First things first: is everything in place? One line if it is; otherwise what is missing
# and the command that mends it.

# %%
ready()

# %% [markdown]
# ![The pipeline: text, tokenization, lookup, positions, attention, pooling, search.](images/pipeline_start_here.svg)
#
# ## A search engine in six lines
#
# These six sentences accompany you through the whole course. Somebody asks about a
# machine that stopped at night. No sentence contains the word *machine*.

# %%
sentences = corpora.load_sentences()
for name, text in sentences.items():
    print(f"{name:<8} {text}")

# %%
predict("first-hit", "nearest to 'The machine stopped working at night'?",
        ["server", "system", "cat", "kitten", "bank", "nasty"])

# %%
model = assets.sentence_transformer()
vectors = model.encode(list(sentences.values()))  # (sentences, dim)
question = model.encode("The machine stopped working at night")  # (dim,)
scores = pd.Series(vectors @ question, index=list(sentences))  # (sentences,)
reveal("first-hit", scores.idxmax())
print(scores.sort_values(ascending=False).round(2).to_string())

# %% [markdown]
# *Read the output.* Two sentences about computers come first, with numbers that are far
# from 1. A cosine is not a percentage; it orders things. Before you believe any figure
# printed elsewhere, let us test three.

# %%
night, overnight, pizza = model.encode(
    ["The server crashed at 3am", "The system went down overnight", "I love pizza"])
near, far = float(night @ overnight), float(night @ pizza)
trial(
    claim("C055", f"{len(night)} numbers", len(night) == 384),
    claim("C007", near, abs(near - 0.83) < 0.005),
    claim("C008", far, abs(far - 0.12) < 0.005),
)

# %% [markdown]
# *Read the output.* A widely read article printed those cosines; the model that it names
# gives others. The order is right, the numbers are not. *Claims on trial* like this one
# stand in every notebook: what was stated, what is measured, the verdict.
#
# ## What is inside
#
# `course_utils.encoder.MiniLM` is the same model, put together from parts that you will
# build. Follow one sentence through it and look at nothing but shapes.

# %%
glass_box = MiniLM.load()
trace = glass_box.trace(sentences["cat"])
print(f"{'tokens':<15}", *trace.tokens)
for stage, value in vars(trace).items():
    if stage not in ("text", "tokens"):
        print(f"{stage:<15} {tuple(value.shape)}")

# %% [markdown]
# *Read the output.* Nine tokens (two of them are special) become nine rows of 384 numbers,
# stay nine rows through six blocks, and become *one* row at the end. `hidden` holds the
# rows before the first block and after each. From top to bottom, these are notebooks 01
# to 05. Is the glass box really the same model?

# %%
texts = list(sentences.values())
difference = np.abs(glass_box.encode(texts) - model.encode(texts)).max()
print("largest difference below 0.00001:", bool(difference < 1e-5))

# %% [markdown]
# The numbers of all six sentences, first forty of 384. Can you see which belong together?

# %%
fig, ax = plots.heatmap(
    vectors[:, :40], list(sentences), [""] * 40, "The first forty numbers",
    diverging=True, digits=None)
ax.set(xticks=[], xlabel="numbers 1 to 40 of each vector")
fig.set_size_inches(8, 2.6)
closest = scores.index[np.argsort(-(vectors @ vectors[0]))[1]]
plots.show(
    fig,
    alt="Six rows of forty coloured cells, one row per sentence; no pattern is visible "
    "to the eye.",
    fact=f"to the model, the nearest to 'server' is '{closest}'",
)

# %% [markdown]
# *Read the output.* You cannot see it, and nobody can: single numbers mean nothing, only
# directions do.
#
# ## How the course works
#
# 1. **Predict.** A cell asks; write your answer as `guess="…"`, or click in JupyterLab.
# 2. **Run.** The next cell measures.
# 3. **Explain.** *Read the output* says what to notice.
#
# Exercises are stubs. The check below each one never stops the notebook, and knows the
# usual mistakes. Try it: run the next cell, then replace the wrong axis by the right one.

# %%
check("0.2", lambda tokens: tokens.mean(axis=1))

# %% [markdown]
# ## Ten shapes
#
# Nearly every bug in this field is an axis. Ten one-liners in NumPy, each checked; all
# demos use sizes that differ, so that a mistake cannot hide. `(7, 3), (4,) -> (4, 3)` says
# what comes in and what goes out.
#
# ### Exercises 0.1 to 0.3 · Rows and means (core, 5 minutes)
#
# <details><summary>Hint for 0.1</summary>
#
# An array can be indexed by an array of whole numbers.
# </details>
# <details><summary>Hint for 0.3</summary>
#
# `mask[..., None]` has the shape `(2, 5, 1)` and can be multiplied with `tokens`.
# </details>

# %%
def take_rows(table, ids):  # (7, 3), (4,) -> (4, 3)
    ### BEGIN SOLUTION
    return table[ids]
    ### END SOLUTION


def mean_of_tokens(tokens):  # (5, 3) -> (3,)
    ### BEGIN SOLUTION
    return tokens.mean(axis=0)
    ### END SOLUTION


def masked_mean(tokens, mask):  # (2, 5, 3), (2, 5) -> (2, 3)
    ### BEGIN SOLUTION
    return (tokens * mask[..., None]).sum(axis=1) / mask.sum(axis=1)[:, None]
    ### END SOLUTION


# %%
check("0.1", take_rows)
check("0.2", mean_of_tokens)
check("0.3", masked_mean)

# %% [markdown]
# ### Exercises 0.4 to 0.7 · Similar, likely, best (core, 10 minutes)
#
# The softmax of scores must survive large numbers; `best` returns positions, best first.
#
# <details><summary>Hint for 0.6</summary>
#
# Softmax does not change when you subtract the same number from a whole row.
# </details>
# <details><summary>Hint for 0.7</summary>
#
# `np.argsort` counts upwards; sort the negated scores.
# </details>

# %%
def cosine(a, b):  # (3,), (3,) -> a number
    ### BEGIN SOLUTION
    return a @ b / (np.linalg.norm(a) * np.linalg.norm(b))
    ### END SOLUTION


def all_pairs(q, k):  # (4, 3), (6, 3) -> (4, 6)
    ### BEGIN SOLUTION
    return q @ k.T
    ### END SOLUTION


def softmax(scores):  # (2, 5) -> (2, 5), each row sums to 1
    ### BEGIN SOLUTION
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)
    ### END SOLUTION


def best(scores, k):  # (5,), k -> (k,)
    ### BEGIN SOLUTION
    return np.argsort(-scores, kind="stable")[:k]
    ### END SOLUTION


# %%
check("0.4", cosine)
check("0.5", all_pairs)
check("0.6", softmax)
check("0.7", best)

# %% [markdown]
# ### Exercises 0.8 to 0.10 · Cut and fill (core, 5 minutes)
#
# `split_heads` gives each of the `heads` its own slice of every token.
#
# <details><summary>Hint for 0.8</summary>
#
# First `(tokens, heads, dim)`, then exchange two axes.
# </details>
# <details><summary>Hint for 0.10</summary>
#
# Start from `np.zeros((len(rows), longest), dtype=int)`.
# </details>

# %%
def split_heads(x, heads):  # (5, 6), 3 -> (3, 5, 2)
    ### BEGIN SOLUTION
    return x.reshape(len(x), heads, -1).swapaxes(0, 1)
    ### END SOLUTION


def unit_rows(x):  # (5, 3) -> (5, 3), each row of length 1
    ### BEGIN SOLUTION
    return x / np.linalg.norm(x, axis=1, keepdims=True)
    ### END SOLUTION


def fill_up(rows):  # [[5, 6, 7], [8]] -> [[5, 6, 7], [8, 0, 0]]
    ### BEGIN SOLUTION
    filled = np.zeros((len(rows), max(map(len, rows))), dtype=int)
    for number, row in enumerate(rows):
        filled[number, : len(row)] = row
    return filled
    ### END SOLUTION


# %%
check("0.8", split_heads)
check("0.9", unit_rows)
check("0.10", fill_up)

# %% [markdown]
# ## Where to start
#
# The notebooks build on each other in ideas, never in code: each one opens by itself.

# %%
where_to_start()

# %% [markdown]
# ## Quiz
#
# Open the answer that you would give; every answer has its reason.

# %%
quiz()

# %%
scorecard()

# %% [markdown]
# ## The map
#
# | | notebook | the question |
# |---|---|---|
# | 01 | [Tokenization](01_tokenization.ipynb) | What does the model see? |
# | 02 | [Lookup](02_lookup.ipynb) | What is in the row of a word? |
# | 03 | [Positions](03_positions.ipynb) | Why does word order survive? |
# | 04 | [Attention](04_attention.ipynb) | How does every token look at every other? |
# | 05 | [Pooling](05_pooling.ipynb) | How do n vectors become one? |
# | 06 | [Contrastive training](06_contrastive.ipynb) | Where does the geometry come from? |
# | 07 | [Fine-tuning](07_finetune.ipynb) | When does training pay? |
# | 08 | [Failure analysis](08_failures.ipynb) | Where does it fail, and why? |
# | 09 | [RAG search](09_search.ipynb) | Can you ship it? |
# | 10 | [Applications](10_applications.ipynb) | What else are vectors good for? |
# | 90 | [Ledger of claims](90_claims.ipynb) | What became of every popular statement? |
# | 91 | [Glossary](91_glossary.ipynb) | What does that word mean? |
#
# **Next:** [01 · What does the model see?](01_tokenization.ipynb)
#
# **Read on**
#
# - N. Reimers, I. Gurevych: *Sentence-BERT*, 2019,
#   [arXiv 1908.10084](https://arxiv.org/abs/1908.10084)
# - W. Wang et al.: *MiniLM*, 2020, [arXiv 2002.10957](https://arxiv.org/abs/2002.10957),
#   the model that you are about to open
