"""A LightningModule of the user's own, trained as it is by an ordinary Trainer, as one trial of a study like any other.

It takes seconds to import Lightning, so this package imports none of its modules: see `ridgeline.lightning.alone`.
"""
