# expect: healthy
# note: LoRA done right (A random, B zero: A's first gradients are exactly 0) on a frozen transformer, bf16 autocast, linear decay to 0
import json
import math

import torch
import torch.nn as nn
import torch.nn.functional as F

import leadline

torch.manual_seed(4)
V, T, D = 20, 12, 32


def task_a(n):  # does the sequence hold more small ids than big ids
    x = torch.randint(0, V, (n, T))
    return x, (x < V // 2).float().mean(1).gt(0.5).long()


def task_b(n):  # new task: is the most frequent parity even
    x = torch.randint(0, V, (n, T))
    return x, (x % 2 == 0).float().mean(1).gt(0.5).long()


class LoRA(nn.Module):
    def __init__(self, lin, r=8):
        super().__init__()
        self.lin = lin.requires_grad_(False)
        self.A = nn.Parameter(torch.empty(r, lin.in_features))
        self.B = nn.Parameter(torch.zeros(lin.out_features, r))
        nn.init.kaiming_uniform_(self.A, a=math.sqrt(5))

    def forward(self, x):
        return self.lin(x) + 2.0 * F.linear(F.linear(x, self.A), self.B)


class Attn(nn.Module):
    def __init__(self):
        super().__init__()
        self.q_proj, self.k_proj = nn.Linear(D, D), nn.Linear(D, D)
        self.v_proj, self.o_proj = nn.Linear(D, D), nn.Linear(D, D)

    def forward(self, x):
        h = lambda t: t.view(len(x), T, 4, D // 4).transpose(1, 2)  # noqa: E731
        y = F.scaled_dot_product_attention(h(self.q_proj(x)), h(self.k_proj(x)), h(self.v_proj(x)))
        return self.o_proj(y.transpose(1, 2).reshape(len(x), T, D))


class Enc(nn.Module):
    def __init__(self):
        super().__init__()
        self.tok = nn.Embedding(V, D)
        self.attn = nn.ModuleList([Attn() for _ in range(2)])
        self.up = nn.ModuleList([nn.Linear(D, 64) for _ in range(2)])
        self.down = nn.ModuleList([nn.Linear(64, D) for _ in range(2)])
        self.norm = nn.LayerNorm(D)
        self.score = nn.Linear(D, 2)

    def forward(self, input_ids, labels=None):
        h = self.tok(input_ids)
        for a, u, d in zip(self.attn, self.up, self.down):
            h = h + a(F.layer_norm(h, (D,)))
            h = h + d(F.silu(u(F.layer_norm(h, (D,)))))
        logits = self.score(self.norm(h).mean(1))
        return (F.cross_entropy(logits, labels), logits) if labels is not None else (logits,)


model = Enc()
opt = torch.optim.AdamW(model.parameters(), 3e-3)
for _ in range(150):
    x, y = task_a(64)
    loss, _ = model(x, y)
    opt.zero_grad()
    loss.backward()
    opt.step()
print("pretrained loss", loss.item())

model.requires_grad_(False)
for a in model.attn:
    a.q_proj, a.v_proj = LoRA(a.q_proj), LoRA(a.v_proj)
for i in range(2):
    model.up[i], model.down[i] = LoRA(model.up[i]), LoRA(model.down[i])
for p in model.score.parameters():
    p.requires_grad = True
params = [p for p in model.parameters() if p.requires_grad]
print("trainable", sum(p.numel() for p in params), "of", sum(p.numel() for p in model.parameters()))
opt = torch.optim.AdamW(params, lr=8e-3, weight_decay=0.0)
steps = 250
sched = torch.optim.lr_scheduler.LambdaLR(opt, lambda s: max(0.0, 1 - s / steps))

with leadline.watch(model, opt) as doctor:
    for s in range(steps):
        x, y = task_b(64)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss, logits = model(x, labels=y)
        loss.backward()
        opt.step()
        sched.step()
        opt.zero_grad()

model.eval()
x, y = task_b(1000)
print(f"SCORE task-b acc {(model(x)[0].argmax(1) == y).float().mean():.3f}")
print("FINDINGS", json.dumps([(f.code, f.cause, f.severity, f.confidence, f.step) for f in doctor.findings]))
