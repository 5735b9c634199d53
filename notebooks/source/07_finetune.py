# %% [markdown]
# # 07 · When does training pay?
#
# You have a few hundred labelled headlines, and a model that turns any sentence into a
# good vector. Is it worth training the model itself? In the end you can answer that for
# your own data: with a baseline, three seeds and an interval.

# %% [markdown]
# | | |
# |---|---|
# | to read / to do | 40 / 55 minutes |
# | you build | a training loop, early stopping, checkpoints that resume exactly |
# | used again in | 08 (reading the errors of this classifier) |
#
# After this notebook you can
#
# - **write** the loop behind every trainer, and prove that it is the same one,
# - **measure** what fine-tuning buys against a tuned baseline, and what it costs,
# - **see** a model learn its training set by heart, and stop it in time,
# - **resume** an interrupted run to the last digit,
# - **diagnose** a broken run from its vital signs.

# %%
import math
import tempfile
import warnings
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from course_utils import corpora, encoder, finetune
from course_utils.classroom import (
    check, claim, plots, predict, progress, quiz, reveal, scorecard, start, trial)
from scipy.stats import spearmanr
from sklearn.feature_extraction.text import TfidfVectorizer
from torch.nn import functional

start("07_finetune")

# %% [markdown]
# ![The pipeline: text, tokenization, lookup, positions, attention, pooling, search. Today: fine-tuning.](images/pipeline_finetune.svg)
#
# ## A desk that sorts headlines
#
# News in four classes, written for this course. The desk sees only the *headline*, a
# dozen tokens: hard enough to leave room for learning, short enough to train on a laptop.
# In the file 40 labels are wrong on purpose; `corrected=True` undoes that for now. The
# classes are those of AG News, a much used data set, whose csv files number them from 1.

# %%
news = corpora.load_news("train", corrected=True)
order = np.random.default_rng(7).permutation(len(news))
parts = {
    "pool": [news[i] for i in order[232:]],  # to learn from
    "dev": [news[i] for i in order[:232]],  # to choose by
    "test": corpora.load_news("test"),  # to report
}
print(" · ".join(f"{name} {len(rows)}" for name, rows in parts.items()))
for article in parts["pool"][:4]:
    print(f"{article.label:<9} {article.title}")

csv = Path(tempfile.mkdtemp()) / "train.csv"  # the layout of AG News
csv.write_text("".join(f'{n},"Title","Words"\n' for n in (1, 2, 3, 4)))
read = [article.label for article in corpora.load_news(path=csv)]
claim("C029", f"{', '.join(read)}: so the data set's card says, and our reader does",
      read == ["World", "Sports", "Business", "Sci/Tech"])

# %% [markdown]
# *Read the output.* Three parts with three purposes. Whatever you *choose* (a rate, an
# epoch, a model), you choose on *dev*. The test headlines are for the report only: who
# chooses by them reports a number that was selected for being high.
#
# ## First the cheap way: freeze the model
#
# Notebook 05 ended with one vector per text. Put a logistic regression on it: no training
# of the encoder, one pass over the texts. Its one setting `C` is chosen by
# cross-validation, because a baseline that nobody tuned proves nothing.

# %%
from sklearn.linear_model import LogisticRegressionCV
from threadpoolctl import threadpool_limits

minilm, names = encoder.MiniLM.load(), list(corpora.NEWS_LABELS)


def title(article):
    return article.title


def targets(rows):
    return np.array([names.index(article.label) for article in rows])


def tuned(vectors, labels):
    model = LogisticRegressionCV(Cs=[0.1, 1, 10, 100], cv=4, scoring="accuracy",
                                 solver="newton-cg", tol=1e-8, max_iter=1000,
                                 use_legacy_attributes=False)
    with threadpool_limits(1):  # a second thread only gets in the way here
        return model.fit(vectors.astype(float), labels)


frozen = {part: minilm.encode(list(map(title, rows))) for part, rows in parts.items()}
head = tuned(frozen["pool"], targets(parts["pool"]))

# %% [markdown]
# The six sentences of the course never were news. Which desk do they land on?
#
# And one question for the whole notebook. The frozen model makes errors on headlines. You
# can let it read the *whole article*, without training; or you can **train all six
# blocks**, on headlines. Which one helps more? Write your guess into the cell.

# %%
sentences = corpora.load_sentences()
their_vectors = minilm.encode(list(sentences.values()))
trace = pd.DataFrame(index=list(sentences))
trace["frozen"] = [names[i] for i in head.predict(their_vectors)]
predict("more", "what raises the accuracy more?",
        ["reading the whole article", "training all blocks"])
trace

# %% [markdown]
# *Read the output.* A classifier has no "none of these": it must choose one of its four,
# and does so for a cat on a mat as well. (Notebook 08 teaches it to abstain.)
#
# ## The loop
#
# To train, we need three things: a copy of the blocks that may change, a linear layer
# that turns a vector into four numbers (the [**head**](91_glossary.ipynb#h)), and a loop. The tables and blocks
# that stay frozen always give the same output, so it is computed once, before the loop:
# `examples` does that.
#
# Before you run the next cell: the head starts with tiny random weights. What will the
# loss of the very first step be?


# %%
def fresh(layers, seed=0, dropout=0.1):
    """MiniLM with its top blocks as a trainable copy, and a new head."""
    return finetune.Classifier(minilm, layers, dropout=dropout, seed=seed)


ready = {
    layers: {
        part: finetune.examples(fresh(layers), rows, title)
        for part, rows in parts.items()
    }
    for layers in (2, 6)
}
known = {part: targets(rows) for part, rows in parts.items()}  # class numbers
batch = ready[2]["pool"].batch([0, 1, 2])
print(f"inputs {tuple(batch.inputs.shape)}, labels {batch.labels.tolist()}")
predict("first", "loss of the first step?",
        ["about 0.2", "about 0.7", "about 1.4", "about 4"])

