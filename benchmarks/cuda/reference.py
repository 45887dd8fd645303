"""Dynamic routing and its gradients from the paper's formulas, votes and logits in memory, in numpy's float64."""
import numpy as np


def squash(s):
    square = (s * s).sum(-1, keepdims=True)
    return s * np.sqrt(square) / (1 + square)


def squash_gradient(s, g):
    square = (s * s).sum(-1, keepdims=True)
    length = np.sqrt(square)
    slope = np.divide(1 - square, length * (1 + square) ** 2, out=np.zeros_like(square), where=square > 0)
    return g * length / (1 + square) + slope * (s * g).sum(-1, keepdims=True) * s


def softmax(b, leaky):
    most = b.max(-1, keepdims=True)
    most = np.maximum(most, 0) if leaky else most
    e = np.exp(b - most)
    return e / (e.sum(-1, keepdims=True) + (np.exp(-most) if leaky else 0))


def route(u, weight, bias=None, logits=None, iterations=3, leaky=False, through_all=True, upstream=None):
    """v, and under an upstream gradient those of u, weight, bias and logits."""
    G, J, D, E = weight.shape
    B, N, _ = u.shape
    wide = np.repeat(weight, N // G, axis=0)
    votes = np.einsum("bnd,njde->bnje", u, wide)
    b = np.zeros((B, N, J)) if logits is None or iterations == 0 else np.broadcast_to(logits, (B, N, J)).copy()
    steps = []
    for t in range(max(iterations, 1)):
        c = softmax(b, leaky)
        s = np.einsum("bnj,bnje->bje", c, votes) + (0 if bias is None else bias)
        v = squash(s)
        steps.append((c, s, v))
        b = b + np.einsum("bnje,bje->bnj", votes, v)
    if upstream is None:
        return v

    dv, db, dvotes, dbias = upstream, np.zeros_like(b), np.zeros_like(votes), np.zeros((J, E))
    for t in reversed(range(len(steps))):
        c, s, _ = steps[t]
        ds = squash_gradient(s, dv)
        dbias += ds.sum(0)
        dvotes += c[..., None] * ds[:, None]
        if not through_all:
            break
        dc = np.einsum("bnje,bje->bnj", votes, ds)
        db = db + c * (dc - (c * dc).sum(-1, keepdims=True))
        if t > 0:
            dv = np.einsum("bnj,bnje->bje", db, votes)
            dvotes += db[..., None] * steps[t - 1][2][:, None]
    du = np.einsum("bnje,njde->bnd", dvotes, wide)
    dweight = np.einsum("bnd,bnje->njde", u, dvotes).reshape(G, N // G, J, D, E).sum(1)
    dlogits = None
    if logits is not None and iterations > 0 and through_all:
        dlogits = db if logits.ndim == 3 else db.sum(0)
    return v, du, dweight, None if bias is None else dbias, dlogits
