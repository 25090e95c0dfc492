# expect: L04 broadcast_of_target
# note: hand-written ((pred - target)**2).mean() with pred (B,1) and target (B,), so (B,B)
import json
import numpy as np
import torch
from sklearn.datasets import make_friedman1
import leadline

np.random.seed(0); torch.manual_seed(0)
X, y = make_friedman1(n_samples=1500, n_features=10, noise=1.0, random_state=0)
X = (X - X.mean(0)) / X.std(0)
y = (y - y.mean()) / y.std()
X = torch.tensor(X).float(); y = torch.tensor(y).float()
Xtr, Xte, ytr, yte = X[:1200], X[1200:], y[:1200], y[1200:]

def mse(pred, target):
    return ((pred - target) ** 2).mean()

class Regressor(torch.nn.Module):
    def __init__(self, d, h=64):
        super().__init__()
        self.w1 = torch.nn.Parameter(torch.randn(d, h) / d ** 0.5)
        self.b1 = torch.nn.Parameter(torch.zeros(h))
        self.w2 = torch.nn.Parameter(torch.randn(h, h) / h ** 0.5)
        self.b2 = torch.nn.Parameter(torch.zeros(h))
        self.head = torch.nn.Linear(h, 1)
    def forward(self, x):
        x = torch.tanh(x @ self.w1 + self.b1)
        x = torch.tanh(x @ self.w2 + self.b2)
        return self.head(x)

net = Regressor(10)
opt = torch.optim.Adam(net.parameters(), lr=5e-3)

with leadline.watch(net, opt) as doctor:
    for ep in range(30):
        p = torch.randperm(1200)
        for k in range(0, 1200, 50):
            b = p[k:k + 50]
            opt.zero_grad()
            loss = mse(net(Xtr[b]), ytr[b])
            loss.backward()
            opt.step()
        if ep % 10 == 0:
            print(ep, loss.item())

with torch.no_grad():
    pred = net(Xte).squeeze(1)
r2 = 1 - ((pred - yte) ** 2).sum() / ((yte - yte.mean()) ** 2).sum()
print("SCORE", r2.item())
print("FINDINGS", json.dumps([(f.code, f.cause, f.severity, f.confidence, f.step) for f in doctor.findings]))
