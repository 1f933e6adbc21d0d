"""The judge: observations in, verdict out."""
