"""Weft's vector index beside hnswlib, faiss and usearch: the same vectors, one thread, in one run, turn by turn, in processor time.

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install numpy hnswlib faiss-cpu usearch
    cargo build --release -p vector-bench
    /tmp/venv/bin/python tools/vector-bench/compare.py --binary target/release/vector-bench --count 100000 --dimension 384

Vectors are clustered: points around centres in a space of few dimensions, turned into the full one, with noise, at length 1. Recall is of the 10
nearest, against exact search. For each library the smallest EF that reaches the recall is looked for; then all take turns.
"""

import argparse, os, subprocess, sys, time

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"
import numpy as np

K = 10
EFS = [10, 12, 14, 16, 18, 20, 23, 26, 30, 34, 38, 43, 48, 54, 60, 68, 76, 86, 98, 110, 125, 140, 160, 180, 205, 235, 270, 310, 360, 420, 500]


def clustered(count, dimension, seed, latent, clusters):
    random = np.random.default_rng(7)
    centres = random.normal(size=(clusters, latent)).astype(np.float32)
    turn = (random.normal(size=(latent, dimension)) / np.sqrt(latent)).astype(np.float32)
    random = np.random.default_rng(seed)
    which = random.integers(clusters, size=count)
    points = centres[which] + 0.5 * random.normal(size=(count, latent)).astype(np.float32)
    vectors = points @ turn + 0.1 * random.normal(size=(count, dimension)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.ascontiguousarray(vectors, dtype=np.float32)


class Weft:
    def __init__(self, name, process, codes, arguments):
        self.name, self.process, self.codes, self.arguments = name, process, codes, arguments

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().split()
        if not answer:
            sys.exit("vector-bench has ended")
        return [float(word) for word in answer]

    def build(self, vectors):
        a = self.arguments
        seconds, self.bytes, _ = self.ask(f"build {self.name} l2 {a.m} {a.ef_construction} {self.codes}")
        return seconds

    def search(self, queries, ef):
        file = f"{self.arguments.directory}/found.u32"
        seconds, self.distances = self.ask(f"search {self.name} {K} {ef} {file}")
        return seconds, np.fromfile(file, dtype=np.uint32).reshape(-1, K)


class Hnswlib:
    name = "hnswlib"

    def __init__(self, arguments):
        self.arguments = arguments

    def build(self, vectors):
        import hnswlib
        begin = time.process_time()
        self.index = hnswlib.Index(space="l2", dim=vectors.shape[1])
        self.index.init_index(max_elements=len(vectors), ef_construction=self.arguments.ef_construction, M=self.arguments.m)
        self.index.set_num_threads(1)
        self.index.add_items(vectors, num_threads=1)
        return time.process_time() - begin

    def search(self, queries, ef):
        self.index.set_ef(ef)
        begin = time.process_time()
        labels, _ = self.index.knn_query(queries, k=K, num_threads=1)
        return time.process_time() - begin, labels


class Faiss:
    def __init__(self, arguments, codes):
        self.name, self.arguments, self.codes = ("faiss HNSWSQ8" if codes else "faiss HNSWFlat"), arguments, codes

    def build(self, vectors):
        import faiss
        faiss.omp_set_num_threads(1)
        begin = time.process_time()
        dimension, m = vectors.shape[1], self.arguments.m
        if self.codes:
            self.index = faiss.IndexHNSWSQ(dimension, faiss.ScalarQuantizer.QT_8bit, m)
        else:
            self.index = faiss.IndexHNSWFlat(dimension, m)
        self.index.hnsw.efConstruction = self.arguments.ef_construction
        if self.codes:
            self.index.train(vectors)
        self.index.add(vectors)
        return time.process_time() - begin

    def search(self, queries, ef):
        self.index.hnsw.efSearch = ef
        begin = time.process_time()
        _, labels = self.index.search(queries, K)
        return time.process_time() - begin, labels


class Usearch:
    name = "usearch f32"

    def __init__(self, arguments):
        self.arguments = arguments

    def build(self, vectors):
        from usearch.index import Index
        begin = time.process_time()
        self.index = Index(ndim=vectors.shape[1], metric="l2sq", dtype="f32", connectivity=self.arguments.m, expansion_add=self.arguments.ef_construction)
        self.index.add(np.arange(len(vectors)), vectors, threads=1)
        return time.process_time() - begin

    def search(self, queries, ef):
        self.index.expansion_search = ef
        begin = time.process_time()
        found = self.index.search(queries, K, threads=1)
        return time.process_time() - begin, found.keys


def exact(vectors, queries):
    nearest = []
    for some in np.array_split(queries, max(1, len(queries) // 200)):
        distances = (vectors ** 2).sum(axis=1)[None, :] - 2 * some @ vectors.T
        best = np.argpartition(distances, K, axis=1)[:, :K]
        nearest.append(best)
    return np.concatenate(nearest)


def recall(truth, found):
    return np.mean([len(set(a.tolist()) & set(b[:K].tolist())) / K for a, b in zip(truth, found)])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", required=True)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--dimension", type=int, default=384)
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--latent", type=int, default=24)
    parser.add_argument("--clusters", type=int, default=400)
    parser.add_argument("--m", type=int, default=16)
    parser.add_argument("--ef-construction", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--recalls", default="0.95,0.98")
    parser.add_argument("--directory", default="/tmp")
    parser.add_argument("--only", default="")
    parser.add_argument("--vectors", help="a file of f32 instead of what is made here; the last ones become queries")
    parser.add_argument("--churn", type=float, default=0.0)
    a = parser.parse_args()
    if a.vectors:
        everything = np.fromfile(a.vectors, dtype=np.float32).reshape(-1, a.dimension)
        vectors, queries = np.ascontiguousarray(everything[:-a.queries]), np.ascontiguousarray(everything[-a.queries:])
    else:
        vectors = clustered(a.count, a.dimension, 1, a.latent, a.clusters)
        queries = clustered(a.queries, a.dimension, 2, a.latent, a.clusters)
    truth = exact(vectors, queries)
    paths = [f"{a.directory}/vectors.f32", f"{a.directory}/queries.f32"]
    vectors.tofile(paths[0])
    queries.tofile(paths[1])
    process = subprocess.Popen([a.binary, "serve", *paths, str(a.dimension)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    peers = [Weft("weft", process, "whole", a), Weft("weft-codes", process, "codes", a), Hnswlib(a), Faiss(a, False), Faiss(a, True), Usearch(a)]
    peers = [peer for peer in peers if not a.only or peer.name in a.only.split(",")]
    print(f"{len(vectors)} x {a.dimension}, M {a.m}, EF_CONSTRUCTION {a.ef_construction}, {len(queries)} queries")
    for peer in peers:
        seconds = peer.build(vectors)
        print(f"build {peer.name}: {len(vectors) / seconds:.0f} a second", end="")
        print(f", {peer.bytes / vectors.nbytes:.4f} x the vectors" if isinstance(peer, Weft) else "", flush=True)
    for least in map(float, a.recalls.split(",")):
        chosen = []
        for peer in peers:
            for ef in EFS:
                _, found = peer.search(queries, ef)
                reached = recall(truth, found)
                if reached >= least:
                    chosen.append((peer, ef, reached))
                    break
            else:
                print(f"{peer.name} reaches {reached:.3f} only")
        times = {peer.name: [] for peer, _, _ in chosen}
        for _ in range(a.rounds):
            for peer, ef, _ in chosen:
                times[peer.name].append(peer.search(queries, ef)[0])
        rates = {name: len(queries) / np.median(some) for name, some in times.items()}
        base = times.get("hnswlib")
        for peer, ef, reached in chosen:
            ratio = np.median([b / t for b, t in zip(base, times[peer.name])]) if base else 0
            each = f", {peer.distances / len(queries):.0f} distances" if isinstance(peer, Weft) else ""
            print(f"recall {least}: {peer.name}: {rates[peer.name]:.0f} queries a second, {ratio:.2f} x hnswlib (EF {ef}, recall {reached:.4f}{each})", flush=True)
    if a.churn:
        for peer in peers:
            if isinstance(peer, Weft):
                for ef in (50, 100):
                    before = recall(truth, peer.search(queries, ef)[1])
                    old = peer.bytes
                    seconds, peer.bytes = peer.ask(f"churn {peer.name} {a.churn}")
                    after = recall(truth, peer.search(queries, ef)[1])
                    print(f"churn {peer.name}, EF {ef}: recall {before:.4f}, then {after:.4f}; memory {peer.bytes / old:.3f} x; {seconds:.1f} s", flush=True)
    process.stdin.close()


main()
