"""From hits to a model's draft: what it is shown, how it is asked, and how its reply is read."""
