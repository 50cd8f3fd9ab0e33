"""Why this label, of a model in memory: what needs its gradients."""
