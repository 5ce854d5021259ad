"""Rehearsals: a configuration and its traffic with simulated providers and scripted faults, in virtual time.

    from capability_router.rehearsal.rehearsal import rehearse

    found = rehearse("router.yaml", faults=["outage:openai@30s+60s"])
    found.router.success, found.alone.success, found.advice

The router is the real one: policy, health, budgets, state machine and async driver. The models, the network and the
time are simulated. Nothing is sent, no key is needed, and the configuration's store and log are not used.
"""
