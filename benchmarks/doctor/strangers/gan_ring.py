# expect: healthy
# note: WGAN-GP on a ring of gaussians: two optimizers, 3 critic steps per generator step, negative unbounded critic loss, double backward
import json
import math

import torch
from torch import autograd, nn, optim

import leadline

torch.manual_seed(0)


def real_batch(n):
    k = torch.randint(0, 8, (n,)) * (2 * math.pi / 8)
    return torch.stack([k.cos(), k.sin()], 1) * 2 + 0.05 * torch.randn(n, 2)


def mlp(i, o):
    return nn.Sequential(nn.Linear(i, 64), nn.ReLU(True), nn.Linear(64, 64), nn.ReLU(True), nn.Linear(64, o))


class Critic(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = mlp(2, 1)

    def forward(self, x):
        return self.net(x).view(-1)


def gradient_penalty(netD, real, fake):
    eps = torch.rand(len(real), 1)
    mid = (eps * real + (1 - eps) * fake).requires_grad_(True)
    g = autograd.grad(netD(mid).sum(), mid, create_graph=True)[0]
    return ((g.norm(2, dim=1) - 1) ** 2).mean()


netG, netD = mlp(4, 2), Critic()
optG = optim.Adam(netG.parameters(), lr=1e-3, betas=(0.5, 0.9))
optD = optim.Adam(netD.parameters(), lr=1e-3, betas=(0.5, 0.9))
docG = leadline.watch(netG, optG)
docD = leadline.watch(netD, optD)
docG.start()
docD.start()
for it in range(600):
    for p in netD.parameters():
        p.requires_grad = True
    for _ in range(3):
        real = real_batch(128)
        fake = netG(torch.randn(128, 4)).detach()
        netD.zero_grad()
        loss_d = netD(fake).mean() - netD(real).mean() + 1.0 * gradient_penalty(netD, real, fake)
        loss_d.backward()
        optD.step()
    for p in netD.parameters():
        p.requires_grad = False
    netG.zero_grad()
    loss_g = -netD(netG(torch.randn(128, 4))).mean()
    loss_g.backward()
    optG.step()
    if it % 200 == 199:
        print(f"{it + 1} D {loss_d.item():.3f} G {loss_g.item():.3f}")
docD.stop()
docG.stop()
with torch.no_grad():
    s = netG(torch.randn(2000, 4))
    a = torch.arange(8) * (2 * math.pi / 8)
    c = torch.stack([a.cos(), a.sin()], 1) * 2
    d = torch.cdist(s, c)
    near = d.min(1)
    share = torch.bincount(near.indices[near.values < 0.5], minlength=8) / 2000
print(f"SCORE modes {(share > 0.03).sum().item()}/8, mean distance {near.values.mean():.3f} radius {s.norm(dim=1).mean():.2f}")
print("FINDINGS", json.dumps([(f.code, f.cause, f.severity, f.confidence, f.step) for f in docG.findings + docD.findings]))