# %% [markdown]
# *Read the output.* Three headlines, padded to the longest *of these three*, each token
# 384 numbers as the frozen blocks left them. Now the loop, all of it.


# %%
def train(model, news, epochs, rate, seed=0):
    """All of training: batch, loss, gradient, step."""
    order = torch.Generator().manual_seed(seed)
    learning = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(learning, rate, weight_decay=0.0, fused=True)
    losses, total = [], epochs * math.ceil(len(news) / 16)
    for _epoch in range(epochs):
        for chosen in finetune.length_groups(news.lengths, 16, order):
            inputs, mask, labels = news.batch(chosen)
            loss = functional.cross_entropy(model(inputs, mask), labels)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(learning, 1.0)
            optimizer.param_groups[0]["lr"] = rate * (1 - len(losses) / total)
            optimizer.step()
            losses.append(loss.item())
    return losses


small = ready[2]["pool"].take(range(160))
plain = train(fresh(2, dropout=0), small, epochs=3, rate=3e-4)
reveal("first", f"about {plain[0]:.1f}")
print(f"a guess with no opinion costs -ln(1/4) = {-math.log(1 / 4):.2f}")
print("the last step is cheaper than the first:", plain[-1] < plain[0])

# %% [markdown]
# *Read the output.* Check the first loss before anything else: another value means that
# labels, head or loss do not fit together.
#
# Does it always fall from here? A widely read article says that the optimizer
# guarantees it.

# %%
fig, ax = plots.lines(
    range(1, len(plain) + 1), {"loss": plain}, "Loss of each step", "step", "nats")
rises = sum(after > before for before, after in zip(plain, plain[1:]))
many = rises > len(plain) / 5
plots.show(
    fig,
    alt="Line of the training loss over the steps: it falls from about 1.4, but in "
    "jagged moves, with many single steps up.",
    fact=f"more than a fifth of the steps rose: {many}")

weights = [1.0]
for _ in range(3):  # gradient descent on w squared, whose slope is 2w
    weights.append(weights[-1] - 2.2 * 2 * weights[-1])
climb = ", ".join(f"{w * w:,.1f}" for w in weights)
claim("C037", f"many single steps rise; w² at rate 2.2: {climb}", not many)

# %% [markdown]
# *Read the output.* Two reasons why it may rise. Each step looks at another sixteen
# headlines, and some are harder. And a rate that is too high jumps over the valley, even
# on a parabola. The optimizer promises a direction, nothing else.
#
# ## Is it the same training?
#
# Three proofs. First, the four lower blocks never ran in the loop: `examples` had run
# them once, before it. That looks like cheating. So we put all six blocks into the loop,
# freeze the lower four, and compare. Second, `finetune.train_classifier`: your loop with
# early stopping and checkpoints around it.

# %%
few = range(64)
whole = fresh(6, dropout=0)
whole.blocks[:4].requires_grad_(False)
slow = train(whole, ready[6]["pool"].take(few), epochs=2, rate=3e-4)
quick = train(fresh(2, dropout=0), ready[2]["pool"].take(few), epochs=2, rate=3e-4)
print("same loss, in the loop or before it:", np.allclose(slow, quick, atol=1e-5))

history = finetune.train_classifier(fresh(2, dropout=0), small, learning_rate=3e-4)
print("same loss, loop or module:", np.allclose(plain, history.step_loss, atol=1e-4))

# %% [markdown]
# *Read the output.* Equal in every step, for less work: what is frozen is computed once.
#
# Third, `transformers.Trainer`, which thousands of projects use. We hand it our model,
# our batches and our rate; gradient clipping, AdamW and the linear decay are its own
# defaults.

# %%
from transformers import PrinterCallback, Trainer, TrainingArguments


class NewsTrainer(Trainer):
    def get_train_dataloader(self):
        return torch.utils.data.DataLoader(
            range(len(small)),
            batch_sampler=finetune.GroupedBatches(small.lengths, 16, seed=0),
            collate_fn=lambda chosen: small.batch(chosen)._asdict())

    def compute_loss(self, model, batch, return_outputs=False, **_):
        logits = model(batch["inputs"], batch["mask"])
        loss = functional.cross_entropy(logits, batch["labels"])
        self.seen = [*getattr(self, "seen", []), loss.item()]
        return loss


quiet = {"use_cpu": True, "report_to": "none", "disable_tqdm": True}
arguments = TrainingArguments(
    tempfile.mkdtemp(), num_train_epochs=3, learning_rate=3e-4, logging_steps=4,
    save_strategy="no", **quiet)
trainer = NewsTrainer(fresh(2, dropout=0), arguments)
trainer.remove_callback(PrinterCallback)
trainer.train()
print("same loss, loop or Trainer:", np.allclose(plain, trainer.seen, atol=1e-4))

# %% [markdown]
# *Read the output.* The same numbers, step by step. A trainer is your loop with more
# switches; know the switches.
#
# ## What moves?
#
# "What gets trained are the Q, K and V projections", says that article, and more about
# Trainer that we can check by now. One backward pass through all of MiniLM, word table
# included, shows who gets a gradient.

# %%
library = finetune.LibraryClassifier(train_words=True)
batch = finetune.examples(library, parts["pool"][:8], title).batch()
functional.cross_entropy(library(*batch[:2]), batch.labels).backward()

rows = int(library.body.get_input_embeddings().weight.grad.any(dim=1).sum())
tokens = len(set(batch.inputs[batch.mask].tolist()))
kinds = {"word_embeddings": "word table", ".self.": "Q, K, V", "": "everything else"}
found = pd.DataFrame(
    [(next(kind for key, kind in kinds.items() if key in name), weight.numel(),
      bool(weight.grad.any()))
     for name, weight in library.named_parameters() if "pooler" not in name],
    columns=["part", "parameters", "gets a gradient"])
by_part = found.groupby("part").agg({"parameters": "sum", "gets a gradient": "all"})
by_part["share"] = by_part["parameters"] / by_part["parameters"].sum()
del library  # the largest model of this notebook has done its duty
by_part.round(2).rename_axis(None)

