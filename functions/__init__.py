"""The Lambda functions: one package for each part of the product, one zip for all."""
