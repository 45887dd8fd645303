"""Makes peers/*.safetensors: small networks in the layouts of other implementations with random weights, and what they give.

    python3 peers.py        # needs PyTorch only; PyTorch 1.13 made the files here

Each function below is one implementation's network, written anew from its state dict and the order of its operations: names, shapes
and orders of axes are its own, sizes are small. In gram-ai and leftthomas the softmax runs over the output capsules, as in the paper;
theirs runs over the input capsules.
"""
import json
import struct

import torch
from torch.nn.functional import conv2d, linear, relu

torch.manual_seed(11)
B, C, SIZE, F, T, D, J, E, HIDDEN = 2, 1, 10, 6, 3, 4, 5, 6, (7, 9)
H = W = 3                                    # 10 -> 8 by a 3 x 3 kernel, 8 -> 3 by another with stride 2
N = T * H * W
images = torch.rand(B, C, SIZE, SIZE)


def save_safetensors(path, arrays):
    header, data = {}, b""
    for name, array in arrays.items():
        raw = array.astype("<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": array.shape, "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


def squash(x, eps=0.0):
    n = (x ** 2).sum(-1, keepdim=True)
    return n / (1 + n) * x / (n + eps).sqrt()


def route(votes, bias=0.0, eps=0.0):         # votes (B, N, J, E), softmax over J
    logits = torch.zeros(votes.shape[:-1])
    for _ in range(3):
        v = squash((torch.softmax(logits, 2)[..., None] * votes).sum(1) + bias, eps)
        logits = logits + (votes * v[:, None]).sum(-1)
    return v                                 # (B, J, E)


def decode(v, layers):                       # the longest capsule, through three layers
    keep = torch.nn.functional.one_hot(v.norm(dim=-1).argmax(1), J)[..., None]
    x = (v * keep).flatten(1)
    for i, (weight, bias) in enumerate(layers):
        x = linear(x, weight, bias)
        x = relu(x) if i < 2 else torch.sigmoid(x)
    return x.reshape(B, C, SIZE, SIZE)


def randn(*shape, scale=0.4):
    return torch.randn(*shape) * scale


def decoder():
    widths = (J * E, *HIDDEN, C * SIZE * SIZE)
    return [(randn(o, i), randn(o)) for i, o in zip(widths, widths[1:])]


def of_pytorch_decoder(layers):              # nn.Sequential with activations between
    return {f"decoder.{2 * i}.{kind}": p for i, pair in enumerate(layers) for kind, p in zip(("weight", "bias"), pair)}


def gram_ai(transposed=False):
    conv1, caps, layers = (randn(F, C, 3, 3), randn(F)), [(randn(T, F, 3, 3), randn(T)) for _ in range(D)], decoder()
    w = randn(J, N, E, D, scale=0.5) if transposed else randn(J, N, D, E, scale=0.5)
    x = relu(conv2d(images, *conv1))
    u = squash(torch.cat([conv2d(x, *c, stride=2).reshape(B, -1, 1) for c in caps], -1))
    v = route(torch.einsum("bnd,jned->bnje" if transposed else "bnd,jnde->bnje", u, w))
    state = {"conv1.weight": conv1[0], "conv1.bias": conv1[1], "digit_capsules.route_weights": w, **of_pytorch_decoder(layers)}
    for d, (weight, bias) in enumerate(caps):
        state[f"primary_capsules.capsules.{d}.weight"], state[f"primary_capsules.capsules.{d}.bias"] = weight, bias
    return state, v, decode(v, layers)


def leftthomas():
    return gram_ai(transposed=True)


def capsnet_pytorch():
    conv1, primary, layers = (randn(F, C, 3, 3), randn(F)), (randn(T * D, F, 3, 3), randn(T * D)), decoder()
    w = randn(J, N, E, D, scale=0.5)
    u = squash(conv2d(relu(conv2d(images, *conv1)), *primary, stride=2).reshape(B, -1, D))      # cuts the maps as they lie
    v = route(torch.einsum("bnd,jned->bnje", u, w))
    return {"conv1.weight": conv1[0], "conv1.bias": conv1[1], "primarycaps.conv2d.weight": primary[0], "primarycaps.conv2d.bias": primary[1],
            "digitcaps.weight": w, **of_pytorch_decoder(layers)}, v, decode(v, layers)


def capsnet_keras():                         # channels last; kernels (h, w, in, out) and (in, out)
    conv1, primary, layers = (randn(3, 3, C, F), randn(F)), (randn(3, 3, F, T * D), randn(T * D)), decoder()
    w = randn(J, N, E, D, scale=0.5)
    x = relu(conv2d(images, conv1[0].permute(3, 2, 0, 1), conv1[1]))
    maps = conv2d(x, primary[0].permute(3, 2, 0, 1), primary[1], stride=2).permute(0, 2, 3, 1)
    v = route(torch.einsum("bnd,jned->bnje", squash(maps.reshape(B, -1, D), 1e-7), w), eps=1e-7)
    state = {"conv1.0": conv1[0], "conv1.1": conv1[1], "primarycap_conv2d.0": primary[0], "primarycap_conv2d.1": primary[1], "digitcaps.0": w}
    for i, (weight, bias) in enumerate(layers):
        state[f"decoder.{2 * i}"], state[f"decoder.{2 * i + 1}"] = weight.t(), bias
    return state, v, decode(v, layers)


def official_tensorflow():                   # the 2017 authors'
    conv1, primary, layers = (randn(3, 3, C, F), randn(F)), (randn(3, 3, F, T * D, scale=2), randn(T, D, 1, 1)), decoder()
    w, bias = randn(N, D, J * E, scale=0.5), randn(J, E)
    x = relu(conv2d(images, conv1[0].permute(3, 2, 0, 1), conv1[1]))
    maps = conv2d(x, primary[0].permute(3, 2, 0, 1), stride=2).reshape(B, T, D, H, W) / T + primary[1]
    u = squash(maps.permute(0, 1, 3, 4, 2).reshape(B, N, D))
    v = route((u[..., None] * w).sum(2).reshape(B, N, J, E), bias)
    state = {"conv1.weights": conv1[0], "conv1.biases": conv1[1], "conv_capsule1.weights": primary[0], "conv_capsule1.biases": primary[1],
             "capsule2.weights": w, "capsule2.biases": bias}
    for i, (weight, b) in enumerate(layers):
        state[f"recons.recons_{i + 1}.weights"], state[f"recons.recons_{i + 1}.biases"] = weight.t(), b
    return state, v, decode(v, layers)


outputs = {"images": images}
for network in (gram_ai, leftthomas, capsnet_pytorch, capsnet_keras, official_tensorflow):
    name = network.__name__.replace("_", "-")
    state, outputs[f"{name}.capsules"], outputs[f"{name}.reconstructions"] = network()
    save_safetensors(f"peers/{name}.safetensors", {key: value.numpy() for key, value in state.items()})
save_safetensors("peers/outputs.safetensors", {key: value.contiguous().numpy() for key, value in outputs.items()})
