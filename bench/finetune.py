"""A ladder of classifiers on equal labels: counted words, frozen, two blocks."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import _common
import numpy as np
from _common import Row, row
from scipy.stats import spearmanr
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegressionCV
from threadpoolctl import threadpool_limits

from course_utils import corpora, encoder, finetune

TITLE = "When training pays"
ABOUT = (
    "News: the topic of headlines (four classes), their style (wire, brief, feature), "
    "the topic of whole articles. Each rung gets the same n labels and no other: "
    "counted words and the frozen encoder choose C by cross-validation among them; the "
    "learning rate of the two trained blocks was set before any was seen (3e-4, three "
    "epochs). Three draws of labels, one fixed test set; the figure of a rung is its "
    "median accuracy. Gains are paired, means over draws and test texts; their "
    "interval draws both again. No times: figures differ elsewhere only by rounding."
)
DRAWS = (0, 1, 2)
RATE, LAYERS = 3e-4, 2
STYLES = ("wire", "brief", "feature")
# Task, labels, whether blocks are trained: on articles it takes four times as long.
CELLS = (
    *(("headlines", 192, True), ("headlines", 600, True)),
    *(("styles", 192, True), ("styles", 600, True)),
    *(("articles", 192, False), ("articles", 600, False)),
)


@dataclass
class Desk:
    """What every rung reads: texts and labels to learn from, and the test's."""

    minilm: encoder.MiniLM
    pool: Sequence[corpora.Article]
    test: Sequence[corpora.Article]
    classes: Sequence[str] = corpora.NEWS_LABELS
    whole: bool = False

    def __post_init__(self) -> None:
        """Number the labels; encode once for the frozen rung."""
        self.labels = np.array([self.classes.index(a.label) for a in self.pool])
        self.wanted = np.array([self.classes.index(a.label) for a in self.test])
        self.texts = np.array([self.text(a) for a in self.pool])
        self.asked = [self.text(a) for a in self.test]
        self.vectors = self.minilm.encode(list(self.texts)).astype(float)
        self.asked_vectors = self.minilm.encode(self.asked).astype(float)

    def text(self, article: corpora.Article) -> str:
        """The headline alone, or with the article."""
        return article.text if self.whole else article.title


def desks(minilm: encoder.MiniLM, pool: Sequence, test: Sequence) -> dict[str, Desk]:
    """The topic of headlines, their style in place of the topic, whole articles."""
    by_style = ([replace(a, label=a.style) for a in rows] for rows in (pool, test))
    return {
        "headlines": Desk(minilm, pool, test),
        "styles": Desk(minilm, *by_style, classes=STYLES),
        "articles": Desk(minilm, pool, test, whole=True),
    }


def tuned(vectors, labels: np.ndarray) -> LogisticRegressionCV:
    """A logistic regression whose C is chosen among the labels it learns from."""
    model = LogisticRegressionCV(
        Cs=[0.1, 1, 10, 100],
        cv=4,
        scoring="accuracy",
        solver="newton-cg",
        tol=1e-8,
        max_iter=1000,
        l1_ratios=(0,),
        use_legacy_attributes=False,
    )
    with threadpool_limits(1):
        return model.fit(vectors, labels)


def frozen(desk: Desk, chosen: np.ndarray) -> np.ndarray:
    """Logistic regression on MiniLM's vectors: right or wrong on each test text."""
    head = tuned(desk.vectors[chosen], desk.labels[chosen])
    return head.predict(desk.asked_vectors) == desk.wanted


def words(desk: Desk, chosen: np.ndarray) -> np.ndarray:
    """Logistic regression on counted words."""
    reader = TfidfVectorizer(sublinear_tf=True).fit(desk.texts[chosen])
    head = tuned(reader.transform(desk.texts[chosen]), desk.labels[chosen])
    return head.predict(reader.transform(desk.asked)) == desk.wanted


