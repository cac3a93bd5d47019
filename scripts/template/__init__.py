"""How the embedded template `atlas-head` is made; `scripts/train_template.py` is the entry."""
