"""A LightningModule of the user's own, trained as it is by an ordinary Trainer."""
