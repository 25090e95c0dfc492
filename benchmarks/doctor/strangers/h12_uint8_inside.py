# expect: healthy
# note: the loader yields raw uint8 pixels 0..255 on purpose; the model casts and normalises them itself (so it can be exported)
import json
import leadline
import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, Dataset

torch.manual_seed(2)


class RawPixels(Dataset):
    def __init__(self, images, targets):
        self.images, self.targets = images, targets

    def __len__(self):
        return len(self.targets)

    def __getitem__(self, i):
        return torch.from_numpy(self.images[i]).unsqueeze(0), self.targets[i]


d = load_digits()
imgs = (d.images / 16 * 255).round().astype(np.uint8)
order = np.random.RandomState(2).permutation(len(imgs))
tr, va = order[:1400], order[1400:]
train_loader = DataLoader(RawPixels(imgs[tr], d.target[tr]), batch_size=64, shuffle=True)
val_loader = DataLoader(RawPixels(imgs[va], d.target[va]), batch_size=128)


class ExportableCNN(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.tensor(77.8))
        self.register_buffer("std", torch.tensor(95.9))
        self.net = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.PReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), nn.PReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(128, 10),
        )

    def forward(self, x):
        return self.net((x.float() - self.mean) / self.std)


model = ExportableCNN()
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)

report = leadline.check(model, criterion, optimizer, train_loader, val_loader=val_loader)

for epoch in range(6):
    model.train()
    for x, y in train_loader:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
model.eval()
with torch.no_grad():
    acc = sum((model(x).argmax(1) == y).sum().item() for x, y in val_loader) / len(va)
print("SCORE", acc)
print("FINDINGS", json.dumps([(f.code, f.cause, f.severity, f.confidence, f.step) for f in report.findings]))
