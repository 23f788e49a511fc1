"""AWS's prices: us-east-1, without free tiers and discounts, read in November 2026. Each names its page.

In dollars for each unit. The pages show the first tier of each price, and so does this list.
"""

from __future__ import annotations

PRICES_OF = "us-east-1, November 2026"

DOLLARS = {
    # https://aws.amazon.com/api-gateway/pricing: for each 512 KB of a request, the first 300 million a month
    "HTTP API request": 1.00e-6,
    # https://aws.amazon.com/lambda/pricing: time is wall-clock time, waits and (since August 2025) cold starts included
    "Lambda request": 0.20e-6,
    "Lambda GB-second, arm64": 0.0000133334,
    "Lambda GB-second, x86_64": 0.0000166667,
    # https://aws.amazon.com/dynamodb/pricing/on-demand, halved in November 2024; Standard table class
    "DynamoDB write unit": 0.625e-6,
    "DynamoDB read unit": 0.125e-6,
    # https://aws.amazon.com/dynamodb/pricing/provisioned
    "DynamoDB write capacity unit, hour": 0.00065,
    "DynamoDB read capacity unit, hour": 0.00013,
    # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/warm-throughput.html: once, for each unit a
    # second above the value so far, at the price of a provisioned unit
    "DynamoDB warm write unit, once": 0.00065,
    # https://aws.amazon.com/sqs/pricing: for each 64 KB of a call, standard queues
    "SQS request": 0.40e-6,
    # https://aws.amazon.com/eventbridge/pricing: for each 64 KB of an own event
    "EventBridge event": 1.00e-6,
    # https://aws.amazon.com/cloudwatch/pricing: ingestion, and the storage of a month; 26 bytes more for each event
    "log GB": 0.50 + 0.03,
    # https://aws.amazon.com/xray/pricing
    "X-Ray trace": 5.00e-6,
}

DOLLARS_A_MONTH = {
    # https://aws.amazon.com/cloudwatch/pricing, https://aws.amazon.com/kms/pricing
    "AWS::CloudWatch::Alarm": 0.10,
    "AWS::CloudWatch::Dashboard": 3.0,
    "AWS::KMS::Key": 1.0,
}
METRIC_DOLLARS_A_MONTH = 0.30
"""https://aws.amazon.com/cloudwatch/pricing: of each own metric, by name and dimensions, in a month with values."""
