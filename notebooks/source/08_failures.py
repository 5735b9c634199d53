# %% [markdown]
# # 08 · Where does it fail, and why?
#
# An accuracy says how often a model is wrong. It does not say where, why, or what you
# could do about it. In the end you can read errors, doubt labels and scores, and name the
# cause of a failure by the change that moves its number.

# %% [markdown]
# | | |
# |---|---|
# | to read / to do | 45 / 60 minutes |
# | you build | intervals, a calibration error, a label detective, a leak filter, tests of behaviour |
# | used again in | 09 (silence, thresholds, an index that knows its model) |
#
# After this notebook you can
#
# - **read** errors one by one and code them, instead of quoting an accuracy,
# - **decide** whether a confidence, a label, a score or a difference deserves belief,
# - **trace** an embedding's failure to tokenizer, position, pooling, training or threshold,
# - **test** a new model for the abilities that an average hides.

# %%
import re
import textwrap
import warnings

import numpy as np
import pandas as pd
import seaborn as sns
from course_utils import assets, corpora, encoder, failures, pooling, search
from course_utils.classroom import (
    check, claim, explore, plots, predict, progress, quiz, reveal, scorecard, start,
    trial)
from course_utils.failures import calibration, checklist, interventions
from scipy.stats import spearmanr
from threadpoolctl import threadpool_limits

start("08_failures")

# %% [markdown]
# ![The pipeline: text, tokenization, lookup, positions, attention, pooling, search. Today: failure analysis.](images/pipeline_failures.svg)
#
# ## A classifier to look at
#
# News in four classes, whole articles, the frozen model of notebook 05 and a logistic
# regression on its vectors. Besides the test articles we keep [**out-of-fold**](91_glossary.ipynb#o) answers for
# the training articles: each is judged by a model that did not learn from it.
#
# Five guesses before anything runs. (Write them as `guess=...`, or click.)

# %%
predict("which", "where is the accuracy higher?", ["on test", "out of fold"])
predict("promise", "the classifier's confidence is …", ["too high", "right", "too low"])
predict("useless", "which ranking does NOT find wrong labels?",
        ["loss, out of fold", "loss, as trained", "least sure"])
predict("order", "which get the higher cosines?", ["paraphrases", "contradictions"])
predict("swap", "cosine: 'Convert dollars to yen', 'Convert yen to dollars'?",
        tolerance=0.05)

# %%
model, names = encoder.MiniLM.load(), list(corpora.NEWS_LABELS)
train, test, copies = (corpora.load_news("train"), corpora.load_news("test"),
                       corpora.load_near_duplicates())  # copies are for later


def encoded(texts):
    """(texts, 384) in double precision; in your own session a line shows progress."""
    parts = []
    for done in range(0, len(texts), 128):
        progress(done, len(texts), "text")
        parts.append(model.encode(texts[done : done + 128]))
    progress(len(texts), len(texts), "text")
    return np.vstack(parts).astype(float)


vectors, test_vectors, copy_vectors = (
    encoded([article.text for article in part]) for part in (train, test, copies))
truth = np.array([names.index(article.label) for article in test])
given = np.array([names.index(article.label) for article in train])

# %%
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV
from sklearn.model_selection import StratifiedKFold, cross_val_predict

threadpool_limits(1, user_api="blas")  # small matrices: two threads are slower
exactly = {"solver": "newton-cg", "tol": 1e-8, "max_iter": 1000}  # on every machine
folds = StratifiedKFold(5, shuffle=True, random_state=7)
tuned = LogisticRegressionCV(Cs=[0.1, 1, 10], cv=folds, scoring="neg_log_loss",
                             use_legacy_attributes=False, **exactly)
C = float(tuned.fit(vectors, given).C_)
head = LogisticRegression(C=C, **exactly)
out_of_fold = cross_val_predict(head, vectors, given, cv=folds, method="predict_proba")
found = head.fit(vectors, given).predict_proba(test_vectors)  # (248, 4)
said, right = found.argmax(axis=1), found.argmax(axis=1) == truth

kept = out_of_fold.argmax(axis=1) == given
reveal("which", "on test" if right.mean() > kept.mean() else "out of fold")
print(f"C = {C:g}, test {right.mean():.3f}, out of fold {kept.mean():.3f}")

# %% [markdown]
# *Read the output.* Notebooks usually show it the other way round: better on what one
# has learnt from. Here the training labels are the worse yardstick. Keep that in mind; a
# section below finds out why.
#
# ## Report and confusion matrix
#
# First the usual report: per class, not on average.

# %%
from sklearn.metrics import classification_report, confusion_matrix

print(classification_report(truth, said, target_names=names, digits=2))
matrix = confusion_matrix(truth, said)  # rows: truth, columns: said
fig, ax = plots.plt.subplots(figsize=(5, 3.4))
sns.heatmap(matrix, annot=True, fmt="d", cmap="viridis", cbar=False, ax=ax,
            xticklabels=names, yticklabels=names)
ax.tick_params(axis="y", rotation=0)
ax.set(title="Test articles", xlabel="what the model said", ylabel="what is right")
lost = matrix.sum(axis=1) - matrix.diagonal()
plots.show(
    fig, alt="Confusion matrix of four news classes: large counts on the diagonal, "
             "small ones elsewhere, most of them in the rows World and Sci/Tech.",
    fact="lost: " + ", ".join(f"{name} {count}" for name, count in zip(names, lost)))

