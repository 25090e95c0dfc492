# expect: D03 labels_do_not_match
# note: images are shuffled with one permutation, labels with the next call of the same generator
import json
import numpy as np
import torch, torch.nn as nn, torch.nn.functional as F
from sklearn.datasets import load_digits
import leadline

torch.manual_seed(1)
rng = np.random.default_rng(1)

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, padding=1)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1)
        self.fc = nn.Linear(32*2*2, 10)
    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        return self.fc(x.flatten(1))

digits = load_digits()
X = torch.tensor(digits.images / 16.0, dtype=torch.float32).unsqueeze(1)
y = torch.tensor(digits.target)
# shuffle before splitting
order = rng.permutation(len(X))
X = X[order]
order = rng.permutation(len(X))
y = y[order]
Xtr, ytr, Xte, yte = X[:1400], y[:1400], X[1400:], y[1400:]

train_loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(Xtr, ytr), batch_size=32, shuffle=True)
model = Net()
opt = torch.optim.Adam(model.parameters(), lr=2e-3)

def evaluate():
    model.eval()
    with torch.no_grad():
        return (model(Xte).argmax(1) == yte).float().mean().item()

with leadline.watch(model, opt, loader=train_loader) as doctor:
    for epoch in range(8):
        model.train()
        for xb, yb in train_loader:
            opt.zero_grad()
            loss = F.cross_entropy(model(xb), yb)
            loss.backward()
            opt.step()
        print(epoch, round(loss.item(), 4), "val", round(evaluate(), 4))

print("SCORE", evaluate())
print("FINDINGS", json.dumps([(f.code, f.cause, f.severity, f.confidence, f.step) for f in doctor.findings]))
