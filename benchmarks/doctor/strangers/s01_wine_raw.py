# expect: D01 input_scale
# note: wine chemistry columns go in raw (proline is ~750, hue ~1); plain SGD on an MLP never gets going
# also: O01
import json

import leadline
import torch
import torch.nn as nn
from sklearn.datasets import load_wine
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(42)

data = load_wine()
X_train, X_test, y_train, y_test = train_test_split(
    data.data, data.target, test_size=0.3, random_state=42, stratify=data.target
)
sc = StandardScaler()
sc.fit(X_train)
X_train, X_test = X_train, X_test

train_ds = TensorDataset(torch.tensor(X_train, dtype=torch.float32), torch.tensor(y_train))
train_loader = DataLoader(train_ds, batch_size=16, shuffle=True)


class WineNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(13, 64)
        self.fc2 = nn.Linear(64, 32)
        self.out = nn.Linear(32, 3)

    def forward(self, x):
        x = torch.relu(self.fc1(x))
        x = torch.relu(self.fc2(x))
        return self.out(x)


model = WineNet()
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)

report = leadline.check(model, criterion, optimizer, train_loader)

for epoch in range(60):
    model.train()
    total = 0.0
    for xb, yb in train_loader:
        optimizer.zero_grad()
        loss = criterion(model(xb), yb)
        loss.backward()
        optimizer.step()
        total += loss.item()
    if epoch % 20 == 0:
        print(f"epoch {epoch} loss {total / len(train_loader):.4f}")

model.eval()
with torch.no_grad():
    pred = model(torch.tensor(X_test, dtype=torch.float32)).argmax(1)
    acc = (pred == torch.tensor(y_test)).float().mean().item()
print("test accuracy", acc)
print("SCORE", acc)
print("FINDINGS", json.dumps([(f.code, f.cause, f.severity, f.confidence, f.step) for f in report.findings]))