# %% [markdown]
# *Read the output.* [**Precision**](91_glossary.ipynb#p): of what was called this class, which share is? (A column
# of the matrix.) [**Recall**](91_glossary.ipynb#r): of what is this class, which share was called so? (A row.)
# No class is beyond reproach, and none explains the errors. Their texts have to.
#
# ## Ten errors, read one by one
#
# Tables end here; now somebody has to read. We take the five errors that the model was
# surest of, and the five it was least sure of. Before you scroll on: read a few, and say
# for each *why*.

# %%
sure = found.max(axis=1)
errors = sorted(np.flatnonzero(~right), key=lambda i: -sure[i])
for i in [*errors[:5], *errors[-5:]]:
    article = test[i]
    print(f"{article.id} {sure[i]:.2f} {article.label} → {names[said[i]]}")
    print(textwrap.fill(f"{article.title}. {article.description}", 88,
                        initial_indent="  ", subsequent_indent="  "))

# %% [markdown]
# This is our reading. A *code* is short, and says something that can be acted upon:
# *two desks* (a careful editor could choose either), *borrowed words* (the subject is
# clear, its words come from another desk), *no cue* (what decides is not said).

# %%
coded = {
    "t025": ("two desks", "a vaccine study, but in a camp and about consent"),
    "t109": ("borrowed words", "a study; 'campaign' and 'turnout' sound like a vote"),
    "t174": ("borrowed words", "about clocks; the marathon is where they hang"),
    "t158": ("two desks", "a purchase of shares, by football fans"),
    "t124": ("borrowed words", "a transfer, told in millions and debts"),
    "t021": ("two desks", "a government revokes a mining contract"),
    "t095": ("borrowed words", "skiing, told in paraffin and thermometers"),
    "t020": ("two desks", "a hungry country, told as ecology"),
    "t117": ("no cue", "one must know that pet cover is insurance"),
    "t049": ("no cue", "a count of penguins; no word says science"),
}
places = [[article.id for article in test].index(key) for key in coded]
print("every coded article is an error:", not right[places].any())
pd.DataFrame(coded, index=["code", "reading"]).T.assign(sure=sure[places].round(2))

# %% [markdown]
# A code is a claim about a cause, so test it: **leave each word out** and see what that
# does for the right class. Are the words that we blamed the ones that matter?

# %%
def right_class(i):
    """A function that scores texts by the probability of article i's true class."""
    return lambda texts: head.predict_proba(model.encode(texts))[:, truth[i]]


rows = {}
for key, i in zip(coded, places):
    if coded[key][0] != "borrowed words":
        continue
    effects = interventions.word_effects(test[i].text, right_class(i))
    rows[key] = {"we blamed": coded[key][1],
                 "the model is moved by": " ".join(word for word, _ in effects[:3]),
                 "right class": round(found[i, truth[i]], 2),
                 "without the first": round(found[i, truth[i]] + effects[0][1], 2)}
pd.DataFrame(rows).T

# %% [markdown]
# *Read the output.* Some of our suspects are confirmed, others acquitted: a plausible
# reading is a hypothesis. And no single word does much: a whole article leans that way.
#
# ## Slices, with intervals
#
# Does it fail everywhere alike? A slice has few articles, so its accuracy needs an
# interval, and share ± error breaks down near 0 and 1. Wilson's does not:
#
# $$\frac{p + \frac{z^2}{2n} \pm z\sqrt{\frac{p(1-p)}{n} + \frac{z^2}{4n^2}}}{1 + \frac{z^2}{n}}$$
#
# ### Exercise 8.1 · The interval of a share (core, 10 minutes)
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
check("8.1", wilson)

# %%
length = np.array([len(article.text.split()) for article in test])
style = np.array([article.style for article in test])
failures.slice_table(right, {
    "all": length > 0, "on a border": [article.border is not None for article in test],
    **{kind: style == kind for kind in ("wire", "feature", "brief")},
    "up to 35 words": length <= 35, "over 42 words": length > 42})

# %% [markdown]
# *Read the output.* One slice is another world: the articles that the annotator marked as
# lying on a border between two desks. Style and length stay inside each other's intervals:
# no finding there, and whoever looks at enough slices finds one that stands out by chance.
#
# So most errors are arguments about labels. What helps is not a larger model, but a
# second label, or a model that says *I am not sure*.
#
# ## May you believe its confidence?
#
# Of the answers given with 80 % confidence, 80 % should be right. Large networks are
# known to promise too much. And this one?

# %%
table, gap = calibration.reliability(sure, right), sure.mean() - right.mean()
reveal("promise", "right" if abs(gap) < 0.03 else "too high" if gap > 0 else "too low")
fig, ax = plots.reliability(table, "Reliability on the test articles")
plots.show(
    fig, alt="Accuracy over confidence, one dot per bin, its size the number of "
             "articles: the dots lie above the diagonal.",
    fact=f"mean confidence {sure.mean():.2f}, accuracy {right.mean():.2f}; "
         f"{(table.accuracy > table.confidence).sum()} of {len(table)} bins lie above")

# %% [markdown]
# ### Exercise 8.2 · Expected calibration error (core, 10 minutes)
#
# Ten bins of equal width, each with its upper end: the first holds confidences up to 0.1,
# the last those above 0.9. In each bin, take the distance between mean confidence and
# accuracy. Return the mean of the distances, each weighted by the bin's share of all
# answers.
#
# <details><summary>Hint 1</summary>
#
# `np.ceil(confidence * 10)` numbers the bins from 1 to 10.
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
    number, error = np.ceil(confidence * 10 - 1e-9), 0.0
    for b in np.unique(number):
        inside = number == b
        error += inside.mean() * abs(confidence[inside].mean() - right[inside].mean())
    return error
    ### END SOLUTION


# %%
check("8.2", calibration_error)

