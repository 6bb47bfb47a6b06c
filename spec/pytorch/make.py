"""Writes cases.jsonl beside this file: what PyTorch makes of small inputs, in float64, and its gradients.

python3 spec/pytorch/make.py (PyTorch 1.13.1 made the file that is here)
"""

import json
import pathlib
import random

import torch
import torch.nn.functional as F

INF = float("inf")
torch.set_default_dtype(torch.float64)
random.seed(0)
lines = []


def drawn(*shape, low=-2.0, high=2.0):
    """Numbers of three decimals, all different, so that maxima are unique."""
    size = 1
    for extent in shape:
        size *= extent
    numbers = random.sample(range(int(low * 1000), int(high * 1000)), size)
    return torch.tensor([n / 1000 for n in numbers]).reshape(shape)


def text(number):
    """JSON has neither infinities nor NaN."""
    return number if abs(number) < INF else str(number)


def array(x):
    return {"shape": list(x.shape), "data": [text(float(f"{n:.13g}")) for n in x.reshape(-1).tolist()]}


def case(name, fn, inputs, args=None):
    """`fn` of the inputs; `args` is what our function of that name is told beyond them."""
    leaves = [x.clone().requires_grad_() for x in inputs]
    y = fn(*leaves)
    line = {"name": name, "inputs": [array(x) for x in inputs], "args": args or {}, "y": array(y.detach())}
    if y.requires_grad:
        upstream = drawn(*y.shape)
        line["upstream"] = array(upstream)
        grads = torch.autograd.grad(y, leaves, upstream, allow_unused=True)
        line["grads"] = [None if g is None else array(g) for g in grads]
    lines.append(json.dumps(line, separators=(",", ":")))


for axis in (0, 1, -1):
    for x in (drawn(2, 3, 2), torch.tensor([[2.0, -INF, 1.0], [0.5, 3.0, -1.0]])):
        case("softmax", lambda v: F.softmax(v, axis), [x], {"axis": axis})
    case("logSoftmax", lambda v: F.log_softmax(v, axis), [drawn(2, 3, 2)], {"axis": axis})
    case("argmax", lambda v: torch.argmax(v, axis).double(), [drawn(3, 4, 2)], {"axis": axis})
    case("stack", lambda a, b: torch.stack([a, b], axis), [drawn(2, 3), drawn(2, 3)], {"axis": axis})
case("argmax", lambda v: torch.argmax(v).double(), [drawn(3, 4, 2)])
case("argmax", lambda v: torch.argmax(v, 1, keepdim=True).double(), [drawn(2, 3)], {"axis": 1, "keepDims": True})

edges = torch.tensor([-6.0, -2.5, -1.0, -0.4, 0.0, 0.3, 0.5, 1.0, 3.0, 6.0])
case("erf", torch.erf, [edges])
case("silu", F.silu, [edges])
case("gelu", F.gelu, [edges], {"approximate": "none"})
case("gelu", lambda v: F.gelu(v, approximate="tanh"), [edges], {"approximate": "tanh"})

for exponent in (2, 3, -1, -2, 0, 1, 0.5, 1.7, -0.3):
    case("pow", lambda v: v**exponent, [drawn(2, 3, low=0.2)], {"exponent": exponent})
for exponent in (2, 3, -1, 0):
    case("pow", lambda v: v**exponent, [drawn(2, 3)], {"exponent": exponent})
case("pow", torch.pow, [drawn(2, 3, low=0.2), drawn(3)])
case("pow", torch.pow, [torch.tensor([0.0, 0.0, 4.0]), torch.tensor([0.0, 2.0, 0.5])])

case("pad", lambda v: F.pad(v, (1, 2), value=3.0), [drawn(2, 2)], {"padding": [[0, 0], [1, 2]], "value": 3})
case("pad", lambda v: F.pad(v, (0, 1, 2, 0, 1, 1)), [drawn(2, 2, 1)], {"padding": [[1, 1], [2, 0], [0, 1]]})
for sizes, axis in ([1, 3, 2], 1), ([2, 0], 0):
    for part in range(len(sizes)):
        args = {"parts": sizes, "axis": axis, "part": part}
        case("split", lambda v: torch.split(v, sizes, axis)[part], [drawn(2, 6)], args)
