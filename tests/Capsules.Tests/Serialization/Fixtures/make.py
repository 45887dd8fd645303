"""Makes peer.pt, the layout of gram-ai/capsule-networks at a small size with random weights, its outputs, and files of other contents.

    python3 make.py        # needs PyTorch only; PyTorch 1.13 made the files here

The routing softmax runs over the output capsules, as in the paper; gram-ai's runs over the input capsules.
"""
import collections

import torch

torch.manual_seed(7)
B, TYPES, D, J, E = 2, 3, 4, 5, 6

conv1 = torch.nn.Conv2d(1, 8, 5)
primary = [torch.nn.Conv2d(8, TYPES, 3, stride=2) for _ in range(D)]
images = torch.rand(B, 1, 12, 12)


def squash(x):
    n = (x ** 2).sum(-1, keepdim=True)
    return n / (1 + n) * x / n.sqrt()


features = torch.relu(conv1(images))
u = squash(torch.cat([conv(features).reshape(B, -1, 1) for conv in primary], dim=-1))
N = u.shape[1]
route_weights = torch.randn(J, N, D, E) * 5

priors = (u[None, :, :, None, :] @ route_weights[:, None])          # J, B, N, 1, E
logits = torch.zeros_like(priors)
for i in range(3):
    v = squash((torch.softmax(logits, dim=0) * priors).sum(2, keepdim=True))
    logits = logits + (priors * v).sum(-1, keepdim=True)
v = v.squeeze(3).squeeze(2).transpose(0, 1).contiguous()             # B, J, E

state = collections.OrderedDict()
state["conv1.weight"], state["conv1.bias"] = conv1.weight, conv1.bias
for k, conv in enumerate(primary):
    state[f"primary_capsules.capsules.{k}.weight"] = conv.weight
    state[f"primary_capsules.capsules.{k}.bias"] = conv.bias
state["digit_capsules.route_weights"] = torch.nn.Parameter(route_weights)
torch.save({"state_dict": state, "epoch": 3}, "peer.pt")
torch.save({"images": images, "expected": v.detach()}, "peer-outputs.pt")

tensors = collections.OrderedDict()
base = torch.arange(24.0).reshape(4, 6)
tensors["transposed"] = base.t()
tensors["view"] = base[1:3, 2:5]
tensors["same storage"] = base
tensors["scalar"] = torch.tensor(2.5, dtype=torch.float64)
tensors["empty"] = torch.empty(0, 3)
for name, dtype in [("int64", torch.int64), ("int32", torch.int32), ("int16", torch.int16), ("int8", torch.int8), ("uint8", torch.uint8),
                    ("float16", torch.float16), ("bfloat16", torch.bfloat16)]:
    tensors[name] = torch.tensor([1, 2, 3]).to(dtype)
tensors["bool"] = torch.tensor([True, False, True])
tensors["complex64"] = torch.tensor([1 + 2j], dtype=torch.complex64)
torch.save(tensors, "dtypes.pt")
torch.save(torch.nn.Linear(2, 3), "module.pt")