# %% [markdown]
# Mending it takes a single number: divide the logits by a [**temperature**](91_glossary.ipynb#t) before the
# softmax. Above 1 softens, below 1 sharpens; the winner stays. It is fitted on answers
# that the model did not learn from, so our out-of-fold ones will do. Twice: with the labels
# as they stand in the file, and with the corrected ones.

# %%
clean = np.array([names.index(article.label)
                  for article in corpora.load_news("train", corrected=True)])
fit = calibration.fit_temperature
temperatures = {"as trained": 1.0,
                "fitted on the file's labels": fit(out_of_fold, given),
                "fitted on correct labels": fit(out_of_fold, clean)}
pd.DataFrame({name: {"T": T, **calibration.summary(calibration.scale(found, T), truth)}
              for name, T in temperatures.items()}).T.round(2)

# %% [markdown]
# *Read the output.* A temperature below 1: this model was too modest, because the penalty
# of the regression keeps its weights small. Wrong labels in the fitting set make it look
# more modest than it is. Calibrate on labels that you have checked.
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
six = calibration.scale(head.predict_proba(model.encode([*sentences.values()])), T)
for key, row in zip(sentences, six):
    print(f"{key:<7} {names[row.argmax()]:<9} {row.max():.2f}")

prices = (2, 5, 20)
honest, raw = ([calibration.abstention(c, right, price) for price in prices]
               for c in (confidence, sure))
pd.DataFrame(honest, index=[f"price {price}" for price in prices]).round(3).assign(
    **{"cost, not calibrated": [row["cost"] for row in raw]})

# %% [markdown]
# *Read the output.* The dearer an error, the more often silence pays, and the rule needs
# the calibrated confidence. The six sentences never were news, yet some get a high one: it
# answers "which of these four?", not "any of these four?".
#
# ## Which labels are wrong?
#
# Some labels of the training file were replaced on purpose. Rank its articles by
# suspicion: by the loss of the given label, out of fold or simply as trained, or by how
# unsure the model is. And the same loss from a head with hardly any penalty (`C = 1000`),
# which can learn its articles by heart. How many planted errors come up first?

# %%
planted = {noise.id for noise in corpora.load_label_noise()}
is_planted = np.array([article.id in planted for article in train])
free = LogisticRegression(C=1000, **exactly).fit(vectors, given)
suspicion = {
    "loss, out of fold": failures.label_loss(out_of_fold, given),
    "loss, as trained": failures.label_loss(head.predict_proba(vectors), given),
    "as trained, C = 1000": failures.label_loss(free.predict_proba(vectors), given),
    "least sure": -out_of_fold.max(axis=1),
}
orders = {name: np.argsort(-doubt, kind="stable") for name, doubt in suspicion.items()}
hits = {name: [int(is_planted[order[:k]].sum()) for k in (20, 40, 80)]
        for name, order in orders.items()}
reveal("useless", min(hits, key=lambda name: hits[name][0]))
columns = ["of the first 20", "of 40", "of 80"]
pd.DataFrame.from_dict(hits, orient="index", columns=columns)

# %% [markdown]
# *Read the output.* An unsure model is no sign of a wrong label. The textbooks say *out of
# fold*; our small head does as well without, because it cannot bend towards single labels.
# You seldom know that beforehand, so out of fold is the safe choice.
#
# ### Exercise 8.3 · Labels to doubt (core, 5 minutes)
#
# `probabilities` is (n, classes), out of fold; `labels` has n class numbers. Return the
# places of the `k` labels to doubt first, as a list of whole numbers.
#
# <details><summary>Hint 1</summary>
#
# `probabilities[np.arange(n), labels]` is the probability of each given label.
# </details>
# <details><summary>Hint 2</summary>
#
# The smallest one is the most doubtful: `np.argsort(..., kind="stable")`.
# </details>


# %%
def suspects(probabilities, labels, k):
    """[[0.7, 0.3], [0.1, 0.9]] with labels [0, 0] and k = 1 -> [1]"""
    ### BEGIN SOLUTION
    of_label = probabilities[np.arange(len(labels)), labels]
    return np.argsort(of_label, kind="stable")[:k].tolist()
    ### END SOLUTION


# %%
check("8.3", suspects)

# %% [markdown]
# Among the first twenty there are some that nobody planted. Look at them, and at the first
# planted ones.

# %%
top = orders["loss, out of fold"][:20]
print(f"precision at 20: {is_planted[top].mean():.2f}, planted in all: {len(planted)}")
shown = [*[i for i in top if not is_planted[i]], *[i for i in top if is_planted[i]][:3]]
for i in shown:
    article, kind = train[i], "planted" if is_planted[i] else "NOT planted"
    print(f"{kind}: {article.label}, the model says {names[out_of_fold[i].argmax()]}, "
          f"border {article.border}\n  {article.title}")

# %% [markdown]
# *Read the output.* The false alarms are border articles: worth a second label all the same.
#
# Now correct all of them and learn again. What does the accuracy gain: the one out of fold,
# and the one on the test articles?

# %%
answers = out_of_fold.argmax(axis=1)
relearnt = cross_val_predict(head, vectors, clean, cv=folds)
right_now = head.fit(vectors, clean).predict(test_vectors) == truth
head.fit(vectors, given)  # as before
print(f"out of fold: by the file {(answers == given).mean():.3f}, by the right labels "
      f"{(answers == clean).mean():.3f}, learnt again {(relearnt == clean).mean():.3f}")
print(f"test {right.mean():.3f}, then {right_now.mean():.3f}: "
      f"{(right & ~right_now).sum()} lost, {(right_now & ~right).sum()} won")