case("split", lambda v: torch.chunk(v, 3, 1)[1], [drawn(2, 6)], {"parts": 3, "axis": 1, "part": 1})

for a, b in [([3], [3]), ([3], [3, 2]), ([2, 3], [3]), ([4, 2, 3], [3]), ([3], [4, 3, 2]), ([2, 1, 2, 3], [4, 3, 2])]:
    case("matmul", torch.matmul, [drawn(*a), drawn(*b)])

for shape in ([4], [3, 4]):
    args = {"shape": shape}
    case("layerNorm", lambda v: F.layer_norm(v, shape), [drawn(2, 3, 4)], args)
    inputs = [drawn(2, 3, 4), drawn(*shape), drawn(*shape)]
    case("layerNorm", lambda v, w, b: F.layer_norm(v, shape, w, b, 1e-2), inputs, {**args, "epsilon": 1e-2})

for options in (
    {},
    {"stride": 2, "padding": 1},
    {"dilation": 2, "padding": 2},
    {"padding": "same", "dilation": 3},
    {"padding": "valid"},
):
    inputs = [drawn(2, 2, 7), drawn(4, 2, 2), drawn(4)]
    case("conv1d", lambda v, w, b: F.conv1d(v, w, b, **options), inputs, options)
inputs = [drawn(1, 4, 5), drawn(2, 2, 3)]
case("conv1d", lambda v, w: F.conv1d(v, w, groups=2), inputs, {"groups": 2})
case("conv1d", lambda v, w: F.conv1d(F.pad(v, (2, 0)), w), [drawn(1, 1, 5), drawn(1, 1, 3)], {"padding": [2, 0]})

