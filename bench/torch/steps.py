#!/usr/bin/env python3
"""Times PyTorch's float training steps of the models in lib/nn/models, for comparison with ours.

    python3 bench/torch/steps.py --threads 1 2 > torch.jsonl
    npm run bench -- step --torch torch.jsonl

Needs PyTorch (Debian: python3-torch) and nothing else. Layers, batch sizes, losses and optimizers are those of
bench/steps.ts: ESPCN x2, batch 8 of 3x64x64, MSE, Adam; CIFAR ResNet18, batch 16, and MobileNetV1, batch 32, of
3x32x32, cross-entropy, SGD with momentum. Both memory formats are timed turn by turn and the faster one counts. One
JSON object a line: model, threads, ms_median, ms_min, rounds, memory_format, both formats' medians, torch.
"""
import argparse
import json
import os
import statistics
import sys
import time

# OpenBLAS picks its kernels by the processor; a setting left over from elsewhere would slow them down.
if os.environ.pop("OPENBLAS_CORETYPE", None) is not None:
    os.execv(sys.executable, [sys.executable, *sys.argv])

try:
    import torch
    from torch import nn
    from torch.nn import functional as F
except ImportError as error:
    sys.exit(f"steps.py: {error}; install PyTorch (Debian: apt-get install python3-torch)")


class Espcn(nn.Module):
    """lib/nn/models/espcn.ts, factor 2."""

    def __init__(self, scale=2):
        super().__init__()
        self.scale = scale
        self.conv1 = nn.Conv2d(3, 64, 5, padding=2, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.conv2 = nn.Conv2d(64, 64, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(64)
        self.conv3 = nn.Conv2d(64, 32, 3, padding=1, bias=False)
        self.bn3 = nn.BatchNorm2d(32)
        self.conv4 = nn.Conv2d(32, 3, 3, padding=1)

    def forward(self, image):
        x = torch.relu(image)
        x = torch.relu(self.bn1(self.conv1(x)))
        x = torch.relu(self.bn2(self.conv2(x)))
        x = torch.relu(self.bn3(self.conv3(x)))
        return torch.relu(self.conv4(F.interpolate(x, scale_factor=self.scale, mode="nearest")))


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut."""

    def __init__(self, inner, outer, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inner, outer, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outer)
        self.conv2 = nn.Conv2d(outer, outer, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outer)
        self.downsample = nn.Sequential()
        if stride != 1 or inner != outer:
            self.downsample = nn.Sequential(
                nn.Conv2d(inner, outer, 1, stride=stride, bias=False), nn.BatchNorm2d(outer)
            )

    def forward(self, x):
        y = torch.relu(self.bn1(self.conv1(x)))
        return torch.relu(self.bn2(self.conv2(y)) + self.downsample(x))


class ResNet18(nn.Module):
    """lib/nn/models/resNet18.ts: stem of stride 1, no max-pool."""

    def __init__(self, classes=10, widths=(64, 128, 256, 512)):
        super().__init__()
        self.conv1 = nn.Conv2d(3, widths[0], 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(widths[0])
        blocks, channels = [], widths[0]
        for width in widths:
            blocks += [BasicBlock(channels, width, 1 if width == widths[0] else 2), BasicBlock(width, width, 1)]
            channels = width
        self.blocks = nn.Sequential(*blocks)
        self.fc = nn.Linear(channels, classes)

    def forward(self, image):
        x = self.blocks(torch.relu(self.bn1(self.conv1(image))))
        return self.fc(x.mean((2, 3)))


def conv_block(inner, outer, kernel, **options):
    return nn.Sequential(
        nn.Conv2d(inner, outer, kernel, padding=kernel // 2, bias=False, **options), nn.BatchNorm2d(outer), nn.ReLU()
    )


class MobileNetV1(nn.Module):
    """lib/nn/models/mobileNetV1.ts: stem of stride 1."""

    BLOCKS = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)] + [(512, 1)] * 5 + [(1024, 2), (1024, 1)]

    def __init__(self, classes=10):
        super().__init__()
        layers, channels = [conv_block(3, 32, 3)], 32
        for width, stride in self.BLOCKS:
            depthwise = conv_block(channels, channels, 3, stride=stride, groups=channels)
            layers += [depthwise, conv_block(channels, width, 1)]
            channels = width
        self.features = nn.Sequential(*layers)
        self.fc = nn.Linear(channels, classes)

    def forward(self, image):
        return self.fc(torch.relu(self.features(image).mean((2, 3))))


def make_step(name, memory_format):
    """One training step; returns the loss as a number, so that nothing can be under way afterwards."""
    torch.manual_seed(1)
    if name == "espcn":
        model, x, target = Espcn(), torch.rand(8, 3, 64, 64), torch.rand(8, 3, 128, 128)
        loss_of = F.mse_loss
    else:
        batch = 16 if name == "resnet18" else 32
        model = ResNet18() if name == "resnet18" else MobileNetV1()
        x, target = torch.rand(batch, 3, 32, 32) * 2 - 1, torch.arange(batch) % 10
        loss_of = F.cross_entropy
    model.to(memory_format=memory_format)
    x = x.contiguous(memory_format=memory_format)
    if target.dim() == 4:
        target = target.contiguous(memory_format=memory_format)
    if name == "espcn":
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
    else:
        optimizer = torch.optim.SGD(model.parameters(), lr=1e-4, momentum=0.9)

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss = loss_of(model(x), target)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


FORMATS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}
MODELS = ["espcn", "resnet18", "mobilenetv1"]


def measure(name, threads, rounds, warmup):
    torch.set_num_threads(threads)
    steps = {format_name: make_step(name, memory_format) for format_name, memory_format in FORMATS.items()}
    times = {format_name: [] for format_name in steps}
    for i in range(warmup + rounds):
        for format_name, step in steps.items():
            start = time.perf_counter()
            loss = step()
            elapsed = 1e3 * (time.perf_counter() - start)
            if loss != loss:
                sys.exit(f"steps.py: the loss of {name} is not a number")
            if i >= warmup:
                times[format_name].append(elapsed)
    medians = {format_name: statistics.median(each) for format_name, each in times.items()}
    best = min(medians, key=medians.get)
    return {
        "model": name,
        "threads": torch.get_num_threads(),
        "ms_median": round(medians[best], 2),
        "ms_min": round(min(times[best]), 2),
        "rounds": rounds,
        "memory_format": best,
        **{f"ms_{format_name}": round(median, 2) for format_name, median in medians.items()},
        "torch": torch.__version__,
    }


def positive(text):
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def main():
    parser = argparse.ArgumentParser(description="Times PyTorch's float training steps; JSON lines.")
    parser.add_argument("--threads", type=positive, nargs="+", default=[1], help="numbers of threads (default: 1)")
    parser.add_argument("--models", nargs="+", choices=MODELS, default=MODELS)
    parser.add_argument("--rounds", type=positive, default=15, help="timed steps of each memory format (default: 15)")
    parser.add_argument("--warmup", type=positive, default=3)
    options = parser.parse_args()
    for name in options.models:
        for threads in options.threads:
            print(json.dumps(measure(name, threads, options.rounds, options.warmup)), flush=True)


if __name__ == "__main__":
    main()
