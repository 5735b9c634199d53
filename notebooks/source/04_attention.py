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
    check, claim, explore, plots, predict, quiz, reveal, scorecard, start, trial)
from course_utils.classroom.checks.attention import (
    DISEASES, HEALTHY, PATIENTS, mutation_score, passes)
from scipy.stats import spearmanr
from torch.nn import functional
from transformers import AutoModel, BertConfig, GPT2Config

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
pd.DataFrame({
    "tokens": [len(trace.ids) for trace in traces.values()],
    "layers, heads, from, to": [str(tuple(t.attention.shape)) for t in traces.values()],
    "weights": [f"{trace.attention.numel():,}" for trace in traces.values()],
}, index=list(traces))

# %% [markdown]
# *Read the output.* For each text the model fills a square table per head and layer, and
# none of these numbers is in its file: they are made afresh for every text.
#
# ## The same word, twice
#
# "**The** server crashed at three…" and "**The** cat sat on the mat." begin with the same
# word at the same place, so it enters the first block as the same vector. Before you run
# the next cells: how alike are the two when they leave the last one?

# %%
predict("the", "cosine of the two 'the' at the end?", ["0.9", "0.6", "0.3", "0.0"])

# %%
the = [traces[key].hidden[:, 1] for key in ("server", "cat")]  # (7, 384) each
cosines = functional.cosine_similarity(*the, dim=1).tolist()
reveal("the", f"{cosines[-1]:.1f}")

fig, ax = plots.lines(range(7), {"the": cosines}, "'the' twice",
                      "blocks passed", "cosine")
plots.show(fig, alt="Line of the cosine of the two 'the' after each block: it starts "
           "at 1 and ends far lower, with the largest drop in the last block.",
           fact="after each block: " + " ".join(f"{c:.2f}" for c in cosines))

# %% [markdown]
# *Read the output.* The word has become a different vector, a little at every block and
# most of all in the last one. Yet not an unrelated one. How does the sentence get in?
#
# ## Query, key, value, by hand
#
# From its vector each token makes three others: a **query** (what it looks for), a
# **key** (what it can be found by) and a **value** (what it hands over). A query meets
# every key in a dot product; the softmax makes weights of the scores; the result is the
# weighted mean of the values. Who is *it*, the cat or the mat?

# %%
q_it = np.array([2, 0, 1, 1])
keys = np.array([[1, 0, 0, 1], [2, 1, 1, 1], [0, 3, 1, 1]])  # it, cat, mat
values = np.array([[0, 0], [1, 0], [0, 1]])  # "furry", "flat"
scores = keys @ q_it / math.sqrt(4)  # (3,): dot products, divided by the root of d
weights = np.exp(scores) / np.exp(scores).sum()  # softmax
for word, key, score, weight in zip(("it", "cat", "mat"), keys, scores, weights):
    print(f"{word:<4} dot product {key @ q_it}  score {score}  weight {weight:.2f}")
print("handed to 'it':", *(f"{part:.2f}" for part in weights @ values))

# %% [markdown]
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
# that cannot be meant. Now a real one: head 2 of layer 0 owns a slice of the query, key
# and value matrices. Loops, the module, torch and the model itself must agree.

# %%
cat, block = traces["cat"], model.layers[0].attention
own = slice(2 * block.head_dim, 3 * block.head_dim)
maps = (block.query, block.key, block.value)
q, k, v = (part(cat.hidden[0])[:, own] for part in maps)  # (9, 32) each
slow = torch.zeros(9, 32)
for i in range(9):
    e = torch.stack([(q[i] @ key / math.sqrt(32)).exp() for key in k])
    for j in range(9):
        slow[i] += e[j] / e.sum() * v[j]

fast, weights = attention.scaled_dot_product_attention(q, k, v)
library = functional.scaled_dot_product_attention(q, k, v)
print("loops = module:", torch.allclose(slow, fast, atol=1e-5))
print("module = torch:", torch.allclose(fast, library, atol=1e-5))
print("the model's own:", torch.allclose(weights, cat.attention[0, 2], atol=1e-6))
print(f"smallest weight on the previous token: {weights.diagonal(-1).min():.2f}")

# %% [markdown]
# *Read the output.* Somebody trained this model to compare sentences, and one of its
# heads became a machine that fetches **the previous token**. Nobody asked for it.
#
# ## Why divide by √d?
#
# A dot product of random vectors is a sum of d terms: its spread grows like √d. The
# softmax feels differences, not sizes. Ten keys, random vectors: what becomes of the
# weights when d grows and nobody divides? Entropy (in nats) says how spread out they are.

# %%
predict("root", "not divided, d growing: the weights…",
        ["stay spread out", "end on one key", "become equal"])

