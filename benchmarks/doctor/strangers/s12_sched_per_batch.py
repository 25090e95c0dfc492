# expect: O05 schedule_wrong
# note: ExponentialLR(gamma=0.9), meant per epoch, is stepped after every batch; lr is gone after ~50 batches
# also: O02
import json
import leadline
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(21)


class BasicBlock(nn.Module):
    def __init__(self, cin, cout, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(cin, cout, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(cout)
        self.conv2 = nn.Conv2d(cout, cout, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(cout)
        self.short = nn.Identity() if stride == 1 and cin == cout else nn.Sequential(nn.Conv2d(cin, cout, 1, stride, bias=False), nn.BatchNorm2d(cout))

    def forward(self, x):
        h = torch.relu(self.bn1(self.conv1(x)))
        return torch.relu(self.bn2(self.conv2(h)) + self.short(x))


class TinyResNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(BasicBlock(1, 12), BasicBlock(12, 24, 2), BasicBlock(24, 24))
        self.fc = nn.Linear(24, 10)

    def forward(self, x):
        return self.fc(self.body(x).mean((2, 3)))


class Trainer:
    def __init__(self, model, train_loader, val_loader, epochs):
        self.model, self.train_loader, self.val_loader, self.epochs = model, train_loader, val_loader, epochs
        self.criterion = nn.CrossEntropyLoss()
        self.optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9, weight_decay=1e-4)
        self.scheduler = torch.optim.lr_scheduler.ExponentialLR(self.optimizer, gamma=0.9)

    def train_epoch(self):
        self.model.train()
        for images, labels in self.train_loader:
            self.optimizer.zero_grad()
            loss = self.criterion(self.model(images), labels)
            loss.backward()
            self.optimizer.step()
            self.scheduler.step()
        return loss.item()

    @torch.no_grad()
    def validate(self):
        self.model.eval()
        return sum((self.model(x).argmax(1) == y).sum().item() for x, y in self.val_loader) / len(self.val_loader.dataset)

    def fit(self):
        with leadline.watch(self.model, self.optimizer, loss_fn=self.criterion, loader=self.train_loader) as doctor:
            for e in range(self.epochs):
                loss = self.train_epoch()
                self.acc = self.validate()
                print(f"epoch {e}: loss {loss:.3f} val {self.acc:.3f}")
        return doctor


d = load_digits()
X, Y = torch.tensor(d.images / 8 - 1, dtype=torch.float32)[:, None], torch.tensor(d.target)
g = torch.randperm(len(X))
tr, va = TensorDataset(X[g[:1200]], Y[g[:1200]]), TensorDataset(X[g[1200:]], Y[g[1200:]])
t = Trainer(TinyResNet(), DataLoader(tr, 48, shuffle=True), DataLoader(va, 256), epochs=6)
doctor = t.fit()
print("SCORE", t.acc)
print("FINDINGS", json.dumps([(f.code, f.cause, f.severity, f.confidence, f.step) for f in doctor.findings]))