for kernel, options in (
    ([3, 3], {"padding": "same"}),
    ([2, 4], {"padding": "same"}),
    ([2, 2], {"padding": "same", "dilation": [1, 3]}),
    ([3, 3], {"padding": "same", "groups": 2}),
    ([2, 2], {"padding": "valid", "stride": 2}),
):
    inputs = [drawn(1, 2, 4, 5), drawn(2, 2 // options.get("groups", 1), *kernel)]
    case("conv2d", lambda v, w: F.conv2d(v, w, **options), inputs, options)
for (top, bottom), (left, right) in ((0, 1), (0, 1)), ((2, 0), (1, 3)), ((1, 1), (2, 0)):
    case(
        "conv2d",
        lambda v, w: F.conv2d(F.pad(v, (left, right, top, bottom)), w, stride=2),
        [drawn(1, 2, 4, 5), drawn(2, 2, 3, 2)],
        {"padding": [[top, bottom], [left, right]], "stride": 2},
    )

windows = (
    {"kernel": 2},
    {"kernel": 2, "ceilMode": True},
    {"kernel": 3, "stride": 2, "padding": 1, "ceilMode": True},
    {"kernel": [2, 3], "stride": [3, 2], "padding": [1, 1], "ceilMode": True},
    {"kernel": 3, "stride": 1, "padding": 1},
    {"kernel": 2, "stride": 4, "padding": 1, "ceilMode": True},
)


def renamed(options):
    names = {"kernel": "kernel_size", "ceilMode": "ceil_mode", "countIncludePad": "count_include_pad"}
    return {names.get(name, name): value for name, value in options.items()}


dilated = ({"kernel": 2, "dilation": 2, "stride": 1}, {"kernel": 2, "dilation": [1, 3], "ceilMode": True})
for options in (*windows, *dilated):
    case("maxPool2d", lambda v: F.max_pool2d(v, **renamed(options)), [drawn(1, 2, 5, 6)], options)
for options in windows:
    for counted in ({}, {"countIncludePad": False}):
        both = {**options, **counted}
        case("avgPool2d", lambda v: F.avg_pool2d(v, **renamed(both)), [drawn(1, 2, 5, 6)], both)

for factor in ([2, 3], [1, 2], [3, 1], 2):
    scale = tuple(map(float, factor)) if isinstance(factor, list) else factor
    case("upsampleNearest", lambda v: F.interpolate(v, scale_factor=scale), [drawn(1, 2, 2, 2)], {"factor": factor})

weight = [0.5, 2.0, 1.0]
settings = (
    {},
    {"weight": weight},
    {"ignoreIndex": 1},
    {"labelSmoothing": 0.2},
    {"weight": weight, "ignoreIndex": 2, "labelSmoothing": 0.1},
)


def entropy(target, options, reduction):
    options = dict(options)
    if "weight" in options:
        options["weight"] = torch.tensor(options["weight"])
    names = {"ignoreIndex": "ignore_index", "labelSmoothing": "label_smoothing"}
    given = {names.get(name, name): value for name, value in options.items()}
    return lambda v: F.cross_entropy(v, target, reduction=reduction, **given)


for reduction in ("mean", "sum", "none"):
    for options in settings:
        for shape, labels in ([4, 3], [0, 2, 1, 1]), ([2, 3, 1, 2], [2, 1, 0, 0]):
            target = torch.tensor(labels).reshape([shape[0], *shape[2:]])
            args = {**options, "reduction": reduction, "labels": labels}
            case("crossEntropy", entropy(target, options, reduction), [drawn(*shape)], args)
        if "ignoreIndex" not in options:
            for shape in [3, 3], [2, 3, 2]:
                target = F.softmax(drawn(*shape), 1)
                args = {**options, "reduction": reduction, "probabilities": array(target)}
                case("crossEntropy", entropy(target, options, reduction), [drawn(*shape)], args)
    for a, b in ([2, 3], [2, 3]), ([2, 1], [3]):
        inputs = [drawn(*a), drawn(*b)]
        case("mse", lambda v, w: F.mse_loss(v, w, reduction=reduction), inputs, {"reduction": reduction})
masked = torch.tensor([[2.0, -INF, 1.0], [-INF, 0.0, -INF]])
case("crossEntropy", entropy(torch.tensor([0, 1]), {}, "mean"), [masked], {"labels": [0, 1]})

for norm in (1.0, 2.0, 3.0, INF):
    for most in (0.5, 100.0):
        grads = [drawn(2, 3), drawn(4)]
        parameters = [torch.zeros(g.shape, requires_grad=True) for g in grads]
        for parameter, grad in zip(parameters, grads):
            parameter.grad = grad.clone()
        total = torch.nn.utils.clip_grad_norm_(parameters, most, norm)
        got = torch.cat([total.reshape(1), *[p.grad.reshape(-1) for p in parameters]])
        args = {"normType": text(norm), "maxNorm": most}
        line = {"name": "clipGradNorm", "inputs": [array(g) for g in grads], "args": args, "y": array(got)}
        lines.append(json.dumps(line))

for kind, options in (
    ("Adam", {"amsgrad": True}),
    ("Adam", {"amsgrad": True, "weight_decay": 0.1, "maximize": True}),
    ("AdamW", {"amsgrad": True, "weight_decay": 0.1}),
    ("AdamW", {"maximize": True}),
    ("SGD", {"maximize": True, "momentum": 0.9, "weight_decay": 0.1}),
    ("SGD", {"maximize": True}),
):
    start, grads = drawn(5), [drawn(5) * scale for scale in (1, 5, 0.1, 0.2, 1)]
    parameter = start.clone().requires_grad_()
    optimizer = getattr(torch.optim, kind)([parameter], lr=0.05, **options)
    for grad in grads:
        parameter.grad = grad.clone()
        optimizer.step()
    ours = {{"weight_decay": "weightDecay"}.get(name, name): value for name, value in options.items()}
    line = {"name": kind, "inputs": [array(start), *map(array, grads)], "args": ours, "y": array(parameter.detach())}
    lines.append(json.dumps(line))

pathlib.Path(__file__).with_name("cases.jsonl").write_text("\n".join(lines) + "\n")
