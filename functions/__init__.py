"""The Lambda functions: one package for each part of the product, one zip for all."""

VERSION = "0.1.0"