# %%
generator = torch.Generator().manual_seed(0)
sizes, spread = [4, 16, 64, 256, 1024], {"divided by √d": [], "not divided": []}
for d in sizes:
    q, k = (torch.randn(n, d, generator=generator) for n in (500, 10))
    tables = {"divided by √d": (q @ k.T / math.sqrt(d)).softmax(dim=1),
              "not divided": (q @ k.T).softmax(dim=1)}
    for name, weights in tables.items():
        spread[name].append(attention.entropy(weights).mean().item())
reveal("root", "end on one key" if spread["not divided"][-1] < 0.3 else "become equal")
fig, ax = plots.lines(sizes, spread, "Ten random keys", "dimension d", "entropy (nats)")
ax.set_xscale("log", base=2)
plots.show(fig, alt="Two lines of entropy over the dimension: divided by the root it "
           "stays level, not divided it falls to nearly zero.",
           fact=f"ten equal weights have {math.log(10):.1f}; at d = 64: "
           + ", ".join(f"{values[2]:.1f} {name}" for name, values in spread.items()))

# %% [markdown]
# *Read the output.* Without the root all weight ends on one key, and there the softmax is
# flat: its slope is what the gradient is multiplied with, so learning stops. The wrong
# version runs without any error. You will meet it again as a patient.
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
alone, forget = model.encode([text])[0], encoder.Change(attend=encoder.forget_mask)
for length in (20, 60, 120, 240):
    both = [text, " ".join(["crate"] * (length - 2))]
    kept = model.encode(both, batch_size=2)[0]
    forgot = model.encode(both, batch_size=2, change=forget)[0]
    print(f"padded to {length:>3}: mask kept {kept @ alone:.2f}, "
          f"forgotten {forgot @ alone:.2f}")

# %% [markdown]
# *Read the output.* No error, and the vector of a text depends on who else is in the
# batch. Notebook 05 meets the same symptom with another cause.
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
# One head after the other, all heads at once, and the library with the same weights:

# %%
torch.manual_seed(0)
ours, x = attention.MultiHeadAttention(dim=6, heads=3), torch.randn(2, 5, 6)
maps = (ours.query, ours.key, ours.value)
each = [attention.scaled_dot_product_attention(*(m(x)[..., i : i + 2] for m in maps))[0]
        for i in (0, 2, 4)]

theirs = torch.nn.MultiheadAttention(6, 3, batch_first=True)
theirs.in_proj_weight.data = torch.cat([m.weight for m in maps])
theirs.in_proj_bias.data = torch.cat([m.bias for m in maps])
theirs.out_proj = ours.output
output, weights = ours(x, with_weights=True)
library, there = theirs(x, x, x, average_attn_weights=False)
joined = ours.output(torch.cat(each, dim=-1))
print("one by one = at once:   ", torch.allclose(joined, output, atol=1e-6))
print("module = torch, output: ", torch.allclose(output, library, atol=1e-6))
print("module = torch, weights:", torch.allclose(weights, there, atol=1e-6))

# %% [markdown]
# Three times equal. Now the articles on trial; their listings are run in our words.

# %%
big = attention.MultiHeadAttention(768, 12)
output, table = big(torch.randn(2, 7, 768), with_weights=True)
single = big.split(output)[:, 0]  # what one head works on
slope = {name: (w * (1 - w)).mean().item() for name, w in tables.items()}  # d = 1024
ratio = slope["divided by √d"] / slope["not divided"]
sums = torch.cat([t.attention.sum(-1).flatten() for t in traces.values()])
trial(
    claim("C065", "three maps, each of all 384 numbers",
          block.query.weight.shape[1] * 3 == 384),
    claim("C098", f"{len(sums):,} rows, to 1e-5", bool((sums - 1).abs().max() < 1e-5)),
    claim("C099", f"slope of the softmax at d = 1024: {ratio:.0f} times as steep",
          ratio > 10),
    claim("C265", "the softmax always has a slope; the root keeps it steep",
          "partly" if slope["not divided"] > 0 else True),
    claim("C100", f"{tuple(single.shape)}, {tuple(table[:, 0].shape)}",
          single.shape == (2, 7, 64) and table[:, 0].shape == (2, 7, 7)),
    claim("C101", f"{tuple(output.shape)}, d_k {big.head_dim}",
          output.shape == (2, 7, 768) and big.head_dim == 64),
    claim("C102", f"100 numbers for 3 heads: {100 % 3} left over", 100 % 3 == 0),
    claim("C103", f"no mask: cosine {forgot @ alone:.2f} to itself, padded to {length}",
          bool(forgot @ alone > 0.999)),
)

# %% [markdown]
# ## The other half of a block
#
# After attention each token goes through a small network by itself: widen, bend (GELU),
# narrow. Articles call it "small". Which share of a block's parameters is it?

# %%
predict("ffn", "the feed-forward network's share of a block?",
        ["a tenth", "a third", "two thirds"])