# %% [markdown]
# *Read the output.* The wrong labels hardly hurt the *model*: a linear head on good vectors
# outvotes them. They hurt the *measurement*. That is most of the riddle
# from the beginning, and the reason to clean the test labels first.
#
# ## Which test articles has the model seen?
#
# Twelve test articles also exist as re-edited copies: other words, the same event. Suppose
# a colleague collected them for training. Can you find them, by words or by vectors?

# %%
from sklearn.feature_extraction.text import TfidfVectorizer

polluted, labels = np.vstack([vectors, copy_vectors]), [*given]
labels += [names.index(copy.label) for copy in copies]
leaked = np.isin([a.id for a in test], [copy.original for copy in copies])

counts = TfidfVectorizer().fit([article.text for article in [*train, *copies]])
by_words = (counts.transform([a.text for a in test])
            @ counts.transform([a.text for a in [*train, *copies]]).T).max(axis=1)
nearest = {"words (TF-IDF)": by_words.toarray().ravel(),
           "vectors": (test_vectors @ polluted.T).max(axis=1)}
for name, values in nearest.items():
    print(f"{name:<15} lowest leak {values[leaked].min():.2f}, "
          f"highest fresh article {values[~leaked].max():.2f}")

twins = failures.near_duplicates(polluted, test_vectors, threshold=0.85)
caught = sum(leaked[twin.test] for twin in twins)
print(f"near_duplicates: {len(twins)} twins, {caught} of {leaked.sum()} leaks")

# %% [markdown]
# What do twelve leaks do to an accuracy? It depends on how much the model learns by heart.
# The nearest neighbour (*copy the label of the closest training article*) does nothing
# else.

# %%
from sklearn.neighbors import KNeighborsClassifier

rows = {}
for learner in (LogisticRegression(C=C, **exactly), KNeighborsClassifier(1)):
    for what, data in {"fresh": (vectors, given), "leaked": (polluted, labels)}.items():
        hit = learner.fit(*data).predict(test_vectors) == truth
        rows[type(learner).__name__, what] = hit.mean().round(3), hit[leaked].sum()
pd.DataFrame(rows, index=["accuracy", "right of the 12"]).T

# %% [markdown]
# *Read the output.* Easy to find, and here next to harmless: these twelve had been right
# anyway. Leaks hurt where hard articles leak to a model that learns by heart.
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
    """The accuracy on the test articles that have no twin in the training set."""
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
    import math

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
a, b, n = 448, 443, 500
share = (a + b) / (2 * n)
z = (a - b) / n / np.sqrt(2 * share * (1 - share) / n)
low, high = failures.mcnemar_range(a, b, n)
print(f"as two polls: z = {z:.2f}")
for hits in (a, b):
    ends = failures.wilson_interval(hits, n)
    print(f"  {hits} of {n}: {ends[0]:.3f} to {ends[1]:.3f}")
print(f"paired, whatever the pairs were: p between {low:.4f} and {high:.2f}")

draws = np.random.default_rng(7).integers(len(test), size=(2000, len(test)))
middle = np.percentile(right[draws].mean(axis=1), [2.5, 97.5])
low, high = failures.wilson_interval(int(right.sum()), len(right))
print(f"our own {right.mean():.3f}: bootstrap {middle[0]:.3f} to {middle[1]:.3f}, "
      f"Wilson {low:.3f} to {high:.3f}")

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
probes = corpora.load_failures()
kinds = np.array([probe.type for probe in probes])
expected = np.array([probe.expected for probe in probes])
sides = [[probe.a for probe in probes], [probe.b for probe in probes]]


def cosines(left, right, **options):
    """Cosine of each text on the left with its partner on the right: (n,)"""
    return (model.encode(left, **options) * model.encode(right, **options)).sum(axis=1)


left, right_side = map(model.encode, sides)
score = (left * right_side).sum(axis=1)
opposite, control = expected == "opposite", kinds == "paraphrase_control"
won = (score[opposite][:, None] > score[control]).mean()
reveal("order", "contradictions" if won > 0.5 else "paraphrases")
swap = cosines(["Convert dollars to yen"], ["Convert yen to dollars"])[0]
reveal("swap", f"{swap:.3f}")
print(f"a contradiction beats a paraphrase in {won:.1%} of all comparisons")

# %%
order = sorted(dict.fromkeys(kinds), key=lambda kind: -score[kinds == kind].mean())
says = np.select([np.isin(expected, ("same", "unrelated"))], [expected], "not the same")
fig, ax = plots.strips(score, kinds, says, order,
                       f"{len(probes)} probes, and what a reader says", "cosine")
plots.show(
    fig, alt="Strip chart of cosines per kind of probe: nearly all crosses lie right "
    "of 0.7, the blue dots of paraphrases and typos left of them.",
    fact=f"highest: {', '.join(order[:3])}; lowest: {', '.join(order[-3:])}")

# %% [markdown]
# *Read the output.* The probes were written to mislead, so this is no failure rate. It is a
# catalogue. A collection of anecdotes teaches little, though, so we ask for each: **which
# change moves the number?** That, and not what sounds plausible, is the cause.
#
# ### Cause 1: the tokenizer
#
# What is lost before the first layer cannot come back. Then the ids are equal, and nothing
# inside the model can help.

# %%
same_ids = np.array([model.tokenize([p.a]) == model.tokenize([p.b]) for p in probes])
changes = {"no positions": encoder.Change(positions=encoder.zero_positions),
           "max pooling": encoder.Change(pool=pooling.max_pool)}
