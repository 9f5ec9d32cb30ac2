"""Where a language model may one day advise: weights and risk parameters, never orders."""
