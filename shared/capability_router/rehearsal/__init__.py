"""A game day: a configuration and its traffic against simulated providers and a fault script, in virtual time.

    from capability_router.rehearsal.rehearsal import rehearse

    found = rehearse("router.yaml", faults=["outage:openai@30s+60s"])
    found.router.success, found.alone.success, found.advice

The router is the real one: policy, health, budgets, machine and its asynchronous driver. Simulated are the models, the
network and the time. Nothing is sent, no key is needed, and neither store nor log of the configuration is touched.
"""