moved = {name: cosines(*sides, change=change) for name, change in changes.items()}
moved["symbols spelt"] = cosines(*[[*map(interventions.spell_out, s)] for s in sides])
changed = {name: abs(cos - score)[same_ids] > 1e-4 for name, cos in moved.items()}
pd.DataFrame({"same ids": same_ids[same_ids], **changed}).groupby(kinds[same_ids]).sum()

# %% [markdown]
# *Read the output.* Names instead of symbols mend the emoji and not the capitals: two
# failures with the same cosine and different cures. Related: do terms that fall into many
# pieces become useless? Terms of operations, remarks that hold them (first, does the term
# find its remark?), and the same remarks in plain words (does it find its meaning?).

# %%
held = corpora.load_heldout_pairs()
terms = sorted({pair.term for pair in held if pair.kind == "known_term"})
pieces = assets.vocabularies()["wordpiece"].pieces
cut = np.array([len(pieces(term)) > len(term.split()) for term in terms])
jargon, plain_words = (model.encode([getattr(pair, side) for pair in held])
                       for side in ("anchor", "positive"))
names_it = np.array([[t.lower() in p.anchor.lower() for p in held] for t in terms])
means_it = np.array([[t == p.term for p in held] for t in terms])

named = failures.first_ranks(model.encode(terms), jargon, names_it)
with_pod = model.encode([f"{term} pod" for term in terms])
in_pod = failures.first_ranks(with_pod, jargon, names_it)
meant = failures.first_ranks(model.encode(terms), plain_words, means_it)

# %%
top, found_it = (model.encode(terms) @ plain_words.T).max(axis=1), named == 1
miss, pod = meant > 5, int(in_pod[terms.index("OOMKilled")])
trial(
    claim("C026", f"the text with the term is first for {found_it[cut].mean():.0%} of "
          f"{cut.sum()} cut terms, {found_it[~cut].mean():.0%} of {(~cut).sum()} whole",
          bool(found_it[cut].mean() < 0.5)),
    claim("C027", f"OOMKilled pod: rank {pod}; of {len(terms)} terms with 'pod' "
          f"{(in_pod == 1).sum()} come first",
          pod > 1 or ("partly" if (in_pod > 1).any() else False)),
    claim("C028", f"plain words: median rank {np.median(meant[cut]):.0f} for cut, "
          f"{np.median(meant[~cut]):.0f} for whole terms",
          "partly" if np.median(meant[~cut]) > 10 else True),
    claim("C267", f"meaning: {miss.sum()} of {len(terms)} not among five, best score "
          f"{np.median(top[miss]):.2f}", bool(np.median(top[miss]) > 0.6) or "partly"),
)

# %% [markdown]
# *Read the output.* A cut term is found where it stands: its pieces are a fingerprint. What
# it *means* the model hardly knows, and of whole terms no more. Cutting is a warning, not a
# cause. (Notebook 06 teaches it the jargon.)
#
# ### Cause 2: positions
#
# *Who did it to whom* is told by order. Take the position table away, and every probe with
# the same pieces in another order must become exactly 1. What was the table worth?

# %%
bag = np.array([sorted(model.tokenize([p.a])[0]) == sorted(model.tokenize([p.b])[0])
                for p in probes]) & ~same_ids
without = moved["no positions"]
print(f"{bag.sum()} probes hold the same pieces in another order")
print(f"without positions: {(without[bag] > 0.9999).sum()} of them are 1.0000")
print(f"with positions: {score[bag].min():.3f} to {score[bag].max():.3f}")
causes = pd.Series([probe.cause for probe in probes])[bag]
print("suspect named in the file:", causes.value_counts().to_dict())

# %% [markdown]
# *Read the output.* Positions are the only thing that tells these apart, and they are worth
# a few hundredths. Some probes had another suspect in the file; the intervention acquits
# it. (What makes positions count more is training with swapped roles: notebook 06.)
#
# ### Cause 3: pooling, and the limit
#
# A mean over many tokens cannot be about one of them. Test: cut away the words that both
# texts share at the beginning and at the end.

# %%
cut_sides = [*zip(*(interventions.without_frame(p.a, p.b) for p in probes))]
moved["no frame"] = cosines(*map(list, cut_sides))
for probe, a, b, was, now in zip(probes, *cut_sides, score, moved["no frame"]):
    if probe.id in ("f081", "f106", "f114"):
        print(f"{was:.2f} → {now:.2f}  {a} / {b}")

fact = "The spare key is under the pot."
filler = [line for a in test[:8] for line in a.description.split(". ")]
among = model.encode([" ".join([fact, *filler[:k]]) for k in (0, 2, 4, 8, 12)])
thin = among @ model.encode(["Where is the key?"])[0]
claim("C053", f"among 0 to 12 others: {thin.round(2)}", bool(thin[-1] < thin[0] - 0.1))

# %% [markdown]
# *Read the output.* The shared frame held the two together; without it they part. So tell
# form letters apart by what differs in them. And beyond the limit a fact is not diluted
# but gone. What does one read about that limit? (`safe_embed` is a popular listing that
# cuts a text at a token and reports how much was cut.)

# %%
long_text, library = " ".join(filler[:30]), assets.sentence_transformer()
with warnings.catch_warnings(record=True) as heard:
    warnings.simplefilter("always", UserWarning)
    read = library.encode([long_text, f"{long_text} {fact}"])
    silent = bool(np.array_equal(*read)) and not heard
    wide = encoder.MiniLM.load()
    wide.max_tokens = 512  # what a bare tokenizer would cut at
    readings = float(wide.encode([long_text])[0] @ read[0])
try:
    refused = str(model.embed(model.words.new_zeros(1, 513).long()).shape)