# %% [markdown]
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
# MiniLM's own block: attention, then the feed-forward network (ffn). And who notices, if
# the vector of one token changes?

# %%
def count(part):
    """How many numbers training has set."""
    return sum(p.numel() for p in part.parameters())


layer = model.layers[0]
share = count(layer.feed_forward) / count(layer)
print(f"{count(layer.attention):,} and {count(layer.feed_forward):,} parameters")
reveal("ffn", "two thirds" if abs(share - 2 / 3) < 0.02 else "a third")

before = cat.hidden[:1]
nudged = before.clone()
nudged[0, 3] += 1.0  # change one token and see who notices
parts = {"attention": lambda h: layer.attention(h)[0], "ffn": layer.feed_forward}
touched = {name: int(((part(before) - part(nudged)).abs().amax(-1) > 1e-5).sum())
           for name, part in parts.items()}
print("tokens that notice:", ", ".join(f"{name} {n}" for name, n in touched.items()))

# %% [markdown]
# *Read the output.* The larger half of a block never looks at another token: **only
# attention** carries anything from word to word.
#
# ## Add, then normalise
#
# Both halves *add* to what came in (the residual). BERT and MiniLM normalise the **sum**
# (post-LN). The listing that most articles print normalises what goes *in* (pre-LN, as
# GPT-2 does), and calls the result BERT.

# %% [markdown]
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
    near.append(functional.cosine_similarity(hidden.mean(1), trace.pooled[None]).item())
print(f"cosine to the truth: mean {np.mean(near):.1f}, best {max(near):.1f}")

# %% [markdown]
# *Read the output.* It runs, it has the right shape, and it is another model. And what
# is the adding for? A stack of 24 random blocks, with and without: the gradient that
# reaches the last query map, and how alike two tokens have become.


# %%
def deep(residual):
    """Gradient at the last query map and cosine of two tokens after 24 blocks."""
    torch.manual_seed(0)
    stack = [attention.EncoderLayer(48, heads=3, inner=192) for _ in range(24)]
    hidden = torch.randn(2, 5, 48)
    for layer in stack:
        hidden = residual * hidden + layer.attention(layer.attention_norm(hidden))[0]
        hidden = residual * hidden + layer.feed_forward(layer.feed_forward_norm(hidden))
    hidden.pow(2).mean().backward()
    alike = functional.cosine_similarity(hidden[0, 0], hidden[0, 1], dim=0).item()
    return stack[-1].attention.query.weight.grad.norm().item(), alike


(flows, unlike), (starved, alike) = deep(residual=1), deep(residual=0)
print(f"cosine of two tokens: with residuals {unlike:.1f}, without {alike:.3f}")
print("gradient a million times smaller without:", starved < 1e-6 * flows)

# %% [markdown]
# *Read the output.* Without residuals all tokens of a text become **one** vector: means
# of means of means. Then there is nothing left to choose between, and no gradient.
#
# ## The real weights in your block
#
# Now everything at once: `load_layer` puts the official weights into our block. Six of
# them on the six sentences, against the library, at real tokens.

# %%
original = AutoModel.from_pretrained(
    assets.folder(assets.MINILM), attn_implementation="eager", local_files_only=True)
batch = assets.tokenizer()(list(sentences.values()), padding=True, return_tensors="pt")
with torch.inference_mode():
    library = original(**batch, output_hidden_states=True, output_attentions=True)

hidden, mask = library.hidden_states[0], batch["attention_mask"].bool()
for number in range(6):
    layer = attention.load_layer(assets.weights(), number, heads=12)
    hidden, weights = layer(hidden, mask[:, None, None], with_weights=True)
    off = (hidden - library.hidden_states[number + 1])[mask].abs().max()
    away = (weights - library.attentions[number]).transpose(1, 2)[mask].abs().max()
    print(f"layer {number}, equal to 1e-5: vectors {off < 1e-5}, weights {away < 1e-5}")

# %% [markdown]
# Every layer, to 1e-5: this *is* the encoder of BERT and MiniLM.
#
# ## What it costs
#
# Every token looks at every other: n tokens, n² scores. "Attention is quadratic" is what
# everybody remembers. MiniLM reads at most 256 tokens. Which share of a block's
# multiplications is the quadratic part there?

# %%
predict("cost", "share of the n² part at 256 tokens?", ["10%", "50%", "90%"])

# %%
from torch.utils.flop_counter import FlopCounterMode


def work(tokens, dim=384):
    """Operations of one block: those that grow with n², and all the others."""
    # The meta device knows shapes only: it counts without computing.
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        layer = attention.EncoderLayer(dim, heads=12, inner=4 * dim)
        layer(torch.empty(1, tokens, dim), with_weights=True)
    counts = {str(name): n for name, n in counter.get_flop_counts()["Global"].items()}
    return np.array([counts["aten.bmm"], counts["aten.addmm"]])


