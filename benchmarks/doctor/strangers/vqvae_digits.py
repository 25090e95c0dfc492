# expect: M10 detached_graph
# note: VQ autoencoder without the straight-through estimator: encoder never receives a gradient (argmin cuts the graph)
import json

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn, optim

import leadline

torch.manual_seed(3)


class VectorQuantizer(nn.Module):
    def __init__(self, K, D):
        super().__init__()
        self.embedding = nn.Embedding(K, D)
        self.embedding.weight.data.uniform_(-0.5, 0.5)

    def forward(self, z):
        flat = z.reshape(-1, z.shape[-1])
        dist = torch.cdist(flat, self.embedding.weight)
        idx = dist.argmin(1)
        z_q = self.embedding(idx).view_as(z)
        vq_loss = F.mse_loss(z_q, z.detach())
        # z_q now has the same shape as z, pass on to the decoder
        return z_q, vq_loss, idx


class VQVAE(nn.Module):
    def __init__(self, D=8, K=32):
        super().__init__()
        self.D = D
        self.encoder = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 4 * D), nn.Tanh())
        self.vq = VectorQuantizer(K, D)
        self.decoder = nn.Sequential(nn.Linear(4 * D, 128), nn.ReLU(), nn.Linear(128, 64))

    def forward(self, x):
        z = self.encoder(x).view(len(x), 4, self.D)
        z_q, vq_loss, idx = self.vq(z)
        return self.decoder(z_q.flatten(1)), vq_loss, idx


def main():
    x = torch.tensor(load_digits().data, dtype=torch.float32) / 16
    x = x[torch.randperm(len(x))]
    tr, te = x[:1500], x[1500:]
    model = VQVAE()
    opt = optim.Adam(model.parameters(), lr=2e-3)
    doctor = leadline.watch(model, opt)
    doctor.start()
    for epoch in range(25):
        for xb in tr[torch.randperm(len(tr))].split(100):
            recon, vq_loss, _ = model(xb)
            loss = F.mse_loss(recon, xb) * 10 + vq_loss
            opt.zero_grad()
            loss.backward()
            opt.step()
        if epoch % 5 == 4:
            print(f"[{epoch + 1}] loss={loss.item():.4f}")
    doctor.stop()
    with torch.no_grad():
        r, _, idx = model(te)
    print(f"SCORE 1-R2(recon, lower better) {(F.mse_loss(r, te) / (te - tr.mean(0)).pow(2).mean()).item():.3f} codes {idx.unique().numel()}")
    print("FINDINGS", json.dumps([(f.code, f.cause, f.severity, f.confidence, f.step) for f in doctor.findings]))


if __name__ == "__main__":
    main()
