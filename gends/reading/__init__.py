"""Datasets for trainers: PairDataset, PairStream, PairLoader."""