share_of = {n: (work(n) / work(n).sum())[0] for n in (64, 128, 256, 512, 1024, 4096)}
print(*(f"{n:>4} tokens: {part:.0%}" for n, part in share_of.items()), sep="\n")
reveal("cost", f"{share_of[256]:.0%}")

# %% [markdown]
# *Read the output.* Quadratic it is. But at the lengths that this model reads, nearly all
# the work lies elsewhere; the square takes over only far behind its limit. Growth is not
# size. And the articles on the block:

# %%
bert, gpt2, mini = BertConfig(), GPT2Config(), assets.config()
longer, wider = work(512) / work(256), work(256, dim=768) / work(256)
sizes = {
    "C106": ((bert.num_attention_heads, bert.hidden_size), (12, 768)),
    "C107": ((gpt2.n_head, gpt2.n_embd, gpt2.n_layer), (12, 768, 12)),
    "C113": (bert.num_hidden_layers, 12),
    "C137": ((len(model.layers), mini["hidden_size"], block.heads), (6, 384, 12)),
}
trial(
    claim("C066", f"{touched['ffn']} token notices a change", touched["ffn"] == 1),
    claim("C108", f"{share:.0%} of a block", share < 0.5),
    claim("C109", f"{bert.intermediate_size // bert.hidden_size}x, {bert.hidden_act}",
          bert.intermediate_size == 4 * bert.hidden_size),
    claim("C111", f"same parts, other order: cosine {np.mean(near):.1f} to the truth",
          np.mean(near) > 0.999 or "partly"),
    claim("C112", "a million times less gradient without", starved < 1e-6 * flows),
    *(claim(id, got, got == stated) for id, (got, stated) in sizes.items()),
    claim("C105", f"twice the length: scores x{longer[0]:.0f}", longer[0] == 4),
    claim("C232", f"twice the dimension: scores x{wider[0]:.0f}, maps x{wider[1]:.0f}",
          wider[0] == 4 or ("partly" if wider[1] == 4 else False)),
)

# %% [markdown]
# ## What do the heads look at?
#
# The six sentences and thirty more. Averaged over all heads and words: where does most
# of the attention go, and which head is the specialist for it? Guess: the word itself,
# its neighbours, `[CLS]` or `[SEP]`?

# %%
texts = [*sentences.values(), *(pair.a for pair in corpora.load_pairs()[::6])]
read = [model.trace(text) for text in texts]


def roles(trace):
    """Share of the weights per head, mean over the words: (5 roles, 72 heads)."""
    rows = trace.attention[:, :, 1:-1].flatten(0, 1)  # words look, the ends do not
    i = torch.arange(rows.shape[1])
    near = [rows[:, i, i + 1], rows[:, i, i], rows[:, i, i + 2]]
    return torch.stack([part.mean(1) for part in (*near, rows[..., 0], rows[..., -1])])


blind = encoder.Change(positions=encoder.zero_positions)
looks = torch.stack([roles(trace) for trace in read])  # (texts, 5, 72)
placeless = torch.stack([roles(model.trace(text, blind)) for text in texts]).mean(0)

# %%
mean, role, best = looks.mean(0), torch.arange(5), looks.mean(0).argmax(1)
pd.DataFrame({
    "all heads": mean.mean(1),
    "specialist": [f"layer {b // 12}, head {b % 12}" for b in best.tolist()],
    "its mean": mean[role, best],
    "its lowest": looks.amin(0)[role, best],
    "without positions": placeless[role, best],
}, index=["itself", "previous", "next", "[CLS]", "[SEP]"]).round(2)

# %% [markdown]
# *Read the output.* One head fetches the previous token in every text, another mostly the
# next; without positions both are lost, so they know the *place*, not the word. But
# nearly half of all attention goes to `[CLS]`, a token without a meaning of its own.
#
# Look for yourself: choose a layer, a head, and type a sentence.


# %%
def head_view(layer, head, text):
    """One head's table of weights as a picture."""
    trace = model.trace(text)
    weights = trace.attention[layer, head]
    labels = [token if token.isascii() else "�" for token in trace.tokens]
    favourite = labels[int(weights[1:-1].mean(0).argmax())]
    title = f"layer {layer}, head {head}: rows look at columns"
    fig, ax = plots.heatmap(weights, labels, labels, title, digits=None)
    fig.set_size_inches(1.8 + 0.24 * len(labels), 0.8 + 0.21 * len(labels))
    return plots.picture(fig, f"Heat map of layer {layer}, head {head}, "
                         f"{len(labels)} tokens; the words look most at {favourite}.")


mat, pod = sentences["cat"], "OOMKilled pod restarted"
shown = [(0, 2, mat), (1, 8, mat), (4, 5, mat), (4, 9, pod)]
explore(head_view, twin=[dict(zip(("layer", "head", "text"), s)) for s in shown],
        layer=(0, 5), head=(0, 11), text=pod)

