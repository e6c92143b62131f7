"""The metrics that are computed unless others are asked for. Needs no torch."""

DEFAULT = ("psnr", "ssim", "lpips", "dists", "fid", "niqe", "musiq", "clipiqa")
"""What papers on restoration report; `fid` compares sets of pictures, the others single ones."""
