"""Group effects for simulated people, as YAML files: see default.yaml."""