def trained(
    desk: Desk, chosen: np.ndarray, seed: int
) -> tuple[finetune.Classifier, np.ndarray]:
    """Train the two top blocks; the model, and right or wrong on each test text."""
    model = finetune.Classifier(desk.minilm, LAYERS, desk.classes, seed=seed)
    rows = [desk.pool[i] for i in chosen]
    some = finetune.examples(model, rows, desk.text)
    finetune.train_classifier(model, some, learning_rate=RATE, seed=seed)
    found = finetune.evaluate(model, finetune.examples(model, desk.test, desk.text))
    return model, found.correct.numpy()


def climb(
    desk: Desk, n: int, train: bool, draws: Sequence[int]
) -> tuple[dict[str, np.ndarray], list[finetune.Classifier]]:
    """Rung -> (draws, test texts) right or wrong; and the trained models."""
    each = n // len(desk.classes)
    places = [np.array(finetune.balanced(desk.labels, each, seed)) for seed in draws]
    right = {
        "words": np.array([words(desk, chosen) for chosen in places]),
        "frozen": np.array([frozen(desk, chosen) for chosen in places]),
    }
    if not train:
        return right, []
    runs = [trained(desk, c, seed) for c, seed in zip(places, draws, strict=True)]
    right["2 blocks"] = np.array([hits for _, hits in runs])
    return right, [model for model, _ in runs]


def gain(name: str, against: str, better: np.ndarray, other: np.ndarray) -> list[Row]:
    """Mean and 95 % interval of a paired difference, as three rows."""
    found = finetune.bootstrap(better.astype(float) - other)
    ends = zip(("mean", "low", "high"), found, strict=True)
    return [row(f"{name}, {end}", against, [value], "") for end, value in ends]


def accuracies(right: dict, name: str) -> list[Row]:
    """One row per rung, and the gain of training over the frozen rung."""
    found = [row(rung, name, hits.mean(1).tolist(), "") for rung, hits in right.items()]
    if "2 blocks" in right:
        against = f"{name}: gain over frozen"
        found += gain("2 blocks", against, right["2 blocks"], right["frozen"])
    return found


def price(minilm: encoder.MiniLM, models: list) -> list[Row]:
    """What training did to the similarity of graded everyday pairs."""
    pairs = corpora.load_natural_pairs()
    grades = np.array([pair.grade for pair in pairs])

    def cosines(model) -> np.ndarray:
        a, b = (model.encode([getattr(p, side) for p in pairs]) for side in "ab")
        return (a * b).sum(axis=1)

    before, after = cosines(minilm), [cosines(model) for model in models]

    def agree(scores: np.ndarray, rows: np.ndarray) -> float:
        return spearmanr(scores[rows], grades[rows]).statistic

    every = np.arange(len(pairs))
    name = f"rank correlation on {len(pairs)} graded pairs"
    found = [row("before", name, [agree(before, every)], "")]
    found.append(row("after", name, [agree(one, every) for one in after], ""))
    changes = []
    for seed in range(1000):
        rows = np.random.default_rng(seed).choice(every, len(every))
        gap = [agree(one, rows) - agree(before, rows) for one in after]
        changes.append(np.mean(gap))
    for end, share in (("low", 0.025), ("high", 0.975)):
        found.append(row(f"change, {end}", name, [np.quantile(changes, share)], ""))
    return found


def measure(quick: bool = False) -> list[Row]:
    _common.use_threads()
    minilm = encoder.MiniLM.load()
    pool, test = corpora.load_news("train", corrected=True), corpora.load_news("test")
    cells, draws = CELLS, DRAWS
    if quick:
        pool, test, draws = pool[:120], test[::10], DRAWS[:2]
        cells = [(task, 16, train) for task, _, train in CELLS[::2]]  # 4 folds
    read, found, right, models = desks(minilm, pool, test), [], {}, {}
    for task, n, train in cells:
        right[task, n], models[task, n] = climb(read[task], n, train, draws)
        found += accuracies(right[task, n], f"{n} {task}")
    n, most = cells[0][1], max(n for task, n, _ in cells if task == "headlines")
    more, learnt = right["articles", n]["frozen"], right["headlines", n]["2 blocks"]
    found += gain("frozen", f"{n} articles over {n} headlines, 2 blocks", more, learnt)
    return found + price(minilm, models["headlines", most])


if __name__ == "__main__":
    _common.run("finetune", TITLE, ABOUT, measure)