# %% [markdown]
# *Read the output.* A head for the previous token, one for the next, one that stares at
# `[CLS]`, and one that leads each piece of a cut word to its next piece. Beware of the
# third kind: a bright column is what catches the eye. What is it worth?
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
# `[CLS]`, layer by layer: of the looks, and of what was handed over.

# %%
def deliveries(trace):
    """Weight times length of the value: (6, 12, to, from)."""
    lengths = [layer.attention.value_lengths(hidden[None])
               for layer, hidden in zip(model.layers, trace.hidden)]
    return trace.attention * torch.cat(lengths).unsqueeze(2)


given = [deliveries(trace) for trace in read]
start_of = torch.stack([t.hidden[:-1, 0] for t in traces.values()])  # (6, 6, 384)
pd.DataFrame({
    "of the looks": sum(t.attention[..., 0].mean((1, 2)) for t in read) / len(read),
    "of what is handed over": sum(
        g[..., 0].sum((1, 2)) / g.sum((1, 2, 3)) for g in given) / len(given),
    "cosine to [CLS] elsewhere": functional.cosine_similarity(
        start_of[:1], start_of[1:], dim=-1).mean(0),
}, index=[f"layer {number}" for number in range(6)]).map("{:.2f}".format)

# %% [markdown]
# *Read the output.* `[CLS]` is a place to look at when there is **nothing to look for**:
# weights must sum to 1, and this token hands over next to nothing. Until the last block
# it is also the same vector in every sentence.
#
# ## Take something away
#
# Pictures suggest, cuts tell. We hide one token from everybody. Does the cosine still rank
# pairs as people do, the hard ones, whose common words mislead, and the natural ones?

# %%
predict("cut", "which cut hurts more?", ["[CLS]", "[SEP]", "neither hurts"])

# %%
def hide(piece):
    """Nobody may look at this piece any more."""
    number = assets.tokenizer().convert_tokens_to_ids(piece)
    return encoder.Change(attend=lambda ids, mask: mask.bool() & (ids != number))