# %%
others = bool(by_part["gets a gradient"].drop("Q, K, V").any())
# The article printed a loss every 50 steps, 125 to an epoch; ours every 4 of 10.
logged = [row["epoch"] for row in trainer.state.log_history if "loss" in row]
ask = arguments.load_best_model_at_end
old = "evaluation_strategy" in TrainingArguments.__dataclass_fields__
trial(
    claim("C016", f"they are {by_part.share['Q, K, V']:.0%}; the rest moves too",
          not others or "partly"),
    claim("C017", f"the word table moves too: {rows} rows for {tokens} distinct tokens",
          rows == 0 or "partly"),
    claim("C035", f"printed at epochs {logged[:5]} …", 1.0 in logged or "partly"),
    claim("C036", f"old name still accepted: {old}; its release notes say 4.41", old),
    claim("C039", f"load_best_model_at_end is {ask} unless you ask", ask),
)

# %% [markdown]
# *Read the output.* All parts move; the word table, which is half of everything, only in
# the rows that occur. We leave it alone: "all blocks" means the six blocks. A loss is printed
# when its turn comes, not when an epoch ends. And a Trainer ends with its *last* weights,
# not with its best.
#
# ## Do not train on padding
#
# A batch is a rectangle: its shorter texts are filled up, and a filled place costs as much
# as a word. Put texts of similar length together.
#
# ### Exercise 7.1 · Batches of similar length (core, 5 minutes)
#
# `lengths` are the numbers of tokens. Return a list of batches, each a list of *places*
# in `lengths`: shortest texts first, `batch_size` places each, the last may be smaller.
# Equal lengths keep their order.
#
# <details><summary>Hint 1</summary>
#
# `sorted(range(len(lengths)), key=lambda i: lengths[i])` sorts the places.
# </details>
# <details><summary>Hint 2</summary>
#
# `order[start : start + batch_size]` for `start` in `range(0, len(order), batch_size)`.
# </details>


# %%
def by_length(lengths, batch_size):
    """[9, 2, 8, 3] in batches of 2 -> [[1, 3], [2, 0]]"""
    ### BEGIN SOLUTION
    order = sorted(range(len(lengths)), key=lambda i: lengths[i])
    return [order[i : i + batch_size] for i in range(0, len(order), batch_size)]
    ### END SOLUTION


# %%
check("7.1", by_length)


# %%
def waste(groups, lengths):  # share of all places that hold no token
    places = sum(max(lengths[i] for i in group) * len(group) for group in groups)
    return 1 - sum(lengths) / places


lengths = ready[2]["pool"].lengths
for name, groups in {
        "as they come": [range(i, i + 16) for i in range(0, len(lengths), 16)],
        "grouped": finetune.GroupedBatches(lengths, 16, seed=0)}.items():
    print(f"{name:<13} {waste(list(groups), lengths):.0%} of the places are padding")

# %% [markdown]
# *Read the output.* The module's version sorts only within runs of eight batches and
# shuffles them, so that every epoch still meets the texts in another order.
#
# ## One step by hand
#
# What is in a gradient? For the head you can write it down. With probabilities $p$ and
# the right answers as one-hot rows $y$, each text pulls its own class up by what is missing
# and pushes the others down by what they have too much:
# $\;\partial L / \partial W = (p - y)^\top x \,/\, n$.
#
# ### Exercise 7.2 · The gradient of the head (core, 10 minutes)
#
# `vectors` (n, dim), `labels` n class numbers, `weight` (classes, dim), all NumPy. Return
# the gradient of the mean cross-entropy, (classes, dim).
#
# <details><summary>Hint 1</summary>
#
# `scipy.special.softmax(vectors @ weight.T, axis=1)` are the probabilities.
# </details>
# <details><summary>Hint 2</summary>
#
# `p[np.arange(len(labels)), labels] -= 1` turns them into *p - y*.
# </details>


# %%
def head_gradient(vectors, labels, weight):
    """One text (2, 4) of class 0, weight 0, two classes -> [[-1, -2], [1, 2]]"""
    ### BEGIN SOLUTION
    from scipy.special import softmax

    error = softmax(vectors @ weight.T, axis=1)  # (n, classes)
    error[np.arange(len(labels)), labels] -= 1
    return error.T @ vectors / len(vectors)
    ### END SOLUTION


# %%
check("7.2", head_gradient)

# %% [markdown]
# The blocks below get theirs by the chain rule from here. And how far each step goes is
# the learning rate's business. Large steps at the start would shake the pretrained blocks
# while the head still guesses, so most recipes [**warm up**](91_glossary.ipynb#w), then decay.
#
# ### Exercise 7.3 · Warm up, then decay (core, 5 minutes)
#
# Steps are counted from 0. For `step < warmup` the rate climbs in a straight line from 0;
# at `warmup` it is `peak`; then it falls in a straight line to 0 at `total`. `warmup` may
# be 0.
#
# <details><summary>Hint 1</summary>
#
# Climbing: `peak * step / warmup`. Ask for `step < warmup` first, and nothing is ever
# divided by 0.
# </details>
# <details><summary>Hint 2</summary>
#
# The way down is `total - warmup` steps long, and `total - step` of them are left.
# </details>


# %%
def rate_at(step, total, peak, warmup):
    """Step 2 of 10, peak 1, warm-up 4 -> 0.5; step 7 -> 0.5"""
    ### BEGIN SOLUTION
    if step < warmup:
        return peak * step / warmup
    return peak * (total - step) / (total - warmup)
    ### END SOLUTION


# %%
check("7.3", rate_at)

# %% [markdown]
# ## The learning rate
#
# The setting that decides most. The same 128 headlines, three epochs, rates in steps of
# about three, for two blocks and for all six; judged on dev. Where do you expect the best
# one? (While you wait, a line shows the progress; it is not stored.)


# %%
def draw(per_class, seed):
    """Places in the pool, the same number of each class."""
    mixed = np.random.default_rng(seed).permutation(len(known["pool"]))
    return np.concatenate(
        [mixed[known["pool"][mixed] == number][:per_class] for number in range(4)])