except ValueError as error:
    refused = str(error).split(":")[0]
pages = [page.text.split()[:400] for page in corpora.load_runbooks()]
sizes = [len(assets.tokenizer()(" ".join(page), verbose=False)["input_ids"])
         for page in pages if len(page) == 400]
chat, hindi = assets.vocabularies()["cl100k"], corpora.load_multilingual()
kept = [chat.decode(chat.encode(row["hi"])[:k]) for row in hindi for k in range(5, 25)]
broken = sum("\ufffd" in text for text in kept)
ids_ = chat.encode("word " * 9000)
before, ids_ = len(ids_), ids_[:8000]  # the listing prints len(ids_) after this line

# %%
trial(
    claim("C077", refused, refused.startswith("513")),
    claim("C078", f"reads {library.max_seq_length}, table of {len(model.positions)}",
          "partly" if library.max_seq_length > 128 else False),
    claim("C138", library.max_seq_length, library.max_seq_length == 128),
    claim("C079", f"{sum(s > 600 for s in sizes)} of {len(sizes)} pages of 400 words, "
          f"up to {max(sizes)}", any(s > 600 for s in sizes)),
    claim("C080", f"same vector, no warning: {silent}", silent),
    claim("C352", "the beginning up to token 256, and nothing after it",
          "partly" if silent else True),
    claim("C057", f"cosine of the two readings {readings:.2f}", readings > 0.999),
    claim("C355", f"{before}: prints 'from {len(ids_)} to 8000'", len(ids_) == before),
    claim("C356", f"{broken} of {len(kept)} cuts of Hindi end inside a character",
          broken == 0),
)

# %% [markdown]
# ### Cause 4: what it was trained for
#
# *Safe* and *not safe*: all pieces known, order the same, no long frame. Is the *not*
# lost? Ask a *linear reader*: a logistic regression that tells from the vector whether a
# text holds a negation, learnt on other texts.

# %%
natural, tickets = corpora.load_natural_pairs(), corpora.load_tickets()
others = [t for p in [*corpora.load_pairs(), *natural] for t in (p.a, p.b)]
others += [ticket.text for ticket in tickets]
other_vectors = encoded(others)
reader = LogisticRegression(C=10, class_weight="balanced", **exactly)
reader.fit(other_vectors, [interventions.has_negation(text) for text in others])
direction = reader.coef_[0]

has = np.array([[interventions.has_negation(text) for text in side] for side in sides])
differ, read_as = has[0] != has[1], left @ direction > right_side @ direction
print(f"learnt from {len(others)} texts; which side of a pair is negated: right for "
      f"{(read_as == has[0])[differ].sum()} of {differ.sum()}")

# %% [markdown]
# *Read the output.* The vector knows. The *cosine* weighs all directions alike, and this
# one is small, since little in training asked for it. So make it count: stretch it. If that
# is the cause, negations must fall and antonyms, which hold no *not*, must stay. What does
# it cost on ordinary pairs?

# %%
factors, grades = (1, 2, 4, 8, 16), [pair.grade for pair in natural]
easy = [[getattr(p, side) for p in natural] for side in ("a", "b")]
ends = list(map(model.encode, easy))
stretched = interventions.stretched_cosines
moves = [stretched(left, right_side, direction, factor) for factor in factors]
usual = [spearmanr(stretched(*ends, direction, f), grades).statistic for f in factors]
lines = {"negation differs": [cos[differ].mean() for cos in moves],
         "antonyms": [cos[kinds == "antonym"].mean() for cos in moves],
         "order of natural pairs": usual}
fig, ax = plots.lines(factors, lines, "Stretching the direction of negation",
                      "factor", "mean cosine, rank correlation")
plots.show(fig, alt="Three lines over the factor: the cosine of pairs that differ in a "
           "negation falls steeply, antonyms stay flat, the rank correlation sinks.",
           fact=f"factor {factors[3]}: " + "; ".join(
               f"{name} {v[0]:.2f} → {v[3]:.2f}" for name, v in lines.items()))

# %% [markdown]
# *Read the output.* The right number moves, the control stays, and the price is visible.
# That is all training does here: it decides which directions count. (Cheaper in production:
# keep the vectors, and let the reader *flag* a hit whose negation differs from the query's.)
#
# All four in one picture. A change that also lifts the two controls has only moved the
# level.

# %%
changes = {"as it is": score, **moved, "negation × 8": moves[3]}
cells = pd.DataFrame(changes).groupby(kinds).mean().loc[list(dict.fromkeys(kinds))]
cells.index = [kind.replace("_", " ") for kind in cells.index]
fig, ax = plots.heatmap(cells.values, list(cells.index), list(cells.columns),
                        "Mean cosine by kind and change")
fall = cells.sub(cells["as it is"], axis=0).drop(columns="as it is")
plots.show(fig, alt="Heat map of mean cosines, sixteen kinds of probe by five changes "
           "and none; max pooling lifts every row, the others lower a few.",
           fact="\n".join(f"{name}: {fall[name].idxmin()} {fall[name].min():+.2f}"
                          for name in fall))

# %% [markdown]
# *Read the output.* Every cure has its own row. *No positions* cures nothing: it makes
# everything more alike. *No frame* lowers many kinds, because all of them hide a small
# difference in a long sameness.

# %% [markdown]
# ### Cause 5: the threshold
#
# *Six minutes for a runny yolk* answers *How long do you boil an egg?* with a cosine below
# many a wrong hit. Nothing is wrong with the vectors; a fixed line is drawn through them.
# Where should it be? Say what an error costs: taking two texts for the same (`price`)
# against missing that they are (1).

