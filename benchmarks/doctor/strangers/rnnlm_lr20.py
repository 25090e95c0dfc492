# expect: healthy
# note: classic word_language_model recipe: plain SGD with lr=20, clip 0.25, truncated BPTT, hidden state carried (detached) across batches, no shuffling, lr/4 on plateau
import json
import math

import torch
import torch.nn as nn

import leadline

torch.manual_seed(1111)
# corpus: a 2nd-order Markov language with 40 words
V = 40
g = torch.Generator().manual_seed(0)
succ = torch.randint(0, V, (V, V, 2), generator=g)
succ = succ[:, torch.arange(V) % 4]  # second word matters through its group only
toks = [0, 1]
flip = torch.rand(30000, generator=g)
for i in range(30000):
    toks.append(int(succ[toks[-1], toks[-2], int(flip[i] < 0.25)]))
corpus = torch.tensor(toks)


def batchify(data, bsz):
    nbatch = data.size(0) // bsz
    return data.narrow(0, 0, nbatch * bsz).view(bsz, -1).t().contiguous()


train_data, val_data = batchify(corpus[:27000], 20), batchify(corpus[27000:], 10)
bptt = 15


class RNNModel(nn.Module):
    def __init__(self, ntoken, ninp=48, nhid=48, dropout=0.1):
        super().__init__()
        self.drop = nn.Dropout(dropout)
        self.encoder = nn.Embedding(ntoken, ninp)
        self.rnn = nn.LSTM(ninp, nhid)
        self.decoder = nn.Linear(nhid, ntoken)
        self.decoder.weight = self.encoder.weight
        nn.init.uniform_(self.encoder.weight, -0.1, 0.1)
        nn.init.zeros_(self.decoder.bias)
        self.nhid = nhid

    def forward(self, inp, hidden):
        out, hidden = self.rnn(self.drop(self.encoder(inp)), hidden)
        return self.decoder(self.drop(out)).view(-1, V), hidden

    def init_hidden(self, bsz):
        w = next(self.parameters())
        return (w.new_zeros(1, bsz, self.nhid), w.new_zeros(1, bsz, self.nhid))


def repackage_hidden(h):
    return h.detach() if isinstance(h, torch.Tensor) else tuple(repackage_hidden(v) for v in h)


def get_batch(source, i):
    n = min(bptt, len(source) - 1 - i)
    return source[i : i + n], source[i + 1 : i + 1 + n].reshape(-1)


model = RNNModel(V)
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=20)


def evaluate():
    model.eval()
    h, tot = model.init_hidden(10), 0.0
    with torch.no_grad():
        for i in range(0, len(val_data) - 1, bptt):
            x, y = get_batch(val_data, i)
            o, h = model(x, h)
            tot += len(x) * criterion(o, y).item()
    return tot / (len(val_data) - 1)


best = None
with leadline.watch(model, optimizer, loss_fn=criterion) as doctor:
    for epoch in range(1, 7):
        model.train()
        hidden = model.init_hidden(20)
        for i in range(0, train_data.size(0) - 1, bptt):
            data, targets = get_batch(train_data, i)
            model.zero_grad()
            hidden = repackage_hidden(hidden)
            output, hidden = model(data, hidden)
            loss = criterion(output, targets)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 0.25)
            optimizer.step()
        val = evaluate()
        print(f"| end of epoch {epoch} | valid loss {val:.2f} | valid ppl {math.exp(val):.2f}")
        if best is None or val < best:
            best = val
        else:
            for group in optimizer.param_groups:
                group["lr"] /= 4.0
print(f"SCORE val-ppl {math.exp(best):.2f} (unigram about {V}, entropy floor {math.exp(0.5623):.2f})")
print("FINDINGS", json.dumps([(f.code, f.cause, f.severity, f.confidence, f.step) for f in doctor.findings]))