def agree(vectors):
    """Cosine of each pair: the first half of the vectors with the second."""
    return (vectors[: len(vectors) // 2] * vectors[len(vectors) // 2 :]).sum(axis=1)


sets = {"hard": corpora.load_pairs(), "natural": corpora.load_natural_pairs()}
pairs = [*sets["hard"], *sets["natural"]]
parts = np.split(np.arange(len(pairs)), [len(sets["hard"])])
grades = np.array([pair.grade for pair in pairs])
both = [pair.a for pair in pairs] + [pair.b for pair in pairs]
changes = {"as it is": encoder.Change(), "[SEP] hidden": hide("[SEP]"),
           "[CLS] hidden": hide("[CLS]"),
           "all heads off": encoder.Change(ablate=dict.fromkeys(range(6), range(12)))}
cosine = {name: agree(model.encode(both, change=c)) for name, c in changes.items()}
ids = model.tokenize(both)
static = torch.stack([model.words[row].mean(0) for row in ids])
cosine["average of the lookup rows"] = agree(functional.normalize(static).numpy())
cosine["share of common tokens"] = np.array([
    len({*a} & {*b}) / len({*a} | {*b}) for a, b in zip(ids, ids[len(pairs) :])])

# %%
def ranked(name, draws):
    """Spearman with the grades for every draw."""
    return np.array([spearmanr(grades[d], cosine[name][d]).statistic for d in draws])


rng, columns, least = np.random.default_rng(7), {}, []
for which, part in zip(sets, parts):
    draws = rng.choice(part, (500, len(part)))  # pairs drawn again and again
    normal = ranked("as it is", draws)
    lost = {name: np.percentile(normal - ranked(name, draws), [2.5, 97.5])
            for name in list(cosine)[1:]}
    least.append(lost["[CLS] hidden"][0])
    columns[which] = [f"{ranked(name, [part])[0]:.2f}" for name in cosine]
    columns[f"{which}, lost (95 %)"] = [
        "–", *(f"{low:+.2f} to {high:+.2f}" for low, high in lost.values())]
reveal("cut", "[CLS]" if min(least) > 0 else "neither hurts")
pd.DataFrame(columns, list(cosine))

# %% [markdown]
# *Read the output.* Hide `[SEP]`: nothing. Hide `[CLS]`: on the hard pairs as bad as
# switching off **all** heads, since every head must now fetch something from some word.
# Common words mislead there, so lookup rows are worth nothing: what ranks these pairs
# right, attention brought. On the natural pairs common words guide, lookup rows come far,
# and without any heads little is lost. Hiding `[CLS]` clearly hurts there, too.
#
# ## Head by head
#
# Now switch off single heads, one at a time. Before you run it: in which layer are the
# heads whose loss moves a text's vector most? And are they those with the sharp tables?

# %%
ids, mask = encoder.pad(model.tokenize(texts[:16]))
keys, moved = mask.bool()[:, None, None], torch.zeros(6, 12, len(ids))
with torch.inference_mode():
    hidden, _ = model.hidden_states(ids, mask)
    whole = pooling.normalize(pooling.mean_pool(hidden[-1], mask))
    for number, head in np.ndindex(6, 12):
        state, off = hidden[number], [head]  # blocks before this one have not changed
        for layer in model.layers[number:]:
            state, off = layer(state, keys, ablate=off)[0], []
        vectors = pooling.normalize(pooling.mean_pool(state, mask))
        moved[number, head] = 1 - (vectors * whole).sum(1)
sharp = -torch.stack([attention.entropy(t.attention).mean(-1) for t in read]).mean(0)
rho = spearmanr(sharp.flatten(), moved.mean(2).flatten()).statistic
print(f"sharpness of a head's table against its importance: Spearman {rho:.1f}")


# %%
def ablation_map(text):
    """How far the vector moves without each head, in thousandths of a cosine."""
    one = list(sentences).index(text) if text in sentences else slice(None)
    values = 1000 * moved[..., one].reshape(6, 12, -1).mean(2)
    number, head = divmod(int(values.argmax()), 12)
    fig, ax = plots.heatmap(values, [f"layer {n}" for n in range(6)],
                            [f"head {n}" for n in range(12)],
                            f"1000 × (1 − cosine) without the head: {text}", digits=0)
    fig.set_size_inches(7.5, 3)
    return plots.picture(fig, f"Heat map of 6 layers and 12 heads, {text}: the vector "
                         f"moves most without layer {number}, head {head}.")


explore(ablation_map, twin=[{"text": "all texts"}, {"text": "nasty"}],
        text=["all texts", *sentences])

# %% [markdown]
# *Read the output.* Most heads can go one by one without a trace; those of the last block
# cannot, for nobody comes after them who could make up for it. And a sharp table, the
# kind that every picture shows, is no sign of importance: over all heads the correlation
# is even negative.
#
# ## Is attention an explanation?
#
# "The model looked at this word, so this word mattered." Whether a word matters can be
# measured: leave it out, see how far the vector moves. Which of four rules follows that
# best? One of them never looks at the model: rare words (late in the vocabulary) matter.

# %%
rules = ["looks received", "handed over", "rollout", "rarity of the word"]
predict("explains", "which rule follows leave-one-out best?", rules)

# %%
def left_out(trace):
    """1 - cosine to the text without token i, for every token but the ends."""
    ids = trace.ids.tolist()
    batch, mask = encoder.pad([ids[:i] + ids[i + 1 :] for i in range(1, len(ids) - 1)])
    hidden = model.hidden_states(batch, mask)[0]
    return 1 - pooling.normalize(pooling.mean_pool(hidden[-1], mask)) @ trace.vector


def explain(trace, given):
    """One number per rule and word: (4, words)."""
    steps = (trace.attention.mean(1) + torch.eye(len(trace.ids))) / 2  # the residual
    rollout = torch.linalg.multi_dot(list(steps.flip(0)))  # last layer on the left
    looks, handed = (x.sum((0, 1, 2)) / x.sum() for x in (trace.attention, given))
    return torch.stack([looks, handed, rollout.mean(0), trace.ids])[:, 1:-1].double()


values = np.vstack([left_out(read[0]), explain(read[0], given[0])]).T
table = pd.DataFrame(values, read[0].tokens[1:-1], ["leave one out", *rules])
table.round(3).astype({"rarity of the word": int})

# %% [markdown]
# *Read the output.* One sentence convinces nobody. All the texts, with a rank correlation
# for each and an interval for their mean:

# %%
effects = [left_out(trace) for trace in read]
rho = np.array([[spearmanr(rule, effect).statistic for rule in explain(trace, g)]
                for trace, g, effect in zip(read, given, effects)])  # (texts, rules)
again = rho[rng.integers(0, len(rho), (2000, len(rho)))].mean(1)  # (draws, rules)
rows = {}
for i, name in enumerate(rules):
    low, high = np.percentile(again[:, i], [2.5, 97.5])
    less, more = np.percentile(again[:, i] - again[:, -1], [2.5, 97.5])
    rows[name] = (f"{rho[:, i].mean():.2f}", f"{low:.2f} to {high:.2f}",
                  f"{less:+.2f} to {more:+.2f}" if name != rules[-1] else "")
reveal("explains", rules[int(rho.mean(0).argmax())])
pd.DataFrame.from_dict(rows, orient="index", columns=[
    "mean Spearman", "95 %", "better than rarity by"])

# %% [markdown]
# *Read the output.* Both slogans fail. Attention does follow the effect, far from chance.
# But so does plain rarity, just as well: the looks tell you nothing that the vocabulary
# did not. What is **handed over** does a little better than both; rollout, the refined
# method, is near chance here. An explanation is worth what it adds to the cheapest rule.
#
# ## One word, two senses
#
# *bank*, *bat*, *cell*, *pod* and others, each in two senses. Give each query sentence
# the sense of its nearest neighbour among the support sentences, using only the vector of
# **that word**. From which block on does it work?

# %%
uses = corpora.load_senses()


def stages(use):
    """Mean of the sentence's lookup rows, then the word's vector at every block."""
    trace = model.trace(use.sentence)
    place = trace.tokens.index(use.word)
    return torch.cat([trace.rows[1:-1].mean(0)[None], trace.hidden[:, place]])


vectors = functional.normalize(torch.stack([stages(use) for use in uses]), dim=-1)
like = torch.einsum("asd,bsd->sab", vectors, vectors)  # (8 stages, uses, uses)
allowed = torch.tensor(
    [[a.word == b.word and b.split == "support" for b in uses] for a in uses])
nearest = like.masked_fill(~allowed, -1).argmax(-1)  # (8, uses)
right = torch.tensor([[uses[j].sense == use.sense for use, j in zip(uses, row)]
                      for row in nearest.tolist()])
right = right[:, [use.split == "query" for use in uses]].float()  # (8, queries)

# %%
static, *by_block = right.mean(1).tolist()
fig, ax = plots.lines(range(7), {"the word itself": by_block,
                                 "lookup rows of the sentence": [static] * 7},
                      "Senses told apart", "blocks passed", "share right (chance 0.5)")
plots.show(
    fig,
    alt="Line of the share of senses told right: little above chance before the first "
    "block, most of the rise in the first two blocks, highest after the last.",
    fact="blocks passed: " + " ".join(f"{share:.2f}" for share in by_block)
    + f" of {right.shape[1]} queries; lookup rows {static:.2f}",
)

# %% [markdown]
# *Read the output.* Before the first block the word's own row cannot know; one block of
# looking around already tells most senses. And a plain average of lookup rows, without
# any attention, is no coin toss either: the neighbours alone betray the sense.

# %%
four = ["I went to the bank to deposit money.", "I sat on the river bank.",
        "The bank was closed for the holiday.",
        "The river bank was eroded by flooding."]
found = [model.trace(text) for text in four]
bank = torch.stack([t.hidden[-1, t.tokens.index("bank")] for t in found])
word = torch.stack([pooling.cosine(vector, bank) for vector in bank])  # (4, 4)
text = pooling.cosine(*[torch.stack([trace.vector for trace in found])] * 2)
rows = torch.stack([t.rows[t.tokens.index("bank")] for t in found])
names = ["deposit", "river bank", "holiday", "flooding"]
pd.DataFrame(word.numpy(), names, names).map("{:.2f}".format)

# %% [markdown]
# *Read the output.* The two river banks are close, and far from the bank with the money.
# But the bank on holiday is nearer to the flooded bank than to the money's: in the
# vector of the word the sense shows, though not as cleanly as it is told.

# %%
inside, across = word[[0, 1], [2, 3]], word[[0, 0, 1, 2], [1, 3, 2, 3]]
apart = [bool(table[2, 3] < table[2, 0]) for table in (word, text)]
first, second = traces["server"].attention, traces["cat"].attention
trial(
    claim("C012", f"'the': {cosines[0]:.2f} at the input, {cosines[-1]:.2f} at the end",
          "partly" if cosines[-1] > 0.1 else True),
    claim("C013", f"'the' changes in {len({*cosines}) - 1} of 6 blocks",
          len({*cosines}) == 7),
    claim("C015", f"{len(first)} layers, another table for another text",
          not torch.allclose(first[:, :, 1, 1], second[:, :, 1, 1])),
    claim("C097", f"same sense from {inside.min():.2f}, other to {across.max():.2f}",
          bool(inside.min() > across.max()) or "partly"),
    claim("C173", f"{word[0, 1]:.2f}; two river banks {word[1, 3]:.2f}",
          bool(word[0, 1] < word[1, 3])),
    claim("C235", "one row in all four sentences", bool((rows == rows[0]).all())),
    claim("C236", f"cosine {word[0, 1]:.2f}", bool(word[0, 1] < 0.9)),
    claim("C237", f"by the word's vector: {apart[0]}, by the sentence's: {apart[1]}",
          all(apart) or ("partly" if any(apart) else False)),
    claim("C242", f"{static:.0%} right with static rows",
          "partly" if static > 0.6 else True),
)

# %% [markdown]
# ## Break it: five sick attentions
#
# Five patients have one disease each. They take `x` (tokens, inputs), three matrices
# (outputs, inputs) as `nn.Linear` stores them, and a mask. With square matrices none of
# them raises an error. The symptoms on eight tokens; for the last two columns, two of
# the tokens are hidden:

# %%
g = torch.Generator().manual_seed(3)
x, *maps = (torch.randn(n, 16, generator=g) / 2 for n in (8, 16, 16, 16))
hidden_two = torch.arange(8) < 6
table = {}
for name, patient in {"healthy": HEALTHY, **PATIENTS}.items():
    w, masked = patient(x, *maps)[1], patient(x, *maps, hidden_two)[1]
    table[name] = (attention.entropy(w).mean(), w.sum(1).min(), w.sum(1).max(),
                   masked.sum(1).mean(), masked[:, 6:].sum(1).mean())
columns = ["entropy", "row sums from", "to", "row sums, 2 hidden", "on hidden"]
pd.DataFrame.from_dict(table, "index", float, columns).round(2)

# %% [markdown]
# ### Puzzle 4.7 · The diagnosis (core, 10 minutes)
#
# Return a dictionary from the letters A to E to the diseases, spelt as in `DISEASES`.
#
# <details><summary>Hint 1</summary>
#
# A scale changes the entropy, and nothing else in this table; the farther off it is, the
# more. Whatever comes after the softmax can spoil its sums.
# </details>
# <details><summary>Hint 2</summary>
#
# One patient looks healthy in every column: which disease changes only *which* numbers
# come out?
# </details>


# %%
print(*DISEASES, sep="\n")


def diagnosis():
    """{"A": "...", "B": "...", ...}"""
    ### BEGIN SOLUTION
    return {
        "A": "mask after softmax",
        "B": "no scale",
        "C": "transposed weights",
        "D": "inverted scale",
        "E": "softmax over the wrong axis",
    }
    ### END SOLUTION


# %%
check("4.7", diagnosis)

# %% [markdown]
# And now the other way round. A test is good if it **kills** every sick version and
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
    wanted = functional.scaled_dot_product_attention(q, k, v, mask.expand(5, -1))
    output, weights = attend(x, *maps, mask)
    torch.testing.assert_close(output, wanted)
    ### END SOLUTION


print("popular:", mutation_score(rows_sum_to_one))
print("yours:  ", mutation_score(test_attention))

# %%
check("4.8", passes(test_attention))

# %% [markdown]
# ## The journey so far
#
# What attention did to the six sentences: how far their words moved on the way through
# the blocks, and which word handed over most.

# %%
pd.DataFrame({
    "words, input to output": [
        f"{functional.cosine_similarity(t.hidden[0], t.hidden[-1])[1:-1].mean():.2f}"
        for t in traces.values()],
    "looks at [CLS]": [f"{t.attention[..., 0].mean():.2f}" for t in traces.values()],
    "handed over most": [t.tokens[1 + int(g.sum((0, 1, 2))[1:-1].argmax())]
                         for t, g in zip(traces.values(), given)],
}, index=list(traces))

# %% [markdown]
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
# | `scaled_dot_product_attention` | weighted mean of values | `torch.nn.functional.scaled_dot_product_attention` |
# | `MultiHeadAttention` | one such mean per slice | `BertSelfAttention` and `BertSelfOutput`, `torch.nn.MultiheadAttention` |
# | `FeedForward` | each token by itself | `BertIntermediate` and `BertOutput` |
# | `EncoderLayer` | attention, add, norm; feed-forward, add, norm | `BertLayer`, `torch.nn.TransformerEncoderLayer` |
# | `load_layer(weights, n, heads)` | the official weights in our block | `AutoModel.from_pretrained` |
#
# **Next:** [05 · Pooling](05_pooling.ipynb): many vectors become one, and the model is
# complete.
#
# **Read on**
#
# - A. Vaswani et al.: *Attention is all you need*, 2017,
#   [arXiv 1706.03762](https://arxiv.org/abs/1706.03762)
# - G. Kobayashi et al.: *Attention is not only a weight: analyzing transformers with
#   vector norms*, 2020, [arXiv 2004.10102](https://arxiv.org/abs/2004.10102)
# - S. Abnar, W. Zuidema: *Quantifying attention flow in transformers*, 2020,
#   [arXiv 2005.00928](https://arxiv.org/abs/2005.00928) (rollout)
# - S. Jain, B. Wallace: *Attention is not explanation*, 2019,
#   [arXiv 1902.10186](https://arxiv.org/abs/1902.10186), and the answer by S. Wiegreffe
#   and Y. Pinter: *Attention is not not explanation*, 2019,
#   [arXiv 1908.04626](https://arxiv.org/abs/1908.04626)
# - Y. Dong, J.-B. Cordonnier, A. Loukas: *Attention is not all you need: pure attention
#   loses rank doubly exponentially with depth*, 2021,
#   [arXiv 2103.03404](https://arxiv.org/abs/2103.03404)
