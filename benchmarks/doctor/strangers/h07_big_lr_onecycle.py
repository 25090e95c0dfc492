# expect: healthy
# note: batch-normed ResNet, SGD with peak lr 0.8, OneCycle stepped per batch (as it should be), warm-up from ~0 and down to ~0
import json
import leadline
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(33)


class Res(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.f = nn.Sequential(nn.Conv2d(c, c, 3, padding=1, bias=False), nn.BatchNorm2d(c), nn.ReLU(), nn.Conv2d(c, c, 3, padding=1, bias=False), nn.BatchNorm2d(c))
        nn.init.zeros_(self.f[-1].weight)  # zero-init residual, Goyal et al.

    def forward(self, x):
        return torch.relu(x + self.f(x))


model = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(), Res(16), nn.MaxPool2d(2), Res(16), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.BatchNorm1d(64), nn.Linear(64, 10))
d = load_digits()
X, Y = torch.tensor(d.images / 16, dtype=torch.float32)[:, None], torch.tensor(d.target)
p = torch.randperm(len(X))
train_loader = DataLoader(TensorDataset(X[p[:1408]], Y[p[:1408]]), batch_size=128, shuffle=True)
EPOCHS = 8
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4)
sched = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.8, epochs=EPOCHS, steps_per_epoch=len(train_loader), pct_start=0.3)
with leadline.watch(model, optimizer, loss_fn=criterion, loader=train_loader) as doctor:
    for epoch in range(EPOCHS):
        model.train()
        for x, y in train_loader:
            optimizer.zero_grad()
            loss = criterion(model(x), y)
            loss.backward()
            optimizer.step()
            sched.step()
        print(epoch, loss.item(), sched.get_last_lr())
model.eval()
with torch.no_grad():
    acc = (model(X[p[1408:]]).argmax(1) == Y[p[1408:]]).float().mean().item()
print("SCORE", acc)
print("FINDINGS", json.dumps([(f.code, f.cause, f.severity, f.confidence, f.step) for f in doctor.findings]))
