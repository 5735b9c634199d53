"""Answers to exercises that were written by hand: wrong ones, and other right ones.

A wrong one breaks a rule that the page states and no small change of the solution
would break; with it stands what the check must say. A right one is not how we would
do it, and must be accepted all the same.
"""

import itertools
import math
import unicodedata
from collections import Counter, deque
from functools import reduce
from itertools import pairwise

import numpy as np
import regex
import torch
from scipy.stats import entropy
from torch.nn import functional

from course_utils import tokenization

DIFFERS = "for ("  # no known mistake: the check shows where the results part
CHANGED = "the argument was changed"


def greedy_pairs(data, merges, choose):
    ids = list(data)
    while known := [pair for pair in pairwise(ids) if pair in merges]:
        pair = choose(known)
        ids = tokenization.merge(ids, pair, merges[pair])
    return ids


def pieces_of(word, vocab, spell):
    pieces, start = [], 0
    while start < len(word):
        for end in range(len(word), start, -1):
            found = [p for p in spell(word[start:end], start) if p in vocab]
            if found:
                break
        else:
            return ["[UNK]"]
        pieces.append(found[0])
        start = end
    return pieces


def cleaned(text):
    return text.replace("\u00a0", " ").replace("\u200b", "").replace("\ufeff", "")


def normalised(vectors):
    return functional.normalize(vectors, dim=1)


def recall_with(anchors, positives, others_of):
    scores = normalised(anchors) @ normalised(positives).T
    return (scores.diagonal() > others_of(scores) + 1e-6).double().mean().item()


def fill_diagonal(scores, number):
    return scores.clone().fill_diagonal_(number)


def neighbours_if(encode, texts, part):
    together = encode(texts)
    if not np.allclose(encode(texts), together, atol=1e-5):
        return "random"
    alone = np.concatenate([encode([text]) for text in texts])
    differ = np.abs(alone - together).max(axis=1) > 1e-5
    return "neighbours" if differ[part].any() else "healthy"


def votes(rankings, constant, add):
    found = {}
    for ranking in rankings:
        for place, name in enumerate(ranking, 1):
            found.setdefault(name, []).append(1 / (constant + place))
    return {name: add(given) for name, given in found.items()}


def save_away(disk, name, data):
    disk.write(f"{name}.new", data)
    disk.rename(name, f"{name}.old")
    disk.rename(f"{name}.new", name)
    return disk.read(name)


def save_with_a_copy(disk, name, data):
    disk.write(f"{name}.old", disk.read(name) or "")
    disk.write(f"{name}.new", data)
    disk.rename(f"{name}.new", name)
    return disk.read(name)


def save_and_say_what_was_given(disk, name, data):
    disk.write(f"{name}.new", data)
    disk.rename(f"{name}.new", name)
    return data


def save_and_tidy_up(disk, name, data):
    save_with_a_copy(disk, name, data)
    disk.rename(name, name + ".x")
    disk.rename(name + ".x", name)
    return disk.read(name)


def spreads(values, limit, width):
    values = np.asarray(values)
    away = np.abs(values - np.median(values))
    return np.flatnonzero(away > limit * width(values, away)).tolist()


def quartile_spread(values, away):
    return np.subtract(*np.percentile(values, [75, 25])) / 1.349


def triplets_of(rows, one_each):
    yes, no = {}, {}
    for premise, other, label in rows:
        if label == "entailment":
            yes.setdefault(premise, []).append(other)
        if label == "contradiction":
            no[premise] = other
    return [
        (premise, other, no[premise])
        for premise, others in yes.items()
        for other in others[: 1 if one_each else None]
        if premise in no
    ]


def binned(confidence, right, number):
    confidence, right = np.array(confidence), np.array(right, dtype=float)
    number = number(confidence)
    return sum(
        abs((confidence - right)[number == b].sum()) / len(right)
        for b in np.unique(number)
    )


def emptied(relevant, ranking, k):
    count = len(relevant)
    found = 0
    while relevant:
        found += relevant.pop() in ranking[:k]
    return found / count


