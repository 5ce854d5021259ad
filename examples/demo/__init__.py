"""The demonstration: an existing chain, agent and query engine on one router, against two baselines.

python -m examples.demo --out demo-output
"""