# %%
sweep = {2: {}, 6: {}}  # blocks -> rate -> dev loss
for layers, rate in [*product([2], (1e-5, 1e-4, 3e-4, 1e-3, 1e-2)),
                     *product([6], (1e-4, 3e-4, 1e-3))]:
    model, some = fresh(layers), ready[layers]["pool"].take(draw(32, seed=0))
    finetune.train_classifier(model, some, learning_rate=rate, report=progress)
    sweep[layers][rate] = finetune.evaluate(model, ready[layers]["dev"]).loss
rates = {n: next(rate for rate in sweep[n]  # the gentlest of those as good as the best
                 if sweep[n][rate] < min(sweep[n].values()) + 0.03) for n in sweep}

fig, ax = plots.lines(
    list(sweep[2]),
    {f"{n} blocks": [sweep[n].get(rate, math.nan) for rate in sweep[2]] for n in sweep},
    "Three epochs at each rate", "learning rate", "dev loss, nats")
ax.set_xscale("log")
ax.axhline(math.log(4), linestyle=":", color="grey")
guessing = [f"{r:g}" for r, loss in sweep[2].items() if loss > 0.9 * math.log(4)]
plots.show(
    fig,
    alt="Dev loss over the learning rate, logarithmic, for two blocks and for six: two "
    "valleys; the ends of the longer line are near the dotted line of pure guessing.",
    fact=f"two blocks {rates[2]:g}, six {rates[6]:g}; guessing: {', '.join(guessing)}")

# %% [markdown]
# *Read the output.* Too small looks like patience, too large like bad luck, and both end
# near the dotted line, the loss of pure guessing. Among rates that are equally good we
# take the lowest: it changes least of what was pretrained.
#
# ## The ladder
#
# Five rungs, each with more to learn: always the most frequent class · words counted
# (TF-IDF) · frozen MiniLM · its two top blocks · all six. Each is run on 32 and on 192
# headlines (all blocks on 192 only: a long wait), three times with another draw, and
# measured on the same 248 test headlines.
# Words and frozen MiniLM choose their `C` anew each time, by cross-validation; the others
# take the rates of the sweep.

# %%
titles = {part: np.array(list(map(title, rows))) for part, rows in parts.items()}


def words(chosen):
    reader = TfidfVectorizer(sublinear_tf=True).fit(titles["pool"][chosen])
    model = tuned(reader.transform(titles["pool"][chosen]), known["pool"][chosen])
    return model.predict(reader.transform(titles["test"])) == known["test"]


def frozen_head(chosen, vectors=frozen):
    model = tuned(vectors["pool"][chosen], known["pool"][chosen])
    return model.predict(vectors["test"]) == known["test"]


