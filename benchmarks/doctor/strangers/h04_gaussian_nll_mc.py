# expect: healthy
# note: heteroscedastic Gaussian NLL (goes well below zero), (mean, log_var) tuple, and MC-dropout evaluation with dropout on purpose
import json
import leadline
import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, Dataset

torch.manual_seed(17)
rng = np.random.default_rng(17)


class Sensor(Dataset):
    def __init__(self, n):
        self.t = rng.uniform(-3, 3, n).astype("float32")
        sd = 0.02 + 0.05 * np.abs(np.sin(self.t))
        self.y = (np.sin(1.5 * self.t) * 0.6 + sd * rng.standard_normal(n)).astype("float32")

    def __len__(self):
        return len(self.t)

    def __getitem__(self, i):
        return {"t": torch.tensor([self.t[i]]), "y": torch.tensor([self.y[i]])}


class MeanVar(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(1, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Dropout(0.05))
        self.mu, self.log_var = nn.Linear(64, 1), nn.Linear(64, 1)

    def forward(self, t):
        h = self.body(t)
        return self.mu(h), self.log_var(h).clamp(-10, 5)


def gaussian_nll(mu, log_var, y):
    return 0.5 * (log_var + (y - mu) ** 2 / log_var.exp()).mean()


train_set, test_set = Sensor(2000), Sensor(400)
loader = DataLoader(train_set, batch_size=64, shuffle=True)
model = MeanVar()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
T, Y = torch.tensor(test_set.t)[:, None], torch.tensor(test_set.y)[:, None]


def mc_predict(k=20):
    model.train()  # dropout stays on: Monte-Carlo samples
    with torch.no_grad():
        return torch.stack([model(T)[0] for _ in range(k)])


with leadline.watch(model, optimizer, loader=loader) as doctor:
    for epoch in range(25):
        model.train()
        for batch in loader:
            optimizer.zero_grad()
            loss = gaussian_nll(*model(batch["t"]), batch["y"])
            loss.backward()
            optimizer.step()
        if epoch % 6 == 0:
            mu = mc_predict().mean(0)
            print(epoch, "nll", round(loss.item(), 3), "rmse", ((mu - Y) ** 2).mean().sqrt().item())

mu = mc_predict().mean(0)
print("SCORE", 1 - (((mu - Y) ** 2).mean() / Y.var()).item())
print("FINDINGS", json.dumps([(f.code, f.cause, f.severity, f.confidence, f.step) for f in doctor.findings]))