# %%
labelled = {}
for name, rows in {"natural pairs": natural, "traps": corpora.load_pairs()}.items():
    rows = [pair for pair in rows if pair.grade >= 4 or pair.grade <= 2.5]
    labelled[name] = (cosines([p.a for p in rows], [p.b for p in rows]),
                      np.array([p.grade >= 4 for p in rows]))
intents = np.array([ticket.intent for ticket in tickets])
on_topic = np.flatnonzero(intents != "off_topic")
i, j = np.random.default_rng(7).permutation(on_topic).reshape(2, -1)
by_ticket = other_vectors[-len(tickets):]
labelled["tickets, same request"] = (
    (by_ticket[i] * by_ticket[j]).sum(axis=1), intents[i] == intents[j])

# %% [markdown]
# In your own session, move the price and watch the line.


# %%
def threshold_lab(corpus, price):
    """Two histograms, the cheapest line between them, and what it costs."""
    cos, same = labelled[corpus]
    line = search.best_threshold(cos, same, price)
    cost = int(search.costs(cos, same, price, [line])[0])
    said = f"price {price}: same {'never' if np.isinf(line) else f'from {line:.2f} on'}"
    fig, ax = plots.histograms({"different": cos[~same], "same": cos[same]}, line,
                               f"{corpus}, {said}, cost {cost}", "cosine")
    return plots.picture(fig, f"Histograms of cosines, {corpus}, {said}, cost {cost}.")


explore(threshold_lab, corpus=list(labelled), price=(1, 20),
        twin=[{"corpus": "natural pairs", "price": 1},
              {"corpus": "natural pairs", "price": 10},
              {"corpus": "traps", "price": 1},
              {"corpus": "tickets, same request", "price": 1}])

# %% [markdown]
# *Read the output.* The price moves the line, and the corpus moves it more. On the traps no
# line is any good: the cheapest is *never* (infinity). What does it cost to carry a line from one corpus to the next?

# %%
best = {name: search.best_threshold(*pairs, 1) for name, pairs in labelled.items()}
errors_at = {name: search.costs(*pairs, 1, [best[name], best["natural pairs"]])
             for name, pairs in labelled.items()}
for name, (own, carried) in errors_at.items():
    print(f"{name}: of {len(labelled[name][0])} wrong {own:.0f}, carried {carried:.0f}")

cos, same = labelled["natural pairs"]
high, probe_high, other = cos >= 0.9, score >= 0.9, expected[score >= 0.92] != "same"
trial(
    claim("C262", "best lines: " + ", ".join(f"{value:.2f}" for value in best.values()),
          all(own < carried for own, carried in [*errors_at.values()][1:])),
    claim("C184", f"the same from 0.9 on: {same[high].sum()} of {high.sum()} natural, "
          f"and {(expected[probe_high] == 'same').sum()} of {probe_high.sum()} "
          "probes", "partly" if same[high].mean() > 0.5 else False),
    claim("C259", f"from 0.92 on, {other.sum()} of {len(other)} are not", any(other)),
)

# %% [markdown]
# Two statements about choosing the wrong model belong here: a static one (the average of
# the lookup rows), and an English one for other languages.

# %%
def lookup_only(texts):
    """The mean of the lookup rows, without a single layer: (texts, 384)"""
    rows = [model.words[ids_[1:-1]].mean(dim=0) for ids_ in model.tokenize(texts)]
    return np.array([(row / row.norm()).numpy() for row in rows])


same_pairs = [k for k, pair in enumerate(natural) if pair.grade >= 4]
hard = [[getattr(p, side) for p in held] for side in ("anchor", "positive")]
found_first = {}
for name, encode in {"static": lookup_only, "MiniLM": model.encode}.items():
    a, b = map(encode, easy)
    found_first[name] = (failures.first_hits(a[same_pairs], b, same_pairs),
                         failures.first_hits(*map(encode, hard), range(len(held))))

languages = corpora.load_multilingual()
english, *foreign = (model.encode([row[code] for row in languages])
                     for code in corpora.LANGUAGES)
across = [failures.first_hits(v, english, range(len(english))) for v in foreign]
static, whole = found_first.values()
trial(
    claim("C269", f"natural pairs {static[0]:.0%} (MiniLM {whole[0]:.0%}), jargon "
          f"{static[1]:.0%} ({whole[1]:.0%})",
          "partly" if static[0] > 0.5 and static[1] < whole[1] else static[0] < 0.5),
    claim("C261", f"own translation first: {min(across):.0%} to {max(across):.0%}, by "
          f"chance {1 / len(english):.0%}", max(across) < 0.9))

# %% [markdown]
# ## The failure without a trace: another space
#
# An index holds vectors of last month. The queries come from today's model. What happens if
# they do not belong together? Some accidents, on the natural pairs: how often does the
# paraphrase still come first?

# %%
queries, stored = ends[0][same_pairs], ends[1]
turn = np.linalg.qr(np.random.default_rng(7).normal(size=(384, 384)))[0]
by_cls = model.encode(easy[0], change=encoder.Change(pool=pooling.cls_pool))
mixed = stored.copy()
mixed[1::2] = model.encode(easy[1], normalize=False)[1::2]
short_ones = [v[:, :16] for v in (queries, stored)]
accidents = {
    "as it was": (queries, stored),
    "queries of another model (a rotation)": (queries @ turn, stored),
    "both of another model": (queries @ turn, stored @ turn),
    "queries with another pooling": (by_cls[same_pairs], stored),
    "every second text not normalised": (queries, mixed),
    "16 numbers of 384, as they are": short_ones,
    "16 numbers, normalised again": [v / np.linalg.norm(v, axis=1, keepdims=True)
                                     for v in short_ones]}