# %%
little, much, seeds, right = 32, 192, (0, 1, 2), {}  # right[rung, n]: (seeds, test)
for n in (little, 64, 128, much, 384, 720):
    draws = [draw(n // 4, seed) for seed in seeds]
    right["frozen", n] = np.array([frozen_head(chosen) for chosen in draws])
    if n in (little, much):
        right["words", n] = np.array([words(chosen) for chosen in draws])
        most = [np.bincount(known["pool"][chosen]).argmax() for chosen in draws]
        right["majority", n] = np.array([known["test"] == number for number in most])

# %%
recipes = {little: {"epochs": 6, "batch_size": 8},
           much: {"epochs": 3, "batch_size": 16}}


def tune(layers, n, seed):
    """Train the top blocks on a draw; the model and where it is right on test."""
    model = fresh(layers, seed)
    chosen = ready[layers]["pool"].take(draw(n // 4, seed))
    finetune.train_classifier(model, chosen, learning_rate=rates[layers], seed=seed,
                              report=progress, **recipes[n])
    return model, finetune.evaluate(model, ready[layers]["test"]).correct.numpy()


for n in (little, much):
    right["2 blocks", n] = np.array([tune(2, n, seed)[1] for seed in seeds])

# %% [markdown]
# The top rung takes the longest. And while we are at it, we ask each trained model about
# something else: 120 graded sentence pairs as one meets them anywhere, which have nothing
# to do with news desks.


# %%
pairs = corpora.load_natural_pairs()


def cosines(model):
    """How similar the two sentences of each pair are to a model, (pairs,)."""
    a = model.encode([pair.a for pair in pairs])
    return (a * model.encode([pair.b for pair in pairs])).sum(axis=1)


after, runs = [], []
for seed in seeds:
    champion, hits = tune(6, much, seed)
    after.append(cosines(champion))
    runs.append(hits)
right["all blocks", much] = np.array(runs)

# %%
sizes = [n for rung, n in right if rung == "frozen"]
means = [right["frozen", n].mean() for n in sizes]
fig, ax = plots.lines(sizes, {"frozen": means}, "The ladder", "headlines", "accuracy")
rungs = {"words": plots.BLACK, "2 blocks": plots.GREEN, "all blocks": plots.RED}
for shift, (rung, colour) in zip((0.94, 1.0, 1.07), rungs.items()):
    for n in [n for n in (little, much) if (rung, n) in right]:
        mean, low, high = finetune.bootstrap(right[rung, n])
        ax.errorbar(n * shift, mean, [[mean - low], [high - mean]], fmt="D",
                    color=colour, label=rung if n == much else None)
ax.set_xscale("log", base=2)
ax.legend(fontsize=9, ncols=2)
best_rung = max(("frozen", *rungs), key=lambda rung: right[rung, much].mean())
plots.show(
    fig,
    alt="Accuracy over headlines: the frozen model's line climbs and flattens; counted "
    "words stay far below it; the intervals of the trained models lie across it.",
    fact=f"on {much} headlines the best rung is one that trains blocks: "
    f"{best_rung in ('2 blocks', 'all blocks')}")
table = pd.Series({key: hits.mean() for key, hits in right.items()}).unstack()
ladder = ["majority", "words", "frozen", "2 blocks", "all blocks"]
table.loc[ladder, [little, much]].rename_axis("headlines", axis=1).round(2).fillna("–")


# %%
def compare(rung, other):
    """Accuracy of one minus the other on the same headlines, with its interval."""
    gap = right[rung].astype(float) - right[other]
    mean, low, high = finetune.bootstrap(gap)
    found = {"mean": mean, "low": low, "high": high}
    shown = {name: f"{value:+.2f}" for name, value in found.items()}
    return {**shown, "zero inside": low <= 0 <= high}


gaps = pd.DataFrame({
    f"{rung} − {other}, {n} headlines": compare((rung, n), (other, n))
    for n in (little, much)
    for rung, other in (("frozen", "words"), ("2 blocks", "frozen"),
                        ("all blocks", "frozen")) if (rung, n) in right}).T
ends = right["all blocks", much].mean(axis=1)
print(f"all blocks on {much}, from the worst draw to the best: {np.ptp(ends):.2f}")
gaps

# %% [markdown]
# *Read the output.* The interval says what a table of winners does not: whether another
# 248 headlines, and other draws, could have turned the order round. Where zero is inside,
# "not distinguishable" is the result, and the cheaper rung wins.
#
# And the question from the start: is there a better place to look for accuracy?

# %%
chosen = draw(much // 4, 0)
learnt, asked = [parts["pool"][i].text for i in chosen], [a.text for a in parts["test"]]
model = tuned(minilm.encode(learnt), known["pool"][chosen])
gains = {
    "reading the whole article": model.predict(minilm.encode(asked)) == known["test"],
    "training all blocks": right["all blocks", much][0]}
reveal("more", max(gains, key=lambda name: gains[name].mean()))
gap = gains["reading the whole article"] - gains["training all blocks"].astype(float)
low, high = finetune.bootstrap(gap)[1:]
print(f"zero is inside the interval of the difference: {low <= 0 <= high}")
low, high = finetune.bootstrap(
    right["all blocks", much].astype(float) - right["frozen", max(sizes)])[1:]
print(f"{much} headlines with training against {max(sizes)} without: "
      f"zero is inside: {low <= 0 <= high}")

# %% [markdown]
# *Read the output.* The other half of the text is worth far more than any training here.
# Training did the work of more labels, as far as this test can tell.
#
# Look at what the model gets to read, and at how many labels you have, before you look at
# the optimizer. With thousands of labels and whole articles the ladder may end otherwise;
# climb it again then, baseline first.
#
# ## And the price
#
# The vectors of a fine-tuned model serve its four classes. What are they still good for?

# %%
grades = np.array([pair.grade for pair in pairs])
before, rows = cosines(fresh(0)), np.arange(len(pairs))


def price(rows):
    # Rank correlation with the grades: before, and after each of the three draws.
    return [spearmanr(scores[rows], grades[rows])[0] for scores in (before, *after)]


again = np.array([price(np.random.default_rng(n).choice(rows, len(rows)))
                  for n in range(300)])  # other pairs, drawn from these
low, high = np.quantile(again[:, 1:].mean(axis=1) - again[:, 0], [0.025, 0.975])
fig, ax = plots.bars(
    dict(zip(["before", *(f"after, draw {seed}" for seed in seeds)], price(rows))),
    "Graded pairs: vectors and grades agree", "Spearman rank correlation", digits=2)
plots.show(
    fig, alt="Four bars of rank correlation, before training and after three draws.",
    fact=f"mean change {np.mean(price(rows)[1:]) - price(rows)[0]:.2f}, "
    f"zero is inside the interval: {low <= 0 <= high}")

# %%
moved = {}
for number, (mine, theirs) in enumerate(zip(champion.blocks, minilm.layers)):
    old, new = (torch.nn.utils.parameters_to_vector(block.parameters()).detach()
                for block in (theirs, mine))
    moved[f"block {number}"] = 100 * ((new - old).norm() / old.norm()).item()
fig, ax = plots.bars(moved, "How far each block moved", "percent of its length", 1)
plots.show(fig, alt="Bars of how far each of the six blocks moved: a few percent.",
           fact=f"no block moved by more than 10 %: {max(moved.values()) < 10}")

# %% [markdown]
# *Read the output.* A few percent of each weight, and part of the general sense of
# similarity is gone. Keep the old model for search; one encoder for everything is a
# decision, not a default.
#
# ## "89.6 % is better than 88.6 %"
#
# The article we have been quoting trained for two epochs and measured on 500 test
# articles: 89.6 %, then 88.6 %. It calls that overfitting and epoch 1 optimal.
#
# ### Exercise 7.4 · Is it a difference? (core, 10 minutes)
#
# Two models are right on `hits_a` and `hits_b` of `n` texts each. Return
# $z = (p_a - p_b) \,/\, \sqrt{2\,\bar p\,(1 - \bar p) / n}$, with $\bar p$ the mean of both
# shares; 0.0 if both counts are equal. Below about 2, chance is explanation enough.
#
# <details><summary>Hint 1</summary>
#
# `pooled = (hits_a + hits_b) / (2 * n)`.
# </details>
# <details><summary>Hint 2</summary>
#
# Return early when the counts are equal: 0 of n twice would divide by 0.
# </details>


# %%
def z_of(hits_a, hits_b, n):
    """448 and 443 of 500 -> 0.51"""
    ### BEGIN SOLUTION
    if hits_a == hits_b:
        return 0.0
    pooled = (hits_a + hits_b) / (2 * n)
    return (hits_a - hits_b) / n / math.sqrt(2 * pooled * (1 - pooled) / n)
    ### END SOLUTION


# %%
check("7.4", z_of)

# %%
from scipy.stats import binomtest

lead = next(n for n in range(57) if finetune.z_score(443 + n, 443, 500) >= 2)
print(f"of 500 articles, a lead of {lead} would reach z = 2")
z = finetune.z_score(448, 443, 500)
p = binomtest(5, 5).pvalue  # at best: five articles changed sides, all the same way
equal = np.random.default_rng(0).binomial(500, 0.89, size=(100_000, 2)) / 500
optimism = 100 * (equal.max(axis=1).mean() - 0.89)
trial(
    claim("C034", f"five articles, z = {z:.2f}, at best p = {p:.4f}; the loss did rise",
          "partly" if z < 2 else True),
    claim("C040", f"of two equal models, the better score is {optimism:.1f} points too "
          "high", "partly" if optimism > 0.1 else True),
)

# %% [markdown]
# *Read the output.* Nothing is wrong with the numbers; there are too few articles behind
# them. And the same 500 rows picked the epoch and reported the score: they were not
# trained on, but they were chosen on.
#
# ## Overfitting, for real
#
# First the usual recipe: right labels, a rate that decays, a few epochs; once with a low
# rate, once with ten times as much. Does the dev loss rise? Then a recipe that provokes it: a
# rate that stays, ten epochs, and among 160 right labels 40 wrong ones, which *cannot* be
# learnt but only be known by heart. Before you run: how many of the 40 lies does the model
# repeat in the end?

# %%
noise = {row.id for row in corpora.load_label_noise()}
given = {article.id: article for article in corpora.load_news("train")}
honest = [article for article in parts["pool"] if article.id not in noise][:200]
quiet = [i for i, article in enumerate(parts["dev"]) if article.id not in noise]
dev = ready[2]["dev"].take(quiet)  # no text of the training set, right or wrong

right_ones = finetune.examples(fresh(2), honest, title)
for rate in (1e-4, 1e-3):
    usual = finetune.train_classifier(
        fresh(2), right_ones, dev, epochs=4, learning_rate=rate, report=progress)
    rose = usual.dev_loss[-1] > min(usual.dev_loss)
    print(f"rate {rate:g}: does the dev loss rise before the end? {rose}")
predict("lies", "how many lies are repeated?", ["about 10", "about 20", "nearly all"])

# %% [markdown]
# *Read the output.* Decay alone protects nobody; a low rate and few epochs do. Whoever has
# only seen that has not seen overfitting. Now the recipe that provokes it.

# %%
lies = finetune.examples(fresh(2), [given[name] for name in sorted(noise)], title)
mixture = finetune.Examples(
    [*lies.inputs, *right_ones.inputs[:160]],
    torch.cat([lies.labels, right_ones.labels[:160]]))
model, repeated = fresh(2), []


def watch(done, total):
    """After each epoch of 13 steps: which share of the lies does the model repeat?"""
    progress(done, total)
    if done % 13 == 0:
        repeated.append(finetune.evaluate(model, lies).accuracy)


constant = {"epochs": 10, "learning_rate": 3e-4, "schedule": "constant"}
history = finetune.train_classifier(model, mixture, dev, report=watch, **constant)

# %%
fig, ax = plots.lines(
    range(1, 11),
    {"training loss": history.train_loss, "dev loss": history.dev_loss,
     "lies repeated": repeated},
    "Learnt, then known by heart", "epoch", "nats; share")
ax.axvline(history.best_epoch, linestyle=":", color="grey")
ax.legend(fontsize=9, loc=(0.66, 0.15))
plots.show(
    fig,
    alt="Three lines over ten epochs: training loss falls towards zero, dev loss falls "
    "and then rises, the share of repeated wrong labels climbs towards one.",
    fact=f"best dev loss before the middle: {history.best_epoch < 5}\n"
    f"a third of the lies seen through: {repeated[history.best_epoch - 1] < 2 / 3}")
steps = {"about 10": 0.37, "about 20": 0.85, "nearly all": 1.01}
reveal("lies", next(name for name, below in steps.items() if repeated[-1] < below))

# %% [markdown]
# *Read the output.* Two phases. First the model learns what headlines have in common, and
# sees *through* many of the lies: it contradicts the labels it is trained on. Then, with
# nothing left to learn, it stores the exceptions, and its probabilities on new text pay
# for it. Notebook 08 uses the first phase to find the lies.
#
# ### Exercise 7.5 · Early stopping (core, 10 minutes)
#
# Stop as soon as the best epoch lies `patience` epochs back. Return `(epoch to keep, last
# epoch run)`, counted from 1. Among equal losses the earliest is the best; if the patience
# never ends, the last epoch is the last of the list.
#
# <details><summary>Hint 1</summary>
#
# Walk through the epochs and remember where the lowest loss so far was.
# </details>
# <details><summary>Hint 2</summary>
#
# In epoch `e`, stop if `e - best >= patience`. The losses behind that point are unknown.
# </details>


# %%
def stop(dev_losses, patience):
    """[.9, .5, .6, .7, .8] with patience 2 -> (2, 4)"""
    ### BEGIN SOLUTION
    best = epoch = 1
    for epoch, loss in enumerate(dev_losses, start=1):
        best = epoch if loss < dev_losses[best - 1] else best
        if epoch - best >= patience:
            break
    return best, epoch
    ### END SOLUTION


# %%
check("7.5", stop)

# %%
stopped = fresh(2)
early = finetune.train_classifier(
    stopped, mixture, dev, patience=2, report=progress, **constant)
sober = finetune.evaluate(stopped, lies).accuracy
loss = finetune.evaluate(stopped, dev).loss
print("the best epoch of the long run:", early.best_epoch == history.best_epoch)
print("fewer lies repeated:", sober < repeated[-1])
print("lower dev loss than after ten epochs:", loss < history.dev_loss[-1])

# %% [markdown]
# ## The power cut
#
# A long run *will* be interrupted. What must be on the disk, so that it goes on as if
# nothing had happened? Weights are not enough: also the two moments that Adam keeps for
# each weight, the step (for the rate), the generator that draws the order, the one that
# draws the dropout, and the best weights so far.

# %%
few, plan = small.take(range(64)), {"epochs": 3, "learning_rate": 3e-4}
folder = Path(tempfile.mkdtemp()) / "run"


def cut_at_11(done, total):
    if done == 11:
        raise KeyboardInterrupt("power cut")


uninterrupted = fresh(2)
finetune.train_classifier(uninterrupted, few, **plan)
try:
    finetune.train_classifier(fresh(2), few, folder=folder, report=cut_at_11, **plan)
except KeyboardInterrupt as reason:
    print(f"{reason} in step 11 of 12; on the disk:")
print([path.name for path in finetune.checkpoints.listed(folder)])



# %%
def finish():
    """The same call again with a fresh model: is the result the uninterrupted one?"""
    model = fresh(2)
    history = finetune.train_classifier(model, few, folder=folder, **plan)
    mine, wanted = (finetune.checkpoints.digest(m.state_dict().values())
                    for m in (model, uninterrupted))
    print(f"{history.resumed} of {history.epochs} epochs read; same: {mine == wanted}")


finish()
newest = finetune.checkpoints.listed(folder)[0]
newest.write_bytes(newest.read_bytes()[:-1000])  # a disk that lost some of it
with warnings.catch_warnings(record=True) as heard:
    warnings.simplefilter("always")
    finish()
print(heard[0].message)

# %% [markdown]
# *Read the output.* "Same" means *equal*: every bit of every weight. The damaged file was
# refused, the one before it used, and one more epoch run again. (The tests of the course
# kill a real process for this, with a signal that cannot be caught.)
#
# ### Exercise 7.6 · Save without a gap (core, 10 minutes)
#
# `disk.write(name, text)` may be cut in the middle and leaves half a file then;
# `disk.rename(old, new)` happens at once or not at all, and replaces what was there. After
# a cut nothing more reaches the disk. Save `data` under `name`, so that a reader finds all
# of the new text or all of the old one, whenever the cut comes. Return `disk.read(name)`.
#
# <details><summary>Hint 1</summary>
#
# Half a file does no harm under a name that nobody reads.
# </details>
# <details><summary>Hint 2</summary>
#
# Two operations are enough. The rename is the last.
# </details>


# %%
def save(disk, name, data):
    """Whoever reads ``name`` afterwards finds old or new, never half."""
    ### BEGIN SOLUTION
    disk.write(f"{name}.new", data)
    disk.rename(f"{name}.new", name)
    return disk.read(name)
    ### END SOLUTION


# %%
check("7.6", save)

# %% [markdown]
# ## Break it
#
# ### Puzzle 7.7 · Five broken runs
#
# Six runs of the same training, and five of them have one thing wrong. None raises an
# error. The causes: *optimizer too early* (made before the blocks were unfrozen),
# *rate too high* (a hundred times), *labels shuffled* (after the texts were prepared),
# *no zero_grad*, *padding is read* (the last *place* is taken as the text's vector).

# %%
from course_utils.classroom.checks import finetune as causes


def sick(cause):
    """A model and what its optimizer holds."""
    model = fresh(2, dropout=0)
    if cause == causes.PADDING:
        model.pool = lambda vectors, mask: vectors[:, -1]
    model.blocks.requires_grad_(cause != causes.FROZEN)
    learning = [p for p in model.parameters() if p.requires_grad]
    model.blocks.requires_grad_(True)
    rate = 5e-4 * (100 if cause == causes.RATE else 1)
    return model, torch.optim.AdamW(learning, rate, weight_decay=0.0, fused=True)


# %%
def loss_of(model, batch):
    return functional.cross_entropy(model(batch.inputs, batch.mask), batch.labels)


def sick_run(cause):
    model, optimizer = sick(cause)
    news, order = small.take(range(96)), torch.Generator().manual_seed(0)
    if cause == causes.SHUFFLED:
        news.labels.copy_(news.labels[torch.randperm(len(news), generator=order)])
    for _epoch in range(4):
        for chosen in finetune.length_groups(news.lengths, 16, order):
            batch = news.batch(chosen)
            if cause != causes.CARRIED:
                optimizer.zero_grad()
            loss_of(model, batch).backward()
            optimizer.step()
    return model, news, batch


# %%
def size(model):
    return torch.nn.utils.get_total_norm([p.grad for p in model.parameters()]).item()


def vital_signs(cause):
    model, news, batch = sick_run(cause)
    kept = size(model)  # of the last step, as the optimizer saw it
    model.zero_grad()
    loss_of(model, batch).backward()
    ids = [int(np.argmin(news.lengths)), int(np.argmax(news.lengths))]
    alone, beside = (model(*news.batch(some)[:2])[0] for some in (ids[:1], ids))
    old, new = minilm.layers[5].feed_forward, model.blocks[-1].feed_forward
    change = (new.widen.weight - old.widen.weight).norm() / old.widen.weight.norm()
    return {"blocks moved": change.item(), "gradient carried over": kept / size(model),
            "shift by padding": (alone - beside).abs().max().item(),
            "right on train": finetune.evaluate(model, news).accuracy,
            "right on dev": finetune.evaluate(model, dev).accuracy}


# %%
CAUSES = [causes.HEALTHY, causes.FROZEN, causes.RATE, causes.SHUFFLED,
          causes.CARRIED, causes.PADDING]
hidden = np.random.default_rng(77).permutation(CAUSES)
signs = pd.DataFrame({f"run {letter}": vital_signs(cause)
                      for letter, cause in zip("ABCDEF", hidden)}).T
shown = signs.round(1).abs()
shown.loc[shown["blocks moved"] > 1, shown.columns[1:]] = math.nan
shown

# %% [markdown]
# (NaN: where the weights ran away, the rest is noise that differs between machines.)
#
# Write the test that recognises each. `signs` is a dictionary with the columns of the
# table as keys; return `"healthy"` or the cause, in the words above. A healthy run moves
# its blocks by less than their own size, carries nothing over (ratio near 1), gives a text
# the same answer alone and beside a longer one, and is right on dev more often than 0.4.
#
# <details><summary>Hint 1</summary>
#
# One sign is enough for each cause but one: chance on dev has two causes here.
# </details>
# <details><summary>Hint 2</summary>
#
# Ask in this order: did nothing move, did too much move, is the ratio far above 1, is the
# shift more than rounding, is dev at chance.
# </details>


# %%
def diagnose(signs):
    """{"blocks moved": 0.0, …} -> "optimizer too early" """
    ### BEGIN SOLUTION
    if signs["blocks moved"] == 0:
        return "optimizer too early"
    if signs["blocks moved"] > 1:
        return "rate too high"
    if signs["gradient carried over"] > 2:
        return "no zero_grad"
    if signs["shift by padding"] > 0.01:
        return "padding is read"
    return "labels shuffled" if signs["right on dev"] < 0.4 else "healthy"
    ### END SOLUTION


# %%
check("7.7", diagnose)

# %% [markdown]
# Now look. On the left what was done to each run, on the right what one sign each says.
# (Scrolled down too early? Your function is judged on other runs than these.)

# %%
reading = [causes.diagnosis(row) for _, row in signs.iterrows()]
pd.DataFrame({"done to it": hidden, "its signs say": reading}, index=signs.index)

# %% [markdown]
# *Read the output.* The dangerous ones are those whose accuracy looks fine. They pass
# every test that only looks at accuracy.
#
# ### Puzzle 7.8 · Expected length 13, got 15
#
# A published listing tokenizes with `map(…, padding=True, batched=True)`, which pads block
# by block, a thousand rows each. Then the default collator makes a batch of rows from two
# blocks. Our training file has 1,032 rows, so two blocks:

# %%
from course_utils import assets
from transformers import default_data_collator

every = [article.text for article in news]
blocks = [assets.tokenizer()(every[i : i + 1000], padding=True) for i in (0, 1000)]
rows = [{"input_ids": ids} for block in blocks for ids in block["input_ids"]]
try:
    outcome = str(default_data_collator([rows[0], rows[-1]])["input_ids"].shape)
except ValueError as error:
    outcome = str(error)
line = f"TEXT: {'abc'}n"  # as the same listing prints its errors
trial(
    claim("C031", outcome, not outcome.startswith("expected")),
    claim("C041", f"it prints {line!r}", "\n" in line),
)

# %% [markdown]
# Whether it fails depends on the longest text of each block: it works on the first
# thousand rows, in the demo, and breaks in the night. Write the collator that cannot.
#
# `rows` are lists of ids. Return `(ids, mask)`, two lists of lists: each row filled up
# with 0 *on the right* to the longest of *these* rows, and 1 in the mask for each token,
# 0 for the filling.
#
# <details><summary>Hint 1</summary>
#
# `width = max(map(len, rows))`
# </details>
# <details><summary>Hint 2</summary>
#
# `row + [0] * (width - len(row))`; the mask is built the same way from ones.
# </details>


# %%
def collate(rows):
    """[[5, 6, 7], [8]] -> ([[5, 6, 7], [8, 0, 0]], [[1, 1, 1], [1, 0, 0]])"""
    ### BEGIN SOLUTION
    width = max(map(len, rows))
    ids = [row + [0] * (width - len(row)) for row in rows]
    mask = [[1] * len(row) + [0] * (width - len(row)) for row in rows]
    return ids, mask
    ### END SOLUTION


# %%
check("7.8", collate)

# %% [markdown]
# ## On real news, with another model
#
# The same call runs on your data. With the csv of AG News on your disk (class 1-4, title,
# description; or `load_news(hub=True)`), and for a model from the Hub with the network,
# which `COURSE_ONLINE=1` in the environment allows:
#
# ```python
# news = corpora.load_news(path="train.csv")
# model = finetune.LibraryClassifier("distilbert-base-uncased")
# finetune.train_classifier(model, news[:2000], news[2000:2500],
#                           epochs=2, learning_rate=5e-5, folder="my_run")
# ```
#
# It reads whole articles with a larger model; plan minutes, and keep the `folder`: run the
# same lines again after an interruption, and they go on. Offline, `LibraryClassifier()`
# without a name is MiniLM as transformers runs it.
#
# ## The journey so far

# %%
texts = list(sentences.values())
kept = (their_vectors * champion.encode(texts)).sum(axis=1)  # cosines
trace["cosine to itself above 0.9"] = kept > 0.9
trace

# %% [markdown]
# *Read the output.* The last column compares each sentence's vector before and after the
# training of all blocks. News have moved sentences that are no news at all.
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
# | `Classifier`, `examples` | frozen part once, learning part each step | `AutoModelForSequenceClassification` |
# | `length_groups`, `Examples.batch` | batches without much padding | `train_sampling_strategy="group_by_length"`, `DataCollatorWithPadding` |
# | `train_classifier(…) -> History` | the loop, early stopping, checkpoints | `transformers.Trainer`, `EarlyStoppingCallback` |
# | `learning_rate_factor` | warm-up and decay | `get_linear_schedule_with_warmup` |
# | `finetune.checkpoints` | written all or nothing, verified when read | `resume_from_checkpoint=True` |
# | `bootstrap`, `z_score` | what a difference is worth | `scipy.stats.bootstrap`, `proportions_ztest` |
#
# **Next:** [08 · Failure analysis](08_failures.ipynb): read the errors of this
# classifier, one by one, and find the planted lies.
#
# **Read on**
#
# - J. Devlin et al.: *BERT*, 2018, [arXiv 1810.04805](https://arxiv.org/abs/1810.04805)
# - M. Mosbach et al.: *On the stability of fine-tuning BERT*, 2020,
#   [arXiv 2006.04884](https://arxiv.org/abs/2006.04884)
# - D. Arpit et al.: *A closer look at memorization in deep networks*, 2017,
#   [arXiv 1706.05394](https://arxiv.org/abs/1706.05394)
# - J. Dodge et al.: *Fine-tuning pretrained language models: weight initializations, data
#   orders, and early stopping*, 2020, [arXiv 2002.06305](https://arxiv.org/abs/2002.06305)
