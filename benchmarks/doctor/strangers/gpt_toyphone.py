# expect: M12 missing_causal_mask
# note: masked_fill result is not assigned, so the char-GPT sees the next token; HF-style model returning dict with its own loss
import json
import math
import random

import torch
import torch.nn as nn
import torch.nn.functional as F

import leadline

torch.manual_seed(1337)
random.seed(1337)

# ---- data: made-up phone-book lines -----------------------------------------
FIRST = ["anna", "boris", "carla", "dmitri", "elena", "farid", "gwen", "hugo"]
STREET = ["oak", "elm", "mill", "lake", "hill", "park"]


def line():
    n = random.choice(FIRST)
    s = random.choice(STREET)
    num = random.randint(10, 99)
    return f"{n} lives at {num} {s} road, call {num}{len(n)}{len(s)};"


text = "".join(line() for _ in range(1500))
chars = sorted(set(text))
stoi = {c: i for i, c in enumerate(chars)}
data = torch.tensor([stoi[c] for c in text])
split = int(0.9 * len(data))
train_data, val_data = data[:split], data[split:]
block_size, batch_size, n_embd, n_head, n_layer = 48, 24, 48, 4, 2


def get_batch(which):
    d = train_data if which == "train" else val_data
    ix = torch.randint(len(d) - block_size - 1, (batch_size,))
    x = torch.stack([d[i : i + block_size] for i in ix])
    y = torch.stack([d[i + 1 : i + 1 + block_size] for i in ix])
    return {"input_ids": x, "labels": y}


class CausalSelfAttention(nn.Module):
    def __init__(self):
        super().__init__()
        self.c_attn = nn.Linear(n_embd, 3 * n_embd)
        self.c_proj = nn.Linear(n_embd, n_embd)
        self.register_buffer("bias", torch.tril(torch.ones(block_size, block_size)).view(1, 1, block_size, block_size))

    def forward(self, x):
        B, T, C = x.size()
        q, k, v = self.c_attn(x).split(n_embd, dim=2)
        k = k.view(B, T, n_head, C // n_head).transpose(1, 2)
        q = q.view(B, T, n_head, C // n_head).transpose(1, 2)
        v = v.view(B, T, n_head, C // n_head).transpose(1, 2)
        att = (q @ k.transpose(-2, -1)) * (1.0 / math.sqrt(k.size(-1)))
        att.masked_fill(self.bias[:, :, :T, :T] == 0, float("-inf"))
        att = F.softmax(att, dim=-1)
        y = (att @ v).transpose(1, 2).contiguous().view(B, T, C)
        return self.c_proj(y)


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(n_embd), nn.LayerNorm(n_embd)
        self.attn = CausalSelfAttention()
        self.mlp = nn.Sequential(nn.Linear(n_embd, 4 * n_embd), nn.GELU(), nn.Linear(4 * n_embd, n_embd))

    def forward(self, x):
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


class MiniGPT(nn.Module):
    def __init__(self, vocab):
        super().__init__()
        self.wte = nn.Embedding(vocab, n_embd)
        self.wpe = nn.Embedding(block_size, n_embd)
        self.h = nn.ModuleList([Block() for _ in range(n_layer)])
        self.ln_f = nn.LayerNorm(n_embd)
        self.lm_head = nn.Linear(n_embd, vocab, bias=False)

    def forward(self, input_ids, labels=None):
        T = input_ids.shape[1]
        x = self.wte(input_ids) + self.wpe(torch.arange(T))
        for b in self.h:
            x = b(x)
        logits = self.lm_head(self.ln_f(x))
        loss = None
        if labels is not None:
            loss = F.cross_entropy(logits.view(-1, logits.size(-1)), labels.view(-1))
        return {"loss": loss, "logits": logits}


model = MiniGPT(len(chars))
optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, betas=(0.9, 0.95), weight_decay=0.1)

with leadline.watch(model, optimizer) as doctor:
    for it in range(300):
        batch = get_batch("train")
        outputs = model(**batch)
        loss = outputs["loss"]
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if it % 100 == 0:
            print(f"iter {it}: loss {loss.item():.4f}")

# real use: the next character from the prefix only
model.eval()
hit = n = 0
with torch.no_grad():
    for _ in range(3):
        b = get_batch("val")
        for t in range(8, block_size, 5):
            lg = model(b["input_ids"][:, : t + 1])["logits"][:, -1]
            hit += (lg.argmax(-1) == b["labels"][:, t]).sum().item()
            n += batch_size
print(f"SCORE next-char-accuracy {hit / n:.3f} (train loss {loss.item():.3f})")
print("FINDINGS", json.dumps([(f.code, f.cause, f.severity, f.confidence, f.step) for f in doctor.findings]))
