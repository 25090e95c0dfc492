"""The doctor's zoo: small real trainings, healthy and with planted faults."""