first = [failures.first_hits(*two, same_pairs) for two in accidents.values()]
level = [float((q * s[same_pairs]).sum(axis=1).mean()) for q, s in accidents.values()]
pd.DataFrame({"own paraphrase first": [f"{share:.3f}" for share in first],
              "mean product": [f"{value:.2f}" for value in level]}, index=[*accidents])

# %%
chance = 1 / len(stored)
try:
    message = str((queries @ np.zeros((3072, 5))).shape)
except ValueError:
    message = "ValueError"
trial(
    claim("C254", f"384 and 3072 numbers: {message}; 384 and 384: no error, first for "
          f"{first[1]:.3f}", message == "ValueError" and first[1] < 5 * chance),
    claim("C255", f"first for {first[1]:.3f} (by chance {chance:.3f}), mean cosine "
          f"{abs(level[1]):.2f}", bool(abs(level[1]) < 0.1)),
    claim("C256", f"both sides new: cosine {level[2]:.2f}, before {level[0]:.2f}",
          "partly" if abs(level[2] - level[0]) < 0.01 else True),
    claim("C383", f"first for {first[4]:.3f} instead of {first[0]:.3f}, no error",
          first[4] < first[0]),
    claim("C322", f"first for {first[5]:.3f}, normalised again {first[6]:.3f}",
          first[5] >= first[6]),
)

# %% [markdown]
# *Read the output.* Not one accident between equal dimensions raised an error. The
# rotation destroys everything, the other pooling almost nothing: it keeps the order and
# shifts the level, so it is the *thresholds* that break.
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
# *Tidy* masks digits "because they only disturb". *Lean* drops the position table. The
# release note shows one number each: the rank correlation on the natural pairs.

# %%
warnings.simplefilter("ignore", encoder.TruncationWarning)  # Short cuts on purpose
short = encoder.MiniLM.load()
short.max_tokens = 32
no_table = encoder.Change(positions=encoder.zero_positions)
candidates = {
    "v1": model.encode, "Short": short.encode,
    "Tidy": lambda texts: model.encode([re.sub(r"\d", "0", t) for t in texts]),
    "Lean": lambda texts: model.encode(texts, change=no_table)}
for name, encode in candidates.items():
    cos = np.prod([encode(texts) for texts in easy], axis=0)
    print(f"{name:<6} {spearmanr(cos.sum(axis=1), grades).statistic:.2f}")

# %% [markdown]
# *Read the output.* By this number *Short* and *Tidy* may ship, and *Lean* perhaps. Now a
# [**CheckList**](91_glossary.ipynb#c): small tests of behaviour, written before anyone looks. *Minimum
# functionality*: a text, one that must be nearer, one that must be farther. *Direction*: the
# same, where no one expects all to pass (*Ada paid Gita* and the one who *gave money to*
# the other). *Invariance*: two texts that must stay close. Some cases come from data, some
# from *templates*, which make thirty of them at no cost.

# %%
likes = [natural[k] for k in same_pairs]
cases = {
    "capitals and spaces": [(p.a, f"  {p.a.upper()} ") for p in likes],
    "a stranger is farther": [(p.a, p.b, q.b) for p, q in zip(likes, likes[1:])],
    "a fact at the end is read": [(p.a, f"{a.description} {p.b}", a.description)
                                  for p, a in zip(likes, test[60:])],
    "the right number is nearer": checklist.number_cases(),
    "who paid whom": checklist.role_cases(),
    "a negation moves away": checklist.negation_cases()}
kinds_of_test = ["invariance", *["minimum functionality"] * 3, *["direction"] * 2]
suite = [*map(checklist.Capability, cases, kinds_of_test, cases.values())]
runs = {name: checklist.run(suite, encode, progress)
        for name, encode in candidates.items()}
checklist.report(runs)

# %% [markdown]
# *Read the output.* First the column v1: the model in use fails tests, too, and *who paid
# whom* is hardly better than a coin. Then compare case by case, with the test from above:
# which losses are more than chance?

# %%
for name in list(candidates)[1:]:
    lost = checklist.regressions(runs["v1"], runs[name])
    print(f"{name}: {len(lost)} of {len(suite)} abilities lost")
    for ability, row in lost.iterrows():
        print(f"  {ability}: {row['lost']} cases lost, {row['gained']} gained, "
              f"passes now {row['passes now']}")

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
# *Read the output.* Each candidate lost exactly what its change takes away, and the average
# saw little or nothing of it.
#
# ## Quiz
#
# Open the answer that you would give; every answer has its reason.

# %%
scorecard()
quiz()

# %% [markdown]
# ## What you have now
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
# **Before:** [07 · Fine-tuning](07_finetune.ipynb) trained what we looked at.
# **Next:** [09 · Search](09_search.ipynb): an index that knows its model, silence when
# nothing fits, and every step judged with an interval.
#
# **Read on**
#
# - M. T. Ribeiro et al.: *Beyond accuracy: behavioral testing of NLP models with
#   CheckList*, 2020, [arXiv 2005.04118](https://arxiv.org/abs/2005.04118)
# - C. Guo et al.: *On calibration of modern neural networks*, 2017,
#   [arXiv 1706.04599](https://arxiv.org/abs/1706.04599)
# - C. Northcutt et al.: *Confident learning*, 2021,
#   [arXiv 1911.00068](https://arxiv.org/abs/1911.00068)
# - T. Dietterich: *Approximate statistical tests for comparing supervised classification
#   learning algorithms*, 1998, [doi 10.1162/089976698300017197](https://doi.org/10.1162/089976698300017197)
