"""The approaches side by side: one model, rules, adaptive and three more, on one workload of real outcomes.

python -m benchmarks.approaches --shared ../shared        (docs/approaches.md says what is measured and what is made up)
"""