def cut_when_full(lengths, size):
    passages, used = [], size + 1
    for place, length in enumerate(lengths):
        if used + length > size:
            passages.append([])
            used = 0
        passages[-1].append(place)
        used += length
    return passages


def collated(rows, mask_of):
    width = max(map(len, rows))
    ids = [row + [0] * (width - len(row)) for row in rows]
    return ids, [mask_of(row, width, full) for row, full in zip(rows, ids, strict=True)]


def padded_in_place(rows):
    width = max(map(len, rows))
    mask = [[1] * len(row) + [0] * (width - len(row)) for row in rows]
    for row in rows:
        row += [0] * (width - len(row))
    return rows, mask


def tells_numbers(encode, apart):
    pairs = [("wait 3 days", "wait 7 days"), ("room 12 is free", "room 48 is free")]
    return all(apart(*encode([a, b])) for a, b in pairs)


def endless_merge(ids, pair, new_id):
    i = 0
    while i < len(ids):
        if tuple(ids[i : i + 2]) == tuple(pair):
            ids[:i] + [new_id] + ids[i + 2 :]
        else:
            i += 1
    return ids


# (exercise, what is done, the answer, what the check says)
WRONG = [
    ("0.6", "without the maximum", lambda s: np.exp(s) / np.exp(s).sum(-1)[:, None],
     "overflow"),
    ("0.6", "the maximum of all", lambda s: (
        (e := np.exp(s - s.max())) / e.sum(-1, keepdims=True)), DIFFERS),
    ("0.7", "the scores", lambda s, k: np.unique(s)[::-1][:k], "these are the scores"),
    ("0.9", "in place", lambda x: np.divide(
        x, np.linalg.norm(x, axis=1, keepdims=True), out=x), CHANGED),
    ("1.1", "a list of pairs", lambda ids: list(pairwise(ids)), DIFFERS),
    ("1.2", "without the assignment", endless_merge, "what changes in the loop?"),
    ("1.2", "a generator", lambda ids, pair, new_id: (
        i for i in tokenization.merge(ids, pair, new_id)), "make it a list"),
    ("1.3", "the most frequent pair", lambda data, merges: greedy_pairs(
        data, merges, lambda p: Counter(p).most_common(1)[0][0]), "most frequent"),
    ("1.3", "one walk through the dictionary", lambda data, merges: reduce(
        lambda ids, pair: tokenization.merge(ids, pair, merges[pair]), merges,
        list(data)), "of the dictionary"),
    ("1.3", "the first of the dictionary", lambda data, merges: greedy_pairs(
        data, merges, lambda p: next(m for m in merges if m in p)), DIFFERS),
    ("1.3", "the smallest pair", lambda data, merges: greedy_pairs(data, merges, min),
     DIFFERS),
    ("1.3", "the last pair", lambda data, merges: greedy_pairs(
        data, merges, lambda p: p[-1]), DIFFERS),
    ("1.4", "with or without ##", lambda word, vocab: pieces_of(
        word, vocab, lambda p, start: ["##" + p, p] if start else [p]), DIFFERS),
    ("1.4", "without ## first", lambda word, vocab: pieces_of(
        word, vocab, lambda p, start: [p, "##" + p] if start else [p]), "with ##"),
    ("1.5", "the first place that is too long", lambda text, limit, v: next(
        (text[:a] for a, b in pairwise([0, *(m.end() for m in
         regex.finditer(r"\X", text))]) if len(v.encode(text[:b])) > limit), text),
     DIFFERS),
    ("1.7", "NFKC", lambda text: unicodedata.normalize("NFKC", cleaned(text)), "x²"),
    ("1.7", "NFD", lambda text: unicodedata.normalize("NFD", cleaned(text)), "NFD"),
    ("1.7", "composed too early", lambda text: cleaned(
        unicodedata.normalize("NFC", text)), "remove first"),
    ("1.7", "blanks removed", lambda text: unicodedata.normalize(
        "NFC", cleaned(text)).replace(" ", ""), DIFFERS),
    ("2.4", "c is not added", lambda a, b, c, u: next(
        i for i in np.argsort(-(u @ (u[b] - u[a]))) if i not in (a, b, c)), DIFFERS),
    ("2.6", "log of sigma", lambda c, o, n: float(
        -np.log(1 / (1 + np.exp(-c @ o))) - np.log(1 / (1 + np.exp(n @ c))).sum()),
     DIFFERS),
    ("2.7", "the tokenizer's pieces only", lambda rows, canary, ids, t: all(
        i < len(rows) and rows[i] == p for p, i in t.get_vocab().items())
        and t(canary)["input_ids"] == ids, "lacks a piece"),
    ("2.7", "the model's pieces only", lambda rows, canary, ids, t: all(
        t.get_vocab().get(p) == i for i, p in enumerate(rows))
        and t(canary)["input_ids"] == ids, "the model lacks"),
    ("3.1", "the input undone", lambda f, x, order: torch.allclose(
        f(x[order])[order], f(x)), "the wrong way round"),
    ("3.1", "only the first row", lambda f, x, order: torch.allclose(
        f(x[order])[0], f(x)[order][0]), DIFFERS),
    ("3.4", "quartiles", lambda v, limit: spreads(v, limit, quartile_spread),
     "quartiles"),
    ("3.4", "the mean distance", lambda v, limit: spreads(
        v, limit, lambda v, away: 1.4826 * away.mean()), DIFFERS),
    ("3.4", "without the factor", lambda v, limit: spreads(
        v, limit, lambda v, away: np.median(away)), "1.4826 is missing"),
    ("3.7", "NumPy, nothing moved", lambda x: x.numpy().copy(), "nothing has moved"),
    ("4.1", "written out", lambda q, k, v: (
        (e := (q @ k.mT / q.shape[-1] ** 0.5).exp()) / e.sum(-1, keepdim=True) @ v,
        e / e.sum(-1, keepdim=True)), "overflow"),
    ("4.2", "-100", lambda s, m: s.masked_fill(~m, -100.0).softmax(-1),
     "not low enough"),
    ("4.2", "-1000", lambda s, m: s.masked_fill(~m, -1e3).softmax(-1), DIFFERS),
    ("4.2", "nearly 0", lambda s, m: (s.masked_fill(~m, -math.inf).softmax(-1) + 1e-9),
     "exactly 0"),
    ("4.6", "the receivers", lambda w, v: (w.sum(2) * v.norm(dim=-1)).sum(0),
     "giver and receiver are exchanged"),
    ("4.6", "the largest weight", lambda w, v: (w.amax(1) * v.norm(dim=-1)).sum(0),
     DIFFERS),
    ("5.5", "Manhattan", lambda q, t: (
        (t @ q / t.norm(dim=1)).argsort(descending=True).tolist(),
        (t @ q).argsort(descending=True).tolist(),
        (t - q).abs().sum(1).argsort().tolist()), "root of the sum of squares"),
    ("5.5", "times the length", lambda q, t: (
        (t @ q * t.norm(dim=1)).argsort(descending=True).tolist(),
        (t @ q).argsort(descending=True).tolist(),
        (t - q).norm(dim=1).argsort().tolist()), DIFFERS),
    ("5.7", "the last text alone", lambda e, t: neighbours_if(e, t, [-1]),
     "only the last text"),
    ("5.7", "the first text alone", lambda e, t: neighbours_if(e, t, [0]),
     "only the first text"),
    ("5.7", "the middle text alone", lambda e, t: neighbours_if(e, t, [len(t) // 2]),
     DIFFERS),
    ("5.7", "a coarse tolerance", lambda e, t: (
        "healthy" if np.allclose(e(t), np.concatenate([e([x]) for x in t]), atol=0.5)
        else neighbours_if(e, t, slice(None))), DIFFERS),
    ("5.8", "unit vectors averaged", lambda i, n, e: functional.normalize(sum(
        len(i[s : s + n]) * functional.normalize(e([i[s : s + n]])[0], dim=0)
        for s in range(0, len(i), n)), dim=0), DIFFERS),
    ("6.1", "written out", lambda a, p, t: (
        lambda e: -(e.diagonal() / e.sum(1)).log().mean())(
            (normalised(a) @ normalised(p).T / t).exp()), DIFFERS),
    ("6.2", "0 on the diagonal", lambda a, p: recall_with(
        a, p, lambda s: fill_diagonal(s, 0).amax(1)), "every negative cosine"),
    ("6.2", "the mean of the others", lambda a, p: recall_with(
        a, p, lambda s: fill_diagonal(s, 0).sum(1) / (len(s) - 1)), "the mean of the"),
    ("6.2", "the mean of the row", lambda a, p: recall_with(
        a, p, lambda s: s.mean(1)), DIFFERS),
    ("6.8", "the first for each premise", lambda rows: triplets_of(rows, True),
     DIFFERS),
    ("6.8", "the last for each premise", lambda rows: triplets_of(
        list({(p, label): (p, o, label) for p, o, label in rows}.values()), True),
     "one triplet at most"),
    ("6.8", "in the order of the premises", lambda rows: triplets_of(rows, False),
     DIFFERS),
    ("6.8", "sorted", lambda rows: sorted(triplets_of(rows, False)), DIFFERS),
    ("7.2", "written out", lambda x, y, w: (
        (e := np.exp(x @ w.T)) / e.sum(1, keepdims=True) - np.eye(len(w))[y]
        ).T @ x / len(x), "overflow"),
    ("7.4", "no early return", lambda a, b: (sum(a) - sum(b)) / math.sqrt(
        sum(x != y for x, y in zip(a, b, strict=True))), "divides by 0"),
    ("7.4", "0 where they are equally often right only", lambda a, b: (
        0.0 if sum(a) <= sum(b) else (sum(a) - sum(b)) / math.sqrt(
            sum(x != y for x, y in zip(a, b, strict=True)))), DIFFERS),
    ("7.5", "equal losses: the last", lambda losses, patience: next(
        (b, e) for e in range(1, len(losses) + 1)
         if e - (b := max(i for i in range(1, e + 1)
                 if losses[i - 1] == min(losses[:e]))) >= patience
         or e == len(losses)), DIFFERS),
    ("7.6", "renamed away", save_away, "neither the old text nor the new one"),
    ("7.6", "says what was given", save_and_say_what_was_given, DIFFERS),
    ("7.6", "tidies up at the end", save_and_tidy_up, "neither the old text"),
    ("7.7", "a ratio other than 1", lambda s: (
        "optimizer too early" if s["blocks moved"] == 0
        else "rate too high" if s["blocks moved"] >= 1
        else "no zero_grad" if s["gradient carried over"] != 1
        else "padding is read" if s["shift by padding"] > 0.01
        else "labels shuffled" if s["right on dev"] <= 0.4
        else "healthy"), "near 1"),
    ("7.7", "the gap between train and dev", lambda s: (
        "optimizer too early" if s["blocks moved"] == 0
        else "rate too high" if s["blocks moved"] >= 1
        else "no zero_grad" if s["gradient carried over"] > 2
        else "padding is read" if s["shift by padding"] > 0.01
        else "labels shuffled" if s["right on train"] - s["right on dev"] > 0.3
        else "healthy"), DIFFERS),
    ("7.8", "the mask of ids", lambda rows: collated(
        rows, lambda row, width, ids: [int(i != 0) for i in ids]), "read off the ids"),
    ("7.8", "padded in place", padded_in_place, CHANGED),
    ("8.3", "np.floor", lambda c, r: binned(
        c, r, lambda c: np.minimum(np.floor(c * 10), 9)), "np.ceil, not np.floor"),
    ("8.1", "in bits", lambda labels, classes: (math.log2(classes), float(entropy(
        np.unique(labels, return_counts=True)[1], base=2))), "counted in bits"),
    ("8.3", "0 by itself", lambda c, r: binned(c, r, lambda c: np.ceil(c * 10)),
     "everything from 0 up to 0.1"),
    ("8.3", "np.round", lambda c, r: binned(c, r, lambda c: np.round(c * 10)), DIFFERS),
    ("8.4", "the farthest", lambda train, test, right, limit: float(np.mean(
        np.array(right)[(test @ train.T).min(1) < limit])), DIFFERS),
    ("8.6", "0.9 is enough", lambda stored, texts, encode: bool(
        (new := encode(texts)).shape == stored.shape
        and ((new * stored).sum(1) > 0.9).all()), "a cosine of 0.9"),
    ("8.6", "far off is allowed", lambda stored, texts, encode: bool(
        (new := encode(texts)).shape == stored.shape
        and np.allclose(new, stored, atol=1.0)), DIFFERS),
    ("8.7", "one call, every digit", lambda encode: tells_numbers(
        encode, lambda a, b: not np.array_equal(a, b)), "ninth digit"),
    ("8.7", "below 1", lambda encode: tells_numbers(encode, lambda a, b: a @ b < 1),
     DIFFERS),
    ("9.2", "the set emptied", lambda ranking, relevant, k: emptied(
        relevant, ranking, k), CHANGED),
    ("9.3", "a generator", lambda lengths, size: iter(cut_when_full(lengths, size)),
     "make it a list"),
    ("9.4", "ties in the alphabet", lambda r, c: sorted(
        v := votes(r, c, sum), key=lambda n: (-v[n], n)), "alphabetical"),
    ("9.4", "the best vote", lambda r, c: sorted(
        v := votes(r, c, max), key=lambda n: -v[n]), "best single place"),
    ("9.4", "dealt out", lambda r, c: list(dict.fromkeys(
        n for turn in itertools.zip_longest(*r) for n in turn if n)), "dealt out"),
    ("9.4", "the mean vote", lambda r, c: sorted(
        v := votes(r, c, np.mean), key=lambda n: -v[n]), DIFFERS),
    ("9.4", "the last seen first", lambda r, c: sorted(
        dict(reversed((v := votes(r, c, sum)).items())), key=lambda n: -v[n]), DIFFERS),
    ("9.7", "to the end of the page", lambda c, sources: sources.get(c[0], "")[c[1] :]
     .startswith(c[3]), DIFFERS),
    ("9.8", "the sign lost", lambda a, b: np.flatnonzero(np.abs(
        (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)) < 0.99
        ).tolist(), "lost its sign"),
]  # fmt: skip


def merged_by_a_queue(ids, pair, new_id):
    left, merged = deque(ids), []
    while left:
        merged.append(left.popleft())
        if left and (merged[-1], left[0]) == tuple(pair):
            left.popleft()
            merged[-1] = new_id
    return merged


# (exercise, how it is done, the answer)
RIGHT = [
    ("0.7", "the default sort", lambda scores, k: np.argsort(-scores)[:k]),
    ("0.10", "floats", lambda rows: np.array(
        [row + [0.0] * (max(map(len, rows)) - len(row)) for row in rows])),
    ("1.1", "a Counter", lambda ids: Counter(pairwise(ids))),
    ("1.2", "a queue", merged_by_a_queue),
    ("1.7", "by a table", lambda text: unicodedata.normalize(
        "NFC", text.translate({0xA0: " ", 0x200B: None, 0xFEFF: None}))),
    ("2.2", "a tensor's list", lambda v, rows, k: torch.cosine_similarity(
        torch.tensor(rows), torch.tensor(v)[None]).topk(k).indices.tolist()),
    ("2.6", "log1p where it is safe", lambda c, o, n: float(sum(
        max(-x, 0) + math.log1p(math.exp(-abs(x))) for x in (c @ o, *(-n @ c))))),
    ("3.1", "undone by the inverse", lambda f, x, order: torch.allclose(
        f(x[order])[order.argsort()], f(x))),
    ("3.3", "single precision", lambda row, lag: torch.stack([
        row[0::2] * (a := lag * 10_000 ** (-torch.arange(0, len(row), 2) / len(row))
                     ).cos() + row[1::2] * a.sin(),
        row[1::2] * a.cos() - row[0::2] * a.sin()], dim=1).flatten()),
    ("3.4", "divided", lambda v, limit: [
        i for i, x in enumerate(v) if abs(x - np.median(v)) > limit * 1.4826
        * np.median(np.abs(np.subtract(v, np.median(v))))]),
    ("3.7", "NumPy", lambda x: np.concatenate([x[:, 0::2], x[:, 1::2]], axis=1)),
    ("4.1", "the library", lambda q, k, v: (
        functional.scaled_dot_product_attention(q, k, v),
        torch.softmax(q @ k.mT / math.sqrt(q.shape[-1]), -1))),
    ("4.2", "-1e9", lambda s, m: s.masked_fill(~m, -1e9).softmax(-1)),
    ("4.2", "the lowest number", lambda s, m: torch.where(
        m, s, torch.finfo(s.dtype).min).softmax(-1)),
    ("4.2", "the visible only", lambda s, m: torch.zeros_like(s).masked_scatter(
        m.expand_as(s), s[:, m].softmax(-1))),
    ("5.7", "a tolerance of 1e-4", lambda e, t: (
        "random" if np.abs(e(t) - e(t)).max() > 1e-4
        else "neighbours" if max(np.abs(e([x])[0] - e(t)[i]).max()
                                 for i, x in enumerate(t)) > 1e-4
        else "healthy")),
    ("5.8", "smaller windows", lambda i, n, e: functional.normalize(
        e([[one] for one in i]).mean(0), dim=0)),
    ("6.1", "logsumexp", lambda a, p, t: (
        (s := normalised(a) @ normalised(p).T / t).logsumexp(1) - s.diagonal()).mean()),
    ("6.2", "row by row", lambda a, p: float(np.mean([
        all(s[i] > x + 1e-6 for j, x in enumerate(s) if j != i)
        for i, s in enumerate((normalised(a) @ normalised(p).T).tolist())]))),
    ("7.4", "with arrays", lambda a, b: float(
        (gap := np.subtract(a, b, dtype=int)).sum() / max(1, (gap != 0).sum()) ** 0.5)),
    ("7.6", "keeps a copy", save_with_a_copy),
    ("8.1", "by scipy", lambda labels, classes: (math.log(classes), float(entropy(
        np.unique(labels, return_counts=True)[1])))),
    ("8.3", "the hint as it stands", lambda c, r: binned(
        c, r, lambda c: np.ceil(c * 10).clip(1))),
    ("8.3", "np.digitize", lambda c, r: binned(
        c, r, lambda c: np.digitize(c, np.arange(1, 11) / 10, right=True))),
    ("8.6", "cosines", lambda stored, texts, encode: bool(
        (new := encode(texts)).shape == stored.shape
        and ((new * stored).sum(1) > 0.999).all())),
    ("8.6", "text by text", lambda stored, texts, encode: all(
        (new := encode([t])[0]).shape == s.shape and np.allclose(new, s, atol=1e-4)
        for t, s in zip(texts, stored, strict=True))),
    ("8.7", "text by text", lambda encode: all(
        np.abs(encode([a]) - encode([b])).max() > 1e-6
        for a, b in (("it is 5", "it is 6"), ("it is 1234", "it is 9876")))),
    ("9.4", "a Counter", lambda r, c: [n for n, _ in sum(
        (Counter({n: 1 / (c + i) for i, n in enumerate(x, 1)}) for x in r),
        Counter()).most_common()]),
    ("9.8", "row by row", lambda a, b: [
        i for i, (x, y) in enumerate(zip(a, b, strict=True))
        if x @ y / np.linalg.norm(x) / np.linalg.norm(y) < 0.99]),
]  # fmt: skip
