"""SQS standard queues: attributes, sending, receiving, dead letters, and fairness between message groups.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
"""
